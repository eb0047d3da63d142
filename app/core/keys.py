"""Data keys: each batch of codes, the personal data and the blind index have one of their own.

The rows hold keys wrapped by the master key, which is never in the database; so the database and
its backups open nothing. Unwrapped keys live in this process's memory only.
"""

import os
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, aliased, mapped_column

from app.core import clock, db
from app.core.crypto import DataKey, KeyRing, Secret, Tampered, blind_index, context, data_key_id_of
from app.core.db import session

# So long does a process remember an unwrapped key: so a destroyed one is forgotten everywhere.
KEPT_FOR = timedelta(minutes=5)


class KeyPurpose(StrEnum):
    BATCH = "batch"
    PERSONAL = "personal"
    INDEX = "index"


class DataKeyRow(db.Model):
    """A wrapped key. `wrapped` is NULL once the key was destroyed to shred what it sealed."""

    __tablename__ = "data_keys"

    id: Mapped[db.PrimaryKey]
    purpose: Mapped[KeyPurpose]
    master_key_id: Mapped[str]
    wrapped: Mapped[bytes | None]
    # The key in whose place it came when that was rotated out. A backup is restored in the order
    # of ids, and the older has the smaller.
    replaces: Mapped[int | None] = mapped_column(sa.ForeignKey("data_keys.id"), unique=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


_KEYS = db.table_of(DataKeyRow)
_REWRAP = (
    sa.update(_KEYS)
    # As it was read: a key that was destroyed meanwhile does not come back.
    .where(_KEYS.c.id == sa.bindparam("key"), _KEYS.c.wrapped == sa.bindparam("was"))
    .values(master_key_id=sa.bindparam("name"), wrapped=sa.bindparam("fresh"))
)


class KeysMissing(Exception):
    """The shop was never initialised, or its master key is not the one that wrapped its keys."""


class Destroyed(KeysMissing):
    """The key was destroyed on purpose: what it sealed opens for nobody any more."""


_ring: KeyRing | None = None
_load: Callable[[], KeyRing | None] | None = None
# Until when each is remembered.
_unwrapped: dict[int, tuple[datetime, DataKey]] = {}
_one_at_a_time = threading.Lock()


def connect(load: Callable[[], KeyRing | None]) -> None:
    """Take the master keys; called once by create_app(). `load` reads them again when they may have
    changed: after a rotation a running process needs no restart."""
    global _load  # noqa: PLW0603  one key ring a process, read from outside the database
    _load = load
    reload()


def reload() -> None:
    """Read the master keys again and forget what was unwrapped with the old ones."""
    global _ring  # noqa: PLW0603  as above
    _ring = _load() if _load else None
    forget()


def forget() -> None:
    """Drop unwrapped keys: after a rotation, or when another database is opened."""
    with _one_at_a_time:
        _unwrapped.clear()
    _only.cache_clear()


def ring() -> KeyRing:
    if _ring is None:
        raise KeysMissing("no master key was loaded")
    return _ring


def create(purpose: KeyPurpose, replaces: int | None = None) -> DataKeyRow:
    """Make a new key and store it wrapped, within the caller's unit of work."""
    row = DataKeyRow(purpose=purpose, master_key_id="", wrapped=b"", replaces=replaces)
    session.add(row)
    # The wrapping binds the row's id, so the row needs one before its key can be wrapped.
    session.flush()
    row.master_key_id, row.wrapped = _newest_ring().wrap(os.urandom(32), row.id, purpose)
    session.flush()
    return row


def by_id(key_id: int) -> DataKey:
    """The unwrapped key with this id; raises KeysMissing."""
    now = clock.now()
    known = _unwrapped.get(key_id)
    if known is not None and now < known[0]:
        return known[1]
    row = session.get(DataKeyRow, key_id, populate_existing=True)
    if row is None:
        raise KeysMissing(f"data key {key_id} does not exist")
    if row.wrapped is None:
        raise Destroyed(f"data key {key_id} was destroyed")
    key = DataKey(row.id, row.purpose, _unwrap(row))
    _remember(key, now)
    return key


def of(blob: bytes) -> DataKey:
    """The key that a sealed field was sealed under, which may be older than that of its like;
    raises Tampered, KeysMissing."""
    return by_id(data_key_id_of(blob))


@cache
def _only(purpose: KeyPurpose) -> DataKey:
    newest = session.scalar(
        sa.select(DataKeyRow.id).where(DataKeyRow.purpose == purpose).order_by(DataKeyRow.id.desc())
    )
    if newest is None:
        raise KeysMissing("the shop has no keys yet: run `flask init`")
    return by_id(newest)


def ensure_shop_keys() -> None:
    """Make the shop's own keys if it has none; `flask init` calls this."""
    for purpose in (KeyPurpose.PERSONAL, KeyPurpose.INDEX):
        exists = sa.select(DataKeyRow.id).where(DataKeyRow.purpose == purpose)
        if session.scalar(exists.limit(1)) is None:
            create(purpose)


@dataclass(frozen=True)
class KeyCount:
    """How many data keys the master key opens, and how many it does not."""

    opened: int
    closed: int


def check() -> KeyCount:
    """Unwrap every data key that was not destroyed."""
    rows = session.scalars(sa.select(DataKeyRow).where(DataKeyRow.wrapped.is_not(None))).all()
    opened = sum(_unwraps(row) for row in rows)
    return KeyCount(opened, len(rows) - opened)


def rewrap() -> int:
    """Wrap every data key by the active master key, within the caller's unit; how many were not.

    What is sealed under them stays as it is. Raises Tampered when one does not open.
    """
    newest = _newest_ring()
    rows = session.execute(
        sa.select(_KEYS.c.id, _KEYS.c.purpose, _KEYS.c.master_key_id, _KEYS.c.wrapped).where(
            _KEYS.c.wrapped.is_not(None), _KEYS.c.master_key_id != newest.active
        )
    ).all()
    changes = []
    for row in rows:
        raw = newest.unwrap(row.master_key_id, row.wrapped, row.id, row.purpose)
        name, wrapped = newest.wrap(raw, row.id, row.purpose)
        changes.append({"key": row.id, "was": row.wrapped, "name": name, "fresh": wrapped})
    if changes:
        db.execute(_REWRAP, changes)
        db.after_commit(forget)
    return len(changes)


def live(purpose: KeyPurpose, upto: int, limit: int) -> list[int]:
    """Ids of keys, at most `limit` and none above `upto`, in whose place no other has come."""
    newer = aliased(DataKeyRow)
    found = (
        sa.select(DataKeyRow.id)
        .where(
            DataKeyRow.purpose == purpose,
            DataKeyRow.wrapped.is_not(None),
            DataKeyRow.id <= upto,
            ~sa.exists().where(newer.replaces == DataKeyRow.id),
        )
        .order_by(DataKeyRow.id)
        .limit(limit)
    )
    return list(session.scalars(found))


def replaced() -> list[int]:
    """Ids of the keys in whose place others came and which still open something."""
    newer = aliased(DataKeyRow)
    found = sa.select(DataKeyRow.id).where(
        DataKeyRow.wrapped.is_not(None), sa.exists().where(newer.replaces == DataKeyRow.id)
    )
    return list(session.scalars(found))


def with_older(ids: Iterable[int]) -> set[int]:
    """These keys and all in whose place they came."""
    found, more = set[int](), set(ids)
    while more:
        found |= more
        older = sa.select(DataKeyRow.replaces).where(
            DataKeyRow.id.in_(more), DataKeyRow.replaces.is_not(None)
        )
        more = {key_id for key_id in session.scalars(older) if key_id is not None} - found
    return found


def destroy(ids: Collection[int]) -> int:
    """Erase wrapped keys for good, within the caller's unit; how many there were.

    This process forgets them at once, others within KEPT_FOR.
    """
    erased = session.execute(
        sa.update(DataKeyRow)
        .where(DataKeyRow.id.in_(ids), DataKeyRow.wrapped.is_not(None))
        .values(wrapped=None)
        .execution_options(synchronize_session=False)
    )
    db.after_commit(forget)
    return int(erased.rowcount)  # type: ignore[attr-defined]


def _newest_ring() -> KeyRing:
    """The master keys as they are now: what is wrapped from here on is to be by the active one."""
    global _ring  # noqa: PLW0603  as above
    _ring = (_load() if _load else None) or _ring
    return ring()


def _remember(key: DataKey, now: datetime) -> None:
    with _one_at_a_time:
        # Put in anew, so that the first of them is the one that is to be forgotten first.
        _unwrapped.pop(key.id, None)
        _unwrapped[key.id] = now + KEPT_FOR, key
        while _unwrapped and (first := next(iter(_unwrapped))) and _unwrapped[first][0] <= now:
            del _unwrapped[first]


def _unwrap(row: DataKeyRow) -> bytes:
    known = ring()
    if row.master_key_id not in known:
        # Rotated since this process began.
        known = _newest_ring()
    return known.unwrap(row.master_key_id, row.wrapped or b"", row.id, row.purpose)


def _unwraps(row: DataKeyRow) -> bool:
    try:
        _unwrap(row)
    except Tampered:
        return False
    return True


def index(scope: str, text: str) -> bytes:
    """The blind index: finds and compares without opening anything. `scope` keeps kinds apart."""
    return blind_index(_only(KeyPurpose.INDEX).raw, scope, text)


def seal_personal(text: str, *bound_to: str | int | bytes) -> bytes:
    """Seal personal data to the table, column and row it belongs to."""
    return _only(KeyPurpose.PERSONAL).seal(text.encode(), context(*bound_to))


def open_personal(blob: bytes, *bound_to: str | int | bytes) -> Secret:
    """Open what `seal_personal` sealed; raises Tampered when it was moved or changed."""
    return Secret(of(blob).open(blob, context(*bound_to)).decode())
