"""Replacements after an alarm: each code of the leaked batch that somebody bought lately."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, db
from app.domain.orders.models import Order
from app.domain.vault.alarm_models import Alarm
from app.domain.vault.models import Code


class ReplacementState(StrEnum):
    """LEFT: its buyer keeps the old code, and `why` says why."""

    WAITING = "waiting"
    REPLACED = "replaced"
    LEFT = "left"


class Why(StrEnum):
    """SOLD_OUT can be tried again; USED and GONE (refunded, void, exhausted) cannot."""

    SOLD_OUT = "sold_out"
    USED = "used"
    GONE = "gone"


class Replacement(db.Model):
    """One code that its buyer is given another for."""

    __tablename__ = "leak_replacements"
    __table_args__ = (
        sa.UniqueConstraint("alarm_id", "code_id"),
        sa.Index("ix_leak_replacements_state", "alarm_id", "state", "order_id"),
    )

    MOVES = {
        ReplacementState.WAITING: {ReplacementState.REPLACED, ReplacementState.LEFT},
        ReplacementState.REPLACED: set(),
        ReplacementState.LEFT: {ReplacementState.WAITING},
    }

    id: Mapped[db.PrimaryKey]
    alarm_id: Mapped[int] = mapped_column(sa.ForeignKey(Alarm.id))
    code_id: Mapped[int] = mapped_column(sa.ForeignKey(Code.id), index=True)
    order_id: Mapped[int] = mapped_column(sa.ForeignKey(Order.id), index=True)
    state: Mapped[ReplacementState] = mapped_column(default=ReplacementState.WAITING)
    why: Mapped[Why | None]
    reason: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=clock.now)
