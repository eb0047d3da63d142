"""The books: accounts, transactions, entries that are never changed, and balances made of them."""

from datetime import datetime
from enum import StrEnum

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
    __table_args__ = (sa.CheckConstraint("amount <> 0", name="amount_not_zero"),)

    id: Mapped[db.PrimaryKey]
    transaction_id: Mapped[int] = mapped_column(sa.ForeignKey(LedgerTransaction.id), index=True)
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(LedgerAccount.id), index=True)
    amount: Mapped[int]
