"""How an unpaid order ends: the channel's trade is closed first, and only then is stock let go."""

from app.core import clock
from app.core.db import session
from app.core.errors import N_, Conflict
from app.core.outbox import later
from app.core.states import move
from app.domain.orders import queries, screening
from app.domain.orders.models import Order, OrderState, Payment, PaymentState
from app.domain.vault import service as vault


def begin_closing(order: Order, as_: OrderState) -> None:
    """From here the buyer cannot pay any more; `as_` is EXPIRED or CANCELLED, once it is closed."""
    order.closes_as = as_.value
    move(order, OrderState.CLOSING, as_.value)


def cancel(order_id: int) -> None:
    """The buyer, or staff, no longer wants an unpaid order; raises Conflict when it is not one."""
    order = queries.lock(order_id)
    if order.state == OrderState.CLOSING:
        return
    if order.state != OrderState.PENDING:
        raise Conflict(N_("这个订单已经不能取消了"))
    begin_closing(order, OrderState.CANCELLED)
    payments = queries.payments_of(order.id)
    for payment in payments:
        if payment.state == PaymentState.PENDING:
            later("app.domain.orders.jobs.close", payment.id, key=f"close:{payment.id}")


def closed_at_channel(payment_id: int) -> None:
    """The channel has closed the trade: no money can come through it any more.

    With its last open payment a closing order ends and its codes go back on the shelf.
    """
    payment = session.get_one(Payment, payment_id)
    order = queries.lock(payment.order_id)
    session.refresh(payment, with_for_update=True)
    if payment.state == PaymentState.PENDING:
        move(payment, PaymentState.CLOSED)
        session.flush()
    if order.state == OrderState.CLOSING and queries.open_payment(order.id) is None:
        vault.release([line.id for line in queries.lines_of(order.id)])
        move(order, OrderState(order.closes_as))
        screening.closed_unpaid(order)


def is_overdue(order: Order) -> bool:
    return clock.now() >= order.expires_at
