"""What money does: a channel says it has been paid, and an order is paid, delivered, or neither.

The callback, the active query and a member of staff who confirms a transfer all come through
`settle`. It records the message, then decides; money that no order can take is booked in suspense
and sent back, never lost.
"""

from dataclasses import dataclass
from datetime import date, datetime

from app.core import audit, clock, db, outbox
from app.core.crypto import Tampered
from app.core.db import session
from app.core.states import move
from app.domain.catalog.models import CODED, ProductKind
from app.domain.ledger import service as ledger
from app.domain.orders import attributed, queries, screening, telling
from app.domain.orders.models import (
    Order,
    OrderLine,
    OrderState,
    Payment,
    PaymentEvent,
    PaymentState,
    Verdict,
)
from app.domain.orders.placing import watch_key
from app.domain.orders.rules import (
    CLOSED,
    UNPAID,
    earned_by,
    holds_money_of,
    is_owed,
    late_money_delivers,
)
from app.domain.vault import service as vault


@dataclass(frozen=True)
class Receipt:
    """A genuine message: this much was paid under our number. Amount in minor units.

    `source` is `callback`, `query`, `staff` or `balance`. The same `event_id` is the same message.
    """

    channel: str
    event_id: str
    number: str
    trade_number: str
    amount: int
    currency: str
    payer: str
    source: str


def settle(receipt: Receipt, today: date) -> Verdict:
    """Take a receipt exactly once; the same one again changes nothing."""
    now = clock.now()
    verdict, payment_id = _judge(receipt, today, now)
    # After the judgement, which is made under the payment's lock: a message that comes twice at
    # once is judged one after the other, and the second finds the payment already paid.
    is_new = db.insert_once(
        PaymentEvent,
        "channel,event_id",
        channel=receipt.channel,
        event_id=receipt.event_id,
        payment_id=payment_id,
        number=receipt.number,
        trade_number=receipt.trade_number,
        amount=receipt.amount,
        currency=receipt.currency,
        source=receipt.source,
        verdict=verdict,
        received_at=now,
    )
    if verdict is Verdict.IGNORED and is_new:
        order_id = session.get_one(Payment, payment_id).order_id
        audit.record("payment.ignored", "orders", order_id, reason=receipt.trade_number)
    return verdict


def _judge(receipt: Receipt, today: date, now: datetime) -> tuple[Verdict, int | None]:
    found = queries.lock_with_payment(receipt.number)
    if found is None or found[1].channel != receipt.channel:
        return Verdict.UNKNOWN, None
    order, payment = found
    if payment.state not in (PaymentState.PENDING, PaymentState.CLOSED):
        return Verdict.ALREADY, payment.id
    if _speaks_of_another(receipt, payment):
        return Verdict.IGNORED, payment.id
    payment.trade_number = receipt.trade_number
    payment.payer = receipt.payer
    payment.received = receipt.amount
    payment.paid_at = now
    outbox.call_off(watch_key(payment.id))
    return _place_money(order, payment, receipt, today, now), payment.id


def _speaks_of_another(receipt: Receipt, payment: Payment) -> bool:
    """Whether a genuine message cannot be about this payment's money: staff have to look."""
    trade = queries.payment_of_trade(receipt.channel, receipt.trade_number)
    return receipt.currency != payment.currency or trade not in (None, payment.id)


def _place_money(
    order: Order, payment: Payment, receipt: Receipt, today: date, now: datetime
) -> Verdict:
    """Where money that really came belongs: the order that wants it, or suspense."""
    if receipt.amount != payment.amount:
        return _into_suspense(payment, Verdict.MISMATCH)
    if order.state in UNPAID:
        return _take(order, payment, today, now)
    if order.state in CLOSED:
        return _take_late(order, payment, today, now)
    return _into_suspense(payment, Verdict.SECOND)


def _take(order: Order, payment: Payment, today: date, now: datetime) -> Verdict:
    move(payment, PaymentState.PAID)
    move(order, OrderState.PAID)
    order.paid_at = now
    ledger.post(
        f"pay:{payment.id}",
        "paid",
        "orders",
        order.id,
        {holds_money_of(order, payment): payment.received, "deferred": -payment.received},
        currency=order.currency,
    )
    if not screening.holds(order, payment):
        deliver_or_ask_again(order, today)
    if order.state not in (OrderState.DELIVERED, OrderState.HELD):
        telling.paid(order)
        attributed.changed(order, "paid", payment.id)
    return Verdict.PAID


def _take_late(order: Order, payment: Payment, today: date, now: datetime) -> Verdict:
    """The order has ended and its codes were let go: deliver if there are any, or send it back."""
    if not late_money_delivers(order, now):
        return _into_suspense(payment, Verdict.LATE)
    try:
        with db.savepoint():
            for line in queries.lines_of(order.id):
                if line.kind in CODED:
                    vault.reserve(line.id, line.product_id, line.quantity, today)
    except vault.SoldOut:
        return _into_suspense(payment, Verdict.LATE)
    return _take(order, payment, today, now)


def _into_suspense(payment: Payment, verdict: Verdict) -> Verdict:
    """The money is real and no order can take it: book it, tell staff, send it back."""
    move(payment, PaymentState.SUSPENSE, verdict.value)
    ledger.post(
        f"pay:{payment.id}",
        "suspense",
        "payments",
        payment.id,
        {f"channel:{payment.channel}": payment.received, "suspense": -payment.received},
        currency=payment.currency,
        memo=verdict.value,
    )
    audit.record(
        "payment.suspense", "payments", payment.id, received=payment.received, why=verdict.value
    )
    outbox.later("app.domain.orders.jobs.return_suspense", payment.id, key=f"suspense:{payment.id}")
    return verdict


def deliver_or_ask_again(order: Order, today: date) -> None:
    """Deliver in the same unit; what prevents it leaves the payment recorded and asks for a job.

    A savepoint keeps the two apart: a code that does not open must never undo a payment.
    """
    try:
        with db.savepoint():
            deliver(order, today)
    except (vault.Shortfall, Tampered) as obstacle:
        session.refresh(order)
        audit.record("order.undelivered", "orders", order.id, reason=str(obstacle))
        outbox.later("app.domain.orders.jobs.deliver", order.id, key=f"deliver:{order.id}")


def release(order: Order, today: date) -> None:
    """A person has looked at a held order and lets it go. Saying so twice delivers once."""
    if order.state == OrderState.HELD:
        move(order, OrderState.FULFILLING)
        deliver_or_ask_again(order, today)


def deliver(order: Order, today: date) -> None:
    """Give each line what it bought and book the sale; raises vault.Shortfall, Tampered.

    Codes are sealed to the buyer here and now; a recharge is asked for, and its line is delivered
    when it has arrived. Delivering a delivered order does nothing.
    """
    if order.state not in (OrderState.PAID, OrderState.FULFILLING):
        return
    if order.state == OrderState.PAID:
        move(order, OrderState.FULFILLING)
    for line in queries.lines_of(order.id):
        if not is_owed(line):
            continue
        if line.kind == ProductKind.RECHARGE:
            outbox.later(
                "app.domain.recharges.jobs.recharge_line", line.id, key=recharge_key(line.id)
            )
            continue
        if line.kind in CODED:
            vault.sell(
                vault.Holding(line.id, line.product_id, line.quantity, order.contact_index), today
            )
        _complete(order, line)
    _finish(order)


def line_arrived(order_line_id: int) -> None:
    """What the line bought has arrived: book the sale. Saying it twice books once."""
    order = queries.lock(session.get_one(OrderLine, order_line_id).order_id)
    for line in queries.lines_of(order.id):
        if line.id == order_line_id and line.delivered_at is None:
            _complete(order, line)
    _finish(order)


def recharge_key(order_line_id: int) -> str:
    """The outbox key of the job that recharges a line."""
    return f"recharge:line:{order_line_id}"


def _complete(order: Order, line: OrderLine) -> None:
    """The line is delivered: what is left of its price after refunds is earned."""
    line.delivered_at = clock.now()
    earned = line.amount - line.refunded
    ledger.post(
        f"deliver:{line.id}",
        "delivered",
        "orders",
        order.id,
        {"deferred": earned, earned_by(order, line): -earned},
        currency=order.currency,
    )
    attributed.changed(order, "delivered", line.id)


def _finish(order: Order) -> None:
    """When nothing is owed any more the order is delivered."""
    if order.state != OrderState.FULFILLING or any(map(is_owed, queries.lines_of(order.id))):
        return
    move(order, OrderState.DELIVERED)
    order.delivered_at = clock.now()
    telling.arrived(order)
