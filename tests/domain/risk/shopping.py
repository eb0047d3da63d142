"""Plain functions that buy as the shop's pages do, with risk being asked."""

from datetime import timedelta

import sqlalchemy as sa

from app.core.db import session, transaction
from app.domain.catalog.models import Product
from app.domain.orders import placing
from app.domain.orders.placing import Placed
from app.domain.risk import engine, live_rules, stopping
from app.domain.risk.models import Decision, RiskEvent, Rule, RuleMode
from app.domain.risk.proofs import Proof
from app.domain.risk.visits import Visit
from tests import factories

IP, NETWORK = "203.0.113.7", "203.0.113.0/24"


def order(
    product: Product,
    *,
    ip: str = IP,
    device: str = "one browser",
    look: str = "",
    proof: Proof | None = None,
    **values: object,
) -> Placed:
    """An order from the product's page; raises stopping.Stopped, whose decision is then kept."""
    network = ip.rpartition(".")[0] + ".0/24"
    visit = Visit(ip, network, device, look, proof)
    wanted = factories.purchase(product, ip=ip, network=network, visit=visit, **values)
    try:
        return transaction(lambda: placing.place(wanted, factories.terms()))
    except stopping.Stopped as stopped:
        decided = stopped.decided
        transaction(lambda: engine.keep(decided))
        raise


def switch_on(*slugs: str, **values: object) -> None:
    """These rules alone are on."""

    def switch() -> None:
        session.execute(sa.update(Rule).values(state=RuleMode.OFF))
        chosen = sa.update(Rule).where(Rule.slug.in_(slugs))
        session.execute(chosen.values(state=RuleMode.ON, **values))

    transaction(switch)
    live_rules.forget()


def latest() -> Decision:
    """The decision that was kept last."""
    session.rollback()
    found = session.scalars(sa.select(Decision).order_by(Decision.id.desc()).limit(1)).one()
    session.refresh(found)
    return found


def let_pass(minutes: int) -> None:
    """What happened was so much longer ago."""

    def age() -> None:
        for event in session.scalars(sa.select(RiskEvent)):
            event.at -= timedelta(minutes=minutes)

    transaction(age)
