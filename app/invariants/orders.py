"""Orders, their codes and the work that is owed to them."""

from datetime import timedelta

import sqlalchemy as sa

from app.core import clock, keys
from app.core.crypto import KEY_ID_ENDS, Tampered, head_of
from app.core.db import session
from app.core.keys import DataKeyRow
from app.core.outbox import OutboxRow, OutboxState
from app.domain.catalog.models import CODED
from app.domain.orders.models import Order, OrderLine, OrderState, Payment, PaymentState
from app.domain.vault import canaries
from app.domain.vault.models import Batch, Code, CodeState
from app.domain.vault.rules import context_of
from app.invariants.counting import Counted, count, counted, total

OVERDUE = timedelta(minutes=15)
SAMPLE = 500


@counted
def lines_have_what_they_bought() -> Counted:
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
            OrderLine.kind.in_(CODED),
            OrderLine.refunded < OrderLine.amount,
            sa.func.coalesce(live.c.codes, 0) != OrderLine.quantity,
        )
    )
    orphans = (
        sa.select(Code.id)
        .outerjoin(OrderLine, OrderLine.id == Code.order_line_id)
        .where(Code.order_line_id.is_not(None), OrderLine.id.is_(None))
    )
    return OrderLine, (broken, orphans)


@counted
def held_codes_have_live_orders() -> Counted:
    broken = (
        sa.select(Code.id)
        .join(OrderLine, OrderLine.id == Code.order_line_id)
        .join(Order)
        .where(
            Code.state == CodeState.RESERVED,
            Order.state.not_in(
                [
                    *(OrderState.PENDING, OrderState.CLOSING, OrderState.PAID),
                    *(OrderState.HELD, OrderState.FULFILLING),
                ]
            ),
        )
    )
    return sa.select(Code.id).where(Code.state == CodeState.RESERVED), broken


def batches_add_up(_full: bool) -> tuple[int, int]:
    """A batch has the codes that were put into it, and besides only its canaries."""
    rows = session.execute(
        sa.select(Batch.uid, Batch.canaries_sealed, sa.func.count(Code.id) - Batch.code_count)
        .outerjoin(Code, Code.batch_id == Batch.id)
        .group_by(Batch.id)
        .having(
            sa.or_(sa.func.count(Code.id) != Batch.code_count, Batch.canaries_sealed.is_not(None))
        )
    )
    broken = sum(more != len(canaries.ids_of(uid, sealed)) for uid, sealed, more in rows)
    stray = sa.select(Code.id).where(Code.batch_id.not_in(sa.select(Batch.id)))
    return total(Batch), broken + count(stray)


@counted
def deliveries_are_paid() -> Counted:
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
    return Order, (unpaid, unanswered)


@counted
def nothing_is_forgotten() -> Counted:
    """Every unpaid payment is watched and every unfinished refund has a job or staff to see it."""
    live = sa.select(OutboxRow.key).where(
        OutboxRow.state.in_([OutboxState.READY, OutboxState.RUNNING, OutboxState.DEAD])
    )
    unwatched = sa.select(Payment.id).where(
        Payment.state == PaymentState.PENDING,
        (sa.literal("watch:") + sa.cast(Payment.id, sa.Text)).not_in(live),
    )
    pending = sa.select(Payment.id).where(Payment.state == PaymentState.PENDING)
    return pending, unwatched


def codes_open(full: bool) -> tuple[int, int]:
    """Codes open under what they are bound to: the newest, or all of them; but for the shredded."""
    rows = session.execute(
        sa.select(Code, Batch, Order.contact_index)
        .join(Batch, Batch.id == Code.batch_id)
        .outerjoin(OrderLine, OrderLine.id == Code.order_line_id)
        .outerjoin(Order, Order.id == OrderLine.order_id)
        .where(Batch.shredded_at.is_(None))
        .order_by(Code.id.desc())
        .limit(None if full else SAMPLE)
        .execution_options(yield_per=1000)
    )
    looked_at = breaches = 0
    for code, batch, buyer in rows:
        looked_at += 1
        breaches += not _opens(code, batch, buyer)
    return looked_at, breaches


def shredded_codes_stay_shut(_full: bool) -> tuple[int, int]:
    """How many codes were shredded with their batches, and of how many there still is a key."""
    shredded = (
        sa.select(
            sa.func.substr(Code.sealed, 1, KEY_ID_ENDS, type_=sa.LargeBinary), sa.func.count()
        )
        .join(Batch, Batch.id == Code.batch_id)
        .where(Batch.shredded_at.is_not(None))
        .group_by(sa.text("1"))
    )
    heads = dict(session.execute(shredded).all())
    living = sa.select(DataKeyRow.id).where(DataKeyRow.wrapped.is_not(None))
    broken = sum(heads.get(head_of(key_id), 0) for key_id in session.scalars(living))
    return sum(heads.values()), broken


def _opens(code: Code, batch: Batch, buyer: bytes | None) -> bool:
    bound_to = context_of(batch.uid, code.uid, code.order_line_id, code.sold_at, buyer)
    try:
        keys.of(code.sealed).open(code.sealed, bound_to)
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
    return count(live), count(broken)
