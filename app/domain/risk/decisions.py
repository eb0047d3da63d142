"""Decisions as they were kept: found by number or by order, and how often each rule was true."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from app.core.db import session
from app.core.errors import NotFound
from app.domain.risk.models import Action, Case, Decision, Restriction

# Whatever was not simply let go.
STOPPED = tuple(action for action in Action if action != Action.ALLOW)
TALLIED = timedelta(days=7)
# Reading what a decision was made of takes about 0.1 ms: of more, the newest are read.
MOST_TALLIED = 3_000
PART = 500
MOST_ID = 2**62


@dataclass(frozen=True)
class Tallies:
    """How often each rule, by its slug, was judged and was true. `looked_at` decisions were read;
    `is_all` when there were no more."""

    judged: Counter[str]
    true: Counter[str]
    looked_at: int
    is_all: bool


def find(uid: str) -> Decision:
    """A decision by the number that its buyer was told; raises NotFound."""
    found = session.scalar(sa.select(Decision).where(Decision.uid == uid))
    if found is None:
        raise NotFound
    return found


def of_order(order_id: int) -> list[Decision]:
    """What was decided about an order, the first first."""
    return list(
        session.scalars(
            sa.select(Decision).where(Decision.order_id == order_id).order_by(Decision.id)
        )
    )


def commission_held_until(order_id: int) -> datetime | None:
    """Until when what an order earns its distributors is kept back; None when it is not."""
    wanted = sa.select(sa.func.max(Decision.commission_held_until))
    return session.scalar(wanted.where(Decision.order_id == order_id))


def restrictions_by(decision: Decision) -> list[Restriction]:
    """What it put on somebody."""
    wanted = sa.select(Restriction).where(Restriction.decision_uid == decision.uid)
    return list(session.scalars(wanted.order_by(Restriction.id)))


def case_by(decision: Decision) -> Case | None:
    """The case that it opened."""
    return session.scalar(sa.select(Case).where(Case.decision_id == decision.id))


def first_since(at: datetime) -> int:
    """The id of the first decision since then: by it parts are read without sorting anything."""
    found = sa.select(Decision.id).where(Decision.at > at).order_by(Decision.at, Decision.id)
    # Past every id when there is none.
    return session.scalar(found.limit(1)) or MOST_ID


def tally(now: datetime) -> Tallies:
    """How the rules did lately; read in parts, so that it takes no more memory than one."""
    judged: Counter[str] = Counter()
    true: Counter[str] = Counter()
    looked_at, before, first = 0, None, first_since(now - TALLIED)
    while looked_at < MOST_TALLIED:
        found = sa.select(Decision.id, Decision.trials).where(Decision.id >= first)
        if before is not None:
            found = found.where(Decision.id < before)
        rows = session.execute(found.order_by(Decision.id.desc()).limit(PART)).all()
        for _, trials in rows:
            judged.update(one["rule"] for one in trials)
            true.update(one["rule"] for one in trials if one["true"])
        looked_at += len(rows)
        if len(rows) < PART:
            return Tallies(judged, true, looked_at, is_all=True)
        before = rows[-1].id
    return Tallies(judged, true, looked_at, is_all=False)
