"""Word of payments that nobody made, at the door where channels knock."""

import json
import secrets
import time
from collections.abc import Iterator
from functools import partial

import httpx
import sqlalchemy as sa

from app.core.crypto import Secret
from app.core.db import session
from app.domain.orders.models import Order, OrderState, Payment
from app.providers.payments import signing
from tests import factories
from tests.attacks import target as house
from tests.attacks.crowd import Crowd
from tests.attacks.outcome import Outcome
from tests.attacks.target import Target

ORDERS = 20
CHANNEL = "/hooks/payments/sandbox"
UNPAID = (OrderState.PENDING, OrderState.CLOSING, OrderState.EXPIRED, OrderState.CANCELLED)


def run(target: Target, scale: float) -> Outcome:
    """Orders that somebody's word made paid, without money."""
    orders = max(int(ORDERS * scale), 5)
    with target.inside():
        wanted = house.product(orders + 400)
        path = house.path_of(wanted)
        payments = [factories.place(wanted).payment for _ in range(orders)]
        known = [
            (payment.order_id, payment.number, payment.amount) for payment in payments if payment
        ]
    tried = 0
    with Crowd(partial(target.buy, path=path)) as crowd, httpx.Client(base_url=target.url) as wire:
        for _, number, amount in known:
            for headers, body in _forged(number, amount):
                wire.post(CHANNEL, content=body, headers=headers)
                tried += 1
    with target.inside():
        paid = session.scalar(
            sa.select(sa.func.count(Order.id)).where(
                Order.id.in_([order_id for order_id, _, _ in known]), Order.state.not_in(UNPAID)
            )
        )
        booked = session.scalar(
            sa.select(sa.func.count(Payment.id)).where(
                Payment.order_id.in_([order_id for order_id, _, _ in known]), Payment.received > 0
            )
        )
    return Outcome(
        "forged callbacks",
        f"{tried} callbacks for {orders} orders",
        (paid or 0) + (booked or 0),
        "no order paid, no money booked",
        "nothing",
        crowd.people,
        tuple(crowd.troubles),
    )


def _forged(number: str, amount: int) -> Iterator[tuple[dict[str, str], bytes]]:
    """Unsigned, signed by others, over something else, or yesterday; a field that comes twice."""
    body = json.dumps(
        {
            "event": secrets.token_hex(8),
            "number": number,
            "trade": secrets.token_hex(8),
            "amount": amount,
            "currency": "CNY",
            "state": "paid",
        }
    ).encode()
    nonce = secrets.token_hex(8)
    guessed, now = Secret("k" * 32), str(int(time.time()))
    yield {}, body
    yield _signed(guessed, now, nonce, body), body
    yield _signed(guessed, str(int(time.time()) - 86_400), nonce, body), body
    # Signed over another body.
    yield _signed(guessed, now, nonce, b"{}"), body
    yield {**_signed(guessed, now, nonce, body), signing.SIGNATURE: ""}, body
    yield {**_signed(guessed, now, nonce, body), signing.SIGNATURE: "0" * 64}, body
    yield _signed(guessed, now, nonce, body), body[:-1] + b',"amount":1}'


def _signed(key: Secret, at: str, nonce: str, body: bytes) -> dict[str, str]:
    return {
        signing.TIMESTAMP: at,
        signing.NONCE: nonce,
        signing.SIGNATURE: signing.sign(key, "POST", CHANNEL, at, nonce, body),
        "Content-Type": "application/json",
    }
