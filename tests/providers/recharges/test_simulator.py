"""The simulator's plain protocol, as its text says it, and the list of adapters.

With the simulator's real server it is tested where that server is."""

import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

import pytest
import time_machine

from app.core.crypto import Secret
from app.providers import recharges
from app.providers.callbacks import Callback, Forged, Reply
from app.providers.recharges import ADAPTERS, UnknownAdapter
from app.providers.recharges.interface import (
    BadConfiguration,
    Configuration,
    Item,
    Outcome,
    Provider,
    Wanted,
)
from tests.providers.supplier import Supplier

KEY, NUMBER, ACCOUNT = "k" * 32, "260301ABCDEFGHJKM", "13800001234"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
WANTED = Wanted(NUMBER, "10001", Secret(ACCOUNT), 2, 5000, "http://127.0.0.1/hooks/recharges/sim")
SAID = {
    "code": "ok",
    "state": "delivered",
    "reference": "S1",
    "message": "充值成功",
    "cost": "49.90",
    "serial": "OP7",
}
VALUES = {"merchant": "M1", "key": KEY}


@pytest.fixture
def simulator(supplier: Supplier) -> Provider:
    return made(supplier.url)


def made(url: str, **changes: str) -> Provider:
    configuration = Configuration(VALUES | {"url": url} | changes, allow_private=True)
    return recharges.make("simulator", configuration)


def sign(fields: Mapping[str, str], key: str = KEY) -> str:
    """Written a second time, from the protocol's text."""
    text = "&".join(f"{name}={fields[name]}" for name in sorted(fields) if fields[name])
    return hmac.new(key.encode(), text.encode(), "sha256").hexdigest()


@time_machine.travel(NOW, tick=False)
def test_requests_are_signed_as_the_protocol_says(simulator: Provider, supplier: Supplier) -> None:
    simulator.submit(WANTED)
    order = supplier.last.form
    simulator.query(NUMBER, NOW)
    simulator.balance()
    simulator.catalogue()

    common = {"merchant": "M1", "timestamp": STAMP}
    expected = common | {
        "number": NUMBER,
        "sku": "10001",
        "account": ACCOUNT,
        "quantity": "2",
        "notify_url": WANTED.notify_url,
    }
    assert order == expected | {"sign": sign(expected)}
    asked = common | {"number": NUMBER}
    assert [seen.query for seen in supplier.seen[1:]] == [
        asked | {"sign": sign(asked)},
        common | {"sign": sign(common)},
        common | {"sign": sign(common)},
    ]
    assert [(seen.method, seen.path.partition("?")[0]) for seen in supplier.seen] == [
        ("POST", "/plain/orders"),
        ("GET", "/plain/orders"),
        ("GET", "/plain/balance"),
        ("GET", "/plain/goods"),
    ]


@pytest.mark.parametrize(
    ("state", "submitted", "asked"),
    [
        ("delivered", Outcome.DELIVERED, Outcome.DELIVERED),
        ("processing", Outcome.PENDING, Outcome.PENDING),
        ("failed", Outcome.REFUSED, Outcome.REFUSED),
        ("not_found", Outcome.UNKNOWN, Outcome.NOT_FOUND),
        ("confused", Outcome.UNKNOWN, Outcome.UNKNOWN),
    ],
)
def test_states(
    simulator: Provider, supplier: Supplier, state: str, submitted: Outcome, asked: Outcome
) -> None:
    supplier.says(SAID | {"state": state})

    result = simulator.submit(WANTED)

    assert result.outcome is submitted
    assert (result.reference, result.cost, result.serial) == ("S1", 4990, "OP7")
    assert simulator.query(NUMBER, NOW).outcome is asked


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        ("no_such_sku", Outcome.REFUSED),
        ("no_balance", Outcome.REFUSED),
        ("bad_account", Outcome.REFUSED),
        ("bad_sign", Outcome.REFUSED),
        ("bad_request", Outcome.REFUSED),
        ("duplicate", Outcome.UNKNOWN),
        ("surprise", Outcome.UNKNOWN),
    ],
)
def test_codes(simulator: Provider, supplier: Supplier, code: str, outcome: Outcome) -> None:
    supplier.says({"code": code, "message": "不行"})

    assert simulator.submit(WANTED).outcome is outcome
    assert simulator.query(NUMBER, NOW).outcome is Outcome.UNKNOWN
    assert simulator.balance().amount is None
    assert simulator.catalogue().items is None


def test_balance_and_goods(simulator: Provider, supplier: Supplier) -> None:
    good = {"sku": "10001", "name": "会员月卡", "cost": "19.90", "available": True}
    supplier.says(
        {
            "code": "ok",
            "balance": "1000.00",
            "goods": [good, good | {"sku": "2", "available": False}, {"sku": "3"}, 7],
        }
    )

    assert simulator.balance().amount == 100_000
    assert simulator.catalogue().items == (
        Item("10001", "会员月卡", 1990),
        Item("2", "会员月卡", 1990, is_available=False),
    )
    assert simulator.takes_number_once
    assert simulator.not_found_is_final_after == timedelta(minutes=10)


def callback(fields: Mapping[str, str], received_at: datetime = NOW) -> Callback:
    return Callback("POST", "/hooks/x", [], {}, urlencode(fields).encode(), received_at)


def test_callbacks(simulator: Provider) -> None:
    told = {name: value for name, value in SAID.items() if name != "code"}
    told |= {"number": NUMBER, "timestamp": STAMP, "serial": ""}
    told |= {"sign": sign(told)}

    notice = simulator.parse_callback(callback(told))

    assert (notice.number, notice.result.outcome) == (NUMBER, Outcome.DELIVERED)
    assert (notice.result.cost, notice.result.reason) == (4990, "充值成功")
    assert simulator.acknowledge(True) == Reply(200, "text/plain", "success")
    for forged in (
        callback(told | {"state": "failed"}),
        callback(told | {"sign": sign(told, "x" * 32)}),
        callback(told, NOW + timedelta(seconds=301)),
    ):
        with pytest.raises(Forged):
            simulator.parse_callback(forged)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"url": ""}, "url"),
        ({"url": "127.0.0.1:9000"}, "url"),
        ({"url": "http://127.0.0.1/?a={sku}"}, "url"),
        ({"merchant": " "}, "merchant"),
        ({"key": ""}, "key"),
    ],
)
def test_a_bad_configuration_names_one_of_the_three(change: dict[str, str], field: str) -> None:
    with pytest.raises(BadConfiguration) as fault:
        made(**{"url": "http://127.0.0.1:9"} | change)

    assert fault.value.field == field


def test_every_adapter_is_listed_under_its_own_name() -> None:
    assert set(ADAPTERS) == {"fulu", "http", "simulator"}
    for name, adapter in ADAPTERS.items():
        assert adapter.name == name
        assert adapter.title
        assert all(field.label for field in adapter.fields)
        assert len({field.name for field in adapter.fields}) == len(adapter.fields)
        with pytest.raises(BadConfiguration):
            recharges.make(name, Configuration({}))
    with pytest.raises(UnknownAdapter):
        recharges.make("nobody", Configuration({}))
