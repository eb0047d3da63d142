"""Fulu's protocol: the envelope, its codes, and what each method gives back."""

import json
from datetime import timedelta

import pytest

from app.core import clock
from app.core.crypto import Secret
from app.simulator import signing
from app.simulator.fulu_messages import TIME, ZONE
from tests.simulator.conftest import Simulator, account
from tests.simulator.tongues import KEY, MERCHANT, Fulu, beijing


def code(fulu: Fulu, envelope: dict[str, object]) -> int:
    answer = fulu.send(envelope)
    assert answer.status_code == 200
    said = answer.json()
    assert said["message"]
    assert said["sign"] == signing.fulu(signing.fulu_secret(Secret(KEY)), said)
    found: int = said["code"]
    return found


def direct(number: str, **changes: object) -> dict[str, object]:
    asking = {"product_id": 10000101, "customer_order_no": number, "charge_account": account()}
    return asking | {"buy_num": 1} | changes


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("method", "", 1000),
        ("method", None, 1000),
        ("method", "fulu.order.direct.del", 1001),
        ("timestamp", "", 1002),
        ("timestamp", "2026-01-01T00:00:00", 1003),
        ("timestamp", "2026-01-01 00:00:00", 1004),
        ("app_key", "", 1005),
        ("app_key", "M2", 1006),
        ("version", "", 1007),
        ("version", "1.0", 1008),
        ("format", "", 1009),
        ("format", "xml", 1010),
        ("charset", "", 1011),
        ("charset", "gbk", 1012),
        ("sign_type", "", 1013),
        ("sign_type", "rsa", 1014),
        ("sign", "", 1015),
        ("sign", "0" * 32, 1016),
        ("sign", "签" * 32, 1016),
        ("biz_content", "", 1017),
        ("biz_content", {"customer_order_no": "R1"}, 1017),
        ("biz_content", "[]", 5000),
        ("biz_content", "{", 5000),
    ],
)
def test_an_envelope_that_is_not_right(
    simulator: Simulator, name: str, value: object, expected: int
) -> None:
    envelope = simulator.fulu.envelope("fulu.user.info.get", {})
    assert code(simulator.fulu, envelope) == 0

    assert code(simulator.fulu, envelope | {name: value}) == expected


def test_half_a_character_breaks_nothing(simulator: Simulator, number: str) -> None:
    half = json.loads('"\\ud800"')
    order = json.dumps(direct(number, charge_account=half))

    def said(changes: dict[str, object]) -> object:
        envelope = simulator.fulu.envelope("fulu.order.direct.add", {}) | changes
        sign = signing.fulu(signing.fulu_secret(Secret(KEY)), envelope)
        content = json.dumps({"sign": sign, **envelope})
        answer = simulator.http.post(f"{simulator.url}/fulu/api/getway", content=content)
        return answer.json()["code"]

    assert said({"app_auth_token": half}) == 1018
    assert said({"biz_content": order}) == 4000
    assert said({"sign": half}) == 1016


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff"])
def test_what_is_no_envelope(simulator: Simulator, body: bytes) -> None:
    answer = simulator.http.post(f"{simulator.url}/fulu/api/getway", content=body)

    assert (answer.status_code, answer.json()["code"]) == (200, 5000)


@pytest.mark.parametrize(("late", "expected"), [(-605, 1004), (605, 1004), (-590, 0), (590, 0)])
def test_an_envelope_is_believed_for_ten_minutes(
    simulator: Simulator, late: int, expected: int
) -> None:
    at = (clock.now() + timedelta(seconds=late)).astimezone(ZONE)
    envelope = simulator.fulu.envelope("fulu.user.info.get", {}) | {"timestamp": f"{at:{TIME}}"}

    assert code(simulator.fulu, envelope) == expected


def test_what_was_changed_on_its_way_is_refused(simulator: Simulator, number: str) -> None:
    envelope = simulator.fulu.envelope("fulu.order.direct.add", direct(number))
    sign = signing.fulu(signing.fulu_secret(Secret(KEY)), envelope)
    content = json.dumps(direct(number, buy_num=2))

    changed = envelope | {"biz_content": content, "sign": sign}

    assert code(simulator.fulu, changed) == 1016
    assert simulator.executed(number) == 0


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"product_id": 1}, 3000),
        ({"product_id": 10000501}, 3000),
        ({"product_id": None}, 1018),
        ({"product_id": "x"}, 1018),
        ({"product_id": True}, 1018),
        ({"product_id": "1" * 5000}, 1018),
        ({"product_id": [1]}, 1018),
        ({"customer_order_no": ""}, 1018),
        ({"customer_order_no": 5}, 1018),
        ({"customer_order_no": "R" * 51}, 4000),
        ({"charge_account": ""}, 1018),
        ({"charge_account": " "}, 4000),
        ({"buy_num": 0}, 4000),
        ({"buy_num": -1}, 1018),
        ({"buy_num": 101}, 4000),
        ({"buy_num": 1.5}, 1018),
    ],
)
def test_an_order_without_sense_is_refused(
    simulator: Simulator, number: str, changes: dict[str, object], expected: int
) -> None:
    envelope = simulator.fulu.envelope("fulu.order.direct.add", direct(number, **changes))

    assert code(simulator.fulu, envelope) == expected
    assert simulator.executed(number) == 0


def test_the_codes_of_refusals(simulator: Simulator, number: str) -> None:
    def placed(name: str, to: str) -> int:
        asking = direct(name, charge_account=to)
        return code(simulator.fulu, simulator.fulu.envelope("fulu.order.direct.add", asking))

    assert placed(number, account()) == 0
    assert placed(number, account()) == 4010
    assert placed(f"{number}A", account("2001")) == 4004
    assert placed(f"{number}B", account("6002")) == 2003
    unknown = simulator.fulu.envelope("fulu.order.info.get", {"customer_order_no": f"{number}C"})
    assert code(simulator.fulu, unknown) == 4011


def test_what_is_said_about_an_order(simulator: Simulator, number: str) -> None:
    to = account("1003")
    placed = simulator.fulu.result("fulu.order.direct.add", direct(number, charge_account=to))
    simulator.end(number)

    said: dict[str, object] = dict(
        simulator.fulu.result("fulu.order.info.get", {"customer_order_no": number})
    )

    assert (placed["order_state"], placed["finish_time"]) == ("processing", "")
    assert abs((beijing(str(said.pop("create_time"))) - clock.now()).total_seconds()) < 60
    assert abs((beijing(str(said.pop("finish_time"))) - clock.now()).total_seconds()) < 60
    assert str(said.pop("operator_serial_number")).startswith("SN")
    assert said == {
        "order_id": placed["order_id"],
        "customer_order_no": number,
        "product_id": 10000101,
        "product_name": "影视会员月卡",
        "charge_account": to,
        "buy_num": 1,
        "order_price": 12.6,
        "order_type": 4,
        "order_state": "success",
        "area": "",
        "server": "",
        "type": "",
        "cards": [],
    }


def test_the_account_and_the_goods(simulator: Simulator) -> None:
    user = simulator.fulu.result("fulu.user.info.get", {})
    goods = simulator.fulu.result("fulu.goods.list.get", {})
    [one] = simulator.fulu.result("fulu.goods.list.get", {"product_id": 10000102})
    named = simulator.fulu.result("fulu.goods.list.get", {"product_name": "话费"})
    shown = simulator.fulu.result("fulu.goods.info.get", {"product_id": "10000102"})

    assert user == {"name": MERCHANT, "balance": simulator.deposit() / 100, "is_open": 1}
    assert len(goods) >= 8
    assert len(named) == 3
    assert one == shown
    assert shown == {
        "product_id": 10000102,
        "product_name": "影视会员年卡",
        "product_type": "直充",
        "face_value": 258.0,
        "purchase_price": 138.0,
        "sales_status": "上架",
        "stock_status": "充足",
        "template_id": "",
        "details": "",
    }
    missing = simulator.fulu.envelope("fulu.goods.info.get", {"product_id": 1})
    assert code(simulator.fulu, missing) == 3000


def test_the_record_of_some_days(simulator: Simulator, number: str) -> None:
    to = account("6001")
    simulator.fulu.result("fulu.order.direct.add", direct(number, charge_account=to))
    today = clock.now().astimezone(ZONE).date()
    days = {"begin_create_time": str(today - timedelta(days=2)), "end_create_time": str(today)}

    said = json.loads(
        simulator.fulu.send(simulator.fulu.envelope("fulu.order.record.get", days)).json()["result"]
    )

    [mine] = [row for row in said["records"] if row["CustomerOrderNo"] == number]
    assert mine["ChargeAccount"] == f"138****{to[-4:]}"
    assert (mine["ProductId"], mine["Buynum"], mine["PayAmount"]) == (10000101, 1, 12.6)
    assert (mine["OrderouterStatus"], mine["Finishtime"]) == ("processing", "")


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("", "2026-01-02", 2120),
        ("2026-01-01", "", 2120),
        ("2026-01-02", "2026-01-01", 2121),
        ("2026-01-01", "2026-03-01", 2121),
        ("yesterday", "2026-01-01", 2121),
    ],
)
def test_a_record_is_of_at_most_a_month(
    simulator: Simulator, first: str, last: str, expected: int
) -> None:
    days = {"begin_create_time": first, "end_create_time": last}
    envelope = simulator.fulu.envelope("fulu.order.record.get", days)

    assert code(simulator.fulu, envelope) == expected
