"""How codes get onto the shelf, many at a time: sealed, none twice, whole or not at all."""

import os
from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Any, NamedTuple

import psycopg
import sqlalchemy as sa

from app.core import db, keys
from app.core.crypto import DataKey
from app.core.db import require_transaction, session
from app.domain.vault.models import Batch, Code, CodeState
from app.domain.vault.rules import Content, join_content, last_four, normalise, unsold_context

COPY = "COPY codes (uid, batch_id, state, sealed, lookup, last_four) FROM STDIN (FORMAT BINARY)"
COPY_TYPES = ("bytea", "int8", "varchar", "bytea", "bytea", "text")
INSERT = (
    "INSERT INTO codes (uid, batch_id, state, sealed, lookup, last_four) VALUES (?, ?, ?, ?, ?, ?)"
)
# One scope for the whole store: a code is in it once, whatever product it is of.
SCOPE = "code"
# SQLite takes 32766 parameters a statement.
LOOKUPS_PER_QUERY = 10_000


class NewCode(NamedTuple):
    """A code on its way in: its text as it will be shown, and what it is found by."""

    text: str
    lookup: bytes
    last_four: str


class SealedCode(NamedTuple):
    """A code that is ready to be a row."""

    uid: bytes
    sealed: bytes
    lookup: bytes
    last_four: str


def new_code(content: Content, *, case_sensitive: bool) -> NewCode:
    """A code as it is stored; the blind index is of the code alone, not of its password."""
    lookup = keys.index(SCOPE, normalise(content.code, case_sensitive=case_sensitive))
    return NewCode(join_content(content), lookup, last_four(content.code))


def warm_up() -> None:
    """Remember the key of the blind index, so that `new_code` needs no database from here on."""
    keys.index(SCOPE, "")


def seal(batch: Batch, codes: Sequence[NewCode]) -> list[SealedCode]:
    """Seal codes to their batch and to the row each will have."""
    return seal_with(keys.by_id(batch.data_key_id), batch.uid, codes)


def seal_with(key: DataKey, batch_uid: bytes, codes: Sequence[NewCode]) -> list[SealedCode]:
    """The same with the batch's own key in hand: without a database."""
    noise = os.urandom(16 * len(codes))
    uids = [noise[i : i + 16] for i in range(0, len(noise), 16)]
    pairs = (
        (code.text.encode(), unsold_context(batch_uid, uid))
        for code, uid in zip(codes, uids, strict=True)
    )
    sealed = key.seal_many(pairs)
    return [
        SealedCode(uid, blob, code.lookup, code.last_four)
        for uid, blob, code in zip(uids, sealed, codes, strict=True)
    ]


def known(lookups: Sequence[bytes]) -> dict[bytes, int]:
    """Which of these codes are in the store, and the id of the batch that each is in."""
    if db.is_postgres():
        with _psycopg().cursor() as cursor:
            cursor.execute(
                "SELECT lookup, batch_id FROM codes WHERE lookup = ANY(%b)", [list(lookups)]
            )
            return dict(cursor.fetchall())
    found: dict[bytes, int] = {}
    for start in range(0, len(lookups), LOOKUPS_PER_QUERY):
        part = lookups[start : start + LOOKUPS_PER_QUERY]
        rows = session.execute(sa.select(Code.lookup, Code.batch_id).where(Code.lookup.in_(part)))
        found.update((lookup, batch_id) for lookup, batch_id in rows)
    return found


def store(batch_id: int, codes: Iterable[SealedCode]) -> int:
    """Put codes that are not in the store into the batch; how many they were.

    Somebody who stored one of them meanwhile makes the whole unit run again. All writers insert
    in the order of `lookup`, so two with the same codes wait for each other and never in a
    circle; and the index grows from one end to the other, which is a third faster.
    """
    require_transaction()
    in_order = sorted(codes, key=attrgetter("lookup"))
    if not in_order:
        return 0
    state = CodeState.AVAILABLE.value
    rows = (
        (code.uid, batch_id, state, code.sealed, code.lookup, code.last_four) for code in in_order
    )
    if db.is_postgres():
        _copy(rows)
    else:
        # Not the ORM's insert: with a million rows its bookkeeping costs more than the database.
        session.connection().exec_driver_sql(INSERT, list(rows))
    session.execute(
        sa.update(Batch)
        .where(Batch.id == batch_id)
        .values(code_count=Batch.code_count + len(in_order))
        .execution_options(synchronize_session=False)
    )
    return len(in_order)


def _copy(rows: Iterable[tuple[Any, ...]]) -> None:
    try:
        with _psycopg().cursor() as cursor, cursor.copy(COPY) as copy:
            copy.set_types(COPY_TYPES)
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        # As SQLAlchemy would have raised it: transaction() decides by it whether to try again.
        raise sa.exc.DBAPIError.instance(COPY, None, error, psycopg.Error) from error


def _psycopg() -> psycopg.Connection[Any]:
    """The driver's own connection, in the session's transaction: COPY has no other way in."""
    raw = session.connection().connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    return raw
