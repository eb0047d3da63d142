"""Whom a leak concerns: who bought codes of a batch."""

from datetime import datetime

import sqlalchemy as sa

from app.core.db import session
from app.domain.orders.models import Order, OrderLine
from app.domain.vault.models import Code

MOST_LISTED = 200


def sold_lately(batch_id: int, since: datetime) -> list[tuple[Code, Order]]:
    """The codes of a batch that were sold since then with their orders, the newest first."""
    rows = session.execute(
        sa.select(Code, Order)
        .join(OrderLine, OrderLine.id == Code.order_line_id)
        .join(Order, Order.id == OrderLine.order_id)
        .where(Code.batch_id == batch_id, Code.sold_at >= since)
        .order_by(Code.sold_at.desc(), Code.id)
        .limit(MOST_LISTED)
    )
    return [(code, order) for code, order in rows]


def count_sold(batch_id: int, since: datetime) -> int:
    """How many those are, however many are listed."""
    found = sa.select(sa.func.count(Code.id)).where(
        Code.batch_id == batch_id, Code.sold_at >= since, Code.order_line_id.is_not(None)
    )
    return int(session.scalar(found) or 0)
