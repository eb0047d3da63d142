"""What buyers are told of: each event asks once for its message, if there is a way to send it.

An order waits for none of it. All it does is one row in the outbox, and none at all in a shop that
has no way to this buyer; everything else is done by `domain/messages`, in a worker.
"""

from datetime import timedelta

from app.core import clock
from app.core.outbox import later
from app.domain.accounts.contacts import kind_of
from app.domain.orders.models import Order
from app.providers import messages

# Most of what is paid and not delivered at once arrives within seconds, and then says so itself.
PAID_AFTER = timedelta(minutes=1)


def paid(order: Order) -> None:
    """The money has come, and what it bought has not."""
    if _can_be_told(order):
        later(
            "app.domain.messages.jobs.paid",
            order.id,
            key=key("paid", order.id),
            at=clock.now() + PAID_AFTER,
        )


def arrived(order: Order) -> None:
    """Everything is there."""
    if _can_be_told(order):
        later("app.domain.messages.jobs.arrived", order.id, key=key("arrived", order.id))


def failed(order: Order) -> None:
    """What was bought cannot be had; the money goes back by itself."""
    if _can_be_told(order):
        later("app.domain.messages.jobs.failed", order.id, key=key("failed", order.id))


def refunded(order: Order, refund_id: int) -> None:
    """The channel has sent money back."""
    if _can_be_told(order):
        later("app.domain.messages.jobs.refunded", refund_id, key=key("refunded", refund_id))


def given_back(order: Order, redemption_id: int) -> None:
    """What a code was redeemed for cannot be had; its use is given back."""
    if _can_be_told(order):
        name = "app.domain.messages.jobs.given_back"
        later(name, redemption_id, key=key("given_back", redemption_id))


def low_balance(order: Order) -> None:
    """What this purchase left on its buyer's balance is less than she wants to be told of."""
    if _can_be_told(order):
        name = "app.domain.messages.jobs.low_balance"
        later(name, order.id, key=key("low_balance", order.id))


def replaced(order: Order, replacement_id: int) -> None:
    """Codes of it that may have leaked are void, and there are others."""
    if _can_be_told(order):
        name = "app.domain.messages.jobs.replaced"
        later(name, replacement_id, key=key("replaced", replacement_id))


def key(kind: str, subject_id: int) -> str:
    """The outbox key of the job that tells of it."""
    return f"message:{kind}:{subject_id}"


def _can_be_told(order: Order) -> bool:
    return messages.sender_for(kind_of(order.contact_masked)) is not None
