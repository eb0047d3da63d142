"""Plain functions that make distributors, plans, and orders that are theirs."""

import itertools

import sqlalchemy as sa

from app.core import clock, ids
from app.core.db import session, transaction
from app.domain.catalog.models import Product
from app.domain.channels.models import (
    Attribution,
    AttributionRule,
    Commission,
    Distributor,
    DistributorState,
    Plan,
    PlanState,
    Rule,
    Tier,
)
from app.domain.ledger.models import LedgerAccount, LedgerBalance
from app.domain.orders.models import Order
from app.domain.orders.placing import Placed
from tests import factories, people

_numbers = itertools.count(1)


def distributor_row(**values: object) -> Distributor:
    """An active distributor of the lowest tier, written as a row."""
    person_id = people.make().id

    def make() -> Distributor:
        made = Distributor(
            **{
                "uid": ids.token(),
                "code": f"ROW{next(_numbers):04d}",
                "person_id": person_id,
                "tier_id": _lowest_tier().id,
                "state": DistributorState.ACTIVE,
                "name": "阿岚",
            }
            | values
        )
        session.add(made)
        session.flush()
        return made

    return transaction(make)


def _lowest_tier() -> Tier:
    tier = session.scalar(sa.select(Tier).where(Tier.threshold == 0))
    if tier is None:
        tier = Tier(name="普通", threshold=0)
        session.add(tier)
        session.flush()
    return tier


def published_plan(*rules: dict[str, object], **values: object) -> Plan:
    """The published plan, with these rules; another that is published is retired."""

    def make() -> Plan:
        for before in session.scalars(sa.select(Plan).where(Plan.state == PlanState.PUBLISHED)):
            before.state = PlanState.RETIRED
        made = Plan(created_by="test", depth_accepted_by="test", **values)
        session.add(made)
        session.flush()
        session.add_all(Rule(plan_id=made.id, **rule) for rule in rules)
        session.flush()
        count = session.scalar(sa.select(sa.func.count(Plan.id))) or 0
        made.version, made.published_at, made.state = count, clock.now(), PlanState.PUBLISHED
        return made

    return transaction(make)


def attribute(order: Order, distributor: Distributor, plan: Plan, **values: object) -> None:
    """Write down that the order is hers, under this plan."""
    order_id, distributor_id, plan_id = order.id, distributor.id, plan.id

    def make() -> None:
        session.add(
            Attribution(
                **{
                    "order_id": order_id,
                    "distributor_id": distributor_id,
                    "plan_id": plan_id,
                    "rule": AttributionRule.CLICK,
                    "evidence": {},
                }
                | values
            )
        )
        session.get_one(Order, order_id).is_attributed = True

    transaction(make)


def place(product: Product, distributor: Distributor, plan: Plan, **values: object) -> Placed:
    """An unpaid order of hers."""
    placed = factories.place(product, **values)
    attribute(placed.order, distributor, plan)
    return placed


def sell(product: Product, distributor: Distributor, plan: Plan, **values: object) -> Order:
    """A paid and delivered order of hers, its commission settled."""
    placed = place(product, distributor, plan, **values)
    assert placed.payment is not None
    factories.settle(placed.payment)
    factories.work()
    return factories.fresh(placed.order)


def commissions(order: Order) -> list[Commission]:
    """By level, those of an earlier distributor first."""
    session.rollback()
    session.expire_all()
    found = sa.select(Commission).where(Commission.order_id == order.id)
    return list(session.scalars(found.order_by(Commission.level, Commission.id)))


def balance(code: str) -> int:
    """What an account holds; a credit, which is what a shop owes, is positive."""
    session.rollback()
    found = session.scalar(
        sa.select(LedgerBalance.balance)
        .join(LedgerAccount, LedgerAccount.id == LedgerBalance.account_id)
        .where(LedgerAccount.code == code)
    )
    return -int(found or 0)


def owed(distributor: Distributor) -> tuple[int, int]:
    """What she has waiting, and what she can withdraw."""
    uid = distributor.uid
    return balance(f"commission_pending:{uid}"), balance(f"commission_payable:{uid}")
