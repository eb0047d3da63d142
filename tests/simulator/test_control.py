"""The judge's door: on this machine only, and strict about what is asked of it."""

import csv
import io
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from app.core import clock
from app.outside.record import Record
from app.simulator import faults
from app.simulator.conditions import Conditions
from app.simulator.faults import Faults
from app.simulator.record import SCHEMA
from app.simulator.server import create
from app.simulator.statement import ZONE
from tests.simulator.conftest import Simulator, account
from tests.simulator.tongues import Tongue


@pytest.fixture
def calm(simulator: Simulator) -> Iterator[Simulator]:
    """A provider to which it may be done as one likes; afterwards it is as before."""
    before = simulator.control("GET", "/conditions")
    yield simulator
    simulator.control("POST", "/conditions", **before)
    simulator.control("DELETE", "/faults/*")


@pytest.mark.parametrize(
    "faults",
    [
        {"typo": 1},
        {"delay": -1},
        {"hang": 301},
        {"duplicates": "many"},
        {"twice": None},
        {"ends": "later"},
        {"refuses": "me"},
        {"wrong_cost": 10**8},
    ],
)
def test_a_fault_there_is_not_is_refused(
    simulator: Simulator, number: str, faults: dict[str, object]
) -> None:
    answer = simulator.http.post(
        f"{simulator.url}/control/faults", json={"number": number, "faults": faults}
    )

    assert answer.status_code == 400
    assert simulator.plain.order(number, account()).what == "delivered"


def test_a_fault_may_be_wanted_for_a_number_or_for_all(calm: Simulator, number: str) -> None:
    calm.faults("*", refuses="no_balance")
    calm.faults(f"{number}B", ends="failed")
    calm.control("POST", "/faults", number=f"{number}C", like="5002")

    # What is wanted for a number comes before what is for all, and that before the digits.
    assert calm.plain.order(f"{number}A", account("1001")).what == "no_balance"
    assert calm.plain.order(f"{number}B", account()).what == "failed"
    assert calm.plain.order(f"{number}C", account()).cost == 1460
    calm.control("DELETE", "/faults/*")
    assert calm.plain.order(f"{number}D", account()).what == "delivered"
    # A number that was begun goes on as it began.
    assert calm.plain.order(f"{number}A", account()).what == "no_balance"


@pytest.mark.parametrize("asked", [{"like": "9999"}, {"faults": None}, {}])
def test_a_wish_that_makes_no_sense_is_refused(
    simulator: Simulator, asked: dict[str, object]
) -> None:
    answer = simulator.http.post(f"{simulator.url}/control/faults", json={"number": "R1"} | asked)

    assert answer.status_code == 400


@pytest.mark.parametrize(("way", "heard"), [("refuses", "503"), ("cuts", "cut")])
def test_it_goes_down_and_comes_up(
    calm: Simulator, tongue: Tongue, number: str, way: str, heard: str
) -> None:
    tongue.order(number, account("6001"))
    calm.control("POST", "/conditions", down=way)

    assert tongue.order(f"{number}B", account()).what == heard
    assert tongue.query(number).what == heard
    calm.control("POST", f"/orders/{number}/end", state="delivered")
    assert calm.merchant.of(number) == []
    calm.control("POST", "/conditions", down="")

    assert tongue.query(f"{number}B").what == "not_found"
    assert calm.executed(f"{number}B") == 0
    # What could not be told while it was down is told now.
    calm.hear(number, "delivered")


def test_every_call_takes_as_long_as_wanted_and_many_at_a_time_no_longer(
    calm: Simulator, tongue: Tongue, number: str
) -> None:
    calm.control("POST", "/conditions", latency=500)
    began, heard = time.monotonic(), []

    def send(place: int) -> None:
        heard.append(tongue.order(f"{number}x{place}", account()).what)

    threads = [threading.Thread(target=send, args=(place,)) for place in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began

    assert heard == ["delivered"] * 40
    assert 0.5 <= took < 5
    began = time.monotonic()
    calm.control("GET", "/conditions")
    assert time.monotonic() - began < 0.5


@pytest.mark.parametrize(
    "asked",
    [
        {"typo": 1},
        {"down": "yes"},
        {"latency": -1},
        {"latency": 60_001},
        {"latency": "fast"},
        {"mix": {"9999": 1}},
        {"mix": {"0000": 0}},
        {"fulu_notify_url": "here"},
    ],
)
def test_a_condition_without_sense_is_refused(
    simulator: Simulator, asked: dict[str, object]
) -> None:
    before = simulator.control("GET", "/conditions")

    answer = simulator.http.post(f"{simulator.url}/control/conditions", json=asked)

    assert answer.status_code == 400
    assert simulator.control("GET", "/conditions") == before


MIX = {"0000": 50, "2001": 25, "6001": 25}


def test_a_mix_of_faults_comes_over_the_orders(calm: Simulator, number: str) -> None:
    calm.control("POST", "/conditions", mix=MIX, seed="7")

    heard = {calm.plain.order(f"{number}x{place}", account()).what for place in range(40)}

    assert heard == {"delivered", "bad_account", "processing"}


def test_a_mix_is_drawn_by_its_seed_whatever_comes_first() -> None:
    accounts = [f"1380000{place:04d}" for place in range(60)]

    def drawn(seed: str, order: list[int]) -> list[Faults]:
        conditions, found = Conditions(mix=MIX, seed=seed), {}
        with Record(Path(":memory:"), SCHEMA).unit() as db:
            for place in order:
                found[place] = faults.settle(db, f"R{place}", accounts[place], conditions)
        return [found[place] for place in sorted(found)]

    forwards, backwards = list(range(60)), list(reversed(range(60)))
    assert drawn("7", forwards) == drawn("7", backwards)
    assert drawn("7", forwards) != drawn("8", forwards)


def test_another_order_of_the_same_account_is_drawn_anew(calm: Simulator, number: str) -> None:
    calm.control("POST", "/conditions", mix=MIX, seed="7")
    to = account()

    heard = {calm.plain.order(f"{number}x{place}", to).what for place in range(40)}

    assert len(heard) > 1


def test_the_record_lists_every_order(simulator: Simulator, number: str) -> None:
    to = account()
    simulator.plain.order(number, to)

    orders = simulator.control("GET", "/orders")["orders"]

    [mine] = [order for order in orders if order["number"] == number]
    assert (mine["state"], mine["cost"], mine["protocol"]) == ("delivered", 1260, "plain")
    assert to not in str(orders)
    for path in ("", "/callbacks", "/end"):
        method = "POST" if path else "GET"
        url = f"{simulator.url}/control/orders/{number}X{path}"
        answer = simulator.http.request(method, url, json={"state": "failed"})
        assert answer.status_code == 404


def test_what_ended_cannot_be_ended_again(simulator: Simulator, number: str) -> None:
    simulator.plain.order(number, account())
    url = f"{simulator.url}/control/orders/{number}/end"

    assert simulator.http.post(url, json={"state": "failed"}).status_code == 409
    assert simulator.http.post(url, json={"state": "soon"}).status_code == 400
    assert simulator.executed(number) == 1


def test_the_statement_of_a_day(simulator: Simulator, number: str) -> None:
    accounts = [account("0000"), account("5002"), account("2002"), account("6001")]
    for place, to in enumerate(accounts):
        simulator.plain.order(f"{number}{place}", to, quantity=place + 1)
    simulator.plain.order(f"{number}4", account("2001"))
    simulator.end(f"{number}2", "failed")
    today = clock.now().astimezone(ZONE).date()

    answer = simulator.http.get(f"{simulator.url}/control/statement", params={"day": str(today)})

    rows = list(csv.DictReader(io.StringIO(answer.text)))
    mine = [row for row in rows if row["number"].startswith(number)]
    assert [(row["number"][-1], row["quantity"], row["cost"], row["state"]) for row in mine] == [
        ("0", "1", "12.60", "delivered"),
        ("1", "2", "27.20", "delivered"),
        ("2", "3", "37.80", "failed"),
        ("3", "4", "50.40", "processing"),
    ]
    assert [row["account"] for row in mine] == [f"138****{to[-4:]}" for to in accounts]
    assert {row["sku"] for row in mine} == {"10000101"}
    at = datetime.fromisoformat(mine[0]["at"])
    assert abs((at - clock.now()).total_seconds()) < 60
    assert mine[0]["reference"] == simulator.record(f"{number}0")["reference"]


def test_a_statement_of_another_day_is_empty(simulator: Simulator) -> None:
    url = f"{simulator.url}/control/statement"

    assert len(simulator.http.get(url, params={"day": "2001-01-01"}).text.splitlines()) == 1
    for day in ("today", "", "2001-13-01", "9999-12-31"):
        assert simulator.http.get(url, params={"day": day}).status_code == 400


@pytest.mark.parametrize(
    ("address", "headers"),
    [
        ("10.0.0.7", {}),
        ("127.0.0.1", {"X-Forwarded-For": "203.0.113.7"}),
        ("127.0.0.1", {"Forwarded": "for=203.0.113.7"}),
    ],
)
@pytest.mark.parametrize("path", ["/control", "/control/executions", "/control/statement"])
def test_nobody_from_elsewhere_gets_in(
    tmp_path: Path, address: str, headers: dict[str, str], path: str
) -> None:
    client = create(tmp_path / "simulator.db", "M1", "k" * 32).test_client()

    def status(given: dict[str, str], remote: str) -> int:
        return client.get(path, headers=given, environ_base={"REMOTE_ADDR": remote}).status_code

    assert status(headers, address) == 404
    assert status({}, "127.0.0.1") in (200, 400)


@pytest.mark.parametrize(("merchant", "key"), [("", "k" * 32), ("M1", ""), ("M1", "k" * 31)])
def test_there_is_no_provider_without_a_merchant_and_a_long_key(
    tmp_path: Path, merchant: str, key: str
) -> None:
    with pytest.raises(ValueError, match="needs a merchant and a key of 32"):
        create(tmp_path / "simulator.db", merchant, key)


@pytest.mark.parametrize("amount", ["1", None, 1.5])
def test_a_deposit_is_a_whole_number(simulator: Simulator, amount: object) -> None:
    answer = simulator.http.post(f"{simulator.url}/control/deposit", json={"amount": amount})

    assert answer.status_code == 400
