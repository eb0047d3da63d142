"""What must always be true of a live shop: `flask audit`, the health page, and every chaos test.

A check is one query (or a few) that finds what breaks the rule; it returns the number of breaches
and how many things it looked at. The numbers are those of `docs/architecture.md`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from app.core import clock, keys
from app.core.crypto import Tampered
from app.core.db import see_one_moment, session
from app.core.outbox import OutboxRow, OutboxState
from app.domain.ledger.models import (
    AccountKind,
    LedgerAccount,
    LedgerBalance,
    LedgerEntry,
    LedgerTransaction,
)
from app.domain.orders.models import (
    Order,
    OrderLine,
    OrderState,
    Payment,
    PaymentState,
    Refund,
    RefundState,
)
from app.domain.vault.models import Batch, Code, CodeState
from app.domain.vault.rules import sold_context, unsold_context

OVERDUE = timedelta(minutes=15)
SAMPLE = 500


@dataclass(frozen=True)
class Finding:
    """One invariant: how many things were looked at, and how many broke it."""

    number: int
    name: str
    looked_at: int
    breaches: int

    @property
    def holds(self) -> bool:
        return self.breaches == 0


@dataclass(frozen=True)
class Check:
    number: int
    name: str
    look: Callable[[bool], tuple[int, int]]


def run(*, full: bool = False) -> list[Finding]:
    """Every check there is, of one moment. `full` opens every code instead of a sample."""
    see_one_moment()
    try:
        return [Finding(check.number, check.name, *check.look(full)) for check in CHECKS]
    finally:
        session.rollback()


def _count(select: sa.Select[int]) -> int:
    return int(session.scalar(sa.select(sa.func.count()).select_from(select.subquery())) or 0)


def _total(model: type) -> int:
    return int(session.scalar(sa.select(sa.func.count()).select_from(model)) or 0)


def ledger_sums_to_zero(_full: bool) -> tuple[int, int]:
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
    return _total(LedgerTransaction), _count(broken)


def balances_equal_entries(_full: bool) -> tuple[int, int]:
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
    return _total(LedgerAccount), _count(broken)


def no_account_went_negative(_full: bool) -> tuple[int, int]:
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
    return _total(LedgerAccount), _count(broken)


def lines_have_what_they_bought(_full: bool) -> tuple[int, int]:
    """A delivered line has as many live codes as it bought, unless it was refunded in full."""
    live = (
        sa.select(Code.order_line_id, sa.func.count().label("codes"))
        .where(
            Code.order_line_id.is_not(None),
            Code.state.in_([CodeState.SOLD, CodeState.EXHAUSTED, CodeState.FROZEN]),
        )
        .group_by(Code.order_line_id)
    ).subquery()
    broken = (
        sa.select(OrderLine.id)
        .outerjoin(live, live.c.order_line_id == OrderLine.id)
        .where(
            OrderLine.delivered_at.is_not(None),
            OrderLine.refunded < OrderLine.amount,
            sa.func.coalesce(live.c.codes, 0) != OrderLine.quantity,
        )
    )
    orphans = (
        sa.select(Code.id)
        .outerjoin(OrderLine, OrderLine.id == Code.order_line_id)
        .where(Code.order_line_id.is_not(None), OrderLine.id.is_(None))
    )
    return _total(OrderLine), _count(broken) + _count(orphans)


def held_codes_have_live_orders(_full: bool) -> tuple[int, int]:
    broken = (
        sa.select(Code.id)
        .join(OrderLine, OrderLine.id == Code.order_line_id)
        .join(Order)
        .where(
            Code.state == CodeState.RESERVED,
            Order.state.not_in(
                [OrderState.PENDING, OrderState.CLOSING, OrderState.PAID, OrderState.FULFILLING]
            ),
        )
    )
    return _count(sa.select(Code.id).where(Code.state == CodeState.RESERVED)), _count(broken)


def batches_add_up(_full: bool) -> tuple[int, int]:
    broken = (
        sa.select(Batch.id)
        .outerjoin(Code, Code.batch_id == Batch.id)
        .group_by(Batch.id, Batch.code_count)
        .having(sa.func.count(Code.id) != Batch.code_count)
    )
    stray = sa.select(Code.id).where(Code.batch_id.not_in(sa.select(Batch.id)))
    return _total(Batch), _count(broken) + _count(stray)


def deliveries_are_paid(_full: bool) -> tuple[int, int]:
    """What was delivered was paid in full; what is paid is delivered, going back, or open."""
    paid = (
        sa.select(Payment.order_id, sa.func.sum(Payment.received).label("received"))
        .where(Payment.state.in_([PaymentState.PAID, PaymentState.REFUNDED]))
        .group_by(Payment.order_id)
    ).subquery()
    unpaid = (
        sa.select(Order.id)
        .outerjoin(paid, paid.c.order_id == Order.id)
        .where(Order.delivered_at.is_not(None), sa.func.coalesce(paid.c.received, 0) < Order.total)
    )
    unanswered = (
        sa.select(Payment.id)
        .join(Order)
        .where(
            Payment.state == PaymentState.PAID,
            Order.state.in_(
                [OrderState.PENDING, OrderState.CLOSING, OrderState.EXPIRED, OrderState.CANCELLED]
            ),
        )
    )
    return _total(Order), _count(unpaid) + _count(unanswered)


def money_is_booked_once(_full: bool) -> tuple[int, int]:
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
    return _total(Payment) + _total(Refund), _count(payments) + _count(refunds)


def refunds_within_payments(_full: bool) -> tuple[int, int]:
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
    return _total(Refund), _count(broken)


def nothing_is_forgotten(_full: bool) -> tuple[int, int]:
    """Every unpaid payment is watched and every unfinished refund has a job or staff to see it."""
    live = sa.select(OutboxRow.key).where(
        OutboxRow.state.in_([OutboxState.READY, OutboxState.RUNNING, OutboxState.DEAD])
    )
    unwatched = sa.select(Payment.id).where(
        Payment.state == PaymentState.PENDING,
        (sa.literal("watch:") + sa.cast(Payment.id, sa.Text)).not_in(live),
    )
    pending = sa.select(Payment.id).where(Payment.state == PaymentState.PENDING)
    return _count(pending), _count(unwatched)


def codes_open(full: bool) -> tuple[int, int]:
    """Codes open under what they are bound to: the newest, or all of them."""
    rows = session.execute(
        sa.select(Code, Batch, Order.contact_index)
        .join(Batch, Batch.id == Code.batch_id)
        .outerjoin(OrderLine, OrderLine.id == Code.order_line_id)
        .outerjoin(Order, Order.id == OrderLine.order_id)
        .order_by(Code.id.desc())
        .limit(None if full else SAMPLE)
        .execution_options(yield_per=1000)
    )
    looked_at = breaches = 0
    for code, batch, buyer in rows:
        looked_at += 1
        breaches += not _opens(code, batch, buyer)
    return looked_at, breaches


def _opens(code: Code, batch: Batch, buyer: bytes | None) -> bool:
    if code.sold_at is not None and code.order_line_id is not None and buyer is not None:
        context = sold_context(batch.uid, code.uid, code.order_line_id, buyer)
    else:
        context = unsold_context(batch.uid, code.uid)
    try:
        keys.by_id(batch.data_key_id).open(code.sealed, context)
    except (Tampered, keys.KeysMissing):
        return False
    return True


def outbox_is_on_time(_full: bool) -> tuple[int, int]:
    late = clock.now() - OVERDUE
    broken = sa.select(OutboxRow.id).where(
        sa.or_(
            sa.and_(OutboxRow.state == OutboxState.READY, OutboxRow.due_at < late),
            sa.and_(OutboxRow.state == OutboxState.RUNNING, OutboxRow.lease_until < late),
        )
    )
    live = sa.select(OutboxRow.id).where(
        OutboxRow.state.in_([OutboxState.READY, OutboxState.RUNNING])
    )
    return _count(live), _count(broken)


CHECKS = (
    Check(1, "every ledger transaction sums to zero", ledger_sums_to_zero),
    Check(1, "every balance equals the sum of its entries", balances_equal_entries),
    Check(1, "no account passed below zero that may not", no_account_went_negative),
    Check(2, "each delivered line has exactly what it bought", lines_have_what_they_bought),
    Check(2, "every held code belongs to an order that is under way", held_codes_have_live_orders),
    Check(3, "each batch has the codes that were put into it", batches_add_up),
    Check(4, "nothing delivered unpaid, no money unanswered", deliveries_are_paid),
    Check(4, "each payment and refund is booked once", money_is_booked_once),
    Check(4, "no more refunded than was paid", refunds_within_payments),
    Check(5, "every open payment is watched", nothing_is_forgotten),
    Check(8, "codes open under what they are bound to", codes_open),
    Check(9, "no work is overdue", outbox_is_on_time),
)
