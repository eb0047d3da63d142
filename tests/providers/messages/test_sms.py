"""Text messages against a real gateway on this machine."""

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest

from app.core import clock
from app.core.crypto import Secret
from app.providers.messages.interface import Message, Outcome
from app.providers.messages.sms import Sms
from app.providers.payments import signing
from tests.servers import free_port

KEY = "k" * 32
TO = "+8613812345678"
MESSAGE = Message("250101ABC-paid-1", "paid", Secret(TO), "138****5678", "", "【小店】已付款")


@dataclass
class Gateway:
    """Answers with `status` and `answer`; keeps what came with a good signature."""

    url: str = ""
    status: int = 200
    answer: bytes = b'{"state": "sent"}'
    hangs_up: bool = False
    taken: list[dict[str, str]] = field(default_factory=list)
    forged: int = 0

    def take(self, path: str, headers: dict[str, str], body: bytes) -> None:
        named = {
            ours: headers.get(name, "")
            for ours, name in (
                (signing.TIMESTAMP, "Shop-Timestamp"),
                (signing.NONCE, "Shop-Nonce"),
                (signing.SIGNATURE, "Shop-Signature"),
            )
        }
        if signing.is_genuine([Secret(KEY)], "POST", path, named, body, clock.now()):
            self.taken.append(json.loads(body))
        else:
            self.forged += 1


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    made = Gateway()

    class Door(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.take(self.path, dict(self.headers), body)
            if made.hangs_up:
                self.close_connection = True
                return
            self.send_response(made.status)
            self.send_header("Content-Length", str(len(made.answer)))
            self.end_headers()
            self.wfile.write(made.answer)

        def do_OPTIONS(self) -> None:
            self.send_response(405)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Door)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    made.url = f"http://127.0.0.1:{server.server_port}/v1/send"
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_text_goes_out_signed(gateway: Gateway) -> None:
    assert Sms(gateway.url, KEY).send(MESSAGE).outcome is Outcome.SENT
    assert gateway.taken == [
        {"reference": "250101ABC-paid-1", "to": TO, "kind": "paid", "text": "【小店】已付款"}
    ]
    Sms(gateway.url, "x" * 32).send(MESSAGE)
    assert (len(gateway.taken), gateway.forged) == (1, 1)


@pytest.mark.parametrize(
    ("status", "answer", "outcome"),
    [
        (200, {"state": "sent"}, Outcome.SENT),
        (200, {"state": "refused", "reason": f"no such number {TO}"}, Outcome.REFUSED),
        (200, {"state": "deferred", "reason": "try later"}, Outcome.DEFERRED),
        (200, {"state": "perhaps"}, Outcome.UNKNOWN),
        (200, {"state": ["sent"]}, Outcome.UNKNOWN),
        (200, ["sent"], Outcome.UNKNOWN),
        (401, {}, Outcome.DEFERRED),
        (429, {}, Outcome.DEFERRED),
        (503, {}, Outcome.DEFERRED),
        (500, {"state": "refused"}, Outcome.UNKNOWN),
        (302, {}, Outcome.UNKNOWN),
    ],
)
def test_what_the_gateway_says_decides(
    gateway: Gateway, status: int, answer: object, outcome: Outcome
) -> None:
    gateway.status, gateway.answer = status, json.dumps(answer).encode()
    result = Sms(gateway.url, KEY).send(MESSAGE)
    assert result.outcome is outcome
    assert "13812345678" not in result.reason


def test_an_answer_that_is_no_json_is_doubt(gateway: Gateway) -> None:
    gateway.answer = b"OK" + b"[" * 5000
    assert Sms(gateway.url, KEY).send(MESSAGE).outcome is Outcome.UNKNOWN


def test_a_gateway_that_hangs_up_leaves_doubt_and_one_that_is_away_none(gateway: Gateway) -> None:
    gateway.hangs_up = True
    assert Sms(gateway.url, KEY).send(MESSAGE).outcome is Outcome.UNKNOWN
    nobody = Sms(f"http://127.0.0.1:{free_port()}/", KEY)
    assert nobody.send(MESSAGE).outcome is Outcome.DEFERRED
    assert nobody.check() == "ConnectError"


def test_check_asks_without_sending(gateway: Gateway) -> None:
    assert Sms(gateway.url, KEY, httpx.Timeout(5)).check() == ""
    assert gateway.taken == []
