"""What an order earns its distributors: one verb, `settle`, brings it in line with the order.

It may be asked for at any time and any number of times: under the order's lock it computes what
should be and posts the difference. So delivery, refunds and a correction of whose order it is may
come in any order and at once, and end in the same books.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.core import clock
from app.core.db import session
from app.core.outbox import later
from app.core.states import move
from app.domain.catalog import preferences
from app.domain.catalog.models import Product
from app.domain.channels import attribution, costs, rules, terms
from app.domain.channels.models import (
    Attribution,
    Commission,
    CommissionState,
    Distributor,
    DistributorState,
)
from app.domain.channels.rules import Context, Earner, Earning, Line, Resolution, RuleTerms
from app.domain.channels.terms import PlanTerms
from app.domain.ledger import service as ledger
from app.domain.orders import queries as orders
from app.domain.orders.models import Order, OrderLine
from app.domain.risk import decisions

# Earned and booked, and not to be had yet.
WAITING = (CommissionState.HOLDING, CommissionState.ON_HOLD)
# In a withdrawal, or out with one: what is taken back now makes the balance smaller, if need be
# below zero.
GOING_OUT = (CommissionState.SETTLING, CommissionState.PAID)
ENDED = (CommissionState.REVERSED, CommissionState.CLAWED_BACK)
# Why the shop itself put one on hold.
SUSPENDED = "suspended"
DOUBTED = "doubted"


@dataclass(frozen=True)
class _Sale:
    """A paid order with everybody who earns by it, all of them locked."""

    order: Order
    distributors: Mapping[int, Distributor]
    shop: preferences.Preferences


def settle(order_id: int) -> None:
    """Bring an order's commissions in line with what it is now: paid, delivered, refunded, hers."""
    order = orders.lock(order_id)
    if order.paid_at is None:
        return
    found = attribution.earns(order.id)
    if found is not None and found.plan_id is None:
        found = None
    sale, standing = _lock(order, found)
    if standing and _is_of_another(sale, standing, found):
        for one in standing:
            _hand_over(sale, one)
        standing = []
    lines = {line.id: line for line in orders.lines_of(order.id)}
    if found is not None and not standing:
        standing = _open(sale, found, lines.values())
    for one in standing:
        _bring_in_line(sale, one, lines[one.order_line_id])
    session.flush()


def pick(
    of_plan: Sequence[RuleTerms], campaign: str, at: datetime, earner: Earner, line: Line
) -> Resolution:
    """The rule for one level and line of an order that was paid at `at`."""
    return rules.resolve(
        of_plan,
        Context(
            level=earner.level,
            distributor_id=earner.distributor_id,
            tier_id=earner.tier_id,
            product_id=line.product_id,
            category_id=line.category_id,
            campaign=campaign,
            at=at,
        ),
    )


def account_of(state: CommissionState, distributor: Distributor) -> str:
    """Which account holds what a booked commission keeps."""
    kind = "commission_pending" if state in WAITING else "commission_payable"
    return f"{kind}:{distributor.uid}"


def move_money(
    one: Commission, order: Order, key: str, kind: str, lines: Mapping[str, int]
) -> None:
    """Book one step of a commission, if there is anything to book."""
    if any(lines.values()):
        ledger.post(
            f"commission:{one.id}:{key}",
            kind,
            "commissions",
            one.id,
            lines,
            currency=order.currency,
        )


# Whose it is


def _is_of_another(sale: _Sale, standing: Sequence[Commission], found: Attribution | None) -> bool:
    """Whether what stands was made for somebody else's order. Parents never change."""
    if found is None:
        return True
    first = sale.distributors[found.distributor_id]
    hers = {1: first.id, 2: first.parent_id}
    return any(one.distributor_id != hers[one.level] for one in standing)


def _lock(order: Order, found: Attribution | None) -> tuple[_Sale, list[Commission]]:
    """Everybody whose commission may change, and what stands of it: locked, in the order of ids.

    A withdrawal locks its distributor too, so what it takes is not changed under its hands; who
    places an order of hers needs no more than her key.
    """
    standing = (
        sa.select(Commission)
        .where(Commission.order_id == order.id, Commission.handed_over_at.is_(None))
        .order_by(Commission.id)
    )
    # Nobody adds to these while the order is locked.
    seen = session.scalars(standing).all()
    wanted: sa.ColumnElement[bool] = Distributor.id.in_({one.distributor_id for one in seen})
    if found is not None:
        hers = Distributor.id == found.distributor_id
        parent = sa.select(Distributor.parent_id).where(hers).scalar_subquery()
        wanted = sa.or_(wanted, hers, Distributor.id == parent)
    locked = session.scalars(
        sa.select(Distributor)
        .where(wanted)
        .order_by(Distributor.id)
        .with_for_update(of=Distributor, key_share=True)
        .execution_options(populate_existing=True)
    )
    sale = _Sale(order, {one.id: one for one in locked}, preferences.get())
    if not seen:
        return sale, []
    again = standing.with_for_update().execution_options(populate_existing=True)
    return sale, list(session.scalars(again))


# What it earns


def _open(sale: _Sale, found: Attribution, lines: Iterable[OrderLine]) -> list[Commission]:
    """A row for each line and level that earns, PENDING; computed once, by the plan it is under."""
    assert found.plan_id is not None
    assert sale.order.paid_at is not None
    plan, paid_at = terms.of_plan(found.plan_id), sale.order.paid_at
    earnings = rules.of_order(
        partial(pick, plan.rules, found.campaign, paid_at),
        _lines(lines, plan),
        _earners(sale, found, plan),
        _earned_this_month(sale, plan, paid_at),
        plan.pool_max_bp,
    )
    made = [_pending(sale.order, one) for one in earnings]
    session.add_all(made)
    session.flush()
    return made


def _earners(sale: _Sale, found: Attribution, plan: PlanTerms) -> list[Earner]:
    """She whose order it is; her parent too, if the plan pays two levels and the parent sells."""
    first = sale.distributors[found.distributor_id]
    earners = [Earner(1, first.id, first.tier_id)]
    parent = sale.distributors.get(first.parent_id or 0)
    if plan.max_depth > 1 and parent is not None and parent.state == DistributorState.ACTIVE:
        earners.append(Earner(2, parent.id, parent.tier_id))
    return earners


def _lines(lines: Iterable[OrderLine], plan: PlanTerms) -> list[Line]:
    ids = [line.id for line in lines]
    rows = session.execute(
        sa.select(
            OrderLine.id,
            OrderLine.product_id,
            Product.category_id,
            OrderLine.quantity,
            OrderLine.amount,
            costs.of_line() if plan.needs_cost else sa.null(),
        )
        .join(Product, Product.id == OrderLine.product_id)
        .where(OrderLine.id.in_(ids))
        .order_by(OrderLine.id)
    )
    return [Line(*row) for row in rows]


def _earned_this_month(
    sale: _Sale, plan: PlanTerms, paid_at: datetime
) -> dict[tuple[int, int], int]:
    """What rules with a monthly cap have given in the shop's month of the payment, less refunds."""
    capped = plan.capped_by_month
    if not capped:
        return {}
    first, last = month_of(paid_at, sale.shop.zone)
    rows = session.execute(
        sa.select(
            Commission.distributor_id,
            Commission.rule_id,
            sa.func.sum(Commission.amount - Commission.reversed),
        )
        .join(Order, Order.id == Commission.order_id)
        .where(
            Commission.distributor_id.in_(sale.distributors),
            Commission.rule_id.in_(capped),
            # None is older than its payment; by this an index finds the month's.
            Commission.created_at >= first,
            Order.paid_at >= first,
            Order.paid_at < last,
        )
        .group_by(Commission.distributor_id, Commission.rule_id)
    )
    return {(distributor_id, rule_id or 0): int(earned) for distributor_id, rule_id, earned in rows}


def month_of(at: datetime, zone: str) -> tuple[datetime, datetime]:
    """The first instant of the shop's month that `at` is in, and that of the next."""
    first = at.astimezone(ZoneInfo(zone)).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return first, (first + timedelta(days=32)).replace(day=1)


def _pending(order: Order, one: Earning) -> Commission:
    return Commission(
        order_id=order.id,
        order_line_id=one.line_id,
        distributor_id=one.earner.distributor_id,
        level=one.earner.level,
        state=CommissionState.PENDING,
        rule_id=one.rule.id,
        trace=one.trace(),
        base=one.sale.base,
        amount=one.amount,
        reversed=0,
    )


# What stands of it


def _bring_in_line(sale: _Sale, one: Commission, line: OrderLine) -> None:
    if one.state in ENDED:
        return
    _take_back(
        sale,
        one,
        rules.reversal(one.amount, one.base, line.refunded, one.reversed),
        is_all=line.refunded >= one.base,
    )
    if one.state == CommissionState.PENDING and line.delivered_at is not None:
        _earn(sale, one, line.delivered_at)
    elif one.state == CommissionState.HOLDING and _is_ripe(one):
        _ripen(sale, one)


def _take_back(sale: _Sale, one: Commission, amount: int, *, is_all: bool) -> None:
    """Post the contrary of what stands; of one that is not booked yet nothing stands."""
    one.reversed += amount
    if amount and one.state != CommissionState.PENDING:
        account = account_of(one.state, sale.distributors[one.distributor_id])
        move_money(
            one,
            sale.order,
            f"reversed:{one.reversed}",
            "commission_reversed",
            {account: amount, "commission": -amount},
        )
    if is_all:
        ending = CommissionState.REVERSED
        if one.state in GOING_OUT:
            ending = CommissionState.CLAWED_BACK
        move(one, ending)


def _earn(sale: _Sale, one: Commission, delivered_at: datetime) -> None:
    distributor = sale.distributors[one.distributor_id]
    one.earned_at = delivered_at
    one.eligible_at = delivered_at + timedelta(days=sale.shop.commission_holding_days)
    held_until = decisions.commission_held_until(one.order_id)
    if distributor.state != DistributorState.ACTIVE:
        move(one, CommissionState.ON_HOLD, SUSPENDED)
    elif held_until is not None and held_until > clock.now():
        move(one, CommissionState.ON_HOLD, DOUBTED)
        later(
            "app.domain.channels.jobs.end_commission_hold",
            one.id,
            key=f"commission:doubted:{one.id}",
            at=held_until,
        )
    elif _is_ripe(one):
        one.payable_at = clock.now()
        move(one, CommissionState.PAYABLE)
    else:
        move(one, CommissionState.HOLDING)
        later(
            "app.domain.channels.jobs.settle_commission",
            one.order_id,
            key=f"commission:ripe:{one.id}",
            at=one.eligible_at,
        )
    kept = one.amount - one.reversed
    account = account_of(one.state, distributor)
    move_money(one, sale.order, "earned", "commission_earned", {"commission": kept, account: -kept})


def _is_ripe(one: Commission) -> bool:
    return one.eligible_at is not None and one.eligible_at <= clock.now()


def _ripen(sale: _Sale, one: Commission) -> None:
    distributor = sale.distributors[one.distributor_id]
    if distributor.state != DistributorState.ACTIVE:
        move(one, CommissionState.ON_HOLD, SUSPENDED)
        return
    uid, kept = distributor.uid, one.amount - one.reversed
    one.payable_at = clock.now()
    move(one, CommissionState.PAYABLE)
    move_money(
        one,
        sale.order,
        "ripe",
        "commission_ripe",
        {f"commission_pending:{uid}": kept, f"commission_payable:{uid}": -kept},
    )


def _hand_over(sale: _Sale, one: Commission) -> None:
    """The order is somebody else's: all of it is taken back, and the row stays to tell."""
    if one.state not in ENDED:
        _take_back(sale, one, one.amount - one.reversed, is_all=True)
    one.handed_over_at = clock.now()
