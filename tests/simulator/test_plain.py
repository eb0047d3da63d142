"""The plain protocol: what is refused, and what is said, to the letter."""

import pytest

from app.core import clock
from tests.simulator.conftest import Simulator, account
from tests.simulator.tongues import Plain


def order_fields(number: str, **changes: str) -> dict[str, str]:
    fields = {"number": number, "account": account(), "sku": "10000101", "quantity": "1"}
    return fields | {"notify_url": "http://127.0.0.1:9/hook"} | changes


def refusal(plain: Plain, method: str, path: str, fields: dict[str, str]) -> str:
    answer = plain.call(method, path, fields)
    assert answer.status_code == 200
    said = answer.json()
    assert said["message"]
    code: str = said["code"]
    return code


CALLS = [
    ("POST", "/plain/orders"),
    ("GET", "/plain/orders"),
    ("GET", "/plain/balance"),
    ("GET", "/plain/goods"),
]


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_only_the_merchant_may_ask(
    simulator: Simulator, number: str, method: str, path: str
) -> None:
    fields = order_fields(number)

    for changes in ({"sign": "0" * 64}, {"sign": ""}, {"sign": "签"}, {"merchant": "M2"}):
        assert refusal(simulator.plain, method, path, fields | changes) == "bad_sign"

    assert simulator.plain.query(number).what == "not_found"


@pytest.mark.parametrize(("method", "path"), CALLS)
# A request may take its time, and so come that much less early than it was written.
@pytest.mark.parametrize("late", [-601, 630])
def test_a_message_is_believed_for_ten_minutes(
    simulator: Simulator, number: str, method: str, path: str, late: int
) -> None:
    def at(seconds: float) -> dict[str, str]:
        moment = str(int(clock.now().timestamp() + seconds))
        return order_fields(number) | {"timestamp": moment}

    assert refusal(simulator.plain, method, path, at(late)) == "bad_sign"
    in_time = at(590 if late > 0 else -590)
    assert simulator.plain.call(method, path, in_time).json()["code"] == "ok"


@pytest.mark.parametrize("timestamp", ["", "now", "-1", "1e9", "１"])
def test_a_timestamp_is_a_whole_number(simulator: Simulator, number: str, timestamp: str) -> None:
    fields = order_fields(number, timestamp=timestamp)

    assert refusal(simulator.plain, "POST", "/plain/orders", fields) == "bad_sign"


@pytest.mark.parametrize("name", ["number", "account", "sku", "quantity", "notify_url"])
def test_what_was_changed_on_its_way_is_refused(
    simulator: Simulator, number: str, name: str
) -> None:
    signed = simulator.plain.signed(order_fields(number))
    signed[name] += "1"

    answer = simulator.http.post(f"{simulator.url}/plain/orders", data=signed)

    assert answer.json()["code"] == "bad_sign"


@pytest.mark.parametrize(
    "changes",
    [
        {"number": ""},
        {"number": "R 1"},
        {"number": "R" * 65},
        {"account": ""},
        {"account": "1" * 101},
        {"quantity": ""},
        {"quantity": "0"},
        {"quantity": "-1"},
        {"quantity": "1.5"},
        {"quantity": "101"},
        {"notify_url": "javascript:alert(1)"},
        {"notify_url": "//evil.test/"},
        {"notify_url": "http://[evil/"},
        {"notify_url": "file:///etc/passwd"},
    ],
)
def test_an_order_without_sense_is_refused(
    simulator: Simulator, number: str, changes: dict[str, str]
) -> None:
    fields = order_fields(number) | changes

    assert refusal(simulator.plain, "POST", "/plain/orders", fields) == "bad_request"
    assert simulator.executed(number) == 0


@pytest.mark.parametrize("sku", ["", "1", "10000101x", "10000501"])
def test_what_is_not_on_sale_is_refused(simulator: Simulator, number: str, sku: str) -> None:
    fields = order_fields(number, sku=sku)

    assert refusal(simulator.plain, "POST", "/plain/orders", fields) == "no_such_sku"
    # Nothing was taken: with another product the same number is as good as new.
    assert simulator.plain.order(number, account()).what == "delivered"


def test_a_field_that_comes_twice_is_refused(simulator: Simulator, number: str) -> None:
    signed = simulator.plain.signed(order_fields(number))

    answer = simulator.http.post(
        f"{simulator.url}/plain/orders", data=signed | {"account": [signed["account"], "2"]}
    )

    assert answer.json()["code"] == "bad_request"


def test_a_query_needs_a_number(simulator: Simulator) -> None:
    assert refusal(simulator.plain, "GET", "/plain/orders", {}) == "bad_request"


def test_what_is_said_about_an_order(simulator: Simulator, number: str) -> None:
    asked = simulator.plain.call("POST", "/plain/orders", order_fields(number, quantity="2"))

    said = asked.json()
    assert said["serial"].startswith("SN")
    assert said["reference"].startswith("SIM")
    assert {name: said[name] for name in ("code", "state", "message", "cost")} == {
        "code": "ok",
        "state": "delivered",
        "message": "充值成功",
        "cost": "25.20",
    }
    assert simulator.plain.call("GET", "/plain/orders", {"number": number}).json() == said


def test_a_number_that_nobody_sent(simulator: Simulator, number: str) -> None:
    answer = simulator.plain.call("GET", "/plain/orders", {"number": number}).json()

    assert (answer["code"], answer["state"], answer["cost"]) == ("ok", "not_found", "")


def test_the_balance_is_in_yuan(simulator: Simulator) -> None:
    said = simulator.plain.call("GET", "/plain/balance", {}).json()

    whole, part = divmod(simulator.deposit(), 100)
    assert said == {"code": "ok", "balance": f"{whole}.{part:02d}"}


def test_the_goods(simulator: Simulator) -> None:
    said = simulator.plain.call("GET", "/plain/goods", {}).json()

    assert said["code"] == "ok"
    assert len(said["goods"]) >= 8
    assert {
        "sku": "10000201",
        "name": "话费充值 30 元",
        "cost": "29.55",
        "available": True,
    } in said["goods"]
    assert [item["sku"] for item in said["goods"] if not item["available"]] == ["10000501"]
