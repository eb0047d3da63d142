"""A supplier of one's own: the setups of real ones, against a server on this machine."""

import hashlib
import json
import logging
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
import time_machine
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from app.core.crypto import Secret
from app.providers.callbacks import Callback, Forged, Malformed, Reply
from app.providers.recharges import signing
from app.providers.recharges.http import Http
from app.providers.recharges.interface import Outcome, Wanted
from app.providers.recharges.signing import Base, Digest, Rsa
from tests.providers.recharges.setups import DAYUANREN, KASHANGWL, KEY, made
from tests.providers.supplier import (
    Behaviour,
    Supplier,
    drip_headers,
    flood,
    hang_up,
    silence,
    stop_half_way,
)

ACCOUNT, NUMBER = "13800001234", "260301ABCDEFGHJKM"
NOTIFY = "https://shop.test/hooks/recharges/mine"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
WANTED = Wanted(NUMBER, "77", Secret(ACCOUNT), 1, 4990, NOTIFY)
THREE = Wanted(NUMBER, "77", Secret(ACCOUNT), 3, 14970, NOTIFY)


@pytest.fixture
def dayuanren(supplier: Supplier) -> Http:
    return made(DAYUANREN, supplier.url)


def standing(**changes: object) -> dict[str, object]:
    row = {"out_trade_num": NUMBER, "order_number": "DY9", "state": 1, "total_price": "49.90"}
    return {"errno": 0, "errmsg": "成功", "data": [row | changes]}


def test_an_order_is_a_signed_form(dayuanren: Http, supplier: Supplier) -> None:
    supplier.says({"errno": 0, "errmsg": "提交成功", "data": {"order_number": "DY9"}})

    result = dayuanren.submit(WANTED)

    form = supplier.last.form
    signature = form.pop("sign")
    text = (
        f"mobile={ACCOUNT}&notify_url={NOTIFY}&out_trade_num={NUMBER}&price=49.90"
        f"&product_id=77&userid=1001&apikey={KEY}"
    )
    assert (supplier.last.method, supplier.last.path) == ("POST", "/yrapi.php/index/recharge")
    assert form == {
        "userid": "1001",
        "out_trade_num": NUMBER,
        "product_id": "77",
        "mobile": ACCOUNT,
        "notify_url": NOTIFY,
        "price": "49.90",
        "param1": "",
    }
    assert signature == hashlib.md5(text.encode()).hexdigest().upper()
    # Taken; how it stands is said only when asked.
    assert (result.outcome, result.reference) == (Outcome.PENDING, "DY9")


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (1, Outcome.DELIVERED),
        ("1", Outcome.DELIVERED),
        (0, Outcome.PENDING),
        (2, Outcome.REFUSED),
        (-1, Outcome.REFUSED),
        (3, Outcome.UNKNOWN),
        (None, Outcome.UNKNOWN),
        ("", Outcome.UNKNOWN),
        ([1], Outcome.UNKNOWN),
        (1.0, Outcome.UNKNOWN),
    ],
)
def test_how_an_order_stands(
    dayuanren: Http, supplier: Supplier, state: object, outcome: Outcome
) -> None:
    supplier.says(standing(state=state))

    result = dayuanren.query(NUMBER, NOW)

    assert supplier.last.form["out_trade_nums"] == NUMBER
    assert (result.outcome, result.reference, result.cost) == (outcome, "DY9", 4990)


@pytest.mark.parametrize("other", ["260301OTHER", "", None])
def test_the_answer_about_another_order_is_doubt(
    dayuanren: Http, supplier: Supplier, other: str | None
) -> None:
    supplier.says(standing(out_trade_num=other, state=2))

    assert dayuanren.query(NUMBER, NOW).outcome is Outcome.UNKNOWN


def test_the_answer_to_another_order_is_doubt(dayuanren: Http, supplier: Supplier) -> None:
    supplier.says({"errno": 0, "data": {"out_trade_num": "260301OTHER", "order_number": "DY9"}})

    assert dayuanren.submit(WANTED).outcome is Outcome.UNKNOWN


@pytest.mark.parametrize("state", [1, 2])
def test_a_state_beside_a_bad_code_is_doubt(
    dayuanren: Http, supplier: Supplier, state: int
) -> None:
    supplier.says(standing(state=state) | {"errno": 500})

    assert dayuanren.query(NUMBER, NOW).outcome is Outcome.UNKNOWN
    assert dayuanren.submit(WANTED).outcome is Outcome.UNKNOWN


def test_only_listed_codes_refuse_and_only_an_order(dayuanren: Http, supplier: Supplier) -> None:
    supplier.says({"errno": 2001, "errmsg": "余额不足"})
    refused, asked = dayuanren.submit(WANTED), dayuanren.query(NUMBER, NOW)
    supplier.says({"errno": 9999, "errmsg": "系统错误"})
    unknown = dayuanren.submit(WANTED)

    assert (refused.outcome, refused.reason) == (Outcome.REFUSED, "余额不足")
    assert asked.outcome is Outcome.UNKNOWN
    assert unknown.outcome is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        ({"not_found_codes": "404"}, {"errno": 404}),
        ({"not_found_states": "none"}, {"errno": 0, "data": [{"state": "none"}]}),
    ],
)
def test_not_found_is_an_answer_to_a_question_only(
    supplier: Supplier, setup: dict[str, str], said: object
) -> None:
    adapter = made(DAYUANREN, supplier.url, **setup)
    supplier.says(said)

    assert adapter.query(NUMBER, NOW).outcome is Outcome.NOT_FOUND
    assert adapter.submit(WANTED).outcome is Outcome.UNKNOWN


def test_a_cost_above_the_limit_is_told(dayuanren: Http, supplier: Supplier) -> None:
    supplier.says(standing(total_price="1000.00"))

    result = dayuanren.query(NUMBER, NOW)

    assert (result.outcome, result.cost) == (Outcome.DELIVERED, 100_000)


def test_more_than_one_is_not_sent_where_no_quantity_is_said(
    dayuanren: Http, supplier: Supplier
) -> None:
    assert dayuanren.submit(THREE).outcome is Outcome.REFUSED
    assert supplier.seen == []


@pytest.mark.parametrize(
    ("body", "status"),
    [
        pytest.param(standing(state=2), 500, id="500"),
        pytest.param(standing(state=2), 302, id="a redirect"),
        pytest.param({"errno": 2001}, 403, id="403"),
        pytest.param(b"", 200, id="nothing"),
        pytest.param(b"fail", 200, id="no JSON"),
        pytest.param(b'{"errno": 2001, "errno": 0}', 200, id="a code twice"),
        pytest.param('{"errno": 2001, "errmsg": "失败"}'.encode("gbk"), 200, id="GBK"),
        pytest.param([], 200, id="a list"),
        pytest.param("2001", 200, id="a text"),
        pytest.param(None, 200, id="null"),
        pytest.param({}, 200, id="an empty object"),
    ],
)
def test_an_answer_without_sense_is_doubt(
    dayuanren: Http, supplier: Supplier, body: object, status: int
) -> None:
    supplier.says(body, status)

    assert dayuanren.submit(WANTED).outcome is Outcome.UNKNOWN
    assert dayuanren.query(NUMBER, NOW).outcome is Outcome.UNKNOWN
    assert dayuanren.balance().amount is None


@pytest.mark.parametrize("behaviour", [silence, hang_up, stop_half_way, drip_headers, flood])
def test_no_answer_is_doubt_and_is_sent_once(supplier: Supplier, behaviour: Behaviour) -> None:
    supplier.behaviour = behaviour

    result = made(DAYUANREN, supplier.url, timeout=0.3).submit(WANTED)

    assert result.outcome is Outcome.UNKNOWN
    assert result.reason
    assert len(supplier.seen) == 1


def test_the_balance_is_asked_for(dayuanren: Http, supplier: Supplier) -> None:
    supplier.says({"errno": 0, "data": {"balance": "1234.5", "fen": 99}})
    in_fen = made(DAYUANREN, supplier.url, balance_unit="fen", balance_path="data.fen")

    assert dayuanren.balance().amount == 123_450
    assert in_fen.balance().amount == 99
    assert made(DAYUANREN, balance_url="").balance().amount is None
    assert dayuanren.catalogue().items is None


@time_machine.travel(NOW, tick=False)
def test_another_suppliers_rules(supplier: Supplier) -> None:
    """The key in front, no separators, lists with a wide comma, several pieces."""
    adapter = made(KASHANGWL, supplier.url)
    supplier.says({"code": "ok", "data": {"id": 7, "state": 101, "total_price": "149.7"}})

    result = adapter.submit(THREE)

    form = supplier.last.form
    signature = form.pop("sign")
    text = KEY + "".join(name + form[name] for name in sorted(form))
    assert signature == hashlib.md5(text.encode()).hexdigest()
    assert (form["quantity"], form["safe_cost"]) == ("3", "149.70")
    assert form["timestamp"] == str(int(NOW.timestamp()))
    assert (result.outcome, result.reference, result.cost) == (Outcome.PENDING, "7", 14970)


@pytest.mark.parametrize(
    ("time_format", "text"),
    [
        ("seconds", "1772366400"),
        ("milliseconds", "1772366400000"),
        ("yyyy-MM-dd HH:mm:ss", "2026-03-01 20:00:00"),
        ("yyyyMMddHHmmss", "20260301200000"),
    ],
)
@time_machine.travel(NOW, tick=False)
def test_times_are_written_as_the_supplier_wants(
    supplier: Supplier, time_format: str, text: str
) -> None:
    made(KASHANGWL, supplier.url, time_format=time_format).query(NUMBER, NOW)

    assert supplier.last.form["timestamp"] == text


def test_a_get_says_everything_in_its_query_and_its_path(supplier: Supplier) -> None:
    adapter = made(
        DAYUANREN,
        supplier.url,
        query_method="get",
        query_url="{base}/orders/{number}?v=2".replace("{base}", supplier.url),
        query_fields="userid={merchant}\nnonce={nonce}",
        sign_kind="hmac-sha256",
        sign_key_at="nowhere",
        sign_header="X-Sign",
    )
    adapter.query("A/B&C", NOW)
    first = supplier.last
    adapter.query("A/B&C", NOW)

    query = first.query
    text = f"nonce={query['nonce']}&userid=1001"
    assert (first.method, first.body) == ("GET", b"")
    assert first.path.startswith("/orders/A%2FB%26C?v=2&userid=1001&nonce=")
    assert first.headers["x-sign"] == Digest(signing.hmac_sha256(Secret(KEY))).sign(text)
    assert supplier.last.query["nonce"] != query["nonce"]


def test_a_json_request_has_numbers_where_they_are_wanted(supplier: Supplier) -> None:
    setup = {
        "submit_method": "json",
        "submit_fields": "no={number}\nsku:int={sku}\nto={account}\nnote=会员 {{x}}\nn:int=7",
    }
    adapter = made(DAYUANREN, supplier.url, **setup)
    adapter.submit(WANTED)

    said = supplier.last.said
    text = f"n=7&no={NUMBER}&note=会员 {{x}}&sku=77&to={ACCOUNT}&apikey={KEY}"
    assert said.pop("sign") == hashlib.md5(text.encode()).hexdigest().upper()
    assert said == {"no": NUMBER, "sku": 77, "to": ACCOUNT, "note": "会员 {x}", "n": 7}

    letters = Wanted(NUMBER, "SKU", Secret(ACCOUNT), 1, 1, NOTIFY)
    assert adapter.submit(letters).outcome is Outcome.REFUSED
    assert len(supplier.seen) == 1


@pytest.fixture(scope="module")
def pair() -> tuple[RSAPrivateKey, RSAPrivateKey]:
    return generate_private_key(65537, 2048), generate_private_key(65537, 2048)


def test_rsa_both_ways(supplier: Supplier, pair: tuple[RSAPrivateKey, RSAPrivateKey]) -> None:
    ours, theirs = pair
    pem = ours.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = theirs.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    adapter = made(
        DAYUANREN,
        supplier.url,
        key=pem,
        sign_kind="rsa-sha256",
        sign_key_at="nowhere",
        sign_without="userid",
        callback_key=public.decode(),
    )
    supplier.says({"errno": 0})

    result = adapter.submit(WANTED)

    form = supplier.last.form
    base = Base(without=frozenset({"sign", "userid"}))
    text = base.text(form, Secret(""))
    assert Rsa(theirs, ours.public_key()).is_genuine(text, form["sign"])
    assert result.outcome is Outcome.PENDING
    assert form["sign"] not in repr(result)

    signed = TOLD | {"sign": Rsa(theirs, None).sign(base.text(TOLD, Secret("")))}
    message = Callback("POST", "/", [], {}, urlencode(signed).encode(), NOW)
    assert adapter.parse_callback(message).number == NUMBER
    forged = TOLD | {"sign": Rsa(ours, None).sign(base.text(TOLD, Secret("")))}
    with pytest.raises(Forged):
        adapter.parse_callback(Callback("POST", "/", [], {}, urlencode(forged).encode(), NOW))


TOLD = {
    "userid": "1001",
    "order_number": "DY9",
    "out_trade_num": NUMBER,
    "state": "1",
    "mobile": ACCOUNT,
    "remark": f"已充 {ACCOUNT}",
    "voucher": "OP7",
    "charge_amount": "49.90",
    # They sign what they add one day, too.
    "something_new": "x",
    "empty": "",
}
BASE = Base(key_at="as_field", key_name="apikey", without=frozenset({"sign"}))


def signed(fields: Mapping[str, str], key: str = KEY) -> dict[str, str]:
    text = BASE.text(fields, Secret(key))
    return dict(fields) | {"sign": Digest(signing.md5, is_upper=True).sign(text)}


def form_callback(fields: Mapping[str, str], more: str = "") -> Callback:
    return Callback(
        "POST", "/hooks/recharges/mine", [], {}, (urlencode(fields) + more).encode(), NOW
    )


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        ("1", Outcome.DELIVERED),
        ("2", Outcome.REFUSED),
        ("0", Outcome.PENDING),
        ("9", Outcome.UNKNOWN),
    ],
)
def test_a_callback_is_read(dayuanren: Http, state: str, outcome: Outcome) -> None:
    notice = dayuanren.parse_callback(form_callback(signed(TOLD | {"state": state})))

    assert notice.number == NUMBER
    assert (notice.result.outcome, notice.result.reference) == (outcome, "DY9")
    assert (notice.result.serial, notice.result.reason) == ("OP7", "已充 …1234")
    assert notice.result.exchange is not None
    assert ACCOUNT not in notice.result.exchange.request
    assert NUMBER in notice.result.exchange.request


def test_a_callback_that_knows_nothing_of_it_is_doubt() -> None:
    adapter = made(DAYUANREN, not_found_states="none")

    notice = adapter.parse_callback(form_callback(signed(TOLD | {"state": "none"})))

    assert notice.result.outcome is Outcome.UNKNOWN


GENUINE = urlencode(signed(TOLD)).encode()


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(form_callback(signed(TOLD, "another")), id="another key"),
        pytest.param(form_callback(signed(TOLD, "")), id="no key"),
        pytest.param(form_callback(TOLD), id="not signed"),
        pytest.param(form_callback(signed(TOLD) | {"state": "2"}), id="changed on its way"),
        pytest.param(form_callback(signed(TOLD), "&state=2"), id="a field twice"),
        pytest.param(form_callback(signed(TOLD), "&sign=0"), id="two signatures"),
        pytest.param(form_callback(signed(TOLD), "&extra=1"), id="a field more"),
        pytest.param(
            Callback("POST", "/", list(signed(TOLD).items()), {}, b"", NOW), id="in another place"
        ),
        pytest.param(Callback("POST", "/", [], {}, b"", NOW), id="empty"),
        pytest.param(Callback("POST", "/", [], {}, b"\xff", NOW), id="no text"),
        pytest.param(
            Callback("POST", "/", [], {}, urlencode(signed(TOLD), encoding="gbk").encode(), NOW),
            id="another charset",
        ),
        pytest.param(Callback("POST", "/", [], {}, GENUINE + b" " * 65536, NOW), id="too long"),
    ],
)
def test_a_forged_callback_is_refused(dayuanren: Http, message: Callback) -> None:
    with pytest.raises(Forged):
        dayuanren.parse_callback(message)


@pytest.mark.parametrize("missing", ["out_trade_num", "state"])
def test_a_genuine_callback_without_sense_is_malformed(dayuanren: Http, missing: str) -> None:
    fields = {name: value for name, value in TOLD.items() if name != missing}

    with pytest.raises(Malformed):
        dayuanren.parse_callback(form_callback(signed(fields)))


def test_the_same_callback_again_says_the_same(dayuanren: Http) -> None:
    message = form_callback(signed(TOLD))

    assert dayuanren.parse_callback(message) == dayuanren.parse_callback(message)


@pytest.mark.parametrize("age", [-299, 0, 299, -301, 301, 10**6])
@pytest.mark.parametrize("is_milliseconds", [False, True])
def test_where_a_time_is_signed_an_old_callback_is_not_believed(
    age: int, is_milliseconds: bool
) -> None:
    adapter = made(DAYUANREN, callback_time="otime")
    at = int((NOW - timedelta(seconds=age)).timestamp())
    fields = signed(TOLD | {"otime": str(at * 1000 if is_milliseconds else at)})

    if abs(age) <= 300:
        assert adapter.parse_callback(form_callback(fields)).number == NUMBER
    else:
        with pytest.raises(Forged):
            adapter.parse_callback(form_callback(fields))


@pytest.mark.parametrize("text", ["", "now", "-1772366400", "１７７２３６６４００"])
def test_a_time_that_is_none_is_not_believed(text: str) -> None:
    adapter = made(DAYUANREN, callback_time="otime")

    with pytest.raises(Forged):
        adapter.parse_callback(form_callback(signed(TOLD | {"otime": text})))


def json_callback(said: Mapping[str, object], texts: Mapping[str, str]) -> Callback:
    """`texts` is what the supplier signs of it."""
    base = Base(has_marks=False, key_at="before", without=frozenset({"sign"}))
    signature = Digest(signing.md5).sign(base.text(texts, Secret(KEY)))
    body = json.dumps(dict(said) | {"sign": signature}).encode()
    return Callback("POST", "/", [], {}, body, NOW)


def test_a_callback_of_json_is_read() -> None:
    said = {"order_id": 7, "outer_order_id": NUMBER, "state": 200, "good": True, "x": None}
    texts = {"order_id": "7", "outer_order_id": NUMBER, "state": "200", "good": "true"}
    adapter = made(KASHANGWL)

    notice = adapter.parse_callback(json_callback(said, texts))

    assert (notice.number, notice.result.outcome) == (NUMBER, Outcome.DELIVERED)
    assert notice.result.reference == "7"
    assert adapter.acknowledge(True) == Reply(200, "text/plain", "ok")
    assert adapter.acknowledge(False).status == 400


@pytest.mark.parametrize(
    "body",
    [
        *(b"", b"[]", b"7", b"\xff", b'{"state": 200, "state": 500}'),
        *(b'{"state": {"a": 1}, "sign": ""}', b'{"sign": "\\ud800"}'),
        b'{"state": "\\ud800", "sign": "x"}',
    ],
)
def test_json_that_nobody_can_have_signed_is_forged(body: bytes) -> None:
    with pytest.raises(Forged):
        made(KASHANGWL).parse_callback(Callback("POST", "/", [], {}, body, NOW))


def test_a_callback_by_query_signed_in_a_header() -> None:
    adapter = made(DAYUANREN, callback_format="query", sign_header="X-Sign")
    signature = signed(TOLD)["sign"]
    query = list(TOLD.items())
    message = Callback("GET", "/", query, {"x-sign": signature}, b"", NOW)

    assert adapter.parse_callback(message).number == NUMBER
    for bad in (
        Callback("GET", "/", query, {}, b"", NOW),
        Callback("GET", "/", [*query, ("state", "2")], {"X-Sign": signature}, b"", NOW),
    ):
        with pytest.raises(Forged):
            adapter.parse_callback(bad)


def test_without_callbacks_whoever_calls_is_forged() -> None:
    for setup in ({"callback_format": "none"}, {"callback_format": "none", "sign_kind": "none"}):
        adapter = made(DAYUANREN, **setup)
        with pytest.raises(Forged):
            adapter.parse_callback(form_callback(signed(TOLD)))


def test_what_the_merchant_typed_among_the_fields_may_be_a_password(supplier: Supplier) -> None:
    fields = f"{DAYUANREN['query_fields']}\npassword=hunter2-{{merchant}}"
    result = made(DAYUANREN, supplier.url, query_fields=fields).query(NUMBER, NOW)

    assert supplier.last.form["password"] == "hunter2-1001"
    assert result.exchange is not None
    assert f"out_trade_nums={NUMBER}" in result.exchange.request
    assert "password=…" in result.exchange.request
    assert "hunter2" not in repr(result)


def test_key_signature_and_account_are_nowhere_to_be_read(
    dayuanren: Http, supplier: Supplier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    said = standing(mobile=ACCOUNT) | {"errmsg": f"{ACCOUNT} {KEY}", "echo": [ACCOUNT, KEY]}
    kept: list[object] = []
    for body in (said, f"<p>{ACCOUNT} {KEY}".encode(), {"errno": 1, ACCOUNT: ACCOUNT}):
        supplier.says(body)
        kept += [dayuanren.submit(WANTED), dayuanren.query(NUMBER, NOW), dayuanren.balance()]
    kept.append(dayuanren.parse_callback(form_callback(signed(TOLD))))

    signatures = [seen.form["sign"] for seen in supplier.seen]
    shown = [*map(repr, kept), repr(dayuanren), repr(vars(dayuanren)), caplog.text]
    for hidden in (KEY, ACCOUNT, signed(TOLD)["sign"], *signatures):
        assert not any(hidden in text for text in shown)
    assert "mobile=…1234" in repr(kept[0])
