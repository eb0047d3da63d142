"""Alipay's protocol against the real sandbox process, whose own record says who was paid."""

import json
import secrets
from urllib.parse import urlencode

import httpx
import pytest

from app.core import clock, rsa2
from app.core.crypto import Secret
from app.providers.callbacks import Callback, Forged, Malformed
from app.providers.payouts import alipay as protocol
from app.providers.payouts.alipay import Alipay
from app.providers.payouts.interface import ALIPAY_ACCOUNT, Outcome, Payee, Result, Transfer
from tests.gateway import MERCHANT, Gateway
from tests.servers import free_port


@pytest.fixture
def number() -> str:
    return f"W{secrets.token_hex(8)}"


def transfer(number: str, amount: int = 12_345, account: str = "13912345678") -> Transfer:
    payee = Payee(ALIPAY_ACCOUNT, Secret("李小岚"), Secret(account))
    return Transfer(number, amount, "CNY", payee, "硬架小店")


def test_a_transfer_is_paid_once_under_its_number(gateway: Gateway, number: str) -> None:
    alipay = gateway.adapter()
    assert alipay.query(number).outcome is Outcome.NOT_FOUND

    results = [alipay.submit(transfer(number)) for _ in range(2)] + [alipay.query(number)]

    assert {one.outcome for one in results} == {Outcome.PAID}
    assert len({one.reference for one in results}) == 1
    assert results[0].reference
    assert gateway.paid(number) == [12_345]
    other = alipay.submit(transfer(number, 12_346))
    assert other.outcome is Outcome.UNKNOWN, "the number is another transfer's"
    assert gateway.paid(number) == [12_345]


def test_each_way_in_which_it_may_go_otherwise(gateway: Gateway, number: str) -> None:
    alipay = gateway.adapter()

    def outcomes(name: str, asks: int, **wanted: int) -> list[Outcome]:
        one = f"{number}{name}"
        gateway.faults(one, **wanted)
        said = [alipay.submit(transfer(one)), *(alipay.query(one) for _ in range(asks))]
        return [result.outcome for result in said]

    paid, returned, unknown = Outcome.PAID, Outcome.RETURNED, Outcome.UNKNOWN
    assert outcomes("a", 1, refused=1) == [Outcome.REFUSED, Outcome.NOT_FOUND]
    assert outcomes("b", 3, dealing=2) == [Outcome.PENDING, Outcome.PENDING, paid, paid]
    assert outcomes("c", 2, awaiting_payee=1) == [Outcome.AWAITING_PAYEE, paid, paid]
    assert outcomes("d", 2, returned=1) == [paid, returned, returned]
    assert outcomes("e", 1, fails=1) == [unknown, Outcome.NOT_FOUND]
    assert outcomes("f", 1, fails_after=1) == [unknown, paid]
    assert outcomes("g", 1, system_error=1) == [unknown, paid]
    assert outcomes("h", 2, query_fails=1) == [paid, unknown, paid]
    assert gateway.paid(f"{number}a") == gateway.paid(f"{number}e") == []
    gateway.faults(f"{number}a")
    assert alipay.submit(transfer(f"{number}a")).outcome is paid, "mended, under the same number"


def test_silence_a_strangers_signature_and_nobody_are_doubt(gateway: Gateway, number: str) -> None:
    gateway.faults(number, fails_after=1, hang=2)
    hasty = gateway.adapter(timeout=httpx.Timeout(0.3))
    assert hasty.submit(transfer(number)).outcome is Outcome.UNKNOWN
    assert gateway.paid(number) == [12_345]

    strangers, public = rsa2.new_pair()
    url = f"{gateway.url}/gateway.do"
    for impostor in (
        Alipay(url, MERCHANT, strangers, gateway.public_key),
        Alipay(url, MERCHANT, gateway.shop_key, public),
        Alipay(url, "M2", gateway.shop_key, gateway.public_key),
        Alipay(f"http://127.0.0.1:{free_port()}/", MERCHANT, gateway.shop_key, public),
    ):
        assert impostor.submit(transfer(f"{number}x")).outcome is Outcome.UNKNOWN
        assert impostor.query(number).outcome is Outcome.UNKNOWN


def message(gateway: Gateway, content: str, *, key: str = "", **other: str) -> Callback:
    """What Alipay tells by itself, signed."""
    fields = {
        "app_id": MERCHANT,
        "msg_method": protocol.CHANGED,
        "charset": "utf-8",
        "biz_content": content,
    } | other
    sign = rsa2.sign(rsa2.private_key(key or gateway.own_key), protocol.joined(fields))
    body = urlencode(fields | {"sign": sign, "sign_type": "RSA2"}).encode()
    return Callback("POST", "/hooks/payouts/alipay", [], {}, body, clock.now())


def test_a_callback_is_believed_when_alipay_signed_it_for_us(gateway: Gateway, number: str) -> None:
    alipay = gateway.adapter()
    content = json.dumps({"out_biz_no": number, "order_id": "A1", "status": "REFUND"})

    notice = alipay.parse_callback(message(gateway, content))

    assert (notice.number, notice.result) == (number, Result(Outcome.RETURNED, "A1"))
    strangers, _public = rsa2.new_pair()
    genuine = message(gateway, content)
    for forged in (
        message(gateway, content, key=strangers),
        message(gateway, content, app_id="M2"),
        message(gateway, content, msg_method="another"),
        Callback("POST", "/", [], {}, genuine.body.replace(b"REFUND", b"SUCCESS"), clock.now()),
        Callback("POST", "/", [], {}, b"\xff", clock.now()),
        Callback("POST", "/", [], {}, b"x" * 70_000, clock.now()),
        Callback("POST", "/", [], {}, b"", clock.now()),
    ):
        with pytest.raises(Forged):
            alipay.parse_callback(forged)
    for broken in ("", "[]", "{}", '{"out_biz_no": 7}'):
        with pytest.raises((Malformed, Forged)):
            alipay.parse_callback(message(gateway, broken))


@pytest.mark.parametrize(
    ("said", "is_query", "outcome"),
    [
        ({"code": "40004", "sub_code": "PAYER_BALANCE_NOT_ENOUGH"}, False, Outcome.REFUSED),
        ({"code": "40004", "sub_code": "SYSTEM_ERROR"}, False, Outcome.UNKNOWN),
        ({"code": "40004", "sub_code": "WHAT_NOBODY_KNOWS"}, False, Outcome.UNKNOWN),
        ({"code": "40004", "sub_code": "PAYEE_NOT_EXIST"}, True, Outcome.UNKNOWN),
        ({"code": "20000", "sub_code": "PAYEE_NOT_EXIST"}, False, Outcome.UNKNOWN),
        ({"code": "10000", "status": "FAIL"}, True, Outcome.REFUSED),
        ({"code": "10000", "status": "NEW"}, True, Outcome.UNKNOWN),
        ({}, True, Outcome.UNKNOWN),
    ],
)
def test_only_what_is_certain_is_a_refusal(
    said: dict[str, str], is_query: bool, outcome: Outcome
) -> None:
    assert protocol._read(said, is_query=is_query).outcome is outcome
