"""Tiers: what they are, and who is in which, by what was sold and never by who was brought."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.core import audit, clock, db
from app.core.db import require_transaction, session
from app.core.errors import N_, Refusal
from app.core.outbox import OutboxRow, later
from app.domain.catalog import preferences
from app.domain.channels import queries
from app.domain.channels.models import (
    Attribution,
    Distributor,
    DistributorState,
    Tier,
)
from app.domain.orders.models import OrderLine

NAME_LENGTH = 20
DEFAULT_NAME = "普通"
MOST_DISCOUNT_BP = 9_000
MOST_THRESHOLD = 10**12
WINDOW = timedelta(days=90)
# A little after midnight: the day that is looked back upon is over.
AT_NIGHT = time(0, 10)
WATCH_KEY = "tiers"


@dataclass(frozen=True)
class TierFields:
    """What staff decide about a tier: `threshold` in minor units of net attributed sales in the
    last 90 days, `discount_bp` off the price when buying from balance, in basis points."""

    name: str
    threshold: int
    discount_bp: int = 0


def ensure_default() -> Tier:
    """The tier that everybody begins in, with threshold 0; made if it is not there."""
    require_transaction()
    found = _default()
    if found is None:
        db.insert_once(
            Tier,
            "threshold",
            name=_free_name(),
            threshold=0,
            discount_bp=0,
            created_at=clock.now(),
        )
        found = _default()
    assert found is not None
    return found


def create(fields: TierFields) -> Tier:
    """A tier more; raises Refusal for the first field that is not good."""
    ensure_default()
    _check(fields)
    tier = Tier(**asdict(_stripped(fields)))
    session.add(tier)
    session.flush()
    audit.record("tier.create", "tiers", tier.id, **asdict(fields))
    return tier


def change(tier_id: int, fields: TierFields) -> None:
    """Another name, threshold or discount: who is in it changes at the next evaluation.

    The default tier keeps its threshold of 0. Raises Refusal.
    """
    require_transaction()
    tier = queries.lock_tier(tier_id)
    if tier.threshold == 0 and fields.threshold != 0:
        raise Refusal(N_("默认等级的门槛只能是 0，人人都从它开始"), field="threshold")
    _check(fields, but=tier_id)
    wanted = asdict(_stripped(fields))
    changed: dict[str, Any] = {
        name: [getattr(tier, name), value]
        for name, value in wanted.items()
        if getattr(tier, name) != value
    }
    for name in changed:
        setattr(tier, name, wanted[name])
    if changed:
        audit.record("tier.change", "tiers", tier.id, **changed)
    session.flush()


def net_sales(since: datetime, distributor_ids: Sequence[int] | None = None) -> dict[int, int]:
    """What each sold and was delivered from `since` on, less what was refunded of it, in fen.

    An order that earns its distributor nothing (her own purchase, say) lifts her nowhere either:
    else a tier could be bought, which would be the entry fee that the law forbids. With
    `distributor_ids` of those alone; who sold nothing is left out.
    """
    found = (
        sa.select(Attribution.distributor_id, sa.func.sum(OrderLine.amount - OrderLine.refunded))
        .join(OrderLine, OrderLine.order_id == Attribution.order_id)
        .where(OrderLine.delivered_at >= since, Attribution.earns_nothing_because == "")
        .group_by(Attribution.distributor_id)
    )
    if distributor_ids is not None:
        found = found.where(Attribution.distributor_id.in_(distributor_ids))
    return {distributor_id: int(amount) for distributor_id, amount in session.execute(found)}


def reached(tiers: Sequence[Tier], sales: int) -> Tier:
    """The highest of the tiers, ordered by threshold, that these sales reach."""
    return [tier for tier in tiers if tier.threshold <= max(sales, 0)][-1]


def evaluate(now: datetime, *, is_new_month: bool) -> None:
    """Look at everybody who sells: a tier up at once, a tier down with a new month.

    Who sells less than her tier asks for is marked with the tier she falls to, and falls with the
    first evaluation of the next month if she has not caught up. Whoever has sold for less than
    the whole window keeps the tier she was given when she joined.
    """
    ladder = queries.list_tiers()
    if not ladder:
        return
    sales = net_sales(now - WINDOW)
    rows = session.execute(
        sa.select(Distributor.id, Distributor.tier_id, Distributor.lower_tier_id)
        .where(Distributor.state == DistributorState.ACTIVE)
        .order_by(Distributor.id)
    ).all()
    for distributor_id, tier_id, lower_tier_id in rows:
        sold = sales.get(distributor_id, 0)
        if (tier_id, lower_tier_id) != (reached(ladder, sold).id, None):
            _settle(queries.lock(distributor_id), ladder, sold, now, is_new_month=is_new_month)
    session.flush()


def watch() -> None:
    """Let the tiers be looked at every night from now on; asking again is harmless."""
    later(
        "app.domain.channels.jobs.evaluate_tiers",
        key=WATCH_KEY,
        at=next_night(clock.now(), preferences.get().zone),
    )


def nightly() -> datetime:
    """The work of one night; when the next one is."""
    now, zone = clock.now(), preferences.get().zone
    evaluate(now, is_new_month=is_new_month(_due_at() or now, now, zone))
    return next_night(now, zone)


def next_night(now: datetime, zone: str) -> datetime:
    """When tiers are looked at next: after midnight in the shop's zone."""
    return datetime.combine(_day(now, zone) + timedelta(days=1), AT_NIGHT, ZoneInfo(zone))


def is_new_month(due_at: datetime, now: datetime, zone: str) -> bool:
    """Whether a month began since the night before the one that was due.

    Asked of when the work was due, not of whether today is the first: a shop that stood still over
    the turn of a month makes up for it.
    """
    last, today = _day(due_at, zone) - timedelta(days=1), _day(now, zone)
    return (last.year, last.month) != (today.year, today.month)


def _settle(
    distributor: Distributor,
    ladder: Sequence[Tier],
    sold: int,
    now: datetime,
    *,
    is_new_month: bool,
) -> None:
    now_in = next(tier for tier in ladder if tier.id == distributor.tier_id)
    to = reached(ladder, sold)
    is_down = to.threshold < now_in.threshold
    if not is_down:
        distributor.lower_tier_id = None
    elif _is_new(distributor, now):
        return
    elif distributor.lower_tier_id is None or not is_new_month:
        distributor.lower_tier_id = to.id
        return
    if to.id != now_in.id:
        distributor.tier_id, distributor.lower_tier_id = to.id, None
        audit.record(
            "distributor.tier",
            "distributors",
            distributor.id,
            tier=[now_in.name, to.name],
            sold=sold,
        )


def _is_new(distributor: Distributor, now: datetime) -> bool:
    return distributor.approved_at is None or distributor.approved_at > now - WINDOW


def _due_at() -> datetime | None:
    return session.scalar(sa.select(OutboxRow.due_at).where(OutboxRow.key == WATCH_KEY))


def _day(at: datetime, zone: str) -> date:
    return at.astimezone(ZoneInfo(zone)).date()


def _default() -> Tier | None:
    return session.scalar(sa.select(Tier).where(Tier.threshold == 0))


def _free_name() -> str:
    """The default tier's name, or the next like it when the merchant gave that to another."""
    taken = set(session.scalars(sa.select(Tier.name)))
    numbered = (f"{DEFAULT_NAME} {number}" for number in range(2, len(taken) + 3))
    return next(name for name in (DEFAULT_NAME, *numbered) if name not in taken)


def _stripped(fields: TierFields) -> TierFields:
    return TierFields(fields.name.strip(), fields.threshold, fields.discount_bp)


def _check(fields: TierFields, but: int = 0) -> None:
    name = fields.name.strip()
    if not 1 <= len(name) <= NAME_LENGTH:
        raise Refusal(N_("名称要有 1 到 %(most)s 个字"), field="name", most=NAME_LENGTH)
    if not 0 <= fields.threshold <= MOST_THRESHOLD:
        raise Refusal(N_("门槛要在 0 到 100 亿元之间"), field="threshold")
    if not 0 <= fields.discount_bp <= MOST_DISCOUNT_BP:
        raise Refusal(N_("折扣要在 0 到 90 之间"), field="discount")
    if _is_taken(Tier.name == name, but):
        raise Refusal(N_("已经有叫这个名字的等级"), field="name")
    if _is_taken(Tier.threshold == fields.threshold, but):
        raise Refusal(N_("已经有这个门槛的等级"), field="threshold")


def _is_taken(condition: sa.ColumnElement[bool], but: int) -> bool:
    return session.scalar(sa.select(Tier.id).where(condition, Tier.id != but)) is not None
