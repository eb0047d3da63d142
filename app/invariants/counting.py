"""How a check counts: what it looked at, and what breaks its rule."""

from collections.abc import Callable
from functools import cache, reduce, wraps
from operator import add

import sqlalchemy as sa

from app.core.db import session

# The rows of a table, those that a query finds, or of several together.
Things = type | sa.Select[int] | tuple[type | sa.Select[int], ...]
# What is looked at, and what breaks the rule.
Counted = tuple[Things, Things]


def counted(queries: Callable[[], Counted]) -> Callable[[bool], tuple[int, int]]:
    """A check that only counts, the same whether it is full or not.

    Its queries never change and are put together once, into one statement: to build them takes many
    times as long as a small shop needs to answer them.
    """

    @cache
    def statement() -> sa.Select[int, int]:
        looked_at, broken = queries()
        return sa.select(_number_of(looked_at), _number_of(broken))

    @wraps(queries)
    def look(_full: bool) -> tuple[int, int]:
        looked_at, broken = session.execute(statement()).one()
        return int(looked_at), int(broken)

    return look


def _number_of(things: Things) -> sa.ColumnElement[int]:
    each = things if isinstance(things, tuple) else (things,)
    return reduce(add, (_counting(one).scalar_subquery() for one in each))


def _counting(things: type | sa.Select[int]) -> sa.Select[int]:
    found = things.subquery() if isinstance(things, sa.Select) else things
    return sa.select(sa.func.count()).select_from(found)


def count(select: sa.Select[int]) -> int:
    """How many rows a query finds."""
    return int(session.scalar(_counting(select)) or 0)


def total(model: type) -> int:
    """How many rows a table has."""
    return int(session.scalar(_counting(model)) or 0)
