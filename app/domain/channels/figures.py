"""What a distributor asks of her own money: how much, since when, what for, and from when on.

The portal's first page asks these every few seconds. None of them reads what is long settled: they
stay as fast with a hundred thousand commissions behind them as with ten.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import defer, joinedload

from app.core import clock
from app.core.db import session
from app.core.errors import N_, NotFound
from app.domain.channels import tiers
from app.domain.channels.models import (
    Commission,
    CommissionState,
    Distributor,
    DistributorState,
    Plan,
    PlanState,
    Tier,
)
from app.domain.ledger.models import (
    LedgerAccount,
    LedgerBalance,
    LedgerEntry,
    LedgerTransaction,
)
from app.domain.orders.models import Order, OrderLine

# So many days of the calendar stand alone; what becomes payable after them is one sum.
CALENDAR_DAYS = 15
SUBJECT = "commissions"
KEPT = Commission.amount - Commission.reversed
CONFIRMED = (DistributorState.ACTIVE, DistributorState.SUSPENDED)

_BY_DAY = sa.case(
    *(
        (
            sa.and_(
                Commission.state == CommissionState.HOLDING,
                Commission.eligible_at < sa.bindparam(f"end_{number}"),
            ),
            number,
        )
        for number in range(CALENDAR_DAYS)
    ),
    else_=CALENDAR_DAYS,
).label("by_day")
# Made once: it is long, and the page asks it every few seconds.
_WAITING = (
    sa.select(Commission.state, _BY_DAY, sa.func.count(), sa.func.sum(KEPT))
    .where(
        Commission.distributor_id == sa.bindparam("distributor"),
        Commission.state.in_(
            (CommissionState.PENDING, CommissionState.HOLDING, CommissionState.ON_HOLD)
        ),
    )
    .group_by(Commission.state, "by_day")
    .order_by("by_day")
)


@dataclass(frozen=True)
class Sum:
    """So many commissions, and what they come to after refunds, in minor units."""

    count: int = 0
    amount: int = 0


@dataclass(frozen=True)
class Due:
    """What becomes payable on one day of the shop's; `day` is None for all that is later."""

    day: date | None
    sum: Sum


@dataclass(frozen=True)
class Waiting:
    """What she cannot withdraw yet: not delivered, held back by the shop, and the calendar."""

    undelivered: Sum
    on_hold: Sum
    calendar: Sequence[Due]

    @property
    def holding(self) -> Sum:
        return Sum(
            sum(due.sum.count for due in self.calendar),
            sum(due.sum.amount for due in self.calendar),
        )

    @property
    def is_some(self) -> bool:
        return bool(self.undelivered.count or self.on_hold.count or self.calendar)


@dataclass(frozen=True)
class Posting:
    """One event in the books as it concerns her: what it added to what is waiting and to what she
    can withdraw, in minor units."""

    at: datetime
    kind: str
    pending: int
    payable: int


@dataclass(frozen=True)
class Progress:
    """How far it is to the next tier; without one she is in the highest."""

    sales: int
    next: Tier | None

    @property
    def missing(self) -> int:
        return max(self.next.threshold - self.sales, 0) if self.next else 0


def distributor_of(person_id: int) -> Distributor | None:
    """The distributor that a person is, in whatever state."""
    return session.scalars(
        sa.select(Distributor)
        .where(Distributor.person_id == person_id)
        .execution_options(populate_existing=True)
    ).one_or_none()


def is_confirmed(person_id: int) -> bool:
    """Whether somebody sells, or has sold: she has a portal."""
    wanted = sa.select(Distributor.id).where(
        Distributor.person_id == person_id, Distributor.state.in_(CONFIRMED)
    )
    return session.scalar(wanted) is not None


def earned_since(distributor_id: int, at: datetime) -> Sum:
    """What was delivered from then on, less what has been refunded of it."""
    count, amount = session.execute(
        sa.select(sa.func.count(), sa.func.sum(KEPT)).where(
            Commission.distributor_id == distributor_id, Commission.earned_at >= at
        )
    ).one()
    return Sum(count, int(amount or 0))


def payable(distributor: Distributor) -> int:
    """What she can withdraw, as the books have it; a claw-back can bring it below zero."""
    found = session.scalar(
        sa.select(LedgerBalance.balance)
        .join(LedgerAccount, LedgerAccount.id == LedgerBalance.account_id)
        .where(LedgerAccount.code == _payable(distributor), LedgerAccount.currency == "CNY")
    )
    # To the shop it is a debt: a credit, which the books write below zero.
    return -int(found or 0)


def waiting(distributor_id: int, now: datetime, zone: str) -> Waiting:
    """What is on its way to her, by the shop's day on which it becomes payable."""
    first = now.astimezone(ZoneInfo(zone)).date()
    days = [first + timedelta(days=number) for number in range(CALENDAR_DAYS)]
    ends = {f"end_{n}": midnight(day + timedelta(days=1), zone) for n, day in enumerate(days)}
    rows = session.execute(_WAITING, {"distributor": distributor_id} | ends).all()
    sums = {(state, number): Sum(count, int(amount)) for state, number, count, amount in rows}
    return Waiting(
        undelivered=sums.get((CommissionState.PENDING, CALENDAR_DAYS), Sum()),
        on_hold=sums.get((CommissionState.ON_HOLD, CALENDAR_DAYS), Sum()),
        calendar=[
            Due(days[number] if number < CALENDAR_DAYS else None, found)
            for (state, number), found in sums.items()
            if state == CommissionState.HOLDING
        ],
    )


def commissions(distributor_id: int) -> sa.Select[Commission, str, str]:
    """Hers, each with the order's number and the product's name."""
    return (
        sa.select(Commission, Order.number, OrderLine.product_name)
        .join(Order, Order.id == Commission.order_id)
        .join(OrderLine, OrderLine.id == Commission.order_line_id)
        .where(Commission.distributor_id == distributor_id)
        .options(defer(Commission.trace))
    )


def newest(distributor_id: int, most: int) -> Sequence[Any]:
    """What earned something last: (Commission, order number, product name) each."""
    return session.execute(
        commissions(distributor_id)
        .where(Commission.earned_at.is_not(None))
        .order_by(Commission.earned_at.desc(), Commission.id.desc())
        .limit(most)
    ).all()


def find(distributor_id: int, commission_id: int) -> Commission:
    """One of hers with its order and line; raises NotFound for anybody else's."""
    found = session.scalars(
        sa.select(Commission)
        .where(Commission.id == commission_id, Commission.distributor_id == distributor_id)
        .options(
            joinedload(Commission.order),
            joinedload(Commission.order_line).joinedload(OrderLine.product),
        )
        .execution_options(populate_existing=True)
    ).one_or_none()
    if found is None:
        raise NotFound(N_("没有找到这笔收益"))
    return found


def postings(commission_id: int, distributor: Distributor) -> list[Posting]:
    """What the books say of one commission on her two accounts, in the order it was booked."""
    to_payable = LedgerAccount.code == _payable(distributor)
    rows = session.execute(
        sa.select(
            LedgerTransaction.posted_at,
            LedgerTransaction.kind,
            sa.func.sum(sa.case((to_payable, 0), else_=-LedgerEntry.amount)),
            sa.func.sum(sa.case((to_payable, -LedgerEntry.amount), else_=0)),
        )
        .join(LedgerEntry, LedgerEntry.transaction_id == LedgerTransaction.id)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(
            LedgerTransaction.subject == SUBJECT,
            LedgerTransaction.subject_id == commission_id,
            LedgerAccount.code.in_((_payable(distributor), _pending(distributor))),
        )
        .group_by(LedgerTransaction.id, LedgerTransaction.posted_at, LedgerTransaction.kind)
        .order_by(LedgerTransaction.id)
    )
    return [Posting(at, kind, int(pending), int(paid)) for at, kind, pending, paid in rows]


def team(distributor_id: int) -> sa.Select[Distributor]:
    """Who joined under her and was approved."""
    return sa.select(Distributor).where(
        Distributor.parent_id == distributor_id, Distributor.state.in_(CONFIRMED)
    )


def progress(distributor: Distributor, now: datetime) -> Progress:
    """Where she stands on the way to the next tier."""
    sales = tiers.net_sales(now - tiers.WINDOW, [distributor.id]).get(distributor.id, 0)
    above = session.scalars(
        sa.select(Tier)
        .where(Tier.threshold > distributor.tier.threshold)
        .order_by(Tier.threshold)
        .limit(1)
    ).one_or_none()
    return Progress(sales, above)


def pays_two_levels() -> bool:
    """Whether the published plan gives something for what those under her sell."""
    depth = session.scalar(sa.select(Plan.max_depth).where(Plan.state == PlanState.PUBLISHED))
    return (depth or 1) > 1


def midnight(day: date, zone: str) -> datetime:
    """When the shop's day begins."""
    return datetime.combine(day, time(), ZoneInfo(zone))


def today(zone: str) -> datetime:
    """When the shop's present day began."""
    return midnight(clock.today(zone), zone)


def _payable(distributor: Distributor) -> str:
    return f"commission_payable:{distributor.uid}"


def _pending(distributor: Distributor) -> str:
    return f"commission_pending:{distributor.uid}"
