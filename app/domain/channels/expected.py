"""What a distributor would earn on a product if it sold now: told beside what she may share."""

from collections.abc import Iterable

from app.core import clock
from app.domain.catalog.models import Product
from app.domain.channels import attribution, commission, costs, rules, terms
from app.domain.channels.models import Distributor
from app.domain.channels.rules import Earner, Line, Sale


def on_one_of_each(seller: Distributor, products: Iterable[Product]) -> dict[int, int]:
    """By product, what she earns on one at the list price, in minor units; without those on which
    she earns nothing.

    A month's cap is left out: how much of it is used by then nobody knows.
    """
    plan_id, now = attribution.plan_at(clock.now()), clock.now()
    if plan_id is None:
        return {}
    plan = terms.of_plan(plan_id)
    cost = costs.of_products() if plan.needs_cost else {}
    earner = Earner(1, seller.id, seller.tier_id)
    found = {}
    for product in products:
        line = Line(0, product.id, product.category_id, 1, product.price, cost.get(product.id))
        rule = commission.pick(plan.rules, "", now, earner, line).rule
        sale = Sale(line.base, line.quantity, line.cost, pool_max_bp=plan.pool_max_bp)
        if rule is not None and (amount := rules.amount(rule, sale)[0]):
            found[product.id] = amount
    return found
