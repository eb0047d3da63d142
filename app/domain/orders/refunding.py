"""Money on its way back: requested once, sent under our number, booked when the channel says so."""

from datetime import datetime

import sqlalchemy as sa

from app.core import audit, clock, ids
from app.core.actors import actor
from app.core.db import session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.outbox import later
from app.core.states import move
from app.domain.catalog.models import ProductKind
from app.domain.ledger import queries as books
from app.domain.ledger import service as ledger
from app.domain.orders import attributed, queries, telling
from app.domain.orders.models import (
    Order,
    OrderLine,
    OrderState,
    Payment,
    PaymentState,
    Refund,
    RefundState,
)
from app.domain.orders.rules import (
    BALANCE,
    REFUNDABLE,
    balance_account,
    earned_by,
    holds_money_of,
    is_owed,
    refundable,
)
from app.domain.vault import service as vault
from app.providers import payments


def request_refund(order_id: int, line_id: int, amount: int, reason: str) -> Refund:
    """Send `amount` (minor units) of a line back; raises Refusal, Conflict.

    What a line can give back is counted from the request on, so two members of staff cannot
    refund it twice. A line refunded in full loses its codes.
    """
    if len(reason.strip()) < 2:
        raise Refusal(N_("请写明退款原因"), field="reason")
    order = queries.lock(order_id)
    if order.state == OrderState.HELD:
        # A part of it sent back would let the rest go on, unlooked at.
        raise Conflict(N_("这个订单在等待审核，请在审核单里放行或退款"))
    line = _line(order, line_id)
    if line.kind == ProductKind.RECHARGE and line.delivered_at is None:
        raise Conflict(N_("充值还没有结果。请先在充值记录里处理，失败会自动退款"))
    left = _most(order, line)
    if not 0 < amount <= left:
        raise Refusal(N_("最多可以退 %(most)s 元"), field="amount", most=f"{left / 100:.2f}")
    try:
        return _refund_line(order, line, amount, reason)
    except ledger.Insufficient:
        if line.kind != ProductKind.BALANCE:
            raise
        raise Conflict(N_("余额刚刚被用掉一部分，请按现在的余额再退")) from None


def send_back(order_id: int, reason: str) -> None:
    """A person has looked at a held order and refuses it: all of it goes back. Twice is once."""
    order = queries.lock(order_id)
    if order.state != OrderState.HELD:
        return
    for line in queries.lines_of(order.id):
        left = refundable(line.amount, line.refunded)
        if left:
            _refund_line(order, line, left, reason)


def refund_undeliverable(order_line_id: int, reason: str) -> Refund | None:
    """A line cannot be had from anybody: all that is left of its price goes back by itself."""
    order = queries.lock(session.get_one(OrderLine, order_line_id).order_id)
    line = _line(order, order_line_id)
    left = refundable(line.amount, line.refunded)
    if not left:
        return None
    telling.failed(order)
    return _refund_line(order, line, left, reason)


def _most(order: Order, line: OrderLine) -> int:
    """What of a line can be sent back: of a top-up no more than she has not spent."""
    left = refundable(line.amount, line.refunded)
    if line.kind == ProductKind.BALANCE and line.delivered_at is not None:
        return min(left, books.balance_of(balance_account(order.balance_of)))
    return left


def _refund_line(order: Order, line: OrderLine, amount: int, reason: str) -> Refund:
    payment = _paid_payment(order)
    was_delivered = line.delivered_at is not None
    line.refunded += amount
    refund = _new_refund(payment, amount, reason.strip(), line_id=line.id)
    if line.refunded == line.amount:
        _take_codes_back(line, reason.strip())
    if order.state != OrderState.REFUNDING:
        move(order, OrderState.REFUNDING, reason.strip())
    taken_from = earned_by(order, line) if was_delivered else "deferred"
    ledger.post(
        f"refund:{refund.id}",
        "refund_requested",
        "orders",
        order.id,
        {taken_from: amount, "refund_payable": -amount},
        currency=order.currency,
    )
    audit.record("order.refund", "orders", order.id, reason=reason.strip(), amount=amount)
    attributed.changed(order, "refunded", refund.id)
    if payment.channel == BALANCE:
        # Nobody has to be asked: it is back on her balance with this unit.
        session.flush()
        begin_sending(refund.id)
        session.flush()
        succeeded(refund.id)
    return refund


def refund_suspense(payment: Payment) -> None:
    """Send money that no order could take back to where it came from. Asked for once."""
    if payment.state != PaymentState.SUSPENSE or payment.refunded:
        return
    refund = _new_refund(payment, payment.received, "no order could take it", line_id=None)
    ledger.post(
        f"refund:{refund.id}",
        "refund_requested",
        "payments",
        payment.id,
        {"suspense": payment.received, "refund_payable": -payment.received},
        currency=payment.currency,
    )


def begin_sending(refund_id: int) -> RefundState | None:
    """The intent, committed before the channel is called. Returns the state it was in before."""
    refund = lock(refund_id)
    before = refund.state
    if before in (RefundState.REQUESTED, RefundState.REFUSED):
        move(refund, RefundState.SENDING)
    return None if before == RefundState.SUCCEEDED else before


def succeeded(refund_id: int) -> None:
    """The channel has paid the money back. Saying so twice changes nothing."""
    refund = lock(refund_id)
    if refund.state == RefundState.SUCCEEDED:
        return
    payment = session.get_one(Payment, refund.payment_id, with_for_update=True)
    order = queries.lock(payment.order_id)
    move(refund, RefundState.SUCCEEDED)
    refund.settled_at = clock.now()
    payment.refunded += refund.amount
    ledger.post(
        f"refunded:{refund.id}",
        "refunded",
        "payments",
        payment.id,
        {"refund_payable": refund.amount, holds_money_of(order, payment): -refund.amount},
        currency=refund.currency,
    )
    if payment.refunded == payment.received:
        move(payment, PaymentState.REFUNDED)
    session.flush()
    if refund.order_line_id is not None:
        _end_of_refunding(order, payment)
    if payment.channel != BALANCE:
        telling.refunded(order, refund.id)


def refused(refund_id: int, why: str) -> None:
    """The channel will not: staff see why, and can send it again or pay by hand."""
    refund = lock(refund_id)
    if refund.state not in (RefundState.SENDING, RefundState.UNKNOWN):
        return
    move(refund, RefundState.REFUSED, why)
    refund.refused_because = why
    audit.record("refund.refused", "refunds", refund.id, reason=why)


def in_doubt(refund_id: int, ask_again_at: datetime) -> datetime | None:
    """The channel did not say: ask it later, under the same number."""
    refund = lock(refund_id)
    if refund.state == RefundState.SENDING:
        move(refund, RefundState.UNKNOWN)
    return ask_again_at if refund.state == RefundState.UNKNOWN else None


def send_again(refund_id: int) -> None:
    """Staff send a refused refund once more, under the same number; raises Conflict."""
    refund = lock(refund_id)
    if refund.state != RefundState.REFUSED:
        raise Conflict(N_("这笔退款现在不需要重发"))
    audit.record("refund.resend", "refunds", refund.id)
    later("app.domain.orders.jobs.send_refund", refund.id)


def confirm_by_hand(refund_id: int, reference: str) -> None:
    """Staff paid it back themselves, as a bank transfer is, and say under which reference.

    Raises Refusal without a reference, Conflict for a channel that pays back itself: it might do
    so as well.
    """
    if len(reference.strip()) < 4:
        raise Refusal(N_("请填写转账流水号，至少 4 位"), field="reference")
    refund = lock(refund_id)
    channel = session.get_one(Payment, refund.payment_id).channel
    if not payments.channel(channel).is_confirmed_by_staff:
        raise Conflict(N_("这个渠道自己会退款，不能手工登记"))
    if refund.state in (RefundState.REQUESTED, RefundState.REFUSED):
        move(refund, RefundState.SENDING, reference.strip())
        session.flush()
    audit.record("refund.confirm", "refunds", refund.id, reason=reference.strip())
    succeeded(refund_id)


def lock(refund_id: int) -> Refund:
    """The refund, locked, after its order and payment as everywhere."""
    order_id = session.scalar(
        sa.select(Payment.order_id).join(Refund).where(Refund.id == refund_id)
    )
    if order_id is None:
        raise NotFound
    queries.lock(order_id)
    return session.get_one(Refund, refund_id, with_for_update=True, populate_existing=True)


def _new_refund(payment: Payment, amount: int, reason: str, *, line_id: int | None) -> Refund:
    now = clock.now()
    refund = Refund(
        number=ids.number(now, 13),
        payment_id=payment.id,
        order_line_id=line_id,
        currency=payment.currency,
        amount=amount,
        reason=reason,
        requested_by=actor(),
        created_at=now,
    )
    session.add(refund)
    session.flush()
    if payment.channel != BALANCE:
        later("app.domain.orders.jobs.send_refund", refund.id)
    return refund


def _paid_payment(order: Order) -> Payment:
    for payment in queries.payments_of(order.id):
        if payment.state == PaymentState.PAID:
            return payment
    raise Conflict(N_("这个订单没有可以退的款"))


def _line(order: Order, line_id: int) -> OrderLine:
    if order.state not in REFUNDABLE:
        raise Conflict(N_("这个订单现在不能退款"))
    for line in queries.lines_of(order.id):
        if line.id == line_id:
            return line
    raise NotFound


def _take_codes_back(line: OrderLine, reason: str) -> None:
    if line.delivered_at is None:
        vault.release([line.id])
    else:
        vault.void_sold(line.id, reason=reason)


def _end_of_refunding(order: Order, payment: Payment) -> None:
    """Refunded in full the order has ended; in part, and with nothing under way, it goes on."""
    if order.state != OrderState.REFUNDING:
        return
    if payment.state == PaymentState.REFUNDED:
        move(order, OrderState.REFUNDED)
        return
    under_way = session.scalar(
        sa.select(sa.func.count(Refund.id)).where(
            Refund.payment_id == payment.id, Refund.state != RefundState.SUCCEEDED
        )
    )
    if not under_way:
        _go_on(order)


def _go_on(order: Order) -> None:
    everything = not any(map(is_owed, queries.lines_of(order.id)))
    move(order, OrderState.DELIVERED if everything else OrderState.FULFILLING)
    if not everything:
        later("app.domain.orders.jobs.deliver", order.id)
