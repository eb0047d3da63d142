"""The real channel in a process of its own, and a merchant's server that it calls back."""

import secrets
import threading
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from app.core import clock
from app.providers.callbacks import Callback, Forged
from app.providers.payments.interface import Charge, Notice, RefundOrder
from app.providers.payments.sandbox import Sandbox
from tests.outside import Process, listening

MERCHANT, KEY = "M00000001", "k" * 32
HOOK = "/hooks/payments/sandbox"


@dataclass
class Merchant:
    """A shop's door for callbacks: verifies with the real adapter, notes, and answers."""

    adapter: Sandbox
    url: str = ""
    notices: list[Notice] = field(default_factory=list)
    forged: list[bytes] = field(default_factory=list)
    # For a number: what to answer instead of 200, as often as there are statuses.
    refusals: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    # For a number: not to answer before this is set.
    silences: dict[str, threading.Event] = field(
        default_factory=lambda: defaultdict(threading.Event)
    )

    def take(self, message: Callback) -> tuple[int, str]:
        try:
            notice = self.adapter.parse_callback(message)
        except Forged:
            self.forged.append(message.body)
            return 400, "fail"
        self.notices.append(notice)
        if notice.number in self.silences:
            self.silences[notice.number].wait(9)
        refusals = self.refusals[notice.number]
        return (refusals.pop(0), "fail") if refusals else (200, "success")

    def of(self, number: str) -> list[Notice]:
        return [notice for notice in self.notices if notice.number == number]

    def forged_of(self, number: str) -> list[bytes]:
        return [body for body in self.forged if number.encode() in body]


@pytest.fixture(scope="session")
def merchant() -> Iterator[Merchant]:
    with_door = Merchant(Sandbox("http://127.0.0.1:9", MERCHANT, KEY))
    with listening(with_door.take) as url:
        with_door.url = url
        yield with_door


def process_at(data: Path) -> Process:
    return Process("app.sandbox", data, {"SANDBOX_MERCHANT": MERCHANT, "SANDBOX_KEY": KEY})


@dataclass
class Channel:
    """The channel as its three kinds of users meet it: the merchant's adapter, a buyer's browser
    and the judge who reads what really happened."""

    url: str
    merchant: Merchant
    adapter: Sandbox
    browser: httpx.Client

    def link(
        self,
        number: str,
        amount: int = 9900,
        lasts: timedelta = timedelta(minutes=15),
        language: str = "zh",
        subject: str = "充值卡",
    ) -> str:
        """Where the merchant sends the buyer to pay."""
        start = self.adapter.start(
            Charge(
                number=number,
                amount=amount,
                currency="CNY",
                subject=subject,
                expires_at=clock.now() + lasts,
                return_url=f"{self.merchant.url}/orders/1",
                notify_url=f"{self.merchant.url}{HOOK}",
                client_ip="203.0.113.7",
                language=language,
            )
        )
        return start.url

    def pay(self, number: str, link: str = "", **faults: object) -> httpx.Response:
        """Press the button, with faults chosen on the page."""
        form = {name: str(value) for name, value in faults.items()}
        return self.browser.post(link or self.link(number), data=form)

    def refund(self, number: str, amount: int = 9900, payment: str = "") -> RefundOrder:
        return RefundOrder(
            number=number,
            payment_number=payment,
            trade_number="",
            amount=amount,
            paid_amount=9900,
            currency="CNY",
            reason="bad code",
        )

    def faults(self, number: str, **faults: object) -> None:
        """Make a trade misbehave, seen or not."""
        answer = self.browser.post(
            f"{self.url}/control/faults", json={"number": number, "faults": faults}
        )
        assert answer.status_code == 200, answer.text

    def trade(self, number: str) -> dict[str, Any]:
        """What really happened."""
        answer = self.browser.get(f"{self.url}/control/trades/{number}")
        assert answer.status_code == 200
        found: dict[str, Any] = answer.json()
        return found

    def is_told(self, number: str) -> bool:
        """Whether there is nothing left to tell the merchant."""
        return all(told["due_at"] is None for told in self.trade(number)["callbacks"])


def channel_at(url: str, merchant: Merchant) -> Channel:
    parts = urlsplit(url)
    return Channel(
        url=url,
        merchant=merchant,
        adapter=Sandbox(f"{parts.scheme}://{parts.netloc}", MERCHANT, KEY),
        browser=httpx.Client(trust_env=False, timeout=20),
    )


@pytest.fixture(scope="session")
def sandbox_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    running = process_at(tmp_path_factory.mktemp("sandbox") / "sandbox.db")
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def channel(sandbox_process: Process, merchant: Merchant) -> Channel:
    return channel_at(sandbox_process.url, merchant)


@pytest.fixture
def number() -> str:
    """A payment number nobody has used."""
    return f"P{secrets.token_hex(8)}"
