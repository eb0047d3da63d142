"""How somebody's sales look: what a withdrawal is judged by, from her latest orders."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from app.core.db import session
from app.domain.channels.models import Attribution, Click
from app.domain.orders.models import Order, OrderState

LOOK_BACK = timedelta(days=30)
MOST = 500
# Of fewer a share says nothing (field-notes §4, R12 and R13).
LEAST = 20
# Nobody reads a page, types a contact and orders in less.
HASTY = timedelta(seconds=3)
SENT_BACK = (OrderState.REFUNDING, OrderState.REFUNDED)


@dataclass(frozen=True)
class Conduct:
    """Of her paid orders of the last 30 days, how many in a hundred were refunded, were placed in
    less time than a person needs, or earned her nothing because she had a hand in them."""

    refunded: int
    hasty: int
    own: int


def of(distributor_id: int, now: datetime) -> Conduct | None:
    """Her newest 500 orders, if they are enough to tell; None when they are not."""
    rows = session.execute(
        sa.select(Order.state, Order.created_at, Click.at, Attribution.earns_nothing_because)
        .select_from(Attribution)
        .join(Order, Order.id == Attribution.order_id)
        .outerjoin(Click, Click.id == Attribution.click_id)
        .where(
            Attribution.distributor_id == distributor_id,
            Attribution.created_at > now - LOOK_BACK,
            Order.paid_at.is_not(None),
        )
        .order_by(Attribution.id.desc())
        .limit(MOST)
    ).all()
    if len(rows) < LEAST:
        return None
    refunded = sum(state in SENT_BACK for state, *_ in rows)
    hasty = sum(at is not None and placed - at < HASTY for _, placed, at, _ in rows)
    own = sum(bool(why) for *_, why in rows)
    return Conduct(*(100 * count // len(rows) for count in (refunded, hasty, own)))
