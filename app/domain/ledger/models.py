"""The books: accounts, transactions, entries that are never changed, balances, closed periods."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core import db


class AccountKind(StrEnum):
    ASSET = "asset"
    LIABILITY = "liability"
    INCOME = "income"
    EXPENSE = "expense"


class LedgerAccount(db.Model):
    """One account, named by its code, such as `channel:sandbox`.

    `may_go_negative` speaks of its normal side: a debit balance for assets and expenses, a credit
    balance for the other two.
    """

    __tablename__ = "ledger_accounts"
    __table_args__ = (sa.UniqueConstraint("code", "currency"),)

    id: Mapped[db.PrimaryKey]
    code: Mapped[str]
    kind: Mapped[AccountKind]
    currency: Mapped[str]
    may_go_negative: Mapped[bool]


class LedgerBalance(db.Model):
    """The sum of an account's entries: a projection the audit recomputes. Debit is positive."""

    __tablename__ = "ledger_balances"

    account_id: Mapped[int] = mapped_column(sa.ForeignKey(LedgerAccount.id), primary_key=True)
    balance: Mapped[int] = mapped_column(default=0)


class LedgerTransaction(db.Model):
    """One event in the books. `key` names the event, so that it is booked once."""

    __tablename__ = "ledger_transactions"
    __table_args__ = (sa.Index("ix_ledger_transactions_subject", "subject", "subject_id"),)

    id: Mapped[db.PrimaryKey]
    key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    subject: Mapped[str]
    subject_id: Mapped[int]
    actor: Mapped[str]
    memo: Mapped[str]
    posted_at: Mapped[datetime] = mapped_column(index=True)


class LedgerEntry(db.Model):
    """One line: debit positive, credit negative, never zero. The database refuses changes."""

    __tablename__ = "ledger_entries"
    __table_args__ = (
        sa.CheckConstraint("amount <> 0", name="amount_not_zero"),
        # An account's newest entries, however many it has.
        sa.Index("ix_ledger_entries_of_account", "account_id", "id"),
    )

    id: Mapped[db.PrimaryKey]
    transaction_id: Mapped[int] = mapped_column(sa.ForeignKey(LedgerTransaction.id), index=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(LedgerAccount.id))
    amount: Mapped[int]


class LedgerPeriod(db.Model):
    """A month of the books that is closed: the database takes no transaction before its end.

    `ends_at` is its first moment after; it begins where the one before it ended, and the first one
    with the books. `hash` chains it to `previous_hash`; see `closing.py`. `totals` has a row for
    each account: [code, currency, opening, debit, credit, closing], in minor units, debit positive.
    """

    __tablename__ = "ledger_periods"
    __table_args__ = (sa.CheckConstraint("transactions >= 0", name="transactions_not_negative"),)

    id: Mapped[db.PrimaryKey]
    # "2026-10", in the shop's zone as it was then.
    month: Mapped[str] = mapped_column(unique=True)
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime] = mapped_column(unique=True)
    transactions: Mapped[int]
    # The newest of its transactions; none when it had none.
    last_transaction_id: Mapped[int | None] = mapped_column(sa.ForeignKey(LedgerTransaction.id))
    totals: Mapped[list[Any]]
    previous_hash: Mapped[str]
    hash: Mapped[str] = mapped_column(unique=True)
    closed_by: Mapped[str]
    closed_at: Mapped[datetime]
