"""The attacks still attack, and nothing gets through: three of `bin/attack`, as small as they can
be, on the shop that runs for the tests. A control that fails raises."""

import importlib
from collections.abc import Iterator

import pytest

from app.core.actors import acting_as
from tests.attacks import target as attacked
from tests.attacks.__main__ import ATTACKS
from tests.attacks.outcome import ControlFailed, Outcome, control
from tests.attacks.target import Target
from tests.servers import Shop

pytestmark = pytest.mark.xdist_group("shop")
LEAST = 0.01


@pytest.fixture(scope="module")
def target(shop: Shop) -> Iterator[Target]:
    with attacked.attacking(shop) as found:
        yield found


@pytest.mark.parametrize("name", ["forgery", "double_use", "double_payment"])
def test_nothing_gets_through(target: Target, name: str) -> None:
    with acting_as("system"):
        outcome = importlib.import_module(f"tests.attacks.{name}").run(target, LEAST)
    assert outcome.holds, outcome


def test_every_attack_can_be_played() -> None:
    for name in ATTACKS:
        assert callable(importlib.import_module(f"tests.attacks.{name}").run)


def test_an_attack_that_attacks_nothing_is_no_success() -> None:
    assert control([1], "it reaches what it attacks") == "it reaches what it attacks"
    with pytest.raises(ControlFailed, match="it reaches"):
        control([], "it reaches what it attacks")
    one = Outcome("a", "1", 0, "0", "nothing", "it reaches", honest=99, troubles=("waits",))
    assert not one.holds
    assert Outcome("a", "1", 0, "0", "nothing", "it reaches", honest=100, troubles=("waits",)).holds
