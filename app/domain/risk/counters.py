"""How often something happened: read from the events themselves, so that no count can be wrong.

One indexed range for each question, all of them in one statement. With whoever is asked about
locked (`serialise`), what is done at once on many nodes is counted one after the other.
"""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from app.core import db
from app.core.db import is_postgres, require_transaction
from app.domain.risk.conditions import Question
from app.domain.risk.models import EventKind, Key, RiskEvent

# Whose counts may be made side by side: what is of many people, who shall not wait for each other,
# and one more or less of them changes nothing.
SHARED = (Key.NETWORK, Key.LOOK, Key.PRODUCT)

_EVENTS = db.table_of(RiskEvent)
# In the order of the numbers, so that two can never wait for each other.
_LOCKS = sa.select(
    sa.func.pg_advisory_xact_lock(
        sa.func.unnest(sa.bindparam("numbers", type_=postgresql.ARRAY(sa.BigInteger)))
    )
)


def count(
    questions: Collection[Question], whose: Mapping[Key, bytes], now: datetime
) -> dict[Question, int]:
    """The answer to each question about this somebody; none for a key that was not brought."""
    asked = tuple(question for question in questions if question.by in whose)
    if not asked:
        return {}
    row = db.execute(_statement(asked), values_of(asked, whose, now)).one()
    return {question: int(value or 0) for question, value in zip(asked, row, strict=True)}


def values_of(
    asked: Collection[Question], whose: Mapping[Key, bytes], now: datetime
) -> dict[str, object]:
    """What the parameters of `answer` stand for."""
    values: dict[str, object] = {_key(question): whose[question.by] for question in asked}
    return values | {_since(each): now - timedelta(minutes=each.minutes) for each in asked}


def serialise(whose: Mapping[Key, bytes]) -> None:
    """Let nobody else with these keys pass here before this unit ends.

    On SQLite a unit has the write lock anyway.
    """
    require_transaction()
    numbers = sorted(
        int.from_bytes(value[:8], "big", signed=True)
        for key, value in whose.items()
        if key not in SHARED
    )
    if numbers and is_postgres():
        db.execute(_LOCKS, {"numbers": numbers})


# Rules ask the same questions again and again, and building a statement costs more than running it.
@lru_cache(maxsize=256)
def _statement(asked: tuple[Question, ...]) -> sa.Select[*tuple[Any, ...]]:
    return sa.select(*(answer(question) for question in asked))


def answer(question: Question) -> sa.ScalarSelect[int]:
    """The answer as a part of a statement that is built once."""
    return _counted(question).scalar_subquery()


def _counted(question: Question) -> sa.Select[int]:
    # Short names: a driver that is given a long text reads it anew each time.
    event = _EVENTS.alias("e")
    happened = [
        event.c.kind == _said(question.kind),
        event.c[question.by.value] == sa.bindparam(_key(question)),
        event.c.at > sa.bindparam(_since(question)),
    ]
    if question.function == "unpaid":
        happened.append(event.c.unpaid)
    return sa.select(_function(question, event)).select_from(event).where(*happened)


def _said(kind: EventKind) -> sa.ColumnElement[str]:
    """A kind as a part of the text: one parameter less to be sent each time."""
    return sa.literal_column(f"'{kind.value}'")


def _function(question: Question, event: sa.FromClause) -> sa.ColumnElement[int]:
    if question.function == "sum":
        return sa.func.sum(event.c.amount)
    if question.function == "max":
        return sa.func.max(event.c.amount)
    if question.function == "distinct" and question.of is not None:
        return sa.func.count(sa.distinct(event.c[question.of.value]))
    return sa.func.count()


def _key(question: Question) -> str:
    return f"by_{question.by.value}"


def _since(question: Question) -> str:
    return f"since_{question.minutes}"
