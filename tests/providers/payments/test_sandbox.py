"""The sandbox adapter by itself: forged, odd and missing answers. With its real server it is tested
in tests/sandbox."""

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest
import respx

from app.core import clock
from app.core.crypto import Secret
from app.providers.callbacks import Callback, Forged, Malformed, Reply
from app.providers.payments import signing
from app.providers.payments.interface import (
    Charge,
    Closing,
    Notice,
    RefundOrder,
    RefundOutcome,
    StandingState,
)
from app.providers.payments.sandbox import Sandbox

URL, KEY = "http://sandbox.test:9001", "k" * 32
PATH = "/hooks/payments/sandbox"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
SAID: dict[str, Any] = {
    "event_id": "e1",
    "merchant": "M1",
    "number": "P1",
    "trade_number": "SB1",
    "state": "paid",
    "amount": 9900,
    "currency": "CNY",
    "payer": "play money",
}
REFUND = RefundOrder("R1", "P1", "SB1", 9900, 9900, "CNY", "bad code")


@pytest.fixture
def sandbox() -> Sandbox:
    return Sandbox(URL, "M1", KEY)


def callback(
    body: bytes, key: str = KEY, *, sent: datetime = NOW, received: datetime = NOW
) -> Callback:
    head = signing.headers(Secret(key), "POST", PATH, body, sent)
    return Callback("POST", PATH, [], head, body, received)


def about(**changes: object) -> bytes:
    return json.dumps(SAID | changes).encode()


def test_the_pay_link_is_signed_and_says_everything(sandbox: Sandbox) -> None:
    charge = Charge(
        number="P1",
        amount=9900,
        currency="CNY",
        subject="充值卡 & more",
        expires_at=NOW,
        return_url="https://shop.test/orders/1",
        notify_url="https://shop.test/hooks/payments/sandbox",
        client_ip="203.0.113.7",
        language="en",
    )

    start = sandbox.start(charge)

    fields = dict(parse_qsl(urlsplit(start.url).query, strict_parsing=True))
    signature = fields.pop("sign")
    assert start.kind == "redirect"
    assert start.url.startswith(f"{URL}/pay?")
    assert signing.are_genuine([Secret(KEY)], fields, signature)
    assert fields == {
        "merchant": "M1",
        "number": "P1",
        "amount": "9900",
        "currency": "CNY",
        "subject": "充值卡 & more",
        "expires_at": str(int(NOW.timestamp())),
        "return_url": charge.return_url,
        "notify_url": charge.notify_url,
        "lang": "en",
    }


def test_a_genuine_callback_is_read(sandbox: Sandbox) -> None:
    assert sandbox.parse_callback(callback(about())) == Notice(
        event_id="e1",
        number="P1",
        trade_number="SB1",
        is_paid=True,
        amount=9900,
        currency="CNY",
        payer="play money",
    )
    assert not sandbox.parse_callback(callback(about(state="unpaid"))).is_paid


def test_the_same_message_again_is_the_same_event(sandbox: Sandbox) -> None:
    message = callback(about())
    later = callback(about(), sent=NOW + timedelta(minutes=9), received=NOW + timedelta(minutes=9))

    assert sandbox.parse_callback(message) == sandbox.parse_callback(message)
    assert sandbox.parse_callback(message) == sandbox.parse_callback(later)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(callback(about(), key="x" * 32), id="another key"),
        pytest.param(callback(about(), received=NOW + timedelta(seconds=301)), id="replayed late"),
        pytest.param(callback(about(merchant="M2")), id="another merchant's"),
        pytest.param(callback(b" " * 65537), id="too long"),
        pytest.param(Callback("POST", PATH, [], {}, about(), NOW), id="not signed"),
        pytest.param(
            Callback("GET", PATH, [], callback(about()).headers, about(), NOW), id="another method"
        ),
        pytest.param(
            Callback("POST", PATH + "2", [], callback(about()).headers, about(), NOW),
            id="another channel's address",
        ),
        pytest.param(
            Callback("POST", PATH, [], callback(about()).headers, about(amount=1), NOW),
            id="changed on its way",
        ),
    ],
)
def test_a_forged_callback_is_refused(sandbox: Sandbox, message: Callback) -> None:
    with pytest.raises(Forged):
        sandbox.parse_callback(message)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff",
        b"[]",
        b'"paid"',
        b'{"merchant": "M1"}',
        *(
            about(**change)
            for change in (
                {"amount": "9900"},
                {"amount": 99.0},
                {"amount": -1},
                {"amount": 0},
                {"amount": True},
                {"amount": None},
                {"number": 7},
                {"number": ""},
                {"trade_number": ""},
                {"event_id": "e" * 201},
                {"currency": None},
            )
        ),
    ],
)
def test_a_genuine_message_without_sense_is_malformed(sandbox: Sandbox, body: bytes) -> None:
    with pytest.raises(Malformed):
        sandbox.parse_callback(callback(body))


def test_success_is_said_to_the_letter(sandbox: Sandbox) -> None:
    assert sandbox.acknowledge(True) == Reply(200, "text/plain", "success")
    assert sandbox.acknowledge(False).status == 400


def answer(
    said: object,
    key: str = KEY,
    *,
    status: int = 200,
    age: timedelta = timedelta(),
    to: str | None = None,
) -> Callable[[httpx.Request], httpx.Response]:
    """What the channel answers, signed over the request's signature, or over another one's."""

    def respond(request: httpx.Request) -> httpx.Response:
        body = said if isinstance(said, bytes) else json.dumps(said).encode()
        asked = to or request.headers[signing.SIGNATURE]
        head = signing.headers(Secret(key), "RESPONSE", asked, body, clock.now() - age)
        return httpx.Response(status, content=body, headers=head)

    return respond


PAID = SAID | {"amount": 9900}
DOUBTFUL = [
    pytest.param(httpx.ConnectError("no route"), id="not reached"),
    pytest.param(httpx.ReadTimeout("silence"), id="silence"),
    pytest.param(httpx.RemoteProtocolError("cut off"), id="cut off"),
    pytest.param(answer({"state": "closed"}, status=500), id="500"),
    pytest.param(answer({"state": "closed"}, status=302), id="led elsewhere"),
    pytest.param(httpx.Response(200, json={"state": "closed"}), id="not signed"),
    pytest.param(answer({"state": "closed"}, key="x" * 32), id="forged"),
    pytest.param(answer({"state": "closed"}, to="0" * 64), id="the answer to another request"),
    pytest.param(answer({"state": "closed"}, age=timedelta(minutes=6)), id="old"),
    pytest.param(answer(b"<html>"), id="not JSON"),
    pytest.param(answer(["closed"]), id="not an object"),
    pytest.param(answer({"state": ["closed"]}), id="not a word"),
    pytest.param(answer({"state": "confused"}), id="an unknown word"),
    pytest.param(answer({}), id="nothing"),
]


@pytest.mark.parametrize("happens", DOUBTFUL)
@respx.mock
def test_doubt_is_unknown_and_never_a_failure(sandbox: Sandbox, happens: Any) -> None:
    respx.post(url__startswith=URL).mock(
        **(
            {"return_value": happens}
            if isinstance(happens, httpx.Response)
            else {"side_effect": happens}
        )
    )

    assert sandbox.query("P1").state is StandingState.UNKNOWN
    assert sandbox.close("P1") is Closing.UNKNOWN
    assert sandbox.refund(REFUND).outcome is RefundOutcome.UNKNOWN
    assert sandbox.query_refund(REFUND).outcome is RefundOutcome.UNKNOWN


@pytest.mark.parametrize(
    "change", [{"amount": "9900"}, {"amount": 0}, {"trade_number": ""}, {"currency": None}]
)
@respx.mock
def test_a_paid_trade_without_its_figures_is_unknown(
    sandbox: Sandbox, change: dict[str, object]
) -> None:
    respx.post(f"{URL}/api/trades/query").mock(side_effect=answer(SAID | change))

    assert sandbox.query("P1").state is StandingState.UNKNOWN


@respx.mock
def test_an_answer_is_believed_under_the_old_key_too(sandbox: Sandbox) -> None:
    both = Sandbox(URL, "M1", f"{'n' * 32},{KEY}")
    respx.post(f"{URL}/api/trades/query").mock(side_effect=answer(SAID))

    assert both.query("P1").state is StandingState.PAID


@respx.mock
def test_requests_are_signed_with_the_new_key_and_name_the_merchant(sandbox: Sandbox) -> None:
    both = Sandbox(URL, "M1", f"{KEY},{'o' * 32}")
    route = respx.post(f"{URL}/api/trades/close").mock(side_effect=answer({"state": "closed"}))

    assert both.close("P1") is Closing.CLOSED

    sent = route.calls.last.request
    assert json.loads(sent.content) == {"merchant": "M1", "number": "P1"}
    assert signing.is_genuine(
        [Secret(KEY)], "POST", "/api/trades/close", dict(sent.headers), sent.content, clock.now()
    )


@respx.mock
def test_the_key_is_nowhere_to_be_read(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    route = respx.post(url__startswith=URL).mock(side_effect=answer(SAID))

    sandbox.query("P1")
    with pytest.raises(Forged) as forged:
        sandbox.parse_callback(callback(about(), key="x" * 32))

    sent = route.calls.last.request
    shown = [
        repr(sandbox),
        repr(vars(sandbox)),
        repr(forged.value),
        caplog.text,
        str(sent.url),
        repr(sent.headers),
        sent.content.decode(),
    ]
    assert not any(KEY in text for text in shown)
