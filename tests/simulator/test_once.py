"""A number is executed once, whatever is repeated; and if it were not, the record would show it."""

import sqlite3
import threading

import pytest

from tests.outside import Process
from tests.simulator.conftest import Simulator, account
from tests.simulator.tongues import Tongue


@pytest.mark.parametrize("digits", ["0000", "1001", "6001"])
def test_a_number_that_comes_again_is_a_duplicate(
    simulator: Simulator, tongue: Tongue, number: str, digits: str
) -> None:
    before = simulator.deposit()
    tongue.order(number, account(digits))

    again = [tongue.order(number, account(), sku="10000201").what for _ in range(3)]

    assert again == ["duplicate"] * 3
    assert simulator.executed(number) <= 1
    assert simulator.deposit() == before - 1260


def test_a_number_belongs_to_both_protocols(simulator: Simulator, number: str) -> None:
    assert simulator.plain.order(number, account()).what == "delivered"

    assert simulator.fulu.order(number, account()).what == "duplicate"
    assert simulator.fulu.query(number) == simulator.plain.query(number)


def test_of_many_at_a_time_one_is_taken(simulator: Simulator, tongue: Tongue, number: str) -> None:
    to, start, heard = account(), threading.Barrier(12), []

    def send() -> None:
        start.wait()
        heard.append(tongue.order(number, to).what)

    threads = [threading.Thread(target=send) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(heard) == ["delivered", *["duplicate"] * 11]
    assert simulator.executed(number) == 1
    simulator.hear(number, "delivered")


def test_if_it_were_executed_twice_the_record_would_show_it(
    simulator: Simulator, tongue: Tongue, number: str
) -> None:
    simulator.faults(number, fails_after=1, twice=1)
    to = account()

    assert [tongue.order(number, to).what for _ in range(3)] == ["500", "delivered", "duplicate"]

    assert simulator.executed(number) == 2


def test_what_was_executed_cannot_be_taken_back(
    simulator: Simulator, simulator_process: Process, number: str
) -> None:
    simulator.plain.order(number, account())

    with sqlite3.connect(simulator_process.data) as db:
        for change in ("DELETE FROM executions", "UPDATE executions SET number = 'R0'"):
            with pytest.raises(sqlite3.IntegrityError, match="was executed"):
                db.execute(change)
    db.close()


def test_the_record_says_what_to_whom_and_when(simulator: Simulator, number: str) -> None:
    to = account()
    simulator.plain.order(number, to, quantity=3)
    simulator.plain.order(f"{number}B", to)
    simulator.plain.order(f"{number}C", account())

    executions = simulator.control("GET", "/executions")["executions"]

    mine = [row for row in executions if row["number"].startswith(number)]
    first = mine[0]
    assert first["account"] == f"138****{to[-4:]}"
    assert (first["sku"], first["quantity"], first["cost"]) == ("10000101", 3, 3780)
    assert first["at"] == simulator.record(number)["ended_at"]
    assert to not in str(executions)
    # Two accounts that look alike masked are still told apart.
    assert mine[0]["account_id"] == mine[1]["account_id"] != mine[2]["account_id"]


def test_the_deposit_is_what_was_paid_in_less_what_was_not_given_back(
    simulator: Simulator, tongue: Tongue, number: str
) -> None:
    before = simulator.deposit()
    for place, digits in enumerate(("0000", "2001", "5002", "6001")):
        tongue.order(f"{number}{place}", account(digits))
    simulator.end(f"{number}3", "failed")

    assert simulator.deposit() == before - 1260 - 1460
    assert tongue.balance() == simulator.deposit()


def test_without_money_nothing_is_taken(simulator: Simulator, tongue: Tongue, number: str) -> None:
    had = simulator.deposit()
    simulator.control("POST", "/deposit", amount=1259 - had)
    try:
        refused = tongue.order(number, account())
        simulator.control("POST", "/deposit", amount=1)
        taken = tongue.order(number, account())
    finally:
        simulator.control("POST", "/deposit", amount=had)

    assert (refused.what, taken.what) == ("no_balance", "delivered")
    assert simulator.executed(number) == 1
