"""What is rung to `channels` of a distributor's order; of anybody else's nothing is, at no cost."""

from app.core.outbox import later
from app.domain.orders.models import Order


def changed(order: Order, event: str, event_id: int) -> None:
    """The order was paid, a line was delivered or refunded: its commission is to follow.

    Each event asks once under a key of its own: one that comes while the job for another is
    running is not lost.
    """
    if order.is_attributed:
        later(
            "app.domain.channels.jobs.settle_commission",
            order.id,
            key=f"commission:{event}:{event_id}",
        )
