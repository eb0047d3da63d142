"""One order paid twice at once, by the channel's word and on its page, and cancelled meanwhile."""

from functools import partial

import sqlalchemy as sa

from app.core.db import session
from app.domain.ledger.models import LedgerTransaction
from app.domain.orders.models import Order, Payment
from app.domain.vault.models import Code, CodeState
from tests.attacks import target as house
from tests.attacks.channel import Channel, payment_of
from tests.attacks.outcome import Outcome, control
from tests.attacks.target import Target
from tests.attacks.visitor import Page, Visitor

ORDERS = 10
AT_ONCE = 50
SOLD = (CodeState.SOLD, CodeState.EXHAUSTED)


def run(target: Target, scale: float) -> Outcome:
    """Codes and bookings that an order has beyond its one."""
    orders, at_once = max(int(ORDERS * scale), 2), max(int(AT_ONCE * scale), 8)
    with target.inside():
        wanted = house.product(orders * 3)
        path, price = house.path_of(wanted), wanted.price
    channel = Channel.of(target)
    for number in range(orders):
        buyer = target.attacker(12_000 + number)
        placed = target.order(buyer, path, target.phone())
        if number % 2:
            _tap_twice(target, buyer, placed, at_once)
        else:
            _say_often(channel, buyer, placed, at_once)
    with target.inside():
        found = session.scalars(
            sa.select(Order).where(Order.lines.any(product_id=house.id_of(path.split("/")[-1])))
        ).all()
        codes = [_codes(order) for order in found]
        booked = [_booked(order) for order in found]
        received = [_received(order) for order in found]
    control(len(found) == orders and min(received) == price, "each order's money came")
    return Outcome(
        "double payment",
        f"{orders} orders, each paid {at_once} times at once, and cancelled",
        sum(max(0, many - 1) for many in (*codes, *booked))
        + sum(money != price for money in received),
        "one code and one booking each",
        f"{orders} orders paid",
        control(min(codes) == min(booked) == 1, "each of them is booked and delivered"),
    )


def _say_often(channel: Channel, buyer: Visitor, placed: Page, times: int) -> None:
    """The same word again and again, other words of the same trade, a second trade; and the buyer
    who changes her mind in that moment."""
    number, amount = payment_of(placed)
    once = channel.paid(number, amount)
    again = [channel.paid(number, amount, trade_number=once["trade_number"]) for _ in range(3)]
    words = [once, *again, channel.paid(number, amount)]
    order = house.order_of(placed)
    page = buyer.get(order)
    house.at_once(
        [
            *(partial(channel.say, words[turn % len(words)]) for turn in range(times)),
            partial(buyer.submit, page, f"{order}/cancellation"),
        ]
    )
    # What came while it was being cancelled comes again, as channels do until they are heard.
    channel.say(once)


def _tap_twice(target: Target, buyer: Visitor, placed: Page, times: int) -> None:
    """The channel's button, in many windows."""
    windows = [target.attacker(13_000).with_cookies_of(buyer) for _ in range(times)]
    house.at_once([partial(window.submit, placed, "") for window in windows])


def _codes(order: Order) -> int:
    held = sa.select(sa.func.count(Code.id)).where(
        Code.order_line_id.in_([line.id for line in order.lines]), Code.state.in_(SOLD)
    )
    return session.scalar(held) or 0


def _booked(order: Order) -> int:
    posted = sa.select(sa.func.count(LedgerTransaction.id)).where(
        LedgerTransaction.subject == "orders",
        LedgerTransaction.subject_id == order.id,
        LedgerTransaction.kind == "paid",
    )
    return session.scalar(posted) or 0


def _received(order: Order) -> int:
    money = sa.select(sa.func.sum(Payment.received)).where(Payment.order_id == order.id)
    return session.scalar(money) or 0
