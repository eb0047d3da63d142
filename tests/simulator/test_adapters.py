"""The shop's adapters against the simulator's real process: what each of its troubles becomes, and
that its own record agrees. They were written apart, from the protocols' texts alone."""

from collections.abc import Callable
from datetime import timedelta
from urllib.parse import urlencode

import pytest

from app.core import clock
from app.core.crypto import Secret
from app.providers import recharges
from app.providers.callbacks import Callback, Forged
from app.providers.recharges.interface import Configuration, Outcome, Provider, Wanted
from tests.servers import wait_until
from tests.simulator.conftest import Simulator, account
from tests.simulator.tongues import FULU_HOOK, KEY, MERCHANT, PLAIN_HOOK, SKU

COST = 1260
DELIVERED, PENDING, REFUSED = Outcome.DELIVERED, Outcome.PENDING, Outcome.REFUSED
NOT_FOUND, UNKNOWN = Outcome.NOT_FOUND, Outcome.UNKNOWN

Make = Callable[[float], Provider]


@pytest.fixture(params=["simulator", "fulu"])
def adapter(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def make(adapter: str, simulator: Simulator) -> Make:
    """The adapter, with so many seconds of patience."""
    values = {
        "simulator": {"url": simulator.url, "merchant": MERCHANT, "key": KEY},
        "fulu": {
            "url": f"{simulator.url}/fulu/api/getway",
            "app_key": MERCHANT,
            "app_secret": KEY[:32],
        },
    }[adapter]
    return lambda timeout: recharges.make(
        adapter, Configuration(values, allow_private=True, timeout=timeout)
    )


@pytest.fixture
def provider(make: Make) -> Provider:
    return make(10)


@pytest.fixture
def hook(adapter: str, simulator: Simulator) -> str:
    return FULU_HOOK if adapter == "fulu" else PLAIN_HOOK


def wanted(simulator: Simulator, number: str, digits: str, sku: str = SKU) -> Wanted:
    url = f"{simulator.merchant.url}{PLAIN_HOOK}"
    return Wanted(number, sku, Secret(account(digits)), 1, COST, url)


@pytest.mark.parametrize(
    ("digits", "submitted", "asked", "executed"),
    [
        pytest.param("0000", DELIVERED, DELIVERED, 1, id="delivered at once"),
        pytest.param("6001", PENDING, PENDING, 0, id="never ends"),
        pytest.param("2001", REFUSED, NOT_FOUND, 0, id="a bad account"),
        pytest.param("6002", REFUSED, NOT_FOUND, 0, id="no balance"),
        pytest.param("3003", UNKNOWN, DELIVERED, 1, id="500 after it took effect"),
        pytest.param("3004", UNKNOWN, NOT_FOUND, 0, id="500 before it took effect"),
        pytest.param("3005", UNKNOWN, DELIVERED, 1, id="cut after it took effect"),
        pytest.param("3007", UNKNOWN, DELIVERED, 1, id="an answer without sense"),
    ],
)
def test_what_each_trouble_becomes(
    simulator: Simulator,
    provider: Provider,
    number: str,
    digits: str,
    submitted: Outcome,
    asked: Outcome,
    executed: int,
) -> None:
    result = provider.submit(wanted(simulator, number, digits))

    assert result.outcome is submitted
    assert provider.query(number, clock.now()).outcome is asked
    assert simulator.executed(number) == executed


@pytest.mark.parametrize(
    ("digits", "asked", "executed"),
    [
        pytest.param("3001", NOT_FOUND, 0, id="silent before it took effect"),
        pytest.param("3002", DELIVERED, 1, id="silent after it took effect"),
        pytest.param("3006", DELIVERED, 1, id="an answer that drips"),
    ],
)
def test_whoever_keeps_us_waiting_is_asked(
    simulator: Simulator, make: Make, number: str, digits: str, asked: Outcome, executed: int
) -> None:
    result = make(0.6).submit(wanted(simulator, number, digits))

    assert (result.outcome, result.reason) == (UNKNOWN, "no answer in time")
    assert make(10).query(number, clock.now()).outcome is asked
    assert simulator.executed(number) == executed


def test_a_number_that_came_to_nothing_may_be_sent_again_and_is_executed_once(
    simulator: Simulator, provider: Provider, number: str
) -> None:
    order = wanted(simulator, number, "3004")

    outcomes = [provider.submit(order).outcome for _ in range(3)]

    assert provider.takes_number_once
    assert outcomes == [UNKNOWN, DELIVERED, UNKNOWN]
    assert provider.query(number, clock.now()).outcome is DELIVERED
    assert simulator.executed(number) == 1


def test_not_found_for_a_while_is_no_refusal(
    simulator: Simulator, provider: Provider, number: str
) -> None:
    provider.submit(wanted(simulator, number, "5001"))
    simulator.end(number)

    outcomes = [provider.query(number, clock.now()).outcome for _ in range(3)]

    assert outcomes == [NOT_FOUND, NOT_FOUND, DELIVERED]
    assert provider.not_found_is_final_after >= timedelta(minutes=10)


@pytest.mark.parametrize(("state", "outcome"), [("delivered", DELIVERED), ("failed", REFUSED)])
def test_how_it_ended_is_told_and_can_be_asked(
    simulator: Simulator,
    provider: Provider,
    number: str,
    hook: str,
    state: str,
    outcome: Outcome,
) -> None:
    assert provider.submit(wanted(simulator, number, "6001")).outcome is PENDING
    simulator.end(number, state)
    simulator.hear(number, state)

    result = provider.query(number, clock.now())
    [form] = [form for form in simulator.merchant.forms if number in form.values()]
    notice = provider.parse_callback(told(hook, urlencode(form).encode()))

    assert result.outcome is outcome
    assert (notice.number, notice.result.outcome) == (number, outcome)
    for heard in (result, notice.result):
        assert heard.reference == simulator.record(number)["reference"]
        assert heard.cost == COST
        assert bool(heard.serial) == (state == "delivered")
    changed = {name: "failed" if text == "success" else f"{text}1" for name, text in form.items()}
    with pytest.raises(Forged):
        provider.parse_callback(told(hook, urlencode(changed).encode()))


def test_a_forged_callback_is_not_believed(
    simulator: Simulator, provider: Provider, number: str, hook: str
) -> None:
    provider.submit(wanted(simulator, number, "4004"))
    simulator.end(number, "failed")
    wait_until(lambda: simulator.merchant.forged_of(number), "the forged callback")

    with pytest.raises(Forged):
        provider.parse_callback(told(hook, simulator.merchant.forged_of(number)[0]))


def test_what_it_cost_beyond_the_limit_is_told(
    simulator: Simulator, provider: Provider, number: str
) -> None:
    result = provider.submit(wanted(simulator, number, "5002"))

    assert (result.outcome, result.cost) == (DELIVERED, COST + 200)


def test_what_it_does_not_sell_is_refused(
    simulator: Simulator, provider: Provider, number: str
) -> None:
    assert provider.submit(wanted(simulator, number, "0000", sku="999")).outcome is REFUSED


def test_balance_and_catalogue(simulator: Simulator, provider: Provider, number: str) -> None:
    assert provider.balance().amount == simulator.deposit()
    items = provider.catalogue().items
    assert items is not None
    assert {item.sku: item.cost for item in items}[SKU] == COST


def test_another_key_gets_nothing(adapter: str, simulator: Simulator, number: str) -> None:
    url = f"{simulator.url}/fulu/api/getway" if adapter == "fulu" else simulator.url
    values = {"url": url, "merchant": MERCHANT, "app_key": MERCHANT}
    values |= {"key": "x" * 32, "app_secret": "x" * 32}
    stranger = recharges.make(adapter, Configuration(values, allow_private=True))

    assert stranger.submit(wanted(simulator, number, "0000")).outcome is REFUSED
    assert stranger.query(number, clock.now()).outcome is UNKNOWN
    assert stranger.balance().amount is None
    assert simulator.executed(number) == 0


def told(hook: str, body: bytes) -> Callback:
    return Callback("POST", hook, [], {}, body, clock.now())
