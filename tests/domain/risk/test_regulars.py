"""Whoever has paid here is not stopped for what strangers do at her address, and pays with nothing
for what she does herself."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import Refusal
from app.domain.accounts import throttling
from app.domain.accounts.models import Throttle
from app.domain.catalog.models import Product
from app.domain.orders.placing import Holds
from app.domain.redemptions import guessing
from app.domain.redemptions.answers import Unusable
from app.domain.risk import events, lists, restrictions, stopping
from app.domain.risk.models import (
    Action,
    Checkpoint,
    EventKind,
    Key,
    ListKind,
    Restriction,
    RiskEvent,
    Subject,
)
from app.domain.risk.visits import Visit
from tests import factories, people
from tests.domain.risk import shopping
from tests.domain.risk.shopping import IP, NETWORK, latest, order

pytestmark = pytest.mark.usefixtures("rules", "channel", "audited")

HERS = "her browser"
MONTH = 30 * 24 * 60


def pay_once(product: Product, **values: object) -> None:
    """An order that is placed elsewhere, and paid."""
    placed = order(product, ip="198.51.100.20", **values)
    assert placed.payment is not None
    factories.settle(placed.payment)


def hoard(product: Product, device: str = "", **values: object) -> None:
    """Ten orders that nobody pays, each from a browser of its own unless it is said."""
    for number in range(10):
        order(product, device=device or f"bot {number}", **values)


def test_a_limit_on_an_address_holds_for_strangers_and_not_for_a_regular() -> None:
    shopping.switch_on("many_orders_limit", "many_orders_limit_device")
    product, phone, person = factories.make_product(codes=60), factories.contact(), people.make()
    pay_once(product, device=HERS, phone=phone)
    pay_once(product, device="left at home", person_id=person.id)
    hoard(product)

    # What would limit her had nobody been limited before her.
    order(product, device=HERS, quantity=2)
    assert latest().inputs["regular"] is True
    assert latest().inputs["spared"] == ["many_orders_limit"]
    assert session.scalar(sa.select(sa.func.count(Restriction.id))) == 0

    with pytest.raises(stopping.StoppedForNow, match="60 分钟"):
        order(product, device="a newcomer", quantity=2)
    assert latest().inputs["regular"] is False
    # Her contact can be typed by anybody.
    with pytest.raises(stopping.StoppedForNow):
        order(product, device="a newcomer", quantity=2, phone=phone)

    # The limit stands, and she is spared it, in another browser, too, once she has signed in.
    shopping.let_pass(11)
    with pytest.raises(stopping.StoppedForNow):
        order(product, device="a newcomer", quantity=2)
    order(product, device=HERS, quantity=2)
    assert latest().inputs["spared"] == ["many_orders_limit"]
    order(product, device="a library", quantity=2, person_id=person.id)
    assert latest().inputs["regular"] is True

    # For thirty days.
    shopping.let_pass(MONTH)
    with pytest.raises(stopping.StoppedForNow):
        order(product, device=HERS, quantity=2)


@pytest.mark.parametrize("key", [Key.DEVICE, Key.ACCOUNT])
def test_a_regular_who_hoards_is_limited_by_what_is_hers(key: Key) -> None:
    shopping.switch_on("many_orders_limit", f"many_orders_limit_{key.value}")
    product = factories.make_product(codes=60)
    values = {"device": HERS} if key == Key.DEVICE else {"person_id": people.make().id}
    pay_once(product, **values)
    hoard(product, **values)
    with pytest.raises(stopping.StoppedForNow, match="60 分钟"):
        order(product, quantity=2, **values)
    held = session.scalars(sa.select(Restriction)).all()
    # Nor is what she did held against her neighbours by her.
    assert [one.key for one in held] == [key]
    assert latest().inputs["spared"] == ["many_orders_limit"]


def test_a_regular_redeems_where_strangers_are_locked_out_and_waits_for_herself_only() -> None:
    shopping.switch_on("wrong_codes_lock_ip", "wrong_codes_lock_device")
    pay_once(factories.make_product(codes=1), device=HERS)

    def type_in(device: str) -> None:
        guessing.read("AAAA", Visit(IP, NETWORK, device))

    def locks() -> list[Key]:
        return [one.key for one in restrictions.live(clock.now())]

    neighbours = throttling.of_redeeming(NETWORK, "a bot", None)[-1:]
    transaction(lambda: [throttling.take(neighbours) for _ in range(11)])
    with pytest.raises(throttling.TooSoon):
        type_in("a newcomer")
    count_of_neighbours = _failures(neighbours[0])
    with pytest.raises(Unusable):
        type_in(HERS)
    assert _failures(neighbours[0]) == count_of_neighbours

    bots = events.hashed({Key.IP: IP, Key.DEVICE: "a bot"})
    transaction(lambda: [events.record(EventKind.WRONG_CODE, bots) for _ in range(20)])
    with pytest.raises(stopping.StoppedForNow, match="60 分钟"):
        type_in("a newcomer")
    assert locks() == [Key.IP]
    for _ in range(9):
        with pytest.raises(Unusable):
            type_in(HERS)
    # Ten of her own.
    with pytest.raises(stopping.StoppedForNow, match="60 分钟"):
        type_in(HERS)
    assert sorted(locks()) == [Key.DEVICE, Key.IP]


@pytest.mark.parametrize(
    ("action", "checkpoint", "rule_slug"),
    [
        (Action.FREEZE, None, "a_rule"),
        (Action.FREEZE, None, ""),
        (Action.BLOCK, Checkpoint.CHECKOUT, ""),
    ],
)
def test_nobody_is_spared_a_freeze_or_what_a_person_did(
    action: Action, checkpoint: Checkpoint | None, rule_slug: str
) -> None:
    product = factories.make_product(codes=2)
    pay_once(product, device=HERS)
    until = clock.now() + timedelta(hours=1)
    address = events.hashed({Key.IP: IP})[Key.IP]
    new = restrictions.New(action, checkpoint, Key.IP, address, until, rule_slug)
    transaction(lambda: restrictions.put([new], "D1"))
    with pytest.raises(stopping.StoppedForNow):
        order(product, device=HERS)
    assert latest().inputs["regular"] is True


def test_nobody_is_spared_the_block_list() -> None:
    product = factories.make_product(codes=2)
    pay_once(product, device=HERS)
    network = lists.parse(Subject.ADDRESS, NETWORK)
    transaction(lambda: lists.add(ListKind.BLOCK, network, "羊毛党", 30))
    with pytest.raises(stopping.Stopped):
        order(product, device=HERS)


def test_where_strangers_hold_all_they_may_a_regular_still_has_her_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    holds = Holds(orders_per_contact=3, orders_per_network=4, units_per_network=8)
    terms = replace(factories.terms(), holds=holds)
    monkeypatch.setattr(factories, "terms", lambda: terms)
    shopping.switch_on()
    product = factories.make_product(codes=60)
    pay_once(product, device=HERS)
    for number in range(4):
        order(product, device=f"bot {number}", quantity=2)
    with pytest.raises(Refusal, match="当前网络"):
        order(product, device="a newcomer")
    with pytest.raises(Refusal, match="当前网络"):
        order(product, device=HERS, quantity=9)
    # Under as many contacts as she likes.
    for _ in range(3):
        order(product, device=HERS)
    with pytest.raises(Refusal, match="还没有付款") as refused:
        order(product, device=HERS)
    assert refused.value.params["count"] == 3


def test_only_what_was_paid_makes_a_regular() -> None:
    product = factories.make_product(codes=9)
    order(product, device=HERS)
    order(product, device=HERS)
    assert latest().inputs["regular"] is False
    kinds = set(session.scalars(sa.select(RiskEvent.kind)))
    assert EventKind.PAID not in kinds


def _failures(guard: throttling.Guard) -> tuple[int, object]:
    session.rollback()
    row = session.get_one(Throttle, guard.key, populate_existing=True)
    return row.failures, row.next_at
