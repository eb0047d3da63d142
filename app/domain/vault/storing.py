"""How codes get onto the shelf, many at a time: sealed, none twice, whole or not at all."""

import os
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from struct import Struct
from typing import Any, NamedTuple

import psycopg
import sqlalchemy as sa

from app.core import db, keys
from app.core.crypto import DataKey
from app.core.db import require_transaction, session
from app.domain.vault.models import Batch, Code, CodeState
from app.domain.vault.rules import Content, join_content, last_four, normalise, unsold_contexts

COPY = "COPY codes (uid, batch_id, state, sealed, lookup, last_four) FROM STDIN (FORMAT BINARY)"
# PostgreSQL's manual, COPY, "Binary Format".
COPY_HEAD, COPY_END = b"PGCOPY\n\xff\r\n\0" + bytes(8), b"\xff\xff"
LENGTH, FIELD_8, UID_FIRST = Struct("!i").pack, Struct("!iq").pack, Struct("!hi16s").pack
# About 100 kB: the socket takes them at once, and does not make us wait.
ROWS_PER_WRITE = 500
INSERT = (
    "INSERT INTO codes (uid, batch_id, state, sealed, lookup, last_four) VALUES (?, ?, ?, ?, ?, ?)"
)
_BATCHES = db.table_of(Batch)
_COUNT = (
    sa.update(_BATCHES)
    .where(_BATCHES.c.id == sa.bindparam("batch"))
    .values(code_count=_BATCHES.c.code_count + sa.bindparam("more"))
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
    texts = [code.text.encode() for code in codes]
    sealed = key.seal_many(zip(texts, unsold_contexts(batch_uid, uids), strict=True))
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


def store(
    batch_id: int, codes: Iterable[SealedCode], meanwhile: Callable[[], object] | None = None
) -> int:
    """Put codes that are not in the store into the batch; how many they were.

    `meanwhile` is called between two writes, while the database is busy with the first.

    Somebody who stored one of them meanwhile makes the whole unit run again. All writers insert
    in the order of `lookup`, so two with the same codes wait for each other and never in a
    circle; and the index grows from one end to the other, which is a third faster.
    """
    require_transaction()
    in_order = sorted(codes, key=attrgetter("lookup"))
    if not in_order:
        return 0
    if db.is_postgres():
        _copy(batch_id, in_order, meanwhile)
    else:
        state = CodeState.AVAILABLE.value
        rows = [
            (code.uid, batch_id, state, code.sealed, code.lookup, code.last_four)
            for code in in_order
        ]
        # Not the ORM's insert: with a million rows its bookkeeping costs more than the database.
        session.connection().exec_driver_sql(INSERT, rows)
    counted = db.execute(_COUNT, {"batch": batch_id, "more": len(in_order)})
    if counted.rowcount != 1:
        raise LookupError(f"no batch {batch_id}")
    return len(in_order)


def _copy(
    batch_id: int, codes: Sequence[SealedCode], meanwhile: Callable[[], object] | None
) -> None:
    try:
        with _psycopg().cursor() as cursor, cursor.copy(COPY) as copy:
            copy.write(COPY_HEAD)
            for start in range(0, len(codes), ROWS_PER_WRITE):
                copy.write(_packed(batch_id, codes[start : start + ROWS_PER_WRITE]))
                if meanwhile:
                    meanwhile()
            copy.write(COPY_END)
    except psycopg.Error as error:
        # As SQLAlchemy would have raised it: transaction() decides by it whether to try again.
        raise sa.exc.DBAPIError.instance(COPY, None, error, psycopg.Error) from error


def _packed(batch_id: int, codes: Sequence[SealedCode]) -> bytes:
    """Rows as COPY reads them: the number of fields, and each with its length.

    It takes half the time of the driver's `write_row`, a tenth of an import.
    """
    state = CodeState.AVAILABLE.value.encode()
    batch = FIELD_8(8, batch_id) + LENGTH(len(state)) + state
    fields: list[bytes] = []
    for uid, sealed, lookup, shown in codes:
        end = shown.encode()
        fields += (
            UID_FIRST(6, len(uid), uid),
            batch,
            LENGTH(len(sealed)),
            sealed,
            LENGTH(len(lookup)),
            lookup,
            LENGTH(len(end)),
            end,
        )
    return b"".join(fields)


def _psycopg() -> psycopg.Connection[Any]:
    """The driver's own connection, in the session's transaction: COPY has no other way in."""
    raw = session.connection().connection.driver_connection
    assert isinstance(raw, psycopg.Connection)
    return raw
