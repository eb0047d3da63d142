"""Plain functions that make distributors, plans, and orders that are theirs."""

import sqlalchemy as sa

from app.core import clock
from app.core.db import session, transaction
from app.domain.catalog.models import Product
from app.domain.channels import plans
from app.domain.channels.models import (
    Attribution,
    AttributionRule,
    Commission,
    Distributor,
    Plan,
)
from app.domain.channels.plans import PlanFields, RuleFields
from app.domain.ledger.models import LedgerAccount, LedgerBalance
from app.domain.orders.models import Order
from app.domain.orders.placing import Placed
from tests import factories


def draft(*rules: dict[str, object], **values: object) -> Plan:
    """A draft with these rules alone."""

    def make() -> Plan:
        made = Plan(created_by="test")
        session.add(made)
        session.flush()
        if values.get("max_depth") == 2:
            plans.accept_two_levels(made.id)
        plans.change(made.id, PlanFields("", int(str(values.get("pool_max_bp", 3000)))))
        for rule in rules:
            plans.add_rule(made.id, RuleFields(**rule))  # type: ignore[arg-type]
        return made

    return transaction(make)


def published_plan(*rules: dict[str, object], **values: object) -> Plan:
    """The published plan, with these rules alone; another that is published is retired."""
    made = draft(*rules, **values)
    transaction(lambda: plans.publish(made.id))
    return made


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
                    "rule": AttributionRule.REFERRAL_CODE,
                    "evidence": {"code": "LAN", "at": clock.now().isoformat()},
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
