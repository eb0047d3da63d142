"""Callbacks that are forged, repeated, wrong or out of their mind: the books balance, and the
channel hears what it expects."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app.core import clock
from app.core.db import session, transaction
from app.domain.ledger.models import LedgerTransaction
from app.domain.orders import closing
from app.domain.orders.models import (
    OrderState,
    Payment,
    PaymentEvent,
    PaymentState,
    Refund,
    Verdict,
)
from app.domain.vault.models import Code, CodeState
from app.providers.payments import signing
from tests import factories, people
from tests.web.deeds import (
    DELIVERED,
    HOOK,
    UNPAID,
    about,
    call,
    contents,
    signed,
    standing,
    waiting,
)
from tests.web.visitors import Visitor

pytestmark = pytest.mark.usefixtures("audited")
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_a_genuine_callback_delivers(guest: Visitor) -> None:
    """The others of this part differ from this one by what they are about, and only by it."""
    payment = waiting()
    response = call(guest, about(payment))
    assert (response.status_code, response.text) == (200, "success")
    assert response.mimetype == "text/plain"
    assert standing(payment) == DELIVERED


FORGERIES = {
    "not signed": lambda _body: {"X": "y"},
    "another key": lambda body: signed(body, key="x" * 32),
    "no key": lambda body: signed(body, key=""),
    "too old": lambda body: signed(body, age=301),
    "from tomorrow": lambda body: signed(body, age=-86400),
    "another body": lambda body: signed(body + b" "),
    "another address": lambda body: signed(body, path="/hooks/payments/transfer"),
    "a capital signature": lambda body: {k: v.upper() for k, v in signed(body).items()},
    "half a signature": lambda body: {k: v[:32] for k, v in signed(body).items()},
    "a signature that is no text": lambda body: signed(body) | {signing.SIGNATURE: "\xff" * 64},
    "a time that is none": lambda body: signed(body) | {signing.TIMESTAMP: "１７"},
}


@on_sqlite
def test_a_forged_callback_is_refused_and_changes_nothing(guest: Visitor) -> None:
    payment = waiting()
    body, before = about(payment), contents()

    answers = {name: call(guest, body, **forge(body)).text for name, forge in FORGERIES.items()}

    assert answers == dict.fromkeys(FORGERIES, "fail")
    assert call(guest, body, **signed(body, age=301)).status_code == 400
    assert contents() == before


WITHOUT_SENSE = [
    b"",
    b"\xff\xfe",
    b'{"number": "\xff"}',
    b"[" * 60_000,
    b"{}",
    b"null",
    b"merchant=M1&number=1&amount=3000&amount=1&state=paid",
    b'{"merchant": "M1", "amount": NaN}',
    b" " * 70_000,
    b" " * 3_000_000,
]


@on_sqlite
def test_a_signed_message_without_sense_is_refused(guest: Visitor) -> None:
    """Signed with the right key: so it is the channel that is out of its mind, or its key is."""
    before = contents()
    for body in WITHOUT_SENSE:
        response = call(guest, body)
        assert (response.status_code, response.text) == (400, "fail"), (body[:12], len(body))
        assert contents() == before, (body[:12], len(body))


IMPOSSIBLE: list[dict[str, Any]] = [
    {"merchant": "M2"},
    {"amount": 10**30},
    {"amount": -3000},
    {"amount": 0},
    {"amount": "3000"},
    {"amount": 30.0},
    {"amount": True},
    {"number": "\ud800"},
    {"number": "a\0b"},
    {"trade_number": "a\0b"},
    {"event_id": ["E1"]},
    {"number": {"$ne": ""}},
    {"currency": "C" * 201},
]


def test_a_signed_message_with_a_value_that_cannot_be_is_refused(guest: Visitor) -> None:
    payment = waiting()
    before = contents()
    for said in IMPOSSIBLE:
        response = call(guest, about(payment, **said))
        assert (response.status_code, response.text) == (400, "fail"), said
        assert contents() == before, said


@on_sqlite
@pytest.mark.parametrize(
    "content_type",
    ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/html", ""],
)
def test_what_a_callback_calls_itself_does_not_matter(guest: Visitor, content_type: str) -> None:
    """The signature is over the bytes, and so they are read as they are."""
    payment = waiting()
    body = about(payment)
    response = guest._open("POST", HOOK, data=body, headers=signed(body), content_type=content_type)
    assert response.text == "success"
    assert standing(payment) == DELIVERED


def test_fields_in_the_address_say_nothing(guest: Visitor) -> None:
    payment, other = waiting(), waiting()
    path = f"{HOOK}?number={other.number}&number={other.number}&merchant=M2"
    body = about(payment)
    assert call(guest, body, path=path, **signed(body)).text == "success"
    assert standing(payment) == DELIVERED
    assert standing(other) == UNPAID


def test_a_callback_that_comes_twice_counts_once(guest: Visitor) -> None:
    payment = waiting(quantity=2)
    headers = signed(about(payment))

    answers = [call(guest, about(payment), **headers).text for _ in range(3)]
    answers.append(call(guest, about(payment, event_id="another")).text)

    assert answers == ["success"] * 4
    assert_paid_once(payment)


@pytest.mark.parametrize("are_copies", [True, False], ids=["the same", "of one trade"])
def test_ten_callbacks_at_once_count_once(app: Flask, are_copies: bool) -> None:
    payment = waiting(quantity=2)
    bodies = [about(payment, event_id=f"E{0 if are_copies else n}") for n in range(10)]
    visitors = [Visitor(app) for _ in bodies]
    calls = [
        lambda visitor=visitor, body=body: call(visitor, body).text
        for visitor, body in zip(visitors, bodies, strict=True)
    ]

    assert people.at_once(app, calls) == ["success"] * 10
    assert_paid_once(payment)


def assert_paid_once(payment: Payment) -> None:
    """One delivery, one posting of the money, one of the sale, one payment."""
    assert standing(payment) == DELIVERED
    booked = session.scalars(sa.select(LedgerTransaction.kind)).all()
    assert sorted(booked) == ["delivered", "paid"]
    sold = session.scalars(sa.select(Code).where(Code.state == CodeState.SOLD)).all()
    assert len(sold) == 2
    verdicts = session.scalars(sa.select(PaymentEvent.verdict)).all()
    assert verdicts.count(Verdict.PAID) == 1
    assert set(verdicts) <= {Verdict.PAID, Verdict.ALREADY}


@pytest.mark.parametrize("amount", [1, 999_999])
def test_other_money_than_was_asked_buys_nothing(guest: Visitor, amount: int) -> None:
    """It really came, so it is booked, and it goes back; the order still waits for its own."""
    payment = waiting()

    assert call(guest, about(payment, amount=amount)).text == "success"

    assert standing(payment) == (OrderState.PENDING, PaymentState.SUSPENSE)
    factories.work()
    assert session.scalars(sa.select(Refund.amount)).all() == [amount]
    assert call(guest, about(payment)).text == "success"
    assert standing(payment) == (OrderState.PENDING, PaymentState.SUSPENSE)


def test_money_for_no_order_of_ours_is_acknowledged_and_noted(guest: Visitor) -> None:
    """It would be no use to send it again for days."""
    payment = waiting()
    assert call(guest, about(payment, number="26010100000000000")).text == "success"
    assert standing(payment) == UNPAID
    assert session.scalars(sa.select(PaymentEvent.verdict)).all() == [Verdict.UNKNOWN]


def test_one_trade_pays_one_order(guest: Visitor) -> None:
    """A trade that has paid an order is no money for another."""
    paid, other = waiting(), waiting()
    call(guest, about(paid))

    response = call(guest, about(other, trade_number=f"T{paid.number}"))

    assert response.status_code < 500
    assert standing(paid) == DELIVERED
    assert standing(other) == UNPAID


def test_a_channel_pays_only_what_is_to_be_paid_through_it(guest: Visitor) -> None:
    """The sandbox's key says nothing about a bank transfer, wherever it is said."""
    payment = waiting(channel="transfer")

    assert call(guest, about(payment)).text == "success"
    response = call(guest, about(payment), path="/hooks/payments/transfer")
    assert response.status_code == 400
    assert guest.get("/hooks/payments/transfer").status_code == 400
    assert call(guest, about(payment), path="/hooks/payments/nobody").status_code == 404

    assert standing(payment) == UNPAID


@pytest.mark.parametrize("hours", [1, 24])
def test_money_for_a_closed_order_buys_it_late_or_goes_back(guest: Visitor, hours: int) -> None:
    payment = waiting()
    transaction(lambda: closing.cancel(payment.order_id))
    transaction(lambda: closing.closed_at_channel(payment.id))
    assert standing(payment) == (OrderState.CANCELLED, PaymentState.CLOSED)

    with time_machine.travel(clock.now() + timedelta(hours=hours), tick=False):
        assert call(guest, about(payment)).text == "success"

    late = (OrderState.CANCELLED, PaymentState.SUSPENSE)
    assert standing(payment) == (DELIVERED if hours == 1 else late)
