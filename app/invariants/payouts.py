"""Payouts: none paid twice, each adds up, and what is asked for stands in the books."""

import sqlalchemy as sa

from app.core.outbox import OutboxRow, OutboxState
from app.domain.channels.models import Distributor
from app.domain.ledger.models import LedgerAccount, LedgerBalance, LedgerEntry, LedgerTransaction
from app.domain.payouts.models import OPEN, UNDER_WAY, Withdrawal, WithdrawalItem, WithdrawalState
from app.invariants.counting import Counted, count, counted
from app.providers import payouts


@counted
def withdrawals_are_paid_once() -> Counted:
    """Postings of payment less those of return: one for a paid withdrawal, none for any other."""
    booked = (
        sa.select(
            LedgerTransaction.subject_id,
            sa.func.sum(sa.case((LedgerTransaction.kind == "payout_paid", 1), else_=-1)).label("n"),
        )
        .where(
            LedgerTransaction.subject == "withdrawals",
            LedgerTransaction.kind.in_(["payout_paid", "payout_returned"]),
        )
        .group_by(LedgerTransaction.subject_id)
        .subquery()
    )
    wanted = sa.case((Withdrawal.state == WithdrawalState.PAID, 1), else_=0)
    broken = (
        sa.select(Withdrawal.id)
        .outerjoin(booked, booked.c.subject_id == Withdrawal.id)
        .where(sa.func.coalesce(booked.c.n, 0) != wanted)
    )
    return Withdrawal, broken


@counted
def withdrawals_add_up() -> Counted:
    """gross = tax + fee + net, no more commission in it than its gross, and booked like that."""
    claimed = (
        sa.select(WithdrawalItem.withdrawal_id, sa.func.sum(WithdrawalItem.amount).label("amount"))
        .group_by(WithdrawalItem.withdrawal_id)
        .subquery()
    )
    broken = (
        sa.select(Withdrawal.id)
        .outerjoin(claimed, claimed.c.withdrawal_id == Withdrawal.id)
        .where(
            sa.or_(
                Withdrawal.gross != Withdrawal.tax + Withdrawal.fee + Withdrawal.net,
                sa.func.coalesce(claimed.c.amount, 0) > Withdrawal.gross,
                _booked_otherwise(),
            )
        )
    )
    return Withdrawal, broken


def _booked_otherwise() -> sa.ColumnElement[bool]:
    """A paid one whose latest posting took another net out than the row says."""
    key = (
        sa.literal("payout_paid:")
        + sa.cast(Withdrawal.id, sa.Text)
        + ":"
        + sa.cast(Withdrawal.tries, sa.Text)
    )
    out = (
        sa.select(sa.func.coalesce(sa.func.sum(LedgerEntry.amount), 0))
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(
            LedgerTransaction.key == key,
            sa.or_(LedgerAccount.code == "bank", LedgerAccount.code.startswith("channel:")),
        )
        .correlate(Withdrawal)
        .scalar_subquery()
    )
    return sa.and_(Withdrawal.state == WithdrawalState.PAID, out != -Withdrawal.net)


@counted
def open_withdrawals_are_booked() -> Counted:
    """Each distributor's `payout_pending` is the sum of what she has asked for and not got."""
    asked = (
        sa.select(sa.func.coalesce(sa.func.sum(Withdrawal.gross), 0))
        .where(Withdrawal.distributor_id == Distributor.id, Withdrawal.state.in_(OPEN))
        .correlate(Distributor)
        .scalar_subquery()
    )
    booked = (
        sa.select(sa.func.coalesce(sa.func.sum(-LedgerBalance.balance), 0))
        .join(LedgerAccount, LedgerAccount.id == LedgerBalance.account_id)
        .where(LedgerAccount.code == "payout_pending:" + Distributor.uid)
        .correlate(Distributor)
        .scalar_subquery()
    )
    return Distributor, sa.select(Distributor.id).where(asked != booked)


def payouts_are_carried(_full: bool) -> tuple[int, int]:
    """Whatever a channel was asked to pay has a job that asks what became of it."""
    by_themselves = [one.name for one in payouts.offered() if one.pays_by_itself]
    key = (
        sa.literal("payout:")
        + sa.cast(Withdrawal.id, sa.Text)
        + ":"
        + sa.cast(Withdrawal.tries, sa.Text)
    )
    open_ones = sa.select(Withdrawal.id).where(
        Withdrawal.state.in_(UNDER_WAY), Withdrawal.method.in_(by_themselves)
    )
    carried = sa.exists().where(
        OutboxRow.key == key, OutboxRow.state.in_([OutboxState.READY, OutboxState.RUNNING])
    )
    return count(open_ones), count(open_ones.where(~carried))
