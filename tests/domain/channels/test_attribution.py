"""Whose order it is: by which evidence, for how long, and when it earns nothing."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine

from app.core import clock
from app.core.db import db, session, transaction
from app.core.errors import Conflict, Refusal
from app.core.outbox import OutboxRow
from app.domain.catalog import preferences
from app.domain.channels import attribution, correcting, links
from app.domain.channels.attribution import Seen, Terms
from app.domain.channels.correcting import Correction
from app.domain.channels.models import (
    Attribution,
    AttributionRule,
    Click,
    Commission,
    CommissionState,
    ContactBinding,
    Distributor,
    DistributorState,
    Plan,
    PlanState,
)
from app.domain.orders import placing
from app.domain.orders.models import Order
from tests import factories, people, sellers

pytestmark = pytest.mark.usefixtures("app")

TERMS = Terms(timedelta(days=30), "none")
CLICKED = links.ClickFields(network="203.0.113.0/24", referrer="mp.weixin.qq.com")


def clicked(distributor: Distributor, campaign: str = "") -> Click:
    return transaction(lambda: links.record(links.link_of(distributor, None, campaign), CLICKED))


def order_with(seen: Seen, terms: Terms = TERMS, **values: object) -> Order:
    """An order placed by a browser that brings this along."""
    wanted = factories.purchase(factories.make_product(), **values)

    def place() -> Order:
        placed = placing.place(wanted, factories.terms())
        attribution.freeze(placed.order, seen, terms)
        return placed.order

    return factories.fresh(transaction(place))


def pay(order: Order, payer: str = "") -> Order:
    """Paid and delivered, and settled as its commission is."""
    payment = factories.queries.payments_of(order.id)[0]
    factories.settle(payment, payer=payer)
    return factories.fresh(order)


def of(order: Order) -> Attribution:
    found = attribution.of_order(order.id)
    assert found is not None
    return found


def earns(order: Order) -> bool:
    return transaction(lambda: attribution.earns(order.id)) is not None


def change(distributor: Distributor, **values: object) -> None:
    transaction(
        lambda: session.execute(
            sa.update(Distributor).where(Distributor.id == distributor.id).values(**values)
        )
    )


def test_a_code_is_stronger_than_a_click_and_a_click_than_a_binding() -> None:
    by_code, by_click, by_binding = (sellers.make() for _ in range(3))
    phone = factories.contact()
    transaction(lambda: preferences.change({"bind_mode": "first_order"}))
    binding = Terms(timedelta(days=30), "first_order")
    first = pay(order_with(Seen(by_binding.code), binding, phone=phone))
    assert earns(first)
    click = clicked(by_click, "读书群")
    everything = Seen(f" {by_code.code.lower()} ", click.uid)

    orders = {
        by_code.id: order_with(everything, binding, phone=phone),
        by_click.id: order_with(replace(everything, referral_code=""), binding, phone=phone),
        by_binding.id: order_with(Seen(), binding, phone=phone),
    }

    rules = {owner: (of(order).distributor_id, of(order).rule) for owner, order in orders.items()}
    assert rules == {
        by_code.id: (by_code.id, AttributionRule.REFERRAL_CODE),
        by_click.id: (by_click.id, AttributionRule.CLICK),
        by_binding.id: (by_binding.id, AttributionRule.BINDING),
    }
    assert all(order.is_attributed for order in orders.values())
    assert (of(orders[by_click.id]).click_id, of(orders[by_click.id]).campaign) == (
        click.id,
        "读书群",
    )
    # Bound for somebody else, the contact is not bound away by a click.
    assert earns(pay(orders[by_click.id]))
    assert [one.distributor_id for one in session.scalars(sa.select(ContactBinding))] == [
        by_binding.id
    ]


def test_without_evidence_nothing_is_written_and_nothing_asked() -> None:
    order = order_with(Seen())
    asked: list[str] = []
    listen = ("before_cursor_execute", lambda *args: asked.append(args[2]))

    def freeze() -> Attribution | None:
        session.refresh(order)
        sa.event.listen(db.engine, *listen)
        return attribution.freeze(order, Seen(device="d"), TERMS)

    try:
        assert transaction(freeze) is None
    finally:
        sa.event.remove(db.engine, *listen)
    assert asked == [] and not order.is_attributed
    assert attribution.of_order(order.id) is None


def test_a_click_counts_within_its_window_and_for_active_distributors_only() -> None:
    distributor = sellers.make()
    with time_machine.travel(clock.now(), tick=False) as now:
        click = clicked(distributor)
        now.shift(timedelta(days=30) - timedelta(seconds=1))
        assert order_with(Seen("", click.uid)).is_attributed
        change(distributor, state=DistributorState.SUSPENDED)
        assert not order_with(Seen("", click.uid)).is_attributed
        with pytest.raises(Refusal, match="推广码"):
            order_with(Seen(distributor.code))
        change(distributor, state=DistributorState.ACTIVE)
        now.shift(timedelta(seconds=1))
        assert not order_with(Seen("", click.uid)).is_attributed
        assert not order_with(Seen("", "nothing")).is_attributed
    with pytest.raises(Refusal, match="推广码"):
        order_with(Seen("NOBODY"))


def test_the_plan_of_the_moment_is_pinned() -> None:
    distributor = sellers.make()
    before = order_with(Seen(distributor.code))
    plan = Plan(version=1, state=PlanState.PUBLISHED, created_by="test", published_at=clock.now())
    draft = Plan(created_by="test")
    transaction(lambda: session.add_all([plan, draft]))

    after = order_with(Seen(distributor.code))

    assert (of(before).plan_id, of(after).plan_id) == (None, plan.id)
    assert attribution.why(of(before))[-1][0].startswith("下单时还没有公布佣金规则")


def test_what_is_frozen_stays_when_the_form_comes_again() -> None:
    first, second = sellers.make(), sellers.make()
    order = order_with(Seen(first.code))

    def freeze_again() -> None:
        session.refresh(order)
        attribution.freeze(order, Seen(second.code), TERMS)

    transaction(freeze_again)

    assert of(factories.fresh(order)).distributor_id == first.id


def test_who_buys_from_herself_earns_nothing() -> None:
    person = people.make(contact="13800009999")
    seller = sellers.make(person)
    code = Seen(seller.code)
    placed = {
        "same_person": order_with(code, person_id=person.id),
        "same_contact": order_with(code, phone="13800009999"),
        "same_device": order_with(replace(code, owners=("another", seller.uid))),
    }
    friend = order_with(replace(code, owners=("another",)))
    for reason, order in placed.items():
        assert of(order).earns_nothing_because == reason
        assert not earns(pay(order, payer=f"payer of {reason}"))
        assert attribution.why(of(order))[-1][0] == attribution.NOTHING_BECAUSE[reason]

    # What she paid her own with is hers; play money is everybody's.
    theirs = pay(order_with(code), payer="payer of same_contact")
    assert not earns(theirs)
    assert of(theirs).earns_nothing_because == "same_payer"
    assert earns(pay(friend, payer="somebody else"))
    own = pay(order_with(code, phone="13800009999"), payer="play money")
    assert not earns(own)
    assert earns(pay(order_with(code), payer="play money"))
    assert session.scalars(sa.select(ContactBinding)).all() == []


def test_a_binding_of_365_days_runs_out_and_makes_room() -> None:
    first, second = sellers.make(), sellers.make()
    phone = factories.contact()
    transaction(lambda: preferences.change({"bind_mode": "days365"}))
    terms = Terms(timedelta(days=30), "days365")
    with time_machine.travel(clock.now(), tick=False) as now:
        unpaid = order_with(Seen(first.code), terms, phone=phone)
        assert earns(unpaid)
        assert session.scalars(sa.select(ContactBinding)).all() == [], "only who paid is bound"
        pay(unpaid)
        assert earns(unpaid) and earns(unpaid)
        assert of(order_with(Seen(), terms, phone=phone)).distributor_id == first.id
        now.shift(timedelta(days=366))
        assert not order_with(Seen(), terms, phone=phone).is_attributed
        assert earns(pay(order_with(Seen(second.code), terms, phone=phone)))
        assert of(order_with(Seen(), terms, phone=phone)).distributor_id == second.id


def test_a_link_is_made_once_and_a_reload_is_no_other_click() -> None:
    seller, other = sellers.make(), sellers.make()
    product = factories.make_product()

    def link(distributor: Distributor, campaign: str = "") -> Any:
        return transaction(lambda: links.link_of(distributor, product, campaign))

    codes = {link(seller).code, link(other).code, link(seller, "群 一").code}
    assert len(codes) == 3
    assert link(seller).code in codes and link(seller, " 群  一 ").code in codes
    with pytest.raises(Refusal, match="最多"):
        link(seller, "长" * 21)

    opened, others = link(seller), link(other)
    with time_machine.travel(clock.now(), tick=False) as now:
        first = transaction(lambda: links.record(opened, CLICKED))
        again = transaction(lambda: links.record(opened, CLICKED, first.uid))
        elsewhere = transaction(lambda: links.record(others, CLICKED, first.uid))
        now.shift(timedelta(minutes=30))
        later = transaction(lambda: links.record(opened, CLICKED, first.uid))
    assert again.id == first.id
    assert len({first.id, elsewhere.id, later.id}) == 3
    assert [(one.clicks, one.orders) for one in links.reach_of([opened])] == [(2, 0)]
    order_with(Seen("", later.uid))
    assert [(one.clicks, one.orders) for one in links.reach_of([opened])] == [(2, 1)]


def test_staff_correct_it_until_its_commission_is_settled() -> None:
    wrong, right = sellers.make(), sellers.make()
    order = order_with(Seen(wrong.code, device="d1"))

    def correct(whose: Distributor | None, reason: str = "客服核实") -> None:
        transaction(lambda: correcting.correct(order.id, Correction(whose, reason)))

    with pytest.raises(Conflict, match="付款后"):
        correct(right)
    pay(order)
    with pytest.raises(Refusal, match="原因"):
        correct(right, " ")
    with pytest.raises(Refusal, match="现在就是"):
        correct(wrong)
    correct(right)
    found = of(order)
    assert (found.distributor_id, found.rule) == (right.id, AttributionRule.MANUAL)
    assert found.evidence["before"] == {"rule": "referral_code", "distributor_id": wrong.id}
    assert found.evidence["device"] == "d1"
    assert "更正了归属" in attribution.why(found)[0][0]
    correct(None)
    assert attribution.of_order(order.id) is None and not factories.fresh(order).is_attributed
    correct(right)
    assert earns(order)
    rung = sa.select(OutboxRow).where(OutboxRow.name.endswith("settle_commission"))
    assert {tuple(row.args) for row in session.scalars(rung)} == {(order.id,)}
    line = factories.queries.lines_of(order.id)[0]
    settling = Commission(
        order_id=order.id,
        order_line_id=line.id,
        distributor_id=right.id,
        level=1,
        state=CommissionState.SETTLING,
        trace=[],
        base=3000,
        amount=300,
    )
    transaction(lambda: session.add(settling))
    with pytest.raises(Conflict, match="进入结算"):
        correct(wrong)
