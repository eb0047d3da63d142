"""What workers do for orders: ask channels, close trades, deliver, send money back.

Each job first talks to the outside, with no transaction open, and returns the last unit of work.
"""

import time
from datetime import date, datetime, timedelta
from functools import partial

import sqlalchemy as sa

from app.core import clock
from app.core.db import session, transaction
from app.core.outbox import Unit
from app.domain.catalog import preferences
from app.domain.orders import closing, queries, refunding, resealing, settling
from app.domain.orders.models import (
    Order,
    OrderState,
    Payment,
    PaymentState,
    Refund,
    RefundState,
    Verdict,
)
from app.domain.orders.rules import CLOSE_AGAIN, next_query
from app.domain.vault import rotating
from app.providers import payments
from app.providers.payments.interface import (
    Closing,
    RefundOrder,
    RefundOutcome,
    RefundResult,
    Standing,
    StandingState,
)

# Well below a job's time-out: what is left is done by the same row, rung again.
RESEAL_FOR = 45.0
ASK_REFUND_AGAIN = timedelta(minutes=1)


def today() -> date:
    """The shop's day."""
    return clock.today(preferences.get().zone)


def watch(payment_id: int) -> Unit | None:
    """Ask the channel about an open payment on its schedule; at the deadline, close it."""
    payment, order = _read(payment_id)
    if payment.state != PaymentState.PENDING:
        return None
    if closing.is_overdue(order) or order.state == OrderState.CLOSING:
        transaction(partial(_expire, order.id))
        return close(payment_id)
    standing = payments.channel(payment.channel).query(payment.number)
    return _take_standing(payment, standing) or partial(_ask_again, payment_id)


def close(payment_id: int) -> Unit | None:
    """Close the trade at the channel before its stock is let go; an answer is waited for."""
    payment, _ = _read(payment_id)
    if payment.state != PaymentState.PENDING:
        return None
    channel = payments.channel(payment.channel)
    answer = channel.close(payment.number)
    if answer is Closing.CLOSED:
        return partial(closing.closed_at_channel, payment_id)
    if answer is Closing.ALREADY_PAID:
        paid = _take_standing(payment, channel.query(payment.number))
        if paid is not None:
            return paid
    return lambda: clock.now() + CLOSE_AGAIN


def verify(payment_id: int) -> Unit | None:
    """Ask now, once: somebody has reason to think that a payment was made."""
    payment, _ = _read(payment_id)
    if payment.state not in (PaymentState.PENDING, PaymentState.CLOSED):
        return None
    paid = _take_standing(payment, payments.channel(payment.channel).query(payment.number))
    return paid and (lambda: paid() and None)


def deliver(order_id: int) -> Unit:
    """Deliver a paid order whose first delivery was prevented; fails, and is tried again, while
    there are no codes."""

    def unit() -> None:
        settling.deliver(queries.lock(order_id), today())

    return unit


def release(order_id: int) -> Unit:
    """Deliver a held order that a person let go."""

    def unit() -> None:
        settling.release(queries.lock(order_id), today())

    return unit


def send_back(order_id: int) -> Unit:
    """Send the money of a held order back that a person refused."""
    return partial(refunding.send_back, order_id, "order not accepted")


def return_suspense(payment_id: int) -> Unit:
    """Send money that no order could take back to where it came from."""

    def unit() -> None:
        payment = session.get_one(Payment, payment_id, with_for_update=True)
        refunding.refund_suspense(payment)

    return unit


def send_refund(refund_id: int) -> Unit | None:
    """Intent, call, outcome. A refund found half-sent is asked about, never sent blindly."""
    before = transaction(partial(refunding.begin_sending, refund_id))
    if before is None:
        return None
    refund = session.scalars(sa.select(Refund).where(Refund.id == refund_id)).one()
    payment = session.get_one(Payment, refund.payment_id)
    order = RefundOrder(
        number=refund.number,
        payment_number=payment.number,
        trade_number=payment.trade_number or "",
        amount=refund.amount,
        paid_amount=payment.received,
        currency=refund.currency,
        reason=refund.reason,
    )
    session.rollback()
    channel = payments.channel(payment.channel)
    if before in (RefundState.SENDING, RefundState.UNKNOWN):
        result = channel.query_refund(order)
        if result.outcome is RefundOutcome.NOT_FOUND:
            # The channel never heard of it, and takes our number once: sending it is safe.
            result = channel.refund(order)
    else:
        result = channel.refund(order)
    return _after_refund(refund_id, result)


def reseal(rotation_id: int) -> Unit:
    """Carry a rotation of the keys on: seal codes anew, and at the end destroy the old keys."""
    resealing.work(rotation_id, until=time.monotonic() + RESEAL_FOR)
    return partial(rotating.finish, rotation_id)


def _after_refund(refund_id: int, result: RefundResult) -> Unit:
    if result.outcome is RefundOutcome.SUCCEEDED:
        return partial(refunding.succeeded, refund_id)
    if result.outcome is RefundOutcome.REFUSED:
        return partial(refunding.refused, refund_id, result.reason)
    return partial(refunding.in_doubt, refund_id, clock.now() + ASK_REFUND_AGAIN)


def _read(payment_id: int) -> tuple[Payment, Order]:
    """A payment and its order as they stand, with no transaction left open."""
    payment = session.get_one(Payment, payment_id, populate_existing=True)
    order = session.get_one(Order, payment.order_id, populate_existing=True)
    session.expunge(payment)
    session.expunge(order)
    session.rollback()
    return payment, order


def _expire(order_id: int) -> None:
    order = queries.lock(order_id)
    if order.state == OrderState.PENDING and closing.is_overdue(order):
        closing.begin_closing(order, OrderState.EXPIRED)


def _take_standing(payment: Payment, standing: Standing) -> Unit | None:
    """The unit that takes the money, if the channel says that it has it.

    When what it says cannot be true it is asked again, until staff have cleared it up there.
    """
    if standing.state is not StandingState.PAID:
        return None
    receipt = settling.Receipt(
        channel=payment.channel,
        event_id=f"query:{standing.trade_number}",
        number=payment.number,
        trade_number=standing.trade_number,
        amount=standing.amount,
        currency=standing.currency,
        payer=standing.payer,
        source="query",
    )

    def unit() -> datetime | None:
        verdict = settling.settle(receipt, today())
        return clock.now() + CLOSE_AGAIN if verdict is Verdict.IGNORED else None

    return unit


def _ask_again(payment_id: int) -> datetime | None:
    payment = session.get_one(Payment, payment_id, with_for_update=True, populate_existing=True)
    order = session.get_one(Order, payment.order_id)
    if payment.state != PaymentState.PENDING:
        return None
    payment.queries += 1
    return next_query(payment.created_at, payment.queries, order.expires_at)
