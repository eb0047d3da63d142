"""Commissions: each is what its rule gives, and what stands in the books is what the rows say."""

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from app.core import clock
from app.core.db import session
from app.core.outbox import OutboxRow, OutboxState
from app.domain.channels import rules, terms
from app.domain.channels.commission import WAITING
from app.domain.channels.models import Commission, CommissionState, Distributor, Rule
from app.domain.ledger.models import LedgerAccount, LedgerBalance, LedgerEntry, LedgerTransaction
from app.domain.orders.models import OrderLine
from app.invariants.counting import Counted, counted

SAMPLE = 2_000
CHUNK = 1_000
SETTLING_JOB = "app.domain.channels.jobs.settle_commission"

Found = tuple[Commission, Rule | None, OrderLine]


def commissions_follow_their_rules(full: bool) -> tuple[int, int]:
    """The amount is the rule's arithmetic on what was paid for the line, less exact claw-backs.

    One whose order still has a job waiting is looked at by its amount alone: the job will bring
    the rest in line.
    """
    unsettled = _unsettled_orders()
    looked_at = breaches = 0
    for found in _commissions(None if full else SAMPLE):
        looked_at += 1
        breaches += not (_is_its_rules(*found) and _stands(*found, unsettled))
    return looked_at, breaches


def _commissions(most: int | None) -> Iterator[Found]:
    """The newest `most` of them, or all."""
    newest = (
        sa.select(Commission, Rule, OrderLine)
        .outerjoin(Rule, Rule.id == Commission.rule_id)
        .join(OrderLine, OrderLine.id == Commission.order_line_id)
        .order_by(Commission.id.desc())
        .limit(most)
    )
    rows = session.execute(newest.execution_options(yield_per=CHUNK))
    for row in rows:
        yield row[0], row[1], row[2]


def _is_its_rules(one: Commission, rule: Rule | None, line: OrderLine) -> bool:
    sale = rules.from_trace(one.trace)
    if rule is None or sale is None or not one.base == sale.base == line.amount:
        return False
    return rules.amount(terms.of_rule(rule), sale)[0] == one.amount


def _stands(one: Commission, _rule: Rule | None, line: OrderLine, unsettled: set[int]) -> bool:
    """Whether it is as far as its line is: booked when that is delivered, taken back with it."""
    if one.handed_over_at is not None or one.order_id in unsettled:
        return True
    is_booked = one.earned_at is not None
    is_gone = line.refunded >= line.amount
    back = rules.reversal(one.amount, one.base, line.refunded, 0)
    return one.reversed == back and (is_booked or is_gone or line.delivered_at is None)


def _unsettled_orders() -> set[int]:
    """Orders whose job is due and has not ended."""
    rows: Sequence[list[int]] = session.scalars(
        sa.select(OutboxRow.args).where(
            OutboxRow.name == SETTLING_JOB,
            OutboxRow.state.in_([OutboxState.READY, OutboxState.RUNNING]),
            OutboxRow.due_at <= clock.now(),
        )
    ).all()
    return {order_id for (order_id,) in rows}


@counted
def waiting_commissions_are_booked() -> Counted:
    """Each distributor's `commission_pending` is the sum of what her waiting commissions keep."""
    booked = (
        sa.select(sa.func.coalesce(sa.func.sum(-LedgerBalance.balance), 0))
        .join(LedgerAccount, LedgerAccount.id == LedgerBalance.account_id)
        .where(LedgerAccount.code == "commission_pending:" + Distributor.uid)
        .correlate(Distributor)
        .scalar_subquery()
    )
    broken = sa.select(Distributor.id).where(_kept(WAITING) != booked)
    return Distributor, broken


@counted
def payable_commissions_are_booked() -> Counted:
    """What commissions put into each distributor's `commission_payable`, less what they took out
    of it, is what those that were ever payable keep; withdrawals are another matter."""
    booked = (
        sa.select(sa.func.coalesce(sa.func.sum(-LedgerEntry.amount), 0))
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .where(
            LedgerAccount.code == "commission_payable:" + Distributor.uid,
            LedgerTransaction.subject == "commissions",
        )
        .correlate(Distributor)
        .scalar_subquery()
    )
    payable = [
        state for state in CommissionState if state not in (*WAITING, CommissionState.PENDING)
    ]
    return Distributor, sa.select(Distributor.id).where(_kept(payable) != booked)


def _kept(states: Sequence[CommissionState]) -> sa.ScalarSelect[int]:
    return (
        sa.select(sa.func.coalesce(sa.func.sum(Commission.amount - Commission.reversed), 0))
        .where(Commission.distributor_id == Distributor.id, Commission.state.in_(states))
        .correlate(Distributor)
        .scalar_subquery()
    )
