"""The books: they balance, and each payment and refund stands in them once."""

import sqlalchemy as sa

from app.core.db import session
from app.domain.ledger import closing
from app.domain.ledger.models import (
    AccountKind,
    LedgerAccount,
    LedgerBalance,
    LedgerEntry,
    LedgerPeriod,
    LedgerTransaction,
)
from app.domain.orders.models import Payment, Refund, RefundState
from app.invariants.counting import Counted, counted


@counted
def ledger_sums_to_zero() -> Counted:
    broken = (
        sa.select(LedgerTransaction.id)
        .outerjoin(LedgerEntry)
        .group_by(LedgerTransaction.id)
        .having(
            sa.or_(
                sa.func.coalesce(sa.func.sum(LedgerEntry.amount), 0) != 0,
                sa.func.count(LedgerEntry.id) < 2,
            )
        )
    )
    return LedgerTransaction, broken


@counted
def balances_equal_entries() -> Counted:
    broken = (
        sa.select(LedgerAccount.id)
        .outerjoin(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .outerjoin(LedgerEntry, LedgerEntry.account_id == LedgerAccount.id)
        .group_by(LedgerAccount.id, LedgerBalance.balance)
        .having(
            sa.func.coalesce(sa.func.sum(LedgerEntry.amount), 0)
            != sa.func.coalesce(LedgerBalance.balance, 0)
        )
    )
    return LedgerAccount, broken


@counted
def no_account_went_negative() -> Counted:
    """At every prefix of its history, in the order in which entries were added."""
    running = (
        sa.select(
            LedgerEntry.account_id,
            sa.func.sum(LedgerEntry.amount)
            .over(partition_by=LedgerEntry.account_id, order_by=LedgerEntry.transaction_id)
            .label("balance"),
        )
    ).subquery()
    debit_side = LedgerAccount.kind.in_([AccountKind.ASSET, AccountKind.EXPENSE])
    broken = (
        sa.select(LedgerAccount.id)
        .join(running, running.c.account_id == LedgerAccount.id)
        .where(
            sa.not_(LedgerAccount.may_go_negative),
            sa.case((debit_side, running.c.balance), else_=-running.c.balance) < 0,
        )
        .distinct()
    )
    return LedgerAccount, broken


def periods_keep_their_hash(full: bool) -> tuple[int, int]:
    """The books say of a closed month what they said when it was closed, and the months hang
    together. Without `full` only the newest is computed anew; of the others, how they hang."""
    found = session.scalars(sa.select(LedgerPeriod).order_by(LedgerPeriod.ends_at)).all()
    wrong, before = set(), None
    for period in found:
        previous = (before.hash, before.ends_at) if before else ("", None)
        if (period.previous_hash, period.starts_at) != previous:
            wrong.add(period.id)
        before = period
    for period in found if full else found[-1:]:
        if not closing.still_holds(period):
            wrong.add(period.id)
    return len(found), len(wrong)


@counted
def money_is_booked_once() -> Counted:
    """Each payment that received money has one posting of it, each finished refund one too."""
    payments = (
        sa.select(Payment.id)
        .outerjoin(
            LedgerTransaction,
            LedgerTransaction.key == sa.literal("pay:") + sa.cast(Payment.id, sa.Text),
        )
        .where((Payment.received > 0) != LedgerTransaction.id.is_not(None))
    )
    refunds = (
        sa.select(Refund.id)
        .outerjoin(
            LedgerTransaction,
            LedgerTransaction.key == sa.literal("refunded:") + sa.cast(Refund.id, sa.Text),
        )
        .where((Refund.state == RefundState.SUCCEEDED) != LedgerTransaction.id.is_not(None))
    )
    return (Payment, Refund), (payments, refunds)


@counted
def refunds_within_payments() -> Counted:
    asked = (
        sa.select(Refund.payment_id, sa.func.sum(Refund.amount).label("amount")).group_by(
            Refund.payment_id
        )
    ).subquery()
    broken = (
        sa.select(Payment.id)
        .join(asked, asked.c.payment_id == Payment.id)
        .where(asked.c.amount > Payment.received)
    )
    return Refund, broken
