"""Plans: drafts are edited and tried out, one is published, and what is published stays."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError

from app.core import clock
from app.core.actors import acting_as
from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.core.errors import Conflict, NotFound, Refusal
from app.domain.catalog import service as catalog
from app.domain.channels import plans, simulating
from app.domain.channels.models import Plan, PlanState, Rule
from app.domain.channels.plans import PlanFields, RuleFields
from app.domain.orders import refunding
from tests import channels, factories, sellers
from tests.fake_channel import ObedientChannel

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TEN_PERCENT = RuleFields(percent_bp=1000)
DECEMBER = datetime(2026, 12, 1, tzinfo=UTC)


def test_a_draft_is_published_and_another_made_from_it(app: Flask) -> None:
    first = transaction(plans.make_draft)
    with pytest.raises(Conflict, match="还没有规则"):
        transaction(lambda: plans.publish(first.id))
    transaction(lambda: plans.add_rule(first.id, TEN_PERCENT))
    transaction(lambda: plans.change(first.id, PlanFields(" 开业方案 ", 2000)))
    transaction(lambda: plans.publish(first.id))

    second = transaction(plans.make_draft)
    found = plans.find(second.id)
    assert [plans.fields_of(rule) for rule in found.rules] == [TEN_PERCENT]
    assert (found.pool_max_bp, found.version) == (2000, None)
    transaction(lambda: plans.publish(second.id))
    assert [(one.version, one.state) for one in map(plans.find, (first.id, second.id))] == [
        (1, PlanState.RETIRED),
        (2, PlanState.PUBLISHED),
    ]
    published = plans.find_published()
    assert published is not None and published.id == second.id
    session.rollback()
    publishing = sa.select(AuditEntry).where(AuditEntry.action == "plan.publish")
    told = session.scalars(publishing.order_by(AuditEntry.id)).all()
    assert [entry.detail for entry in told] == [
        {"version": 1, "retired": None},
        {"version": 2, "retired": 1},
    ]


def test_rules_of_a_published_plan_never_change(app: Flask) -> None:
    plan = channels.published_plan({"percent_bp": 1000})
    plan_id, rule_id = plan.id, plans.find(plan.id).rules[0].id
    for verb in (
        lambda: plans.add_rule(plan_id, TEN_PERCENT),
        lambda: plans.change_rule(plan_id, rule_id, TEN_PERCENT),
        lambda: plans.remove_rule(plan_id, rule_id),
        lambda: plans.change(plan_id, PlanFields("", 1)),
        lambda: plans.accept_two_levels(plan_id),
        lambda: plans.discard(plan_id),
        lambda: plans.publish(plan_id),
    ):
        with pytest.raises(Conflict, match="已发布的方案不能再改"):
            transaction(verb)
    # Nor does the database let anybody past the verbs.
    of_it = Rule.plan_id == plan_id
    draft = transaction(plans.make_draft)
    for statement in (
        sa.update(Rule).where(of_it).values(percent_bp=9000),
        sa.update(Rule).where(of_it).values(plan_id=draft.id),
        sa.update(Rule).where(Rule.plan_id == draft.id).values(plan_id=plan_id),
        sa.delete(Rule).where(of_it),
        sa.insert(Rule).values(plan_id=plan_id, level=1, campaign="", percent_bp=1, per_unit=0),
    ):
        with pytest.raises(DBAPIError, match="never change"):
            transaction(lambda statement=statement: session.execute(statement))  # type: ignore[misc]


@on_sqlite
def test_two_levels_are_accepted_by_somebody_and_there_is_no_third(app: Flask) -> None:
    draft = channels.draft({"percent_bp": 1000})
    above = RuleFields(level=2, percent_bp=200)
    with pytest.raises(Refusal, match="先开启二级"):
        transaction(lambda: plans.add_rule(draft.id, above))
    with acting_as("person:7"):
        transaction(lambda: plans.accept_two_levels(draft.id))
    found = plans.find(draft.id)
    assert (found.max_depth, found.depth_accepted_by) == (2, "person:7")
    assert found.depth_accepted_at is not None and "禁止传销条例" in found.depth_accepted_text
    rule = transaction(lambda: plans.add_rule(draft.id, above))
    with pytest.raises(Refusal):
        transaction(lambda: plans.add_rule(draft.id, RuleFields(level=3, percent_bp=100)))
    with pytest.raises(Conflict, match="先删除二级的规则"):
        transaction(lambda: plans.use_one_level(draft.id))

    transaction(lambda: setattr(session.get_one(Plan, draft.id), "depth_accepted_text", "旧的"))
    with pytest.raises(Conflict, match="重新阅读"):
        transaction(lambda: plans.publish(draft.id))
    transaction(lambda: plans.remove_rule(draft.id, rule.id))
    transaction(lambda: plans.use_one_level(draft.id))
    assert plans.find(draft.id).depth_accepted_by == ""


@on_sqlite
def test_what_a_rule_may_not_be(app: Flask) -> None:
    draft = channels.draft({"percent_bp": 1000}, {"percent_bp": 500, "level": 2}, max_depth=2)
    product = factories.make_product()
    category = transaction(lambda: catalog.create_category("礼品卡"))
    seller = sellers.make()
    names = {"product_id": product.id, "percent_bp": 1000}
    transaction(lambda: plans.add_rule(draft.id, RuleFields(**names, ends_at=DECEMBER)))  # type: ignore[arg-type]
    transaction(lambda: plans.add_rule(draft.id, RuleFields(**names, starts_at=DECEMBER)))  # type: ignore[arg-type]
    transaction(lambda: plans.add_rule(draft.id, RuleFields(**names, distributor_id=seller.id)))  # type: ignore[arg-type]
    for fields, field in (
        (RuleFields(), "scope"),
        (RuleFields(product_id=product.id, category_id=category.id), "scope"),
        (RuleFields(campaign="双11"), "scope"),
        (RuleFields(**names), "scope"),  # type: ignore[arg-type]
        (RuleFields(product_id=999), "product_id"),
        (RuleFields(tier_id=seller.tier_id, campaign="双" * 61), "campaign"),
        (RuleFields(tier_id=seller.tier_id, percent_bp=10_001), "percent"),
        (RuleFields(tier_id=seller.tier_id, min_margin_bp=-1), "min_margin"),
        (RuleFields(tier_id=seller.tier_id, cap_per_order=-1), "cap_per_order"),
        (
            RuleFields(tier_id=seller.tier_id, starts_at=DECEMBER, ends_at=DECEMBER),
            "ends_on",
        ),
    ):
        with pytest.raises(Refusal) as refused:
            transaction(lambda fields=fields: plans.add_rule(draft.id, fields))  # type: ignore[misc]
        assert refused.value.field == field, fields
    for wanted, field in ((PlanFields("长" * 61, 0), "note"), (PlanFields("", 10_001), "pool_max")):
        with pytest.raises(Refusal) as refused:
            transaction(lambda wanted=wanted: plans.change(draft.id, wanted))  # type: ignore[misc]
        assert refused.value.field == field
    with pytest.raises(NotFound):
        transaction(lambda: plans.remove_rule(draft.id, 999))

    rule = plans.find(draft.id).rules[0]
    transaction(lambda: plans.change_rule(draft.id, rule.id, RuleFields(percent_bp=800)))
    session.rollback()
    told = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "plan.change_rule"))
    assert told.one().detail == {"rule": rule.id, "percent_bp": [1000, 800]}
    transaction(lambda: plans.discard(draft.id))
    with pytest.raises(NotFound):
        plans.find(draft.id)


@pytest.mark.usefixtures("audited")
def test_a_plan_is_played_over_what_was_sold(app: Flask, channel: ObedientChannel) -> None:
    """The plan that was in force, played again, gives what was really earned."""
    begin = clock.now()
    parent = sellers.make(name="上级")
    seller = sellers.make(name="卖家", parent_id=parent.id)
    product, other = factories.make_product(codes=9), factories.make_product(price=999, codes=9)
    rules: list[dict[str, object]] = [
        {"percent_bp": 1000, "cap_per_month": 500},
        {"product_id": other.id, "per_unit": 55, "min_margin_bp": 9000},
        {"level": 2, "percent_bp": 333},
    ]
    plan = channels.published_plan(*rules, max_depth=2)
    orders = [channels.sell(product, seller, plan) for _ in range(2)]
    orders.append(channels.sell(other, seller, plan, quantity=2))
    line_id = orders[2].lines[0].id
    transaction(lambda: refunding.request_refund(orders[2].id, line_id, 1234, "坏卡"))
    factories.work()
    mine = channels.place(product, seller, plan)
    channels.attribute(factories.place(product).order, seller, plan)
    assert mine.payment is not None

    same = simulating.run(plan.id, begin, clock.now())
    assert {one.name: (one.now, one.then) for one in same.shares} == {
        "卖家": (channels.owed(seller)[1],) * 2,
        "上级": (channels.owed(parent)[1],) * 2,
    }
    assert (same.orders, same.sales, same.losers) == (3, 3000 * 2 + 999 * 2 - 1234, 0)
    assert same.margin_now == same.margin_then == same.sales - same.now

    draft = channels.draft({"percent_bp": 100})
    tried = simulating.run(draft.id, begin, clock.now())
    assert [(one.name, one.then) for one in tried.shares] == [("卖家", 30 + 30 + 8), ("上级", 0)]
    assert tried.losers == 2
    assert tried.margin_then - tried.margin_now == tried.now - tried.then > 0
    nothing = simulating.run(draft.id, begin - timedelta(days=2), begin)
    assert (nothing.shares, nothing.orders, nothing.sales) == ((), 0, 0)
