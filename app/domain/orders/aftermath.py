"""What became of orders: for whoever judges a rule by it."""

from collections.abc import Sequence

import sqlalchemy as sa

from app.core.db import session
from app.domain.orders.models import Order, OrderLine
from app.domain.risk.backtest import Became


def of(order_ids: Sequence[int]) -> dict[int, Became]:
    """Each order's total, whether it was paid, and whether any of it was sent back."""
    rows = session.execute(
        sa.select(Order.id, Order.total, Order.paid_at, sa.func.sum(OrderLine.refunded))
        .join(OrderLine, OrderLine.order_id == Order.id)
        .where(Order.id.in_(order_ids))
        .group_by(Order.id)
    )
    return {
        order_id: Became(total, paid_at is not None, bool(refunded))
        for order_id, total, paid_at, refunded in rows
    }
