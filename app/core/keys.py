"""Data keys: each batch of codes, the personal data and the blind index have one of their own.

The rows hold keys wrapped by the master key, which is never in the database; so the database and
its backups open nothing. Unwrapped keys live in this process's memory only.
"""

import os
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, db
from app.core.crypto import DataKey, KeyRing, Secret, Tampered, blind_index, context, data_key_id_of
from app.core.db import session


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
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class KeysMissing(Exception):
    """The shop was never initialised, or its master key is not the one that wrapped its keys."""


_ring: KeyRing | None = None


def connect(ring: KeyRing | None) -> None:
    """Take the master keys; called once by create_app()."""
    global _ring  # noqa: PLW0603  one key ring a process, read once from outside the database
    _ring = ring
    forget()


def forget() -> None:
    """Drop unwrapped keys: after a rotation, or when another database is opened."""
    by_id.cache_clear()
    _only.cache_clear()


def ring() -> KeyRing:
    if _ring is None:
        raise KeysMissing("no master key was loaded")
    return _ring


def create(purpose: KeyPurpose) -> DataKeyRow:
    """Make a new key and store it wrapped, within the caller's unit of work."""
    row = DataKeyRow(purpose=purpose, master_key_id="", wrapped=b"")
    session.add(row)
    # The wrapping binds the row's id, so the row needs one before its key can be wrapped.
    session.flush()
    row.master_key_id, row.wrapped = ring().wrap(os.urandom(32), row.id, purpose)
    session.flush()
    return row


@cache
def by_id(key_id: int) -> DataKey:
    """The unwrapped key with this id; raises KeysMissing."""
    row = session.get(DataKeyRow, key_id)
    if row is None or row.wrapped is None:
        raise KeysMissing(f"data key {key_id} does not exist or was destroyed")
    raw = ring().unwrap(row.master_key_id, row.wrapped, row.id, row.purpose)
    return DataKey(row.id, row.purpose, raw)


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


def _unwraps(row: DataKeyRow) -> bool:
    try:
        ring().unwrap(row.master_key_id, row.wrapped or b"", row.id, row.purpose)
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
    key = by_id(data_key_id_of(blob))
    return Secret(key.open(blob, context(*bound_to)).decode())
