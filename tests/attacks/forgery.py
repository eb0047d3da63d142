"""Word of payments that nobody made, at the door where channels knock."""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial

import sqlalchemy as sa

from app.core import clock
from app.core.crypto import Secret
from app.core.db import session
from app.domain.orders.models import Order, OrderState, Payment
from app.providers.payments import signing
from tests import factories
from tests.attacks import target as house
from tests.attacks.channel import DOOR, Channel, Headers
from tests.attacks.crowd import Crowd
from tests.attacks.outcome import Outcome, control
from tests.attacks.target import Target

ORDERS = 20
UNPAID = (OrderState.PENDING, OrderState.CLOSING, OrderState.EXPIRED, OrderState.CANCELLED)
Known = tuple[int, str, int]


def run(target: Target, scale: float) -> Outcome:
    """Orders that somebody's word made paid, without money."""
    orders = max(int(ORDERS * scale), 5)
    channel = Channel.of(target)
    with target.inside():
        wanted = house.product(orders + 400)
        path = house.path_of(wanted)
        payments = [factories.place(wanted).payment for _ in range(orders + 1)]
        known = [(one.order_id, one.number, one.amount) for one in payments if one]
    *attacked, (_, own, price) = known
    tried = taken = 0
    with Crowd(partial(target.buy, path=path), house.crowd_of(scale)) as crowd:
        # What the channel said of her own order she may have heard; it is hers to try, changed.
        heard = json.dumps(channel.paid(own, price)).encode()
        for _, number, amount in attacked:
            for headers, body in _forged(channel, number, amount, heard):
                taken += channel.knock(body, headers)
                tried += 1
    with target.inside():
        paid = _paid(attacked)
    reach = control(
        channel.say(channel.paid(*known[0][1:])) and _is_paid(target, known[0]),
        "the same word under the true key is taken and pays",
    )
    return Outcome(
        "forged callbacks",
        f"{tried} callbacks for {orders} orders",
        taken + paid,
        "no order paid, no money booked",
        "nothing",
        reach,
        crowd.people,
        tuple(crowd.troubles),
    )


def _is_paid(target: Target, known: Known) -> bool:
    with target.inside():
        return _paid([known]) == 2


def _paid(known: list[Known]) -> int:
    """How many orders are paid, and how many payments have money."""
    ids = [order_id for order_id, _, _ in known]
    paid = sa.select(sa.func.count(Order.id)).where(Order.id.in_(ids), Order.state.not_in(UNPAID))
    booked = sa.select(sa.func.count(Payment.id)).where(
        Payment.order_id.in_(ids), Payment.received > 0
    )
    return (session.scalar(paid) or 0) + (session.scalar(booked) or 0)


def _forged(
    channel: Channel, number: str, amount: int, heard: bytes
) -> Iterator[tuple[Headers, bytes]]:
    """Unsigned; signed by others, over something else, for another door, yesterday; a field twice;
    and with the signature of what was genuine."""
    body = json.dumps(channel.paid(number, amount)).encode()
    guesser = replace(channel, key=Secret("k" * 32))
    yield {}, body
    yield guesser.signed(body), body
    yield guesser.signed(body) | {signing.SIGNATURE: ""}, body
    yield guesser.signed(body) | {signing.SIGNATURE: "0" * 64}, body
    yield channel.signed(heard), body
    yield channel.signed(body), body[:-1] + b',"amount":1}'
    yield channel.signed(body) | {signing.NONCE: secrets.token_hex(8)}, body
    yield _at(channel, body, "POST", DOOR, days=1), body
    yield _at(channel, body, "POST", "/hooks/payments/transfer"), body
    yield _at(channel, body, "RESPONSE", DOOR), body


def _at(channel: Channel, body: bytes, method: str, path: str, days: int = 0) -> Mapping[str, str]:
    """What the true key signed for another time or another door."""
    return signing.headers(channel.key, method, path, body, clock.now() - timedelta(days=days))
