"""Rotation of the keys: data keys are wrapped anew at once, and replaced; codes are sealed anew in
the background, which `orders/resealing.py` does, because a sold code is sealed to its buyer.

Both old and new open all the while: whoever opens asks the sealed field which key it is under, and
whoever seals takes the batch's key of now. An old key is destroyed when nothing is under it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import InstrumentedAttribute

from app.core import audit, clock, db, keys
from app.core.actors import actor
from app.core.crashpoints import crashpoint
from app.core.crypto import KEY_ID_ENDS, Tampered, head_of
from app.core.db import session, transaction
from app.core.keys import DataKeyRow, KeyPurpose, KeysMissing
from app.core.outbox import later
from app.core.states import move
from app.domain.vault.importing import chunk_context
from app.domain.vault.models import Batch, Code, Import, ImportChunk
from app.domain.vault.rotation_models import UNDER_WAY, KeyRotation, RotationState

log = structlog.get_logger()

# Whoever took an old key in hand before it was replaced has sealed with it by then: no request and
# no job lives longer than outbox.HUNG_AFTER.
GRACE = timedelta(minutes=15)
KEYS_PER_UNIT = 100
# A statement's worth of counting: less than a second.
IDS_PER_COUNT = 1_000_000

_EXCHANGE_POSTGRES = (
    "UPDATE codes SET sealed = fresh.sealed"
    " FROM unnest(%b::bigint[], %b::bytea[], %b::bytea[]) AS fresh (id, was, sealed)"
    " WHERE codes.id = fresh.id AND codes.sealed = fresh.was"
)
_EXCHANGE_SQLITE = "UPDATE codes SET sealed = ? WHERE id = ? AND sealed = ?"


@dataclass(frozen=True)
class Resealed:
    """A code as it was read, and the same sealed anew."""

    code_id: int
    was: bytes
    sealed: bytes


def begin() -> KeyRotation:
    """Wrap all data keys by the active master key, and let workers replace them and seal all codes
    anew. One that is under way gives way: this one does its work too."""
    for other in session.scalars(
        sa.select(KeyRotation).where(KeyRotation.state.in_(UNDER_WAY)).with_for_update()
    ):
        move(other, RotationState.SUPERSEDED)
        other.finished_at = clock.now()
    rewrapped = keys.rewrap()
    rotation = KeyRotation(
        master_key_id=keys.ring().active,
        started_by=actor(),
        last_key_id=session.scalar(sa.select(sa.func.max(DataKeyRow.id))) or 0,
        code_count=session.scalar(sa.select(sa.func.count()).select_from(Code)) or 0,
        rewrapped=rewrapped,
    )
    session.add(rotation)
    session.flush()
    later("app.domain.orders.jobs.reseal", rotation.id, key=f"rotation:{rotation.id}")
    audit.record(
        "keys.rotate",
        "key_rotations",
        rotation.id,
        master_key=rotation.master_key_id,
        data_keys=rewrapped,
        codes=rotation.code_count,
    )
    return rotation


def lock_rotation(rotation_id: int) -> KeyRotation:
    """The rotation as it is now, locked until the unit ends."""
    return session.get_one(KeyRotation, rotation_id, with_for_update=True, populate_existing=True)


def replace_keys(rotation_id: int) -> None:
    """Give every batch and every import under way a new data key, some in each unit."""
    while transaction(partial(_replace_some, rotation_id)):
        crashpoint("rotation.replaced")


def reseal_chunks(rotation_id: int) -> None:
    """Seal anew what waits of files that are under way, one chunk in each unit."""
    session.rollback()
    for import_id, position in _stale_chunks():
        transaction(partial(_reseal_chunk, rotation_id, import_id, position))


def exchange(codes: Sequence[Resealed]) -> int:
    """Put what was sealed anew in the place of what was read; how many. A code that was sold or
    sealed meanwhile keeps what it got then."""
    db.require_transaction()
    if not codes:
        return 0
    connection = session.connection()
    if db.is_postgres():
        # In the order of their ids, as sales lock them.
        columns = (
            [code.code_id for code in codes],
            [code.was for code in codes],
            [code.sealed for code in codes],
        )
        return connection.exec_driver_sql(_EXCHANGE_POSTGRES, columns).rowcount
    rows = [(code.sealed, code.code_id, code.was) for code in codes]
    return connection.exec_driver_sql(_EXCHANGE_SQLITE, rows).rowcount


def may_go_on(rotation: KeyRotation) -> bool:
    """Whether codes are to be looked at now: it is under way, and waits for nobody."""
    waits = rotation.settles_at is not None and clock.now() < rotation.settles_at
    return rotation.state in UNDER_WAY and not waits


def finish(rotation_id: int) -> datetime | None:
    """When to go on with it, or None at its end.

    Once all codes were looked at, it waits for whoever had an old key in hand and looks at all of
    them again; when nothing more was found under an old key, those are destroyed.
    """
    rotation = lock_rotation(rotation_id)
    now = clock.now()
    if rotation.state not in UNDER_WAY:
        return None
    if not may_go_on(rotation):
        return rotation.settles_at
    if session.scalar(sa.select(Code.id).where(Code.id > rotation.after_id).limit(1)) is not None:
        return now
    if rotation.state == RotationState.RESEALING:
        move(rotation, RotationState.SETTLING)
    elif not rotation.found:
        _end(rotation)
        return None
    rotation.after_id = rotation.looked_at = rotation.found = rotation.unreadable = 0
    rotation.settles_at = now + GRACE
    return rotation.settles_at


def unused(replaced: Sequence[int]) -> list[int]:
    """Those of the replaced keys that nothing is sealed under, asked of the rows themselves."""
    heads = set(session.scalars(sa.select(_head(ImportChunk.sealed)).distinct()))
    newest = session.scalar(sa.select(sa.func.max(Code.id))) or 0
    for after in range(0, newest, IDS_PER_COUNT):
        some = Code.id.between(after + 1, after + IDS_PER_COUNT)
        heads |= set(session.scalars(sa.select(_head(Code.sealed)).where(some).distinct()))
    owned = {
        key_id
        for column in (Batch.data_key_id, Import.data_key_id)
        for key_id in session.scalars(sa.select(column).distinct())
    }
    return [key_id for key_id in replaced if head_of(key_id) not in heads and key_id not in owned]


def _end(rotation: KeyRotation) -> None:
    keys.reload()
    if keys.ring().active == rotation.master_key_id:
        # A process that was not told of the new master key may have wrapped by the old one.
        rotation.rewrapped += keys.rewrap()
    rotation.destroyed = keys.destroy(unused(keys.replaced()))
    rotation.finished_at = clock.now()
    move(rotation, RotationState.DONE)
    log.info(
        "rotation.done",
        rotation=rotation.id,
        resealed=rotation.resealed,
        destroyed=rotation.destroyed,
        unreadable=rotation.unreadable,
    )


def _replace_some(rotation_id: int) -> bool:
    rotation = lock_rotation(rotation_id)
    if rotation.state not in UNDER_WAY:
        return False
    old = keys.live(KeyPurpose.BATCH, rotation.last_key_id, KEYS_PER_UNIT)
    for key_id in old:
        new = keys.create(KeyPurpose.BATCH, replaces=key_id).id
        for owner in (
            sa.update(Batch).where(Batch.data_key_id == key_id, Batch.shredded_at.is_(None)),
            sa.update(Import).where(Import.data_key_id == key_id),
        ):
            session.execute(
                owner.values(data_key_id=new).execution_options(synchronize_session=False)
            )
    # What is replaced only now has to be waited for again.
    rotation.found += len(old)
    return bool(old)


def _stale_chunks() -> list[tuple[int, int]]:
    rows = session.execute(
        sa.select(
            ImportChunk.import_id,
            ImportChunk.position,
            _head(ImportChunk.sealed),
            Import.data_key_id,
        )
        .join(Import, Import.id == ImportChunk.import_id)
        .order_by(ImportChunk.import_id, ImportChunk.position)
    )
    return [
        (import_id, position)
        for import_id, position, head, key_id in rows
        if head != head_of(key_id)
    ]


def _reseal_chunk(rotation_id: int, import_id: int, position: int) -> None:
    rotation = lock_rotation(rotation_id)
    chunk = session.get(ImportChunk, (import_id, position), with_for_update=True)
    if chunk is None:
        # Taken into its batch meanwhile.
        return
    import_ = session.get_one(Import, import_id)
    bound_to = chunk_context(import_, position)
    try:
        plain = keys.of(chunk.sealed).open(chunk.sealed, bound_to)
        chunk.sealed = keys.by_id(import_.data_key_id).seal(plain, bound_to)
        rotation.found += 1
    except (Tampered, KeysMissing):
        log.warning("rotation.unreadable_chunk", import_id=import_id, position=position)


def _head(sealed: InstrumentedAttribute[bytes]) -> sa.ColumnElement[bytes]:
    return sa.func.substr(sealed, 1, KEY_ID_ENDS, type_=sa.LargeBinary)
