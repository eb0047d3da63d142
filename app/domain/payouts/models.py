"""Payout accounts, withdrawals, what each withdrawal is made of, and the batches they go out in."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core import clock, db
from app.domain.channels.models import Commission, Distributor


class AccountKind(StrEnum):
    """BANK_CARD and ALIPAY are a person's (对私), COMPANY is a company's bank account (对公)."""

    BANK_CARD = "bank_card"
    ALIPAY = "alipay"
    COMPANY = "company"


class AccountState(StrEnum):
    """A RETIRED account is never paid to again; its row stays, because withdrawals name it."""

    ACTIVE = "active"
    RETIRED = "retired"


class PayoutAccount(db.Model):
    """Where a distributor's money goes. Never edited: another account is another row.

    Holder's name and number are sealed to the row's `uid`; the masked ones are for showing.
    `account_index` finds the same account again. Nothing is paid to it before `usable_at`.
    """

    __tablename__ = "payout_accounts"
    __table_args__ = (
        sa.Index("ix_payout_accounts_distributor", "distributor_id", "id"),
        sa.Index("ix_payout_accounts_account", "account_index"),
        sa.Index(
            "uq_payout_accounts_one_default",
            "distributor_id",
            unique=True,
            postgresql_where=sa.text("is_default"),
            sqlite_where=sa.text("is_default"),
        ),
        sa.CheckConstraint("state = 'active' OR NOT is_default", name="default_is_active"),
    )

    MOVES = {
        AccountState.ACTIVE: {AccountState.RETIRED},
        AccountState.RETIRED: set(),
    }

    id: Mapped[db.PrimaryKey]
    uid: Mapped[str] = mapped_column(unique=True)
    distributor_id: Mapped[int] = mapped_column(sa.ForeignKey(Distributor.id))
    kind: Mapped[AccountKind]
    state: Mapped[AccountState] = mapped_column(default=AccountState.ACTIVE)
    is_default: Mapped[bool] = mapped_column(default=False)
    holder_sealed: Mapped[bytes]
    holder_masked: Mapped[str]
    account_sealed: Mapped[bytes]
    account_masked: Mapped[str]
    account_index: Mapped[bytes]
    bank: Mapped[str] = mapped_column(default="")
    branch: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    usable_at: Mapped[datetime]
    retired_at: Mapped[datetime | None]

    distributor: Mapped[Distributor] = relationship()


class PayoutBatch(db.Model):
    """Approved withdrawals that go out together, one way. Submitted, it takes no more."""

    __tablename__ = "payout_batches"

    id: Mapped[db.PrimaryKey]
    number: Mapped[str] = mapped_column(unique=True)
    # The provider's name: bank_file, alipay, manual.
    method: Mapped[str]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    submitted_by: Mapped[str] = mapped_column(default="")
    submitted_at: Mapped[datetime | None]


class WithdrawalState(StrEnum):
    """REQUESTED waits for review, APPROVED for a batch. PAYING is the intent, or acknowledged.

    UNKNOWN is doubt, which is asked about. RETURNED came back and waits for staff: paid once more,
    or given back (REFUSED). Only PAID and REFUSED are ends, and a PAID one may still come back.
    """

    REQUESTED = "requested"
    APPROVED = "approved"
    PAYING = "paying"
    AWAITING_PAYEE = "awaiting_payee"
    UNKNOWN = "unknown"
    PAID = "paid"
    RETURNED = "returned"
    REFUSED = "refused"


class Withdrawal(db.Model):
    """A distributor wants her money: `gross` leaves her balance, `net` reaches her account.

    Minor units; gross = tax + fee + net, where tax and fee are known when it is submitted. `number`
    is ours and the channel's idempotency key: however often it is sent, it is paid once. `tries`
    counts the submissions; each has postings of its own.
    """

    __tablename__ = "withdrawals"
    __table_args__ = (
        sa.CheckConstraint("gross = tax + fee + net", name="adds_up"),
        sa.CheckConstraint("gross > 0 AND net > 0 AND tax >= 0 AND fee >= 0", name="positive"),
        sa.Index("ix_withdrawals_distributor", "distributor_id", "id"),
        sa.Index("ix_withdrawals_state", "state", "id"),
        sa.Index("ix_withdrawals_batch", "batch_id"),
    )

    MOVES = {
        WithdrawalState.REQUESTED: {WithdrawalState.APPROVED, WithdrawalState.REFUSED},
        WithdrawalState.APPROVED: {WithdrawalState.PAYING, WithdrawalState.REFUSED},
        WithdrawalState.PAYING: {
            WithdrawalState.AWAITING_PAYEE,
            WithdrawalState.UNKNOWN,
            WithdrawalState.PAID,
            WithdrawalState.RETURNED,
        },
        WithdrawalState.AWAITING_PAYEE: {WithdrawalState.PAID, WithdrawalState.RETURNED},
        WithdrawalState.UNKNOWN: {
            # The channel has it after all.
            WithdrawalState.PAYING,
            WithdrawalState.AWAITING_PAYEE,
            WithdrawalState.PAID,
            WithdrawalState.RETURNED,
        },
        # The payee's bank sends it back days later.
        WithdrawalState.PAID: {WithdrawalState.RETURNED},
        WithdrawalState.RETURNED: {WithdrawalState.APPROVED, WithdrawalState.REFUSED},
        WithdrawalState.REFUSED: set(),
    }

    id: Mapped[db.PrimaryKey]
    number: Mapped[str] = mapped_column(unique=True)
    # Of the form it was asked for with: a double tap is one withdrawal.
    request_key: Mapped[bytes] = mapped_column(unique=True)
    distributor_id: Mapped[int] = mapped_column(sa.ForeignKey(Distributor.id))
    account_id: Mapped[int] = mapped_column(sa.ForeignKey(PayoutAccount.id), index=True)
    batch_id: Mapped[int | None] = mapped_column(sa.ForeignKey(PayoutBatch.id))
    state: Mapped[WithdrawalState] = mapped_column(default=WithdrawalState.REQUESTED)
    currency: Mapped[str] = mapped_column(default="CNY")
    gross: Mapped[int]
    tax: Mapped[int] = mapped_column(default=0)
    fee: Mapped[int] = mapped_column(default=0)
    net: Mapped[int]
    # How the tax came about: its method and each step, as it was computed at the submission.
    tax_method: Mapped[str] = mapped_column(default="")
    tax_trace: Mapped[list[Any]]
    # Who looked first where a second pair of eyes is needed, and who approved.
    checked_by: Mapped[str] = mapped_column(default="")
    approved_by: Mapped[str] = mapped_column(default="")
    # Why risk wants two people to look: the number of its decision.
    risk_decision: Mapped[str] = mapped_column(default="")
    # The provider it went out by; which submission it is; the channel's number and words.
    method: Mapped[str] = mapped_column(default="")
    tries: Mapped[int] = mapped_column(default=0)
    reference: Mapped[str] = mapped_column(default="")
    reason: Mapped[str] = mapped_column(default="")
    queries: Mapped[int] = mapped_column(default=0)
    requested_at: Mapped[datetime] = mapped_column(default=clock.now)
    approved_at: Mapped[datetime | None]
    submitted_at: Mapped[datetime | None]
    # When the channel was called last under this number; none before it was.
    sent_at: Mapped[datetime | None]
    settled_at: Mapped[datetime | None]

    distributor: Mapped[Distributor] = relationship()
    account: Mapped[PayoutAccount] = relationship()
    batch: Mapped[PayoutBatch | None] = relationship()


class WithdrawalItem(db.Model):
    """So much of a commission goes out with a withdrawal; the oldest commissions go first."""

    __tablename__ = "withdrawal_items"
    __table_args__ = (
        sa.UniqueConstraint("withdrawal_id", "commission_id"),
        sa.CheckConstraint("amount > 0", name="amount_positive"),
    )

    id: Mapped[db.PrimaryKey]
    withdrawal_id: Mapped[int] = mapped_column(sa.ForeignKey(Withdrawal.id))
    commission_id: Mapped[int] = mapped_column(sa.ForeignKey(Commission.id), index=True)
    amount: Mapped[int]


# Whose gross stands in `payout_pending`.
OPEN = (
    WithdrawalState.REQUESTED,
    WithdrawalState.APPROVED,
    WithdrawalState.PAYING,
    WithdrawalState.AWAITING_PAYEE,
    WithdrawalState.UNKNOWN,
    WithdrawalState.RETURNED,
)
# Submitted, and nobody has said yet how it ended.
UNDER_WAY = (WithdrawalState.PAYING, WithdrawalState.AWAITING_PAYEE, WithdrawalState.UNKNOWN)
