"""What the account's last four digits do, in both protocols, and what is executed then."""

import pytest

from app.simulator.faults import TABLE
from tests.servers import wait_until
from tests.simulator.conftest import Simulator, account
from tests.simulator.tongues import Heard, Plain, Tongue

# Shorter than any silence.
IMPATIENT = 0.4


@pytest.mark.parametrize("digits", ["0000", "8000"])
def test_it_is_delivered_at_once(
    simulator: Simulator, tongue: Tongue, number: str, digits: str
) -> None:
    before = simulator.deposit()

    heard = tongue.order(number, account(digits), quantity=2)

    assert (heard.what, heard.number, heard.cost) == ("delivered", number, 2520)
    assert heard.reference and heard.serial
    assert tongue.query(number) == heard
    assert simulator.executed(number) == 1
    assert simulator.deposit() == before - 2520
    simulator.hear(number, "delivered")
    assert simulator.merchant.of(number) == [heard]


def test_1001_it_takes_a_while(simulator: Simulator, tongue: Tongue, number: str) -> None:
    assert tongue.order(number, account("1001")).what == "processing"
    assert tongue.query(number).what == "processing"
    assert simulator.executed(number) == 0

    simulator.hear(number, "delivered")

    assert tongue.query(number).what == "delivered"
    assert simulator.executed(number) == 1
    record = simulator.record(number)
    assert record["ended_at"] - record["taken_at"] >= 2


def test_1002_only_the_callback_says_so(simulator: Simulator, tongue: Tongue, number: str) -> None:
    tongue.order(number, account("1002"))
    simulator.end(number)

    simulator.hear(number, "delivered")

    for _ in range(3):
        assert tongue.query(number).what == "processing"


def test_1003_only_a_query_says_so(simulator: Simulator, tongue: Tongue, number: str) -> None:
    tongue.order(number, account("1003"))
    simulator.end(number)

    assert tongue.query(number).what == "delivered"
    assert simulator.record(number)["callbacks"] == []


@pytest.mark.parametrize(("digits", "refusal"), [("2001", "bad_account"), ("6002", "no_balance")])
def test_2001_6002_it_is_refused_and_nothing_is_done(
    simulator: Simulator, tongue: Tongue, number: str, digits: str, refusal: str
) -> None:
    before = simulator.deposit()

    assert [tongue.order(number, account(digits)) for _ in range(2)] == [Heard(refusal)] * 2

    assert tongue.query(number).what == "not_found"
    assert simulator.executed(number) == 0
    assert simulator.deposit() == before


def test_2002_it_fails_after_a_while(simulator: Simulator, tongue: Tongue, number: str) -> None:
    before = simulator.deposit()
    assert tongue.order(number, account("2002")).what == "processing"
    assert simulator.deposit() == before - 1260

    simulator.hear(number, "failed")

    assert tongue.query(number).what == "failed"
    assert simulator.executed(number) == 0
    assert simulator.deposit() == before


@pytest.mark.parametrize(("digits", "trouble"), [("3001", "silence"), ("3004", "500")])
def test_3001_3004_the_first_call_comes_to_nothing(
    simulator: Simulator, tongue: Tongue, number: str, digits: str, trouble: str
) -> None:
    to = account(digits)

    assert tongue.order(number, to, timeout=IMPATIENT).what == trouble

    assert tongue.query(number).what == "not_found"
    assert simulator.executed(number) == 0
    assert tongue.order(number, to).what == "delivered"
    assert simulator.executed(number) == 1


@pytest.mark.parametrize(
    ("digits", "trouble"),
    [("3002", "silence"), ("3003", "500"), ("3005", "cut"), ("3007", "nonsense")],
)
def test_3002_3003_3005_3007_it_is_executed_and_the_answer_is_lost(
    simulator: Simulator, tongue: Tongue, number: str, digits: str, trouble: str
) -> None:
    to = account(digits)

    assert tongue.order(number, to, timeout=IMPATIENT).what == trouble

    assert tongue.query(number).what == "delivered"
    assert simulator.executed(number) == 1
    assert tongue.order(number, to).what == "duplicate"
    assert simulator.executed(number) == 1
    simulator.hear(number, "delivered")


def test_3006_the_answer_drips_in(simulator: Simulator, number: str) -> None:
    plain: Plain = simulator.plain
    assert TABLE["3006"].drip == 60
    simulator.faults(number, drip=1)
    fields = {"number": number, "account": account(), "sku": "10000101", "quantity": "1"}
    signed = plain.signed(fields)

    with simulator.http.stream("POST", f"{simulator.url}/plain/orders", data=signed) as answer:
        pieces = list(answer.iter_raw())

    # A timeout for each piece would never have ended it: only one for the whole does.
    assert len(pieces) > 50
    assert b'"state":"delivered"' in b"".join(pieces)
    assert answer.elapsed.total_seconds() > 0.8
    assert simulator.executed(number) == 1


def test_4001_the_same_callback_comes_several_times(
    simulator: Simulator, tongue: Tongue, number: str
) -> None:
    tongue.order(number, account("4001"))
    simulator.end(number)

    simulator.hear(number, "delivered", "delivered", "delivered")

    assert len(set(simulator.merchant.of(number))) == 1
    assert simulator.executed(number) == 1


def test_4002_the_callback_is_late(simulator: Simulator, tongue: Tongue, number: str) -> None:
    tongue.order(number, account("4002"))
    simulator.end(number)

    record = simulator.record(number)
    assert [told["due_at"] for told in record["callbacks"]] == [record["ended_at"] + 60]
    assert simulator.merchant.of(number) == []
    assert tongue.query(number).what == "delivered"


def test_a_late_callback_comes(simulator: Simulator, tongue: Tongue, number: str) -> None:
    simulator.faults(number, delay=1)
    assert tongue.order(number, account()).what == "delivered"

    simulator.hear(number, "delivered")


def test_4003_after_the_end_come_an_older_message_and_the_opposite(
    simulator: Simulator, tongue: Tongue, number: str
) -> None:
    tongue.order(number, account("4003"))
    simulator.end(number)

    simulator.hear(number, "delivered", "processing", "failed")

    assert tongue.query(number).what == "delivered"
    assert simulator.executed(number) == 1


def test_4004_a_forger_says_delivered(simulator: Simulator, tongue: Tongue, number: str) -> None:
    assert tongue.order(number, account("4004")).what == "processing"

    wait_until(lambda: simulator.merchant.forged_of(number), "the forged callback")
    assert simulator.merchant.of(number) == []
    assert tongue.query(number).what == "processing"
    simulator.end(number, "failed")
    assert simulator.merchant.states_of(number) == ["failed"]
    assert simulator.executed(number) == 0


def test_4004_it_fails_by_itself() -> None:
    assert (TABLE["4004"].ends, TABLE["4004"].after) == ("failed", 5)


def test_4005_a_callback_is_about_another_number_and_one_of_another_cost(
    simulator: Simulator, tongue: Tongue, number: str
) -> None:
    tongue.order(number, account("4005"))
    simulator.end(number)

    simulator.hear(number, "delivered")
    [notice] = simulator.merchant.of(number)
    assert notice.cost == 1360
    assert tongue.query(number).cost == 1260
    strange = [heard for heard in simulator.merchant.notices if heard.number[:-1] == number[:-1]]
    assert len(strange) == 2
    assert strange[0].reference == strange[1].reference


def test_5001_it_is_denied_for_a_while(simulator: Simulator, tongue: Tongue, number: str) -> None:
    assert tongue.order(number, account("5001")).what == "processing"
    simulator.end(number)

    heard = [tongue.query(number).what for _ in range(4)]

    assert heard == ["not_found", "not_found", "delivered", "delivered"]


def test_5002_it_costs_more_than_listed(simulator: Simulator, tongue: Tongue, number: str) -> None:
    before = simulator.deposit()

    heard = tongue.order(number, account("5002"))

    assert (heard.what, heard.cost) == ("delivered", 1460)
    assert tongue.query(number).cost == 1460
    assert simulator.deposit() == before - 1460


def test_5003_whoever_sends_it_again_is_told_that_it_is_there(
    simulator: Simulator, tongue: Tongue, number: str
) -> None:
    to = account("5003")

    assert tongue.order(number, to, timeout=IMPATIENT).what == "silence"
    assert [tongue.query(number).what for _ in range(2)] == ["not_found"] * 2

    assert tongue.order(number, to).what == "duplicate"
    assert tongue.query(number).what == "delivered"
    assert simulator.record(number)["callbacks"] == []
    assert simulator.executed(number) == 1


@pytest.mark.parametrize("state", ["delivered", "failed"])
def test_6001_it_never_ends_unless_a_person_ends_it(
    simulator: Simulator, tongue: Tongue, number: str, state: str
) -> None:
    before = simulator.deposit()
    assert tongue.order(number, account("6001")).what == "processing"
    assert simulator.record(number)["ends_at"] is None

    simulator.end(number, state)

    assert tongue.query(number).what == state
    assert simulator.merchant.states_of(number) == [state]
    assert simulator.executed(number) == (state == "delivered")
    assert simulator.deposit() == before - (1260 if state == "delivered" else 0)


def test_a_query_may_fail(simulator: Simulator, tongue: Tongue, number: str) -> None:
    simulator.faults(number, query_fails=1, query_hangs=1)
    tongue.order(number, account())

    heard = [tongue.query(number, timeout=IMPATIENT).what for _ in range(3)]

    assert heard == ["silence", "500", "delivered"]


def test_the_digits_of_other_accounts_count_too(simulator: Simulator, number: str) -> None:
    accounts = ("2001", "user2001", "u-20-01@example.com")

    heard = [
        simulator.plain.order(f"{number}{place}", to).what for place, to in enumerate(accounts)
    ]

    assert heard == ["bad_account"] * 3
