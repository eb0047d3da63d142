"""All that a decision reads, in one statement: restrictions, list entries, counts.

Each of them is little. Asked one by one, the ways to the database and back would cost more than the
answers: a decision stands on the way of every order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from app.core import db
from app.domain.risk import counters
from app.domain.risk.conditions import Question
from app.domain.risk.models import Action, Checkpoint, Key, ListEntry, ListKind, Restriction
from app.domain.risk.restrictions import Held

_RESTRICTIONS = db.table_of(Restriction)
_ENTRIES = db.table_of(ListEntry)
_NOW = sa.bindparam("now", type_=_RESTRICTIONS.c.until.type)


@dataclass(frozen=True)
class Read:
    """What stands about somebody: `held` restrictions, list `entries` by id and list, counts."""

    held: list[Held]
    entries: list[tuple[int, ListKind]]
    counts: dict[Question, int]


def read(
    checkpoint: Checkpoint,
    whose: Mapping[Key, bytes],
    listed_as: Sequence[bytes],
    questions: Sequence[Question],
    now: datetime,
) -> Read:
    """Everything at once. `listed_as` is what a list would find somebody by."""
    asked = tuple(question for question in questions if question.by in whose)
    values = counters.values_of(asked, whose, now) | {
        "checkpoint": checkpoint,
        "now": now,
        "hashes": list(whose.values()),
        "listed_as": list(listed_as),
    }
    held, entries, counts = [], [], dict.fromkeys(asked, 0)
    for part, number, word, until, slug, key, key_hash in db.execute(
        _statement(asked, db.is_postgres()), values
    ):
        if part == "held":
            held.append(Held(Action(word), until, slug, Key(key), key_hash))
        elif part == "listed":
            entries.append((number, ListKind(word)))
        else:
            counts[asked[int(part)]] = int(number or 0)
    return Read(held, entries, counts)


# Rules ask the same questions again and again, and building a statement costs more than running it.
@lru_cache(maxsize=256)
def _statement(asked: tuple[Question, ...], as_array: bool) -> sa.CompoundSelect[*tuple[Any, ...]]:
    return sa.union_all(
        _held(as_array), _listed(as_array), *map(_counted, range(len(asked)), asked)
    )


def _held(as_array: bool) -> sa.Select[Any]:
    """First, because its columns say what type each column of the whole is."""
    one = _RESTRICTIONS.c
    return sa.select(
        sa.literal_column("'held'", sa.Text).label("part"),
        sa.cast(sa.null(), sa.BigInteger).label("number"),
        sa.type_coerce(one.action, sa.Text).label("word"),
        one.until,
        one.rule_slug,
        sa.type_coerce(one.key, sa.Text).label("key"),
        one.key_hash,
    ).where(
        _among(one.key_hash, "hashes", as_array),
        sa.or_(one.checkpoint.is_(None), one.checkpoint == sa.bindparam("checkpoint")),
        one.until > _NOW,
        one.lifted_at.is_(None),
    )


def _listed(as_array: bool) -> sa.Select[Any]:
    one = _ENTRIES.c
    return sa.select(
        sa.literal_column("'listed'", sa.Text),
        one.id,
        sa.type_coerce(one.list, sa.Text),
        *[sa.null()] * 4,
    ).where(
        _among(one.value_hash, "listed_as", as_array),
        one.removed_at.is_(None),
        sa.or_(one.expires_at.is_(None), one.expires_at > _NOW),
    )


def _among(column: sa.Column[bytes], name: str, as_array: bool) -> sa.ColumnElement[bool]:
    """As one parameter where a database takes lists, so that the text is the same for all."""
    if as_array:
        return column == sa.any_(sa.bindparam(name, type_=postgresql.ARRAY(sa.LargeBinary)))
    return column.in_(sa.bindparam(name, expanding=True))


def _counted(position: int, question: Question) -> sa.Select[Any]:
    columns: list[sa.ColumnElement[Any]] = [
        sa.literal_column(f"'{position}'", sa.Text),
        counters.answer(question),
        *[sa.null()] * 5,
    ]
    return sa.select(*columns)
