"""Orders that risk holds, and what was decided."""

import sqlalchemy as sa

from app.core.outbox import OutboxRow, OutboxState
from app.domain.orders.models import Order, OrderState
from app.domain.risk.cases import OPEN
from app.domain.risk.models import Action, Case, Decision
from app.domain.risk.rules import POSSIBLE
from app.invariants.counting import Counted, counted


@counted
def held_orders_are_carried() -> Counted:
    """A held order has its case: an open one, or a closed one whose job still has to be done, which
    must not be overdue (9). A job that failed for good stands before staff."""
    live = sa.select(OutboxRow.key).where(
        OutboxRow.key.is_not(None),
        OutboxRow.state.in_([OutboxState.READY, OutboxState.RUNNING, OutboxState.DEAD]),
    )
    order_id = sa.cast(Order.id, sa.Text)
    is_open = sa.exists().where(Case.order_id == Order.id, Case.state.in_(OPEN))
    is_closed = sa.exists().where(Case.order_id == Order.id, Case.state.not_in(OPEN))
    has_job = sa.or_(
        *((sa.literal(name) + order_id).in_(live) for name in ("release:", "send-back:"))
    )
    held = sa.select(Order.id).where(Order.state == OrderState.HELD)
    return held, held.where(~sa.or_(is_open, sa.and_(is_closed, has_job)))


@counted
def open_cases_hold_their_order() -> Counted:
    """Nothing goes on with an order before the person who was asked has answered."""
    waiting = sa.select(Case.id).where(Case.state.in_(OPEN))
    broken = waiting.outerjoin(Order, Order.id == Case.order_id).where(
        sa.or_(Order.id.is_(None), Order.state != OrderState.HELD)
    )
    return waiting, broken


@counted
def decisions_are_possible() -> Counted:
    """What was decided can be done at its checkpoint."""
    impossible = [
        sa.and_(
            Decision.checkpoint == checkpoint, Decision.action.not_in([Action.ALLOW, *possible])
        )
        for checkpoint, possible in POSSIBLE.items()
    ]
    return Decision, sa.select(Decision.id).where(sa.or_(*impossible))
