"""Fulu's adapter against a server that says what its documents list, and what they do not."""

import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
import time_machine

from app.core.crypto import Secret
from app.providers.callbacks import Callback, Forged, Malformed, Reply
from app.providers.recharges import signing
from app.providers.recharges.fulu import Fulu
from app.providers.recharges.interface import (
    BadConfiguration,
    Configuration,
    Item,
    Outcome,
    Result,
    Wanted,
)
from tests.providers.supplier import (
    Behaviour,
    Supplier,
    drip_body,
    flood,
    hang_up,
    silence,
    stop_half_way,
)

SECRET, ACCOUNT = "s" * 32, "13800001234"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
NUMBER = "260301ABCDEFGHJKM"
WANTED = Wanted(NUMBER, "10000001", Secret(ACCOUNT), 2, 10_000, "https://shop.test/hooks/x")
ORDER: dict[str, object] = {
    "order_id": "19072426795315681646",
    "customer_order_no": NUMBER,
    "product_id": 10000001,
    "product_name": "会员月卡",
    "charge_account": ACCOUNT,
    "buy_num": 2,
    "order_price": 49.8750,
    "order_type": 4,
    "order_state": "processing",
    "create_time": "2026-03-01 20:00:00",
    "finish_time": "",
    "operator_serial_number": "",
    "cards": [],
}
TOLD = {
    "order_id": "19072426795315681646",
    "charge_finish_time": "2026-03-01 20:00:09",
    "customer_order_no": NUMBER,
    "order_status": "success",
    "recharge_description": "充值成功",
    "product_id": "10000001",
    "price": "49.8750",
    "buy_num": "2",
    "operator_serial_number": "OP7",
}


@pytest.fixture
def fulu(supplier: Supplier) -> Fulu:
    return made(supplier.url)


def made(url: str, timeout: float = 5) -> Fulu:
    values = {"url": f"{url}/api/getway", "app_key": "K1", "app_secret": SECRET}
    return Fulu(Configuration(values, allow_private=True, timeout=timeout))


def envelope(
    code: object, result: object = None, message: str = "接口调用成功"
) -> dict[str, object]:
    text = "" if result is None else json.dumps(result, ensure_ascii=False)
    return {"code": code, "message": message, "result": text, "sign": "not gated on"}


def outcomes(fulu: Fulu) -> tuple[Outcome, Outcome]:
    return fulu.submit(WANTED).outcome, fulu.query(NUMBER, NOW).outcome


@time_machine.travel(NOW, tick=False)
def test_an_order_is_a_signed_envelope(fulu: Fulu, supplier: Supplier) -> None:
    supplier.says(envelope(0, ORDER))

    fulu.submit(WANTED)

    said = supplier.last.said
    signature = said.pop("sign")
    assert (supplier.last.method, supplier.last.path) == ("POST", "/api/getway")
    assert supplier.last.headers["content-type"].startswith("application/json")
    assert signature == signing.sorted_characters(said, Secret(SECRET))
    assert json.loads(str(said.pop("biz_content"))) == {
        "product_id": 10000001,
        "customer_order_no": NUMBER,
        "charge_account": ACCOUNT,
        "buy_num": 2,
    }
    assert said == {
        "app_key": "K1",
        "method": "fulu.order.direct.add",
        # Beijing's time.
        "timestamp": "2026-03-01 20:00:00",
        "version": "2.0",
        "format": "json",
        "charset": "utf-8",
        "sign_type": "md5",
        "app_auth_token": "",
    }


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("success", Outcome.DELIVERED),
        ("processing", Outcome.PENDING),
        ("untreated", Outcome.PENDING),
        ("failed", Outcome.REFUSED),
        ("refunding", Outcome.UNKNOWN),
        ("", Outcome.UNKNOWN),
    ],
)
def test_how_an_order_stands(fulu: Fulu, supplier: Supplier, state: str, outcome: Outcome) -> None:
    supplier.says(envelope(0, ORDER | {"order_state": state, "operator_serial_number": "OP7"}))

    for result in (fulu.submit(WANTED), fulu.query(NUMBER, NOW)):
        assert result.outcome is outcome
        assert result.reference == "19072426795315681646"
        # Two pieces at 49.875: rounded once.
        assert result.cost == 9975
        assert result.serial == "OP7"
    assert json.loads(str(supplier.last.said["biz_content"])) == {"customer_order_no": NUMBER}


@pytest.mark.parametrize(
    "code",
    [
        *range(1000, 1020),
        2002,
        2003,
        3000,
        3001,
        3002,
        3003,
        3004,
        3005,
        3008,
        4000,
        4001,
        4002,
        4004,
    ],
)
def test_what_refuses_an_order_refuses_no_question(
    fulu: Fulu, supplier: Supplier, code: int
) -> None:
    supplier.says(envelope(code, message="不行"))

    result = fulu.submit(WANTED)

    assert (result.outcome, result.reason) == (Outcome.REFUSED, f"{code} 不行")
    assert fulu.query(NUMBER, NOW).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    "code", [4008, 4009, 4010, 4012, 5000, 3006, 3007, 4003, 999, 1020, -1, "x"]
)
def test_any_other_code_is_doubt(fulu: Fulu, supplier: Supplier, code: object) -> None:
    supplier.says(envelope(code))

    assert outcomes(fulu) == (Outcome.UNKNOWN, Outcome.UNKNOWN)


def test_a_number_that_is_not_known_is_not_found_only_when_asked(
    fulu: Fulu, supplier: Supplier
) -> None:
    supplier.says(envelope(4011, message="订单不存在"))

    assert outcomes(fulu) == (Outcome.UNKNOWN, Outcome.NOT_FOUND)
    assert fulu.takes_number_once
    assert fulu.not_found_is_final_after == timedelta(minutes=120)


@pytest.mark.parametrize("code", [0, "0"])
def test_taken_without_a_standing_is_pending(fulu: Fulu, supplier: Supplier, code: object) -> None:
    supplier.says(envelope(code))

    assert outcomes(fulu) == (Outcome.PENDING, Outcome.UNKNOWN)


@pytest.mark.parametrize("other", [{"customer_order_no": "T2"}, {"customer_order_no": None}])
def test_the_answer_about_another_order_is_doubt(
    fulu: Fulu, supplier: Supplier, other: dict[str, object]
) -> None:
    supplier.says(envelope(0, ORDER | {"order_state": "failed"} | other))

    assert outcomes(fulu) == (Outcome.UNKNOWN, Outcome.UNKNOWN)


@pytest.mark.parametrize(
    ("change", "cost"),
    [
        ({"order_price": "49.8750"}, 9975),
        ({"order_price": 1000}, 200_000),
        ({"order_price": "free"}, None),
        ({"order_price": -1}, None),
        ({"buy_num": None}, None),
        ({"buy_num": "2.5"}, None),
    ],
)
def test_a_cost_never_decides_whether_it_was_delivered(
    fulu: Fulu, supplier: Supplier, change: dict[str, object], cost: int | None
) -> None:
    """Also one above the limit of 100 yuan is told, and not hidden behind a refusal."""
    supplier.says(envelope(0, ORDER | {"order_state": "success"} | change))

    result = fulu.submit(WANTED)

    assert (result.outcome, result.cost) == (Outcome.DELIVERED, cost)


@pytest.mark.parametrize("sku", ["", "SKU1", "１", "1.5", "-1", "9" * 19])
def test_a_product_that_has_no_number_is_refused_and_nothing_sent(
    fulu: Fulu, supplier: Supplier, sku: str
) -> None:
    wanted = Wanted(NUMBER, sku, Secret(ACCOUNT), 1, 100, "")

    assert fulu.submit(wanted).outcome is Outcome.REFUSED
    assert supplier.seen == []


SUCCESS = envelope(0, ORDER | {"order_state": "failed"})


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(SUCCESS, 500, id="500"),
        pytest.param(SUCCESS, 302, id="a redirect"),
        pytest.param(SUCCESS, 404, id="404"),
        pytest.param(b"", 200, id="nothing"),
        pytest.param(b"<html>", 200, id="a page"),
        pytest.param(json.dumps(SUCCESS, ensure_ascii=False).encode("gbk"), 200, id="GBK"),
        pytest.param([SUCCESS], 200, id="a list"),
        pytest.param(b'{"code": 3000, "code": 0}', 200, id="a code twice"),
        pytest.param({"code": None}, 200, id="no code"),
        pytest.param({"code": [3000]}, 200, id="codes"),
        pytest.param({"code": 0, "result": "{"}, 200, id="half a result"),
        pytest.param({"code": 0, "result": "7"}, 200, id="another result"),
    ],
)
def test_an_answer_without_sense_is_doubt(
    fulu: Fulu, supplier: Supplier, body: object, status: int
) -> None:
    supplier.says(body, status)

    assert outcomes(fulu) == (Outcome.UNKNOWN, Outcome.UNKNOWN)
    assert fulu.balance().amount is None
    assert fulu.catalogue().items is None


@pytest.mark.parametrize("behaviour", [silence, hang_up, stop_half_way, drip_body, flood])
def test_no_answer_is_doubt_and_is_sent_once(supplier: Supplier, behaviour: Behaviour) -> None:
    supplier.behaviour = behaviour

    result = made(supplier.url, timeout=0.3).submit(WANTED)

    assert result.outcome is Outcome.UNKNOWN
    assert result.reason
    assert len(supplier.seen) == 1


def test_the_balance_is_asked_for(fulu: Fulu, supplier: Supplier) -> None:
    supplier.says(envelope(0, {"name": "shop", "balance": "1234.5678", "is_open": 1}))

    assert fulu.balance().amount == 123_457
    assert supplier.last.said["method"] == "fulu.user.info.get"
    assert supplier.last.said["biz_content"] == "{}"


def test_the_catalogue_lists_what_can_be_recharged(fulu: Fulu, supplier: Supplier) -> None:
    good = {
        "product_id": 10000001,
        "product_name": "会员月卡",
        "product_type": "直充",
        "face_value": 25,
        "purchase_price": 19.9,
        "sales_status": "上架",
        "stock_status": "充足",
    }
    supplier.says(
        envelope(
            0,
            [
                good,
                good | {"product_id": 2, "sales_status": "下架"},
                good | {"product_id": 3, "stock_status": "断货"},
                good | {"product_id": 4, "product_type": "卡密"},
                good | {"product_id": 5, "purchase_price": "?"},
                "nonsense",
            ],
        )
    )

    assert fulu.catalogue().items == (
        Item("10000001", "会员月卡", 1990),
        Item("2", "会员月卡", 1990, is_available=False),
        Item("3", "会员月卡", 1990, is_available=False),
    )


def callback(
    fields: Mapping[str, str], secret: str = SECRET, *, in_query: bool = False, more: str = ""
) -> Callback:
    signed = dict(fields) | {"sign": signing.sorted_characters(fields, Secret(secret))}
    body = b"" if in_query else (urlencode(signed) + more).encode()
    query = list(signed.items()) if in_query else []
    return Callback("POST", "/hooks/recharges/fulu", query, {}, body, NOW)


@pytest.mark.parametrize("in_query", [False, True])
@pytest.mark.parametrize(
    ("status", "outcome"),
    [("success", Outcome.DELIVERED), ("failed", Outcome.REFUSED), ("other", Outcome.UNKNOWN)],
)
def test_a_callback_is_read_from_a_form_or_a_query(
    fulu: Fulu, in_query: bool, status: str, outcome: Outcome
) -> None:
    notice = fulu.parse_callback(callback(TOLD | {"order_status": status}, in_query=in_query))

    assert notice.number == NUMBER
    assert notice.result == Result(
        outcome,
        reference="19072426795315681646",
        reason="充值成功",
        cost=9975,
        serial="OP7",
        exchange=notice.result.exchange,
    )


def test_the_same_callback_again_says_the_same(fulu: Fulu) -> None:
    message = callback(TOLD)

    assert fulu.parse_callback(message) == fulu.parse_callback(message)


def test_a_refund_makes_us_ask_and_refuses_nothing(fulu: Fulu) -> None:
    told = {
        "order_id": "1907",
        "customer_order_no": NUMBER,
        "refund_time": "2026-03-01 20:00:09",
        "refund_status": "success",
        "refund_description": "13800001234 已退款",
    }

    notice = fulu.parse_callback(callback(told))

    assert notice.result.outcome is Outcome.UNKNOWN
    assert notice.result.reason == "refund success: …1234 已退款"


GENUINE = callback(TOLD)


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(callback(TOLD, "x" * 32), id="another secret"),
        pytest.param(callback(TOLD, ""), id="no secret"),
        pytest.param(callback(TOLD, more="&order_status=failed"), id="a field twice"),
        pytest.param(callback(TOLD, more="&extra=1"), id="a field more"),
        pytest.param(
            Callback("POST", "/", [("order_status", "failed")], {}, GENUINE.body, NOW),
            id="a field in both places",
        ),
        pytest.param(
            Callback("POST", "/", [], {}, GENUINE.body.replace(b"49.8750", b"00.0001"), NOW),
            id="changed on its way",
        ),
        pytest.param(
            Callback("POST", "/", [], {}, GENUINE.body.rpartition(b"&sign=")[0], NOW),
            id="not signed",
        ),
        pytest.param(Callback("POST", "/", [], {}, b"", NOW), id="empty"),
        pytest.param(Callback("POST", "/", [], {}, b"\xff\xfe", NOW), id="no text"),
        pytest.param(Callback("POST", "/", [], {}, b"{}", NOW), id="JSON"),
        pytest.param(Callback("POST", "/", [], {}, b"a=%ff", NOW), id="another charset"),
        pytest.param(
            Callback("POST", "/", [("sign", "\ud800")], {}, b"", NOW), id="half a character"
        ),
        pytest.param(Callback("POST", "/", [], {}, b"a=" + b"b" * 65536, NOW), id="too long"),
        pytest.param(Callback("POST", "/", [], {}, b"&".join([b"a=1"] * 200), NOW), id="too many"),
    ],
)
def test_a_forged_callback_is_refused(fulu: Fulu, message: Callback) -> None:
    with pytest.raises(Forged):
        fulu.parse_callback(message)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"customer_order_no": NUMBER},
        TOLD | {"customer_order_no": ""},
        TOLD | {"customer_order_no": "T" * 51},
        TOLD | {"customer_order_no": "T\0"},
    ],
)
def test_a_genuine_callback_without_sense_is_malformed(fulu: Fulu, fields: dict[str, str]) -> None:
    with pytest.raises(Malformed):
        fulu.parse_callback(callback(fields))


def test_success_is_said_to_the_letter(fulu: Fulu) -> None:
    assert fulu.acknowledge(True) == Reply(200, "text/plain", "success")
    assert fulu.acknowledge(False).status == 400


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": "http://openapi.fulu.com/api/getway"}, "url"),
        ({"url": "https://10.0.0.8/api/getway"}, "url"),
        ({"url": ""}, "url"),
        ({"app_key": ""}, "app_key"),
        ({"app_secret": ""}, "app_secret"),
    ],
)
def test_a_bad_configuration_names_its_field(change: dict[str, str], field: str) -> None:
    values = {"url": "https://openapi.fulu.com/api/getway", "app_key": "K", "app_secret": SECRET}
    Fulu(Configuration(values))

    with pytest.raises(BadConfiguration) as fault:
        Fulu(Configuration(values | change))

    assert fault.value.field == field
    assert SECRET not in str(fault.value)


def test_secret_and_account_are_nowhere_to_be_read(
    fulu: Fulu, supplier: Supplier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    supplier.says(envelope(0, ORDER, message=f"{SECRET} {ACCOUNT}"))

    kept = [fulu.submit(WANTED), fulu.query(NUMBER, NOW)]
    supplier.says(envelope(5000, message=f"{SECRET} {ACCOUNT}"))
    kept += [fulu.submit(WANTED), fulu.query(NUMBER, NOW)]
    supplier.says(f"<p>{SECRET} {ACCOUNT}".encode())
    kept += [fulu.submit(WANTED), fulu.query(NUMBER, NOW)]
    told = TOLD | {"recharge_description": f"{ACCOUNT} {SECRET}"}
    kept.append(fulu.parse_callback(callback(told)).result)

    signatures = [str(seen.said["sign"]) for seen in supplier.seen]
    shown = [*map(repr, kept), repr(fulu), repr(vars(fulu)), caplog.text]
    for hidden in (SECRET, ACCOUNT, *signatures):
        assert not any(hidden in text for text in shown)
    assert "charge_account=…1234" in repr(kept[0])
    assert '"charge_account": "…1234"' in repr(kept[1])
    assert NUMBER in repr(kept[0])
