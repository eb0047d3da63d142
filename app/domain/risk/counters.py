"""How often something happened: read from the events themselves, so that no count can be wrong.

One indexed range for each question, all of them in one statement. With the questions of one place
locked (`serialise`), what is done at once on many nodes is counted one after the other.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from app.core.db import is_postgres, require_transaction, session
from app.domain.risk.conditions import Question
from app.domain.risk.models import EventKind, Key, RiskEvent

# Which counts must not be made side by side: those of one address, or one browser.
SERIAL = (Key.IP, Key.DEVICE)


def count(
    questions: Collection[Question], whose: Mapping[Key, bytes], now: datetime
) -> dict[Question, int]:
    """The answer to each question about this somebody; none for a key that was not brought."""
    asked = [question for question in questions if question.by in whose]
    if not asked:
        return {}
    columns = [_answer(question, whose[question.by], now).scalar_subquery() for question in asked]
    row = session.execute(sa.select(*columns)).one()
    return {question: int(value or 0) for question, value in zip(asked, row, strict=True)}


def serialise(whose: Mapping[Key, bytes]) -> None:
    """Let nobody else with these keys pass here before this unit ends.

    On SQLite a unit has the write lock anyway. Sorted, so that two can never wait for each other.
    """
    require_transaction()
    if not is_postgres():
        return
    numbers = sorted(
        int.from_bytes(whose[key][:8], "big", signed=True) for key in SERIAL if key in whose
    )
    for number in numbers:
        session.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))


def _answer(question: Question, whose: bytes, now: datetime) -> sa.Select[int]:
    event = aliased(RiskEvent)
    of_key = getattr(event, question.by.value)
    happened = (
        event.kind == question.kind,
        of_key == whose,
        event.at > now - timedelta(minutes=question.minutes),
    )
    if question.function == "unpaid":
        money = aliased(RiskEvent)
        came = sa.exists().where(money.order_id == event.order_id, money.kind == EventKind.PAID)
        return sa.select(sa.func.count()).select_from(event).where(*happened, ~came)
    return sa.select(_function(question, event)).select_from(event).where(*happened)


def _function(question: Question, event: type[RiskEvent]) -> sa.ColumnElement[int]:
    if question.function == "sum":
        return sa.func.sum(event.amount)
    if question.function == "max":
        return sa.func.max(event.amount)
    if question.function == "distinct" and question.of is not None:
        return sa.func.count(sa.distinct(getattr(event, question.of.value)))
    return sa.func.count()
