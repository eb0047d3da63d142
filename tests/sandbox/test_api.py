"""The merchant's API: refunds, statements, and its failures on request."""

import csv
import io
import json
from datetime import datetime
from zoneinfo import ZoneInfo

import httpx
import pytest

from app.core import clock
from app.core.crypto import Secret
from app.providers.payments import signing
from app.providers.payments.interface import Closing, RefundOutcome, StandingState
from app.providers.payments.sandbox import Sandbox
from tests.sandbox.conftest import KEY, MERCHANT, Channel

SUCCEEDED, PENDING, REFUSED = (
    RefundOutcome.SUCCEEDED,
    RefundOutcome.PENDING,
    RefundOutcome.REFUSED,
)


def call(channel: Channel, path: str, fields: dict[str, object], key: str = KEY) -> httpx.Response:
    body = json.dumps(fields).encode()
    head = signing.headers(Secret(key), "POST", path, body, clock.now())
    return channel.browser.post(f"{channel.url}{path}", content=body, headers=head)


def impatient(channel: Channel) -> Sandbox:
    return Sandbox(channel.url, MERCHANT, KEY, timeout=httpx.Timeout(0.3))


def test_a_refund_is_made_once_under_its_number(channel: Channel, number: str) -> None:
    channel.pay(number)
    order = channel.refund(f"R{number}", 4000, payment=number)
    assert channel.adapter.query_refund(order).outcome is RefundOutcome.NOT_FOUND

    outcomes = [channel.adapter.refund(order).outcome for _ in range(3)]

    assert outcomes == [SUCCEEDED] * 3
    assert channel.adapter.query_refund(order).outcome is SUCCEEDED
    assert channel.trade(number)["refunded"] == 4000
    assert len(channel.trade(number)["refunds"]) == 1
    assert channel.adapter.query(number).state is StandingState.PAID


def test_no_more_is_sent_back_than_was_paid(channel: Channel, number: str) -> None:
    channel.pay(number, wrong_amount=-900)

    assert channel.adapter.refund(channel.refund("RA" + number, 6000, number)).outcome is SUCCEEDED
    result = channel.adapter.refund(channel.refund("RB" + number, 3001, number))
    assert (result.outcome, result.reason) == (REFUSED, "more than was paid")
    assert channel.adapter.refund(channel.refund("RC" + number, 3000, number)).outcome is SUCCEEDED
    assert channel.trade(number)["refunded"] == 9000


def test_nothing_is_sent_back_of_what_was_never_paid(channel: Channel, number: str) -> None:
    channel.browser.get(channel.link(number))

    for payment in (number, f"{number}X"):
        result = channel.adapter.refund(channel.refund(f"R{number}", payment=payment))
        assert (result.outcome, result.reason) == (REFUSED, "no such payment")
    assert channel.adapter.refund(channel.refund("R0", 0, number)).outcome is REFUSED


def test_a_refunds_number_belongs_to_one_refund(channel: Channel, number: str) -> None:
    channel.pay(number)
    channel.adapter.refund(channel.refund(f"R{number}", 1000, number))

    other = channel.adapter.refund(channel.refund(f"R{number}", 2000, number))

    assert other.outcome is RefundOutcome.UNKNOWN
    assert channel.trade(number)["refunded"] == 1000


def test_a_refund_may_be_pending_until_it_was_asked_about(channel: Channel, number: str) -> None:
    channel.pay(number, refund_pending=2)
    order = channel.refund(f"R{number}", payment=number)

    assert channel.adapter.refund(order).outcome is PENDING
    assert channel.adapter.refund(order).outcome is PENDING
    asked = [channel.adapter.query_refund(order).outcome for _ in range(3)]

    assert asked == [PENDING, SUCCEEDED, SUCCEEDED]


def test_a_refused_refund_moves_nothing_and_may_be_sent_again(
    channel: Channel, number: str
) -> None:
    channel.pay(number, refund_refused=1)
    order = channel.refund(f"R{number}", payment=number)

    for result in (channel.adapter.refund(order), channel.adapter.query_refund(order)):
        assert (result.outcome, result.reason) == (REFUSED, "the bank said no")
    assert channel.trade(number)["refunded"] == 0

    channel.faults(number)
    assert channel.adapter.refund(order).outcome is SUCCEEDED
    assert channel.trade(number)["refunded"] == 9900


def test_a_pending_refund_may_be_refused_in_the_end(channel: Channel, number: str) -> None:
    channel.pay(number, refund_refused=1, refund_pending=1)
    order = channel.refund(f"R{number}", payment=number)

    assert channel.adapter.refund(order).outcome is PENDING
    assert channel.adapter.query_refund(order).reason == "the bank said no"
    assert channel.trade(number)["refunded"] == 0


def test_a_refund_may_take_effect_and_still_fail(channel: Channel, number: str) -> None:
    channel.pay(number, refund_fails=1, refund_fails_after=1, refund_query_fails=1)
    order = channel.refund(f"R{number}", payment=number)

    assert channel.adapter.refund(order).outcome is RefundOutcome.UNKNOWN
    assert channel.trade(number)["refunded"] == 0
    assert channel.adapter.refund(order).outcome is RefundOutcome.UNKNOWN
    assert channel.trade(number)["refunded"] == 9900
    assert channel.adapter.query_refund(order).outcome is RefundOutcome.UNKNOWN
    assert channel.adapter.query_refund(order).outcome is SUCCEEDED
    assert channel.adapter.refund(order).outcome is SUCCEEDED
    assert channel.trade(number)["refunded"] == 9900


def test_a_query_may_fail_or_deny_the_trade_for_a_while(channel: Channel, number: str) -> None:
    channel.pay(number, query_fails=1, not_found=2)

    states = [channel.adapter.query(number).state for _ in range(4)]

    assert states == [
        StandingState.UNKNOWN,
        StandingState.NOT_FOUND,
        StandingState.NOT_FOUND,
        StandingState.PAID,
    ]


def test_closing_may_fail_before_or_after_it_took_effect(channel: Channel, number: str) -> None:
    channel.faults(number, close_fails=1, close_fails_after=1)
    channel.browser.get(channel.link(number))

    assert channel.adapter.close(number) is Closing.UNKNOWN
    assert channel.trade(number)["state"] == "unpaid"
    assert channel.adapter.close(number) is Closing.UNKNOWN
    assert channel.trade(number)["state"] == "closed"
    assert channel.adapter.close(number) is Closing.CLOSED


def test_silence_is_doubt(channel: Channel, number: str) -> None:
    channel.pay(
        number, query_fails=1, close_fails=1, refund_fails_after=1, refund_query_fails=1, hang=2
    )
    hasty, order = impatient(channel), channel.refund(f"R{number}", payment=number)

    assert hasty.query(number).state is StandingState.UNKNOWN
    assert hasty.close(number) is Closing.UNKNOWN
    assert hasty.refund(order).outcome is RefundOutcome.UNKNOWN
    assert hasty.query_refund(order).outcome is RefundOutcome.UNKNOWN
    assert channel.trade(number)["refunded"] == 9900
    assert channel.adapter.query_refund(order).outcome is SUCCEEDED


def test_a_channel_that_is_away_is_doubt(number: str) -> None:
    away = Sandbox("http://127.0.0.1:9", MERCHANT, KEY)

    assert away.query(number).state is StandingState.UNKNOWN
    assert away.close(number) is Closing.UNKNOWN


@pytest.mark.parametrize(
    "path",
    [
        "/api/trades/query",
        "/api/trades/close",
        "/api/refunds",
        "/api/refunds/query",
        "/api/statement",
    ],
)
def test_only_the_merchant_may_ask(channel: Channel, number: str, path: str) -> None:
    fields: dict[str, object] = {"merchant": MERCHANT, "number": number}

    assert call(channel, path, fields, key="x" * 32).status_code == 401
    assert call(channel, path, fields | {"merchant": "M2"}).status_code == 401
    assert channel.browser.post(f"{channel.url}{path}", json=fields).status_code == 401
    assert call(channel, path, {"merchant": MERCHANT}).status_code == 400
    assert channel.browser.get(f"{channel.url}{path}").status_code == 405


def test_a_statement_lists_the_days_payments_and_refunds(channel: Channel, number: str) -> None:
    channel.pay(number)
    channel.pay(f"{number}U", wrong_amount=1, no_callback=1)
    channel.adapter.refund(channel.refund(f"R{number}", 4000, number))
    channel.adapter.refund(channel.refund(f"R{number}2", 9999, number))
    day = datetime.now(ZoneInfo("Asia/Shanghai")).date()

    answer = call(channel, "/api/statement", {"merchant": MERCHANT, "day": str(day)})

    asked = answer.request.headers[signing.SIGNATURE]
    assert signing.is_genuine(
        [Secret(KEY)], "RESPONSE", asked, dict(answer.headers), answer.content, clock.now()
    )
    rows = [
        (row["kind"], row["number"], row["payment_number"], int(row["amount"]), row["currency"])
        for row in csv.DictReader(io.StringIO(answer.text))
        if number in row["payment_number"]
    ]
    assert rows == [
        ("payment", number, number, 9900, "CNY"),
        ("payment", f"{number}U", f"{number}U", 9901, "CNY"),
        ("refund", f"R{number}", number, -4000, "CNY"),
    ]
    other = call(channel, "/api/statement", {"merchant": MERCHANT, "day": "2001-01-01"})
    assert len(other.text.splitlines()) == 1
    assert (
        call(channel, "/api/statement", {"merchant": MERCHANT, "day": "today"}).status_code == 400
    )
