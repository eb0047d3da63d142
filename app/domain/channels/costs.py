"""What order lines cost the shop, as far as it is known: for the margin that commission leaves."""

import sqlalchemy as sa

from app.core import db
from app.core.db import session
from app.domain.catalog.models import RECHARGED, Offer
from app.domain.orders.models import OrderLine
from app.domain.recharges.models import Attempt, AttemptState, Recharge
from app.domain.vault.models import Batch, BatchState, Code


def of_line() -> sa.ColumnElement[int | None]:
    """The cost of a selected OrderLine in minor units; NULL when nobody knows it.

    Codes cost what their batches say, one that was voided and replaced included. What a provider
    delivers costs what it took; until it has, what the offer that is asked first would.
    """
    benefit = sa.func.coalesce(_recharged(), _offered())
    # A recharge has no codes, which is not the same as codes of which nobody knows the cost.
    both = sa.func.coalesce(_codes(), 0) + benefit
    return sa.case((OrderLine.kind.in_(RECHARGED), both), else_=_codes())


def of_products() -> dict[int, int]:
    """What one of each product costs the shop now, in minor units, as far as it is known: the
    dearest batch that sells, or the offer that is asked first."""
    batches = (
        sa.select(Batch.product_id, sa.func.max(Batch.unit_cost))
        .where(Batch.state == BatchState.OPEN, Batch.unit_cost > 0)
        .group_by(Batch.product_id)
    )
    known = {product_id: int(cost) for product_id, cost in session.execute(batches)}
    offers = (
        sa.select(Offer.product_id, Offer.cost)
        .where(Offer.is_on)
        # The last one read of each product stays.
        .order_by(Offer.priority.desc(), Offer.cost.desc(), Offer.id.desc())
    )
    return known | {product_id: int(cost) for product_id, cost in session.execute(offers)}


def _codes() -> sa.ScalarSelect[int | None]:
    return (
        # PostgreSQL sums big integers to a decimal.
        sa.select(sa.cast(sa.func.sum(Batch.unit_cost), db.BigInt))
        .join(Code, Code.batch_id == Batch.id)
        .where(Code.order_line_id == OrderLine.id)
        .correlate(OrderLine)
        .scalar_subquery()
    )


def _recharged() -> sa.ScalarSelect[int]:
    return (
        sa.select(sa.func.coalesce(Attempt.cost, Attempt.expected_cost))
        .join(Recharge, Recharge.id == Attempt.recharge_id)
        .where(Recharge.order_line_id == OrderLine.id, Attempt.state == AttemptState.DELIVERED)
        .limit(1)
        .correlate(OrderLine)
        .scalar_subquery()
    )


def _offered() -> sa.ScalarSelect[int]:
    return (
        sa.select(Offer.cost * OrderLine.quantity)
        .where(Offer.product_id == OrderLine.product_id, Offer.is_on)
        .order_by(Offer.priority, Offer.cost, Offer.id)
        .limit(1)
        .correlate(OrderLine)
        .scalar_subquery()
    )
