"""What decisions counted, counted again: from the events one by one, and not by a statement."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta

import sqlalchemy as sa

from app.core import clock
from app.core.db import session
from app.domain.risk import conditions, counters, engine
from app.domain.risk.conditions import Question
from app.domain.risk.models import Checkpoint, Decision, EventKind, RiskEvent

# Well within the time that events are kept for beyond the longest window.
LATELY = timedelta(hours=12)
SAMPLE = 200
# Where a decision and what it was about are written in one unit, and all of whose kind wait for
# each other by the keys that are counted by.
ORDERS = (Checkpoint.CHECKOUT, Checkpoint.PAID)
HAPPENED = {checkpoint: engine.HAPPENS[checkpoint] for checkpoint in ORDERS}


def counts_are_of_events(full: bool) -> tuple[int, int]:
    """Each count that an order's decision kept is what had happened before it (10)."""
    looked_at = broken = 0
    for decision, event in _lately(full):
        for question, value in _counted(decision):
            looked_at += 1
            broken += value != _recount(question, decision, event)
    return looked_at, broken


def _lately(full: bool) -> Iterable[tuple[Decision, RiskEvent]]:
    """Decisions about orders, newest first, each with the event that was written with it."""
    found = (
        sa.select(Decision, RiskEvent)
        .join(
            RiskEvent,
            sa.and_(RiskEvent.order_id == Decision.order_id, RiskEvent.at == Decision.at),
        )
        .where(
            Decision.at > clock.now() - LATELY,
            sa.or_(
                *(
                    sa.and_(Decision.checkpoint == checkpoint, RiskEvent.kind == kind)
                    for checkpoint, kind in HAPPENED.items()
                )
            ),
        )
        .order_by(Decision.id.desc())
        .limit(None if full else SAMPLE)
    )
    return session.execute(found)


def _counted(decision: Decision) -> Iterator[tuple[Question, int | None]]:
    """What it counted that can be counted again, and what it found."""
    for trial in decision.trials:
        for compared in trial["compared"] or ():
            tree = {name: of for name, of in compared.items() if name not in ("value", "true")}
            for question in conditions.questions(conditions.parse(tree)):
                if question.kind in HAPPENED.values() and question.by not in counters.SHARED:
                    yield question, compared["value"]


def _recount(question: Question, decision: Decision, event: RiskEvent) -> int | None:
    """The answer as it was before `event`; None when nobody brought the key."""
    key_hash = decision.keys.get(question.by.value)
    if key_hash is None:
        return None
    happened = session.scalars(
        sa.select(RiskEvent).where(
            RiskEvent.kind == question.kind,
            getattr(RiskEvent, question.by.value) == bytes.fromhex(key_hash),
            RiskEvent.at > decision.at - timedelta(minutes=question.minutes),
            RiskEvent.id < event.id,
        )
    ).all()
    match question.function:
        case "sum":
            own = decision.inputs["amount"] if question.kind == event.kind else 0
            return sum(one.amount for one in happened) + own
        case "max":
            return max((one.amount for one in happened), default=0)
        case "distinct":
            different = {getattr(one, question.of.value) for one in happened if question.of}
            return len(different - {None})
        case "unpaid":
            return len(happened) - _paid(happened, event)
    return len(happened)


def _paid(placed: Sequence[RiskEvent], event: RiskEvent) -> int:
    """For how many of those orders the money had come before `event`."""
    paid = sa.select(RiskEvent.order_id).where(
        RiskEvent.kind == EventKind.PAID,
        RiskEvent.order_id.in_([one.order_id for one in placed]),
        RiskEvent.id < event.id,
    )
    return len(set(session.scalars(paid)))
