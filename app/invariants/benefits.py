"""Recharges and redemptions: each arrived once, each use is counted, nothing is left lying."""

import sqlalchemy as sa

from app.core.outbox import OutboxRow, OutboxState
from app.domain.catalog.models import ProductKind
from app.domain.orders.models import Order, OrderLine, OrderState
from app.domain.recharges.models import Attempt, AttemptState, Recharge, RechargeState
from app.domain.redemptions.models import Redemption, RedemptionState, RollBack
from app.domain.vault.models import Code, CodeState
from app.invariants.counting import Counted, counted

OPEN = (RechargeState.QUEUED, RechargeState.RUNNING, RechargeState.REVIEW)


@counted
def recharged_lines_arrived() -> Counted:
    """A line without a code is delivered exactly when its recharge is."""
    arrived = (
        sa.select(Recharge.order_line_id).where(
            Recharge.state == RechargeState.DELIVERED, Recharge.order_line_id.is_not(None)
        )
    ).scalar_subquery()
    lines = sa.select(OrderLine.id).where(OrderLine.kind == ProductKind.RECHARGE)
    broken = lines.where(OrderLine.delivered_at.is_not(None) != OrderLine.id.in_(arrived))
    return lines, broken


@counted
def attempts_are_single() -> Counted:
    """A recharge is delivered when, and only when, exactly one of its attempts was; and the money
    is not back while one may still deliver."""
    delivered = _attempts(AttemptState.DELIVERED)
    live = _attempts(*(state for state in AttemptState if state != AttemptState.REFUSED))
    broken = sa.select(Recharge.id).where(
        sa.or_(
            (Recharge.state == RechargeState.DELIVERED) != (delivered == 1),
            live > 1,
            sa.and_(Recharge.state == RechargeState.FAILED, live > 0),
        )
    )
    return Attempt, broken


@counted
def recharges_are_carried() -> Counted:
    """Every recharge that has not ended has a job that goes on with it, or is seen as dead."""
    carried = sa.select(OutboxRow.key).where(
        OutboxRow.state.in_([OutboxState.READY, OutboxState.RUNNING, OutboxState.DEAD])
    )
    key = sa.case(
        (
            Recharge.order_line_id.is_not(None),
            sa.literal("recharge:line:") + sa.cast(Recharge.order_line_id, sa.Text),
        ),
        else_=sa.literal("recharge:redemption:") + sa.cast(Recharge.redemption_id, sa.Text),
    )
    open_ones = sa.select(Recharge.id).where(Recharge.state.in_(OPEN))
    # A paid line whose recharge nobody has begun needs the job that begins it.
    unbegun = (
        sa.select(OrderLine.id)
        .join(Order, Order.id == OrderLine.order_id)
        .outerjoin(Recharge, Recharge.order_line_id == OrderLine.id)
        .where(
            OrderLine.kind == ProductKind.RECHARGE,
            Order.state == OrderState.FULFILLING,
            OrderLine.delivered_at.is_(None),
            OrderLine.refunded < OrderLine.amount,
            Recharge.id.is_(None),
            (sa.literal("recharge:line:") + sa.cast(OrderLine.id, sa.Text)).not_in(carried),
        )
    )
    return open_ones, (open_ones.where(key.not_in(carried)), unbegun)


@counted
def failures_are_paid_back() -> Counted:
    """What could not be delivered was refunded in full, and what was refunded in full is not there
    any more: no code of it is live, no redemption of it under way."""
    failed = sa.select(Recharge.id).where(
        Recharge.state == RechargeState.FAILED, Recharge.order_line_id.is_not(None)
    )
    kept = failed.join(OrderLine, OrderLine.id == Recharge.order_line_id).where(
        OrderLine.refunded < OrderLine.amount
    )
    refunded = OrderLine.refunded == OrderLine.amount
    live = (
        sa.select(Code.id)
        .join(OrderLine, OrderLine.id == Code.order_line_id)
        .where(refunded, Code.state.in_([CodeState.SOLD, CodeState.EXHAUSTED]))
    )
    under_way = (
        sa.select(Redemption.id)
        .join(OrderLine, OrderLine.id == Redemption.order_line_id)
        .where(refunded, Redemption.state == RedemptionState.PENDING)
    )
    return failed, (kept, live, under_way)


@counted
def redemptions_are_carried() -> Counted:
    """A redemption that is pending has an open recharge or one that is asked for; one that ended
    says the same as its recharge."""
    asked_for = sa.select(OutboxRow.key).where(
        OutboxRow.state.in_([OutboxState.READY, OutboxState.RUNNING, OutboxState.DEAD])
    )
    key = sa.literal("recharge:redemption:") + sa.cast(Redemption.id, sa.Text)
    agrees = sa.case(
        (Recharge.state == RechargeState.DELIVERED, Redemption.state == RedemptionState.SUCCEEDED),
        (Recharge.state == RechargeState.FAILED, Redemption.state == RedemptionState.FAILED),
        else_=Redemption.state == RedemptionState.PENDING,
    )
    with_recharge = (
        sa.select(Redemption.id)
        .join(Recharge, Recharge.redemption_id == Redemption.id)
        .where(sa.not_(agrees))
    )
    lost = (
        sa.select(Redemption.id)
        .outerjoin(Recharge, Recharge.redemption_id == Redemption.id)
        .where(
            Recharge.id.is_(None),
            Redemption.state == RedemptionState.PENDING,
            key.not_in(asked_for),
        )
    )
    return Redemption, (with_recharge, lost)


@counted
def uses_add_up() -> Counted:
    """No use of a code that was never sold; a use that does not count was given back, and says
    why; a code that is exhausted has uses."""
    counting = (
        sa.select(sa.func.count(Redemption.id))
        .where(Redemption.code_id == Code.id, Redemption.counts)
        .scalar_subquery()
    )
    unsold = (
        sa.select(Redemption.id)
        .join(Code, Code.id == Redemption.code_id)
        .where(sa.or_(Code.sold_at.is_(None), Code.order_line_id != Redemption.order_line_id))
    )
    unexplained = (
        sa.select(Redemption.id)
        .outerjoin(RollBack, RollBack.redemption_id == Redemption.id)
        .where(
            sa.not_(Redemption.counts),
            Redemption.state != RedemptionState.FAILED,
            RollBack.id.is_(None),
        )
    )
    unused = sa.select(Code.id).where(Code.state == CodeState.EXHAUSTED, counting == 0)
    # A redeem code is good once: used, it is not for sale to its owner a second time.
    reusable = (
        sa.select(Code.id)
        .join(OrderLine, OrderLine.id == Code.order_line_id)
        .where(OrderLine.kind == ProductKind.REDEEM, Code.state == CodeState.SOLD, counting > 0)
    )
    return Redemption, (unsold, unexplained, unused, reusable)


def _attempts(*states: AttemptState) -> sa.ScalarSelect[int]:
    return (
        sa.select(sa.func.count(Attempt.id))
        .where(Attempt.recharge_id == Recharge.id, Attempt.state.in_(states))
        .scalar_subquery()
    )
