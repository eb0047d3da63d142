"""What somebody may not do for a time, or until staff lift it, which they always can."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from app.core import audit, clock
from app.core.actors import actor
from app.core.db import require_transaction, session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.domain.risk import counters
from app.domain.risk.conditions import Question
from app.domain.risk.models import (
    UNTIL_LIFTED,
    Action,
    Checkpoint,
    EventKind,
    Key,
    Restriction,
)
from app.domain.risk.rules import SEVERITY

# What a limit leaves: so many pieces in an order, and an order in so many minutes.
LIMITED_QUANTITY = 1
LIMITED_MINUTES = 10


# Whom, and what, a person can freeze, and for how long.
FREEZABLE = (
    *(Key.ACCOUNT, Key.CONTACT, Key.DEVICE, Key.PAYER, Key.RECHARGE_ACCOUNT, Key.CODE),
    *(Key.DISTRIBUTOR, Key.PAYOUT_ACCOUNT),
)
DAYS = (1, 7, 30, 90, 365)
REASON_LENGTH = 200

_FROZEN = (
    sa.select(Restriction)
    .where(
        Restriction.key == sa.bindparam("key"),
        Restriction.key_hash == sa.bindparam("key_hash"),
        Restriction.action == Action.FREEZE,
        Restriction.until > sa.bindparam("now"),
        Restriction.lifted_at.is_(None),
    )
    .order_by(Restriction.until.desc())
    .limit(1)
)


@dataclass(frozen=True)
class New:
    """A restriction that is to be put on somebody."""

    action: Action
    checkpoint: Checkpoint | None
    key: Key
    key_hash: bytes
    until: datetime
    rule_slug: str


@dataclass(frozen=True)
class Standing:
    """What stands in somebody's way now: ALLOW is nothing."""

    action: Action
    until: datetime
    rule_slug: str = ""


@dataclass(frozen=True)
class Held:
    """A restriction that holds now, on one of the keys that somebody brought."""

    action: Action
    until: datetime
    rule_slug: str
    key: Key
    key_hash: bytes


def standing(held: Collection[Held], quantity: int | None, now: datetime) -> Standing:
    """The most severe restriction that stops this; a limit that still leaves room stops nothing."""
    stopping = [one for one in held if _stops(one, quantity, now)]
    if not stopping:
        return Standing(Action.ALLOW, now)
    worst = max(stopping, key=lambda one: (SEVERITY.index(one.action), one.until))
    return Standing(worst.action, worst.until, worst.rule_slug)


def last_end(ends: Iterable[datetime]) -> datetime | None:
    """When the last of them is over; None when there is none, or one that only lifting ends."""
    last = max(ends, default=UNTIL_LIFTED)
    return None if last == UNTIL_LIFTED else last


def put(new: Collection[New], decision_uid: str) -> None:
    """Put them on; one that holds already for the same reason lasts as long as the longer."""
    require_transaction()
    now = clock.now()
    for one in new:
        before = session.scalar(
            sa.select(Restriction)
            .where(
                Restriction.key == one.key,
                Restriction.key_hash == one.key_hash,
                Restriction.action == one.action,
                Restriction.checkpoint.is_not_distinct_from(one.checkpoint),
                Restriction.rule_slug == one.rule_slug,
                Restriction.until > now,
                Restriction.lifted_at.is_(None),
            )
            .with_for_update()
        )
        if before is not None:
            before.until = max(before.until, one.until)
            continue
        session.add(
            Restriction(
                action=one.action,
                checkpoint=one.checkpoint,
                key=one.key,
                key_hash=one.key_hash,
                since=now,
                until=one.until,
                rule_slug=one.rule_slug,
                decision_uid=decision_uid,
            )
        )


def freeze(key: Key, key_hash: bytes, decision_uid: str, days: int | None, reason: str) -> None:
    """A person freezes whom, or what, a decision was about, everywhere; raises Refusal, Conflict.

    It ends by itself after `days`, one of DAYS, or, with None, when `lift` ends it.
    """
    require_transaction()
    if key not in FREEZABLE:
        raise Refusal(N_("请选择要冻结的对象"), field="key")
    if days is not None and days not in DAYS:
        raise Refusal(N_("请选择冻结多久"), field="days")
    if len(reason.strip()) < 2:
        raise Refusal(N_("请写明原因"), field="reason")
    if is_frozen(key, key_hash):
        raise Conflict(N_("已经冻结了，可以在限制列表里解除"))
    now = clock.now()
    row = Restriction(
        action=Action.FREEZE,
        key=key,
        key_hash=key_hash,
        since=now,
        until=UNTIL_LIFTED if days is None else now + timedelta(days=days),
        rule_slug="",
        decision_uid=decision_uid,
        reason=reason.strip()[:REASON_LENGTH],
    )
    session.add(row)
    session.flush()
    audit.record(
        "risk.freeze", "risk_restrictions", row.id, reason=row.reason, key=key.value, days=days
    )


def frozen(key: Key, key_hash: bytes) -> Restriction | None:
    """What keeps it from everything now; None when nothing does."""
    return session.scalar(_FROZEN, {"key": key, "key_hash": key_hash, "now": clock.now()})


def is_frozen(key: Key, key_hash: bytes) -> bool:
    """Whether it may do nothing, or nothing may be done with it, now."""
    return frozen(key, key_hash) is not None


def lift(restriction_id: int, reason: str) -> None:
    """End it now; raises NotFound, Conflict, Refusal."""
    row = session.get(Restriction, restriction_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    if row.lifted_at is not None or row.until <= clock.now():
        raise Conflict(N_("这条限制已经结束了"))
    if len(reason.strip()) < 2:
        raise Refusal(N_("请写明原因"), field="reason")
    row.lifted_at = clock.now()
    row.lifted_by = actor()
    row.lifted_because = reason.strip()
    audit.record("risk.lift", "risk_restrictions", row.id, reason=row.lifted_because)


def live(now: datetime, most: int = 200) -> list[Restriction]:
    """Those that hold now, the latest first."""
    return list(
        session.scalars(
            sa.select(Restriction)
            .where(Restriction.until > now, Restriction.lifted_at.is_(None))
            .order_by(Restriction.id.desc())
            .limit(most)
        )
    )


def _stops(one: Held, quantity: int | None, now: datetime) -> bool:
    if one.action != Action.LIMIT:
        return True
    if quantity is not None and quantity > LIMITED_QUANTITY:
        return True
    lately = Question("count", EventKind.PLACED, one.key, LIMITED_MINUTES)
    return counters.count([lately], {one.key: one.key_hash}, now)[lately] > 0
