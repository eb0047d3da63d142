"""What somebody may not do for a time. Each ends by itself, and staff can lift it before."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from app.core import audit, clock
from app.core.actors import actor
from app.core.db import require_transaction, session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.domain.risk import counters
from app.domain.risk.conditions import Question
from app.domain.risk.models import Action, Checkpoint, EventKind, Key, Restriction
from app.domain.risk.rules import SEVERITY

# What a limit leaves: so many pieces in an order, and an order in so many minutes.
LIMITED_QUANTITY = 1
LIMITED_MINUTES = 10


@dataclass(frozen=True)
class New:
    """A restriction that is to be put on somebody."""

    action: Action
    checkpoint: Checkpoint
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
                Restriction.checkpoint == one.checkpoint,
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
