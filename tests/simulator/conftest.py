"""The real simulator in a process of its own, and a merchant's server that it calls back."""

import secrets
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from app.providers.callbacks import Callback
from tests.outside import Process, listening
from tests.servers import wait_until
from tests.simulator.tongues import (
    FULU_HOOK,
    KEY,
    MERCHANT,
    READERS,
    Fulu,
    Heard,
    Plain,
    Tongue,
    form_of,
)


@dataclass
class Merchant:
    """A shop's door for callbacks: verifies, notes, and answers."""

    url: str = ""
    notices: list[Heard] = field(default_factory=list)
    forged: list[bytes] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    # For a number: what to answer instead of 200, as often as there are statuses.
    refusals: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def take(self, message: Callback) -> tuple[int, str]:
        form = form_of(message.body)
        heard = READERS[message.path](form)
        if heard is None:
            self.forged.append(message.body)
            return 400, "fail"
        self.forms.append(form)
        self.notices.append(heard)
        refusals = self.refusals[heard.number]
        return (refusals.pop(0), "fail") if refusals else (200, "success")

    def of(self, number: str) -> list[Heard]:
        return [notice for notice in self.notices if notice.number == number]

    def states_of(self, number: str) -> list[str]:
        return [notice.what for notice in self.of(number)]

    def forged_of(self, number: str) -> list[bytes]:
        return [body for body in self.forged if number.encode() in body]


@pytest.fixture(scope="session")
def merchant() -> Iterator[Merchant]:
    with_door = Merchant()
    with listening(with_door.take) as url:
        with_door.url = url
        yield with_door


@dataclass
class Simulator:
    """The provider as its users meet it: the merchant in two protocols, and the judge."""

    url: str
    merchant: Merchant
    http: httpx.Client
    plain: Plain
    fulu: Fulu

    def control(self, method: str, path: str, **asked: object) -> Any:
        answer = self.http.request(method, f"{self.url}/control{path}", json=asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def faults(self, number: str, **faults: object) -> None:
        """Make an order misbehave, seen or not."""
        self.control("POST", "/faults", number=number, faults=faults)

    def end(self, number: str, state: str = "delivered") -> None:
        """End an order that is under way, and return when the merchant has been told."""
        self.control("POST", f"/orders/{number}/end", state=state)

    def record(self, number: str) -> Any:
        """What really happened."""
        return self.control("GET", f"/orders/{number}")

    def executed(self, number: str) -> int:
        """How often it was executed."""
        answer = self.http.get(f"{self.url}/control/executions", params={"number": number})
        return len(answer.json()["executions"])

    def deposit(self) -> int:
        amount: int = self.control("GET", "/deposit")["amount"]
        return amount

    def hear(self, number: str, *states: str) -> None:
        """Wait until the merchant has been told just this, in this order."""
        wait_until(lambda: self.merchant.states_of(number) == list(states), f"{states}")

    def is_told(self, number: str) -> bool:
        """Whether there is nothing left to tell the merchant."""
        return all(told["due_at"] is None for told in self.record(number)["callbacks"])


def simulator_at(url: str, merchant: Merchant) -> Simulator:
    http = httpx.Client(trust_env=False, timeout=20)
    found = Simulator(url, merchant, http, Plain(http, url, merchant.url), Fulu(http, url))
    found.control("POST", "/conditions", fulu_notify_url=f"{merchant.url}{FULU_HOOK}")
    return found


def process_at(data: Path) -> Process:
    environment = {"SIMULATOR_MERCHANT": MERCHANT, "SIMULATOR_KEY": KEY}
    return Process("app.simulator", data, environment)


@pytest.fixture(scope="session")
def simulator_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    running = process_at(tmp_path_factory.mktemp("simulator") / "simulator.db")
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def simulator(simulator_process: Process, merchant: Merchant) -> Simulator:
    return simulator_at(simulator_process.url, merchant)


@pytest.fixture(params=["plain", "fulu"])
def tongue(request: pytest.FixtureRequest, simulator: Simulator) -> Tongue:
    """Each of the two protocols in turn."""
    found: Tongue = getattr(simulator, request.param)
    return found


@pytest.fixture
def number() -> str:
    """An order's number that nobody has used."""
    return f"R{secrets.token_hex(8)}"


def account(last_four: str = "8000") -> str:
    """A mobile number that ends so, and that nobody has used."""
    return f"138{secrets.randbelow(10**4):04d}{last_four}"
