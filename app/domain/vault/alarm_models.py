"""Alarms: what says that codes have left the house on a way that they should not."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, db
from app.domain.vault.models import Batch, Code


class AlarmKind(StrEnum):
    """CANARY: a code was used that nobody was ever sold. STAFF: somebody saw unusually many, or
    asked unusually often for an export."""

    CANARY = "canary"
    STAFF = "staff"


class AlarmState(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


class Alarm(db.Model):
    """One alarm; what happens again while it is open is counted, not told again.

    `about` names what it is about, and there is one open alarm about one thing.
    """

    __tablename__ = "leak_alarms"
    __table_args__ = (
        sa.Index(
            "ix_leak_alarms_open",
            "about",
            unique=True,
            postgresql_where=sa.text("state = 'open'"),
            sqlite_where=sa.text("state = 'open'"),
        ),
    )

    MOVES = {AlarmState.OPEN: {AlarmState.CLOSED}, AlarmState.CLOSED: set()}

    id: Mapped[db.PrimaryKey]
    kind: Mapped[AlarmKind]
    state: Mapped[AlarmState] = mapped_column(default=AlarmState.OPEN)
    about: Mapped[str]
    batch_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Batch.id), index=True)
    code_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Code.id))
    # Who did it and from where, the first time.
    actor: Mapped[str]
    ip: Mapped[str]
    # How: "typed", "counter", "staff" or "export".
    channel: Mapped[str]
    times: Mapped[int] = mapped_column(default=1)
    at: Mapped[datetime] = mapped_column(default=clock.now)
    last_at: Mapped[datetime] = mapped_column(default=clock.now)
    # When the owners were told; written before they are.
    told_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
