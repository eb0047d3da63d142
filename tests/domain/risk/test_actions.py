"""Actions that last, that wait, and that go on besides: each has its end and its undo."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import Conflict, Refusal
from app.core.outbox import OutboxRow
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Role
from app.domain.channels import holding
from app.domain.channels.models import CommissionState
from app.domain.messages import alerts
from app.domain.orders.models import Order, OrderState
from app.domain.orders.placing import Placed
from app.domain.redemptions import guessing
from app.domain.redemptions.answers import Unusable
from app.domain.risk import arriving, cases, events, live_rules, restrictions, stopping
from app.domain.risk.models import (
    Action,
    CaseState,
    Checkpoint,
    Decision,
    Key,
    Label,
    Restriction,
    Rule,
)
from app.domain.risk.visits import Visit
from tests import channels, factories, people, sellers
from tests.domain.risk import shopping
from tests.domain.risk.shopping import latest, order, switch_on

pytestmark = pytest.mark.usefixtures("rules", "channel", "audited")


def held_order() -> Placed:
    """A paid order of a new buyer that is only delayed."""
    placed = order(factories.make_product(codes=3, price=40_000))
    assert placed.payment is not None
    factories.settle(placed.payment)
    assert factories.fresh(placed.order).state == OrderState.HELD
    return placed


def in_(minutes: int) -> time_machine.travel:
    return time_machine.travel(clock.now() + timedelta(minutes=minutes))


def test_a_delayed_order_goes_on_by_itself_when_its_time_is_over() -> None:
    switch_on("new_account_delay")
    placed = held_order()
    case = cases.queue()[0]
    assert case.release_at is not None
    assert timedelta(minutes=9) < case.release_at - clock.now() <= timedelta(minutes=10)
    factories.work()
    assert factories.fresh(placed.order).state == OrderState.HELD
    with in_(11):
        factories.work()
    assert factories.fresh(placed.order).state == OrderState.DELIVERED
    case = cases.find(case.uid)
    assert (case.state, case.label) == (CaseState.RELEASED, None)
    with pytest.raises(Conflict):
        transaction(lambda: cases.approve(case.uid, Label.UNCLEAR, "", trust=False))


def test_who_looks_at_a_delayed_order_stops_the_clock() -> None:
    switch_on("new_account_delay")
    placed = held_order()
    uid = cases.queue()[0].uid
    transaction(lambda: cases.take(uid))
    with in_(11):
        factories.work()
    assert factories.fresh(placed.order).state == OrderState.HELD
    transaction(lambda: cases.reject(uid, Label.FRAUD, "", block=False))
    with in_(12):
        factories.work()
    assert factories.fresh(placed.order).state == OrderState.REFUNDED


def test_who_puts_a_delayed_order_back_too_late_lets_it_go_and_who_forgets_it_is_told_of() -> None:
    switch_on("new_account_delay")
    placed = held_order()
    uid = cases.queue()[0].uid
    transaction(lambda: cases.take(uid))
    told = sa.select(OutboxRow).where(OutboxRow.name == "app.domain.messages.jobs.overdue_case")
    with in_(11):
        factories.work()
        assert session.scalars(told).one().due_at - clock.now() > timedelta(minutes=29)
        transaction(lambda: cases.put_back(uid))
        factories.work()
    assert factories.fresh(placed.order).state == OrderState.DELIVERED
    assert cases.find(uid).state == CaseState.RELEASED


def test_a_code_in_many_hands_is_frozen_whichever_way_it_comes() -> None:
    switch_on("code_in_many_hands")
    text = "AAAA-BBBB-CCCC-DDDD-EEEE"

    def type_in(device: str) -> None:
        guessing.read(text, Visit("", "192.0.2.0/24", device))

    for number in range(3):
        with pytest.raises(Unusable):
            type_in(f"hand {number}")
    # The fourth is told that it is frozen, and so is one who writes it in another way.
    with pytest.raises(stopping.Stopped, match="编号"):
        type_in("hand 4")
    text = "aaaabbbbccccddddeeee"
    with pytest.raises(stopping.Stopped):
        type_in("hand 5")
    frozen = restrictions.live(clock.now())
    assert [(one.action, one.key, one.checkpoint) for one in frozen] == [
        (Action.FREEZE, Key.CODE, None)
    ]
    transaction(lambda: restrictions.lift(frozen[0].id, "问过了，没有问题"))
    shopping.let_pass(25 * 60)
    with pytest.raises(Unusable):
        type_in("hand 6")


def test_what_a_person_freezes_is_stopped_at_every_checkpoint_until_it_is_lifted() -> None:
    switch_on()
    product = factories.make_product(codes=9)
    phone = factories.contact()
    paid_before = order(product, phone=phone)
    decision = latest()
    contact = bytes.fromhex(decision.keys[Key.CONTACT])

    def freeze(**values: object) -> None:
        asked = {"days": 7, "reason": "账号被盗"} | values
        transaction(lambda: restrictions.freeze(Key.CONTACT, contact, decision.uid, **asked))  # type: ignore[arg-type]

    with pytest.raises(Refusal):
        freeze(reason="")
    with pytest.raises(Refusal):
        freeze(days=3)
    freeze()
    with pytest.raises(Conflict):
        freeze()
    with pytest.raises(stopping.Stopped, match="编号"):
        order(product, phone=phone, device="elsewhere", ip="198.51.100.9")
    stopped = latest()
    assert (stopped.action, stopped.inputs["frozen"]) == (Action.FREEZE, True)
    # Money that has come cannot be stopped any more: a person looks at it.
    assert paid_before.payment is not None
    switch_on("watched")
    factories.settle(paid_before.payment)
    assert factories.fresh(paid_before.order).state == OrderState.HELD
    transaction(lambda: cases.approve(cases.queue()[0].uid, Label.UNCLEAR, "", trust=True))
    # Trust lifts nothing that a person froze.
    with pytest.raises(stopping.Stopped):
        order(product, phone=phone)
    frozen = session.scalars(sa.select(Restriction)).one()
    transaction(lambda: restrictions.lift(frozen.id, "买家证明了身份"))
    order(product, phone=phone)
    with pytest.raises(Conflict):
        transaction(lambda: restrictions.lift(frozen.id, "又一次"))


def test_what_is_frozen_until_it_is_lifted_outlasts_every_other_end() -> None:
    switch_on()
    product, phone = factories.make_product(codes=9), factories.contact()
    order(product, phone=phone)
    decision = latest()
    contact = bytes.fromhex(decision.keys[Key.CONTACT])
    transaction(lambda: restrictions.freeze(Key.CONTACT, contact, decision.uid, None, "账号被盗"))
    frozen = session.scalars(sa.select(Restriction)).one()
    assert frozen.ends_at is None
    with in_(2 * max(restrictions.DAYS) * 24 * 60):
        # A rule that freezes for an hour as well makes no end of it.
        everybody = {"fact": "amount", "at_least": 1}
        hour = {"action": Action.FREEZE, "minutes": 60, "on_key": Key.CONTACT}
        switch_on("many_orders_captcha", condition=everybody, **hour)
        with pytest.raises(stopping.Stopped) as stopped:
            order(product, phone=phone)
        assert (stopped.value.status, stopped.value.retry_after) == (422, None)
        # Who registers can only be blocked: that has no end then either.
        visit = Visit(shopping.IP, shopping.NETWORK, "elsewhere")
        with pytest.raises(stopping.Stopped, match="现在不能继续。") as stopped:
            transaction(lambda: arriving.register(visit, Contact.parse(phone)))
        assert (stopped.value.status, stopped.value.retry_after) == (422, None)
        rules_one, staffs = sorted(restrictions.live(clock.now()), key=lambda one: one.until)
        assert rules_one.ends_at is not None
        assert staffs.id == frozen.id
        transaction(lambda: restrictions.lift(staffs.id, "买家证明了身份"))
        # What is left ends with the rule's hour.
        with pytest.raises(stopping.StoppedForNow) as for_now:
            order(product, phone=phone)
        assert for_now.value.retry_after is not None
        assert 3590 <= for_now.value.retry_after <= 3600


def test_nothing_else_than_what_was_offered_can_be_frozen() -> None:
    whose = events.hashed({Key.IP: shopping.IP})
    with pytest.raises(Refusal):
        transaction(lambda: restrictions.freeze(Key.IP, whose[Key.IP], "D1", 7, "太多人"))


def test_commission_is_kept_back_for_a_time_and_then_let_go() -> None:
    condition = {"fact": "amount", "at_least": 1}
    switch_on("payer_buys_for_commission", condition=condition, minutes=60)
    seller, plan = sellers.make(), channels.published_plan({"percent_bp": 1000})
    product = factories.make_product(codes=9)

    def sell() -> Order:
        placed = order(product)
        channels.attribute(placed.order, seller, plan)
        assert placed.payment is not None
        factories.settle(placed.payment)
        factories.work()
        return factories.fresh(placed.order)

    one = channels.commissions(sell())[0]
    assert one.state == CommissionState.ON_HOLD
    with in_(61):
        factories.work()
    assert session.get_one(type(one), one.id, populate_existing=True).state in (
        CommissionState.HOLDING,
        CommissionState.PAYABLE,
    )
    # Staff may let it go before, and what they keep back themselves stays kept back.
    other = channels.commissions(sell())[0]
    transaction(lambda: holding.release(other.id, "核实过了"))
    transaction(lambda: holding.hold(other.id, "再看看"))
    with in_(125):
        factories.work()
    assert session.get_one(type(one), other.id, populate_existing=True).state == (
        CommissionState.ON_HOLD
    )


def test_the_owners_hear_of_a_rule_that_only_tells_once_an_hour(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sent: list[str] = []
    monkeypatch.setattr(alerts, "send", lambda _sender, message: sent.append(message.text))
    people.make(Role.OWNER)
    people.make(Role.SUPPORT)
    condition = {"fact": "amount", "at_least": 1}
    switch_on("many_orders_captcha", condition=condition, action=Action.NOTIFY)
    product = factories.make_product(codes=9)
    for number in range(3):
        order(product, device=str(number))
    asked = sa.select(OutboxRow).where(OutboxRow.name == "app.domain.messages.jobs.risk_rule")
    assert latest().action == Action.NOTIFY
    assert len(session.scalars(asked).all()) == 1
    first = session.scalars(asked).one().args[0]
    uid = session.get_one(Decision, first).uid
    factories.work()
    assert len(sent) == 1
    assert sent[0].endswith(f"/admin/risk/decisions/{uid}")
    with in_(61):
        order(product, device="later")
    assert len(session.scalars(asked).all()) == 2


def test_a_rule_that_tells_goes_on_beside_one_that_stops() -> None:
    condition = {"fact": "amount", "at_least": 1}
    switch_on("many_orders_captcha", "hoarding_network", condition=condition)

    def tell() -> None:
        chosen = sa.update(Rule).where(Rule.slug == "hoarding_network")
        session.execute(chosen.values(action=Action.NOTIFY))

    transaction(tell)
    live_rules.forget()
    with pytest.raises(stopping.CaptchaNeeded):
        order(factories.make_product(codes=3))
    asked = sa.select(OutboxRow).where(OutboxRow.name == "app.domain.messages.jobs.risk_rule")
    assert len(session.scalars(asked).all()) == 1
    assert latest().checkpoint == Checkpoint.CHECKOUT


def test_who_throws_her_cookies_away_is_known_by_what_her_browser_says_in_her_network() -> None:
    switch_on("hoarding_look")
    product = factories.make_product(codes=20)
    for number in range(8):
        order(product, device=f"new {number}", look="Mozilla zh-CN", ip=f"203.0.113.{number}")
    with pytest.raises(stopping.CaptchaNeeded):
        order(product, device="new 9", look="Mozilla zh-CN", ip="203.0.113.99")
    # Another browser there, and the same kind elsewhere, are asked for nothing.
    order(product, device="new 10", look="Mozilla en", ip="203.0.113.99")
    order(product, device="new 11", look="Mozilla zh-CN", ip="198.51.100.9")
