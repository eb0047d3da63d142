"""A plan over the past: what each distributor would have earned by it, and what the shop keeps.

Everything that was delivered in a period is played through the plan in the order of its payments,
by the very rules that commission is posted with, with what was refunded since taken off. Tiers and
parents are those of today. The rows are read in a stream: memory follows the number of
distributors, not of orders.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.core import db
from app.core.db import session
from app.domain.catalog import preferences
from app.domain.catalog.models import Product
from app.domain.channels import commission, costs, plans, rules, terms
from app.domain.channels.models import Attribution, Commission, Distributor, DistributorState
from app.domain.channels.rules import Earner, Line, Resolution
from app.domain.channels.terms import PlanTerms
from app.domain.orders.models import Order, OrderLine

CHUNK = 2_000


@dataclass(frozen=True)
class Share:
    """One distributor: what she earned by the plans her orders were placed under, and `then`, what
    she would have earned by the one that is tried. Minor units."""

    uid: str
    name: str
    sales: int
    now: int
    then: int

    @property
    def difference(self) -> int:
        return self.then - self.now


@dataclass(frozen=True)
class Outcome:
    """What a plan would have meant. `sales` is net of refunds; `cost` as far as it is known, and
    for `cost_unknown` lines it is not."""

    shares: tuple[Share, ...]
    orders: int
    sales: int
    cost: int
    cost_unknown: int

    @property
    def now(self) -> int:
        return sum(one.now for one in self.shares)

    @property
    def then(self) -> int:
        return sum(one.then for one in self.shares)

    @property
    def margin_now(self) -> int:
        """What the shop kept after cost and commission."""
        return self.sales - self.cost - self.now

    @property
    def margin_then(self) -> int:
        return self.sales - self.cost - self.then

    @property
    def losers(self) -> int:
        """How many would have earned less."""
        return sum(one.then < one.now for one in self.shares)


class _Row(NamedTuple):
    """A delivered line with its order."""

    order_id: int
    paid_at: datetime
    distributor_id: int
    campaign: str
    line_id: int
    product_id: int
    category_id: int | None
    quantity: int
    amount: int
    refunded: int
    cost: int | None


class _Seller(NamedTuple):
    id: int
    uid: str
    name: str
    tier_id: int
    parent_id: int | None
    state: DistributorState


def run(plan_id: int, since: datetime, until: datetime) -> Outcome:
    """Play what was delivered from `since` until before `until` through a plan; raises NotFound.

    Changes nothing, and is no part of a unit.
    """
    db.see_one_moment()
    try:
        return _play(plan_id, since, until)
    finally:
        session.rollback()


def _play(plan_id: int, since: datetime, until: datetime) -> Outcome:
    plan = terms.of_plan(plans.find(plan_id).id)
    sellers = {one.id: one for one in _sellers()}
    tried = _Trial(plan, sellers, ZoneInfo(preferences.get().zone))
    earned = _earned(since, until)
    for _order_id, of_order in groupby(_rows(since, until), key=lambda row: row.order_id):
        tried.take(list(of_order))
    shares = [
        Share(one.uid, one.name, tried.sales[one.id], earned[one.id], tried.then[one.id])
        for one in sellers.values()
        if tried.sales[one.id] or earned[one.id] or tried.then[one.id]
    ]
    shares.sort(key=lambda one: (one.difference, one.name))
    return Outcome(tuple(shares), tried.orders, tried.sales.total(), tried.cost, tried.cost_unknown)


@dataclass
class _Trial:
    """A plan that orders are played through, one after the other."""

    plan: PlanTerms
    sellers: dict[int, _Seller]
    zone: ZoneInfo
    then: Counter[int] = field(default_factory=Counter)
    sales: Counter[int] = field(default_factory=Counter)
    orders: int = 0
    cost: int = 0
    cost_unknown: int = 0
    # By distributor and rule, of the month that is being played.
    of_month: Counter[tuple[int, int]] = field(default_factory=Counter)
    month: tuple[int, int] = (0, 0)
    known: dict[tuple[Any, ...], Resolution] = field(default_factory=dict)

    def __post_init__(self) -> None:
        ends = {at for rule in self.plan.rules for at in (rule.starts_at, rule.ends_at) if at}
        self.turns = sorted(ends)

    def take(self, rows: Sequence[_Row]) -> None:
        """One order, all its delivered lines."""
        first = rows[0]
        if self.plan.capped_by_month:
            self._turn_to_month(first.paid_at)
        earnings = rules.of_order(
            partial(self._pick, first.campaign, first.paid_at),
            [
                Line(
                    row.line_id, row.product_id, row.category_id, row.quantity, row.amount, row.cost
                )
                for row in rows
            ],
            self._earners(first.distributor_id),
            self.of_month,
            self.plan.pool_max_bp,
        )
        refunded = {row.line_id: row.refunded for row in rows}
        for one in earnings:
            back = rules.reversal(one.amount, one.sale.base, refunded[one.line_id], 0)
            kept = one.amount - back
            self.then[one.earner.distributor_id] += kept
            self.of_month[one.earner.distributor_id, one.rule.id] += kept
        self._count(rows)

    def _count(self, rows: Sequence[_Row]) -> None:
        self.orders += 1
        for row in rows:
            self.sales[row.distributor_id] += row.amount - row.refunded
            self.cost += row.cost or 0
            self.cost_unknown += row.cost is None

    def _turn_to_month(self, at: datetime) -> None:
        local = at.astimezone(self.zone)
        if (local.year, local.month) != self.month:
            self.month = (local.year, local.month)
            self.of_month.clear()

    def _earners(self, distributor_id: int) -> list[Earner]:
        first = self.sellers[distributor_id]
        earners = [Earner(1, first.id, first.tier_id)]
        parent = self.sellers.get(first.parent_id or 0)
        if self.plan.max_depth > 1 and parent and parent.state == DistributorState.ACTIVE:
            earners.append(Earner(2, parent.id, parent.tier_id))
        return earners

    def _pick(self, campaign: str, at: datetime, earner: Earner, line: Line) -> Resolution:
        """`commission.pick`, remembered for as long as no rule begins or ends."""
        span = bisect_right(self.turns, at)
        key = (span, earner, line.product_id, line.category_id, campaign)
        found = self.known.get(key)
        if found is None:
            found = commission.pick(self.plan.rules, campaign, at, earner, line)
            self.known[key] = found
        return found


def _sellers() -> Iterator[_Seller]:
    columns = (getattr(Distributor, name) for name in _Seller._fields)
    yield from (_Seller(*row) for row in session.execute(sa.select(*columns)))


def _rows(since: datetime, until: datetime) -> Iterator[_Row]:
    found = (
        sa.select(
            Order.id,
            Order.paid_at,
            Attribution.distributor_id,
            Attribution.campaign,
            OrderLine.id,
            OrderLine.product_id,
            Product.category_id,
            OrderLine.quantity,
            OrderLine.amount,
            OrderLine.refunded,
            costs.of_line(),
        )
        .select_from(OrderLine)
        .join(Order, Order.id == OrderLine.order_id)
        .join(Attribution, Attribution.order_id == Order.id)
        .join(Product, Product.id == OrderLine.product_id)
        .where(
            OrderLine.delivered_at >= since,
            OrderLine.delivered_at < until,
            Attribution.earns_nothing_because == "",
        )
        .order_by(Order.paid_at, Order.id, OrderLine.id)
        .execution_options(yield_per=CHUNK)
    )
    yield from map(_Row._make, session.execute(found))


def _earned(since: datetime, until: datetime) -> Counter[int]:
    """What each has really earned of what was delivered then."""
    rows = session.execute(
        sa.select(Commission.distributor_id, sa.func.sum(Commission.amount - Commission.reversed))
        .join(OrderLine, OrderLine.id == Commission.order_line_id)
        .where(OrderLine.delivered_at >= since, OrderLine.delivered_at < until)
        .group_by(Commission.distributor_id)
    )
    return Counter({distributor_id: int(amount) for distributor_id, amount in rows})
