"""How recharges, their attempts and their providers' health are found and locked."""

from datetime import datetime, timedelta

import sqlalchemy as sa

from app.core.db import session
from app.core.errors import N_, NotFound
from app.domain.catalog.models import Offer, RechargeProvider
from app.domain.orders import queries as orders
from app.domain.orders.models import OrderLine
from app.domain.recharges.models import OPEN, Attempt, AttemptState, Call, Recharge
from app.domain.recharges.rules import Health, Load
from app.domain.redemptions.models import Redemption

# So many of a provider's latest calls say how it is.
LATEST = 20
# A call under way longer than any may last belongs to a process that is gone.
FORGOTTEN = timedelta(minutes=4)
# A balance or a catalogue says nothing about whether orders are taken.
ABOUT_ORDERS = ("submit", "query")


def find(uid: str) -> Recharge:
    """A recharge by the name it has in addresses; raises NotFound."""
    recharge = session.scalar(sa.select(Recharge).where(Recharge.uid == uid))
    if recharge is None:
        raise NotFound(N_("没有找到这笔充值"))
    return recharge


def order_line_id_of(recharge: Recharge) -> int:
    """The order line that paid for it: its own, or its redeemed code's."""
    if recharge.order_line_id is not None:
        return recharge.order_line_id
    return session.get_one(Redemption, recharge.redemption_id).order_line_id


def lock(recharge_id: int) -> Recharge:
    """The recharge, locked and read afresh, after its order as everywhere."""
    recharge = session.get_one(Recharge, recharge_id)
    line = session.get_one(OrderLine, order_line_id_of(recharge))
    orders.lock(line.order_id)
    return session.get_one(Recharge, recharge_id, with_for_update=True, populate_existing=True)


def live_attempt(recharge_id: int) -> Attempt | None:
    """The one attempt that was not refused, read afresh."""
    return session.scalar(
        sa.select(Attempt)
        .where(Attempt.recharge_id == recharge_id, Attempt.state != AttemptState.REFUSED)
        .execution_options(populate_existing=True)
    )


def attempts_of(recharge_id: int) -> list[Attempt]:
    return list(
        session.scalars(
            sa.select(Attempt).where(Attempt.recharge_id == recharge_id).order_by(Attempt.id)
        )
    )


def delivered_serials(recharge_ids: list[int]) -> dict[int, str]:
    """The operator's serial number of each of these that was delivered, by recharge."""
    rows = session.execute(
        sa.select(Attempt.recharge_id, Attempt.serial).where(
            Attempt.recharge_id.in_(recharge_ids), Attempt.state == AttemptState.DELIVERED
        )
    )
    return dict(iter(rows))


def has_open_attempts(provider_id: int) -> bool:
    """Whether the provider may still settle something that it was asked for."""
    found = sa.select(Attempt.id).where(Attempt.provider_id == provider_id, Attempt.state.in_(OPEN))
    return session.scalar(found.limit(1)) is not None


def find_attempt(number: str) -> Attempt | None:
    """The attempt of ours that a provider speaks of."""
    return session.scalar(sa.select(Attempt).where(Attempt.number == number))


def find_provider(slug: str) -> RechargeProvider:
    """A provider by the name in its addresses; raises NotFound."""
    provider = session.scalar(sa.select(RechargeProvider).where(RechargeProvider.slug == slug))
    if provider is None:
        raise NotFound(N_("没有找到这个供应商"))
    return provider


def offers_left(recharge: Recharge) -> list[Offer]:
    """Offers that are switched on and have not refused this recharge yet."""
    refused = sa.select(Attempt.offer_id).where(Attempt.recharge_id == recharge.id)
    return list(
        session.scalars(
            sa.select(Offer)
            .join(RechargeProvider, RechargeProvider.id == Offer.provider_id)
            .where(
                Offer.product_id == recharge.product_id,
                Offer.is_on,
                RechargeProvider.is_on,
                Offer.id.not_in(refused),
            )
            .order_by(Offer.priority, Offer.cost, Offer.id)
        )
    )


def lock_provider(provider_id: int) -> RechargeProvider:
    """The provider's row, locked: whoever counts its calls is alone in doing so."""
    return session.get_one(
        RechargeProvider, provider_id, with_for_update=True, populate_existing=True
    )


def health_of(provider_id: int) -> Health:
    """Computed from its latest calls, so nothing has to be opened or closed by anybody."""
    rows = session.execute(
        sa.select(Call.outcome, Call.at)
        .where(Call.provider_id == provider_id, Call.what.in_(ABOUT_ORDERS))
        .order_by(Call.id.desc())
        .limit(LATEST)
    ).all()
    troubles = 0
    for outcome, _ in rows:
        if outcome != "unknown":
            break
        troubles += 1
    return Health(troubles, rows[0].at if rows else None)


def load_of(provider_id: int, now: datetime) -> Load:
    """What it is asked right now."""
    minute_ago = now - timedelta(minutes=1)
    under_way, begun = session.execute(
        sa.select(
            sa.func.count(sa.case((_is_under_way(now), 1))),
            sa.func.count(sa.case((Attempt.sent_at > minute_ago, 1))),
        ).where(Attempt.provider_id == provider_id, Attempt.sent_at > now - FORGOTTEN)
    ).one()
    return Load(int(under_way), int(begun))


def calls_of(attempt_ids: list[int]) -> list[Call]:
    """Every call about these attempts, oldest first."""
    return list(
        session.scalars(sa.select(Call).where(Call.attempt_id.in_(attempt_ids)).order_by(Call.id))
    )


def latest_calls_of(provider_id: int, limit: int) -> list[Call]:
    """A provider's newest calls, whatever they were about."""
    return list(
        session.scalars(
            sa.select(Call)
            .where(Call.provider_id == provider_id)
            .order_by(Call.id.desc())
            .limit(limit)
        )
    )


def of_lines(order_line_ids: list[int]) -> dict[int, Recharge]:
    """The recharges of order lines that are recharged themselves, by line."""
    rows = session.scalars(sa.select(Recharge).where(Recharge.order_line_id.in_(order_line_ids)))
    return {row.order_line_id: row for row in rows if row.order_line_id is not None}


def of_order(order_line_ids: list[int]) -> list[Recharge]:
    """Every recharge that these lines paid for, their own and their redeemed codes'."""
    redeemed = sa.select(Redemption.id).where(Redemption.order_line_id.in_(order_line_ids))
    found = sa.select(Recharge).where(
        sa.or_(Recharge.order_line_id.in_(order_line_ids), Recharge.redemption_id.in_(redeemed))
    )
    return list(session.scalars(found.order_by(Recharge.id)))


def of_redemptions(redemption_ids: list[int]) -> dict[int, Recharge]:
    """The recharges of redeemed codes, by redemption."""
    rows = session.scalars(sa.select(Recharge).where(Recharge.redemption_id.in_(redemption_ids)))
    return {row.redemption_id: row for row in rows if row.redemption_id is not None}


def _is_under_way(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(Attempt.state == AttemptState.SENDING, Attempt.sent_at > now - FORGOTTEN)


def queued_since(recharge: Recharge) -> datetime:
    """Since when it waits for somebody to ask: its beginning, or its last attempt's end."""
    ends = [attempt.settled_at for attempt in attempts_of(recharge.id) if attempt.settled_at]
    return max([recharge.created_at, *ends])
