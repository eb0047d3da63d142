"""Rotations of the keys: how far each has come."""

from datetime import datetime
from enum import StrEnum

from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, db


class RotationState(StrEnum):
    """SETTLING waits until nobody can seal under an old key any more, and then looks once more."""

    RESEALING = "resealing"
    SETTLING = "settling"
    DONE = "done"
    SUPERSEDED = "superseded"


UNDER_WAY = (RotationState.RESEALING, RotationState.SETTLING)


class KeyRotation(db.Model):
    """One `flask keys rotate`: the master key it brought, and how many codes are sealed anew."""

    __tablename__ = "key_rotations"

    MOVES = {
        RotationState.RESEALING: {RotationState.SETTLING, RotationState.SUPERSEDED},
        RotationState.SETTLING: {RotationState.DONE, RotationState.SUPERSEDED},
        RotationState.DONE: set(),
        RotationState.SUPERSEDED: set(),
    }

    id: Mapped[db.PrimaryKey]
    master_key_id: Mapped[str]
    state: Mapped[RotationState] = mapped_column(default=RotationState.RESEALING)
    started_by: Mapped[str]
    started_at: Mapped[datetime] = mapped_column(default=clock.now)
    # Keys up to this one are replaced; younger ones came under the new master key.
    last_key_id: Mapped[int]
    # How many codes there were and how many data keys were wrapped anew, when it began.
    code_count: Mapped[int]
    rewrapped: Mapped[int]
    # All codes up to this one have been looked at; it begins anew once it is settling.
    after_id: Mapped[int] = mapped_column(default=0)
    looked_at: Mapped[int] = mapped_column(default=0)
    resealed: Mapped[int] = mapped_column(default=0)
    # What was found under old keys, and what does not open, since `after_id` was 0.
    found: Mapped[int] = mapped_column(default=0)
    unreadable: Mapped[int] = mapped_column(default=0)
    settles_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    # How many old data keys were destroyed at the end.
    destroyed: Mapped[int] = mapped_column(default=0)
