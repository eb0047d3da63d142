"""A code or pass becomes a benefit: each use is a row, and so is each use that was given back."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core import clock, db
from app.domain.orders.models import OrderLine
from app.domain.vault.models import Code


class Way(StrEnum):
    """How a use came about."""

    LINK = "link"
    TYPED = "typed"
    ORDER = "order"
    API = "api"
    COUNTER = "counter"


class RedemptionState(StrEnum):
    """PENDING while a provider is asked; a FAILED one gave its use back."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


class Redemption(db.Model):
    """One use of one code.

    `use_number` counts a code's uses from 1. While a use counts (`counts`), no other may have its
    number: that, and not a counter, is why a code is never used once too often.
    """

    __tablename__ = "redemptions"
    __table_args__ = (
        sa.Index(
            "uq_redemptions_use",
            "code_id",
            "use_number",
            unique=True,
            postgresql_where=sa.text("counts"),
            sqlite_where=sa.text("counts"),
        ),
        # One showing of a pass's QR code is good for one use, however often it is scanned.
        sa.UniqueConstraint("code_id", "shown_step"),
        sa.CheckConstraint("use_number > 0", name="use_number_positive"),
        sa.CheckConstraint("state <> 'failed' OR NOT counts", name="failed_gives_back"),
    )

    MOVES = {
        RedemptionState.PENDING: {RedemptionState.SUCCEEDED, RedemptionState.FAILED},
        RedemptionState.SUCCEEDED: set(),
        RedemptionState.FAILED: set(),
    }

    id: Mapped[db.PrimaryKey]
    # What the page or the partner calls it: sent twice it is done once.
    key: Mapped[bytes] = mapped_column(unique=True)
    code_id: Mapped[int] = mapped_column(sa.ForeignKey(Code.id))
    order_line_id: Mapped[int] = mapped_column(sa.ForeignKey(OrderLine.id), index=True)
    state: Mapped[RedemptionState]
    way: Mapped[Way]
    use_number: Mapped[int]
    counts: Mapped[bool] = mapped_column(default=True)
    # Which showing of the pass was scanned at the counter.
    shown_step: Mapped[int | None]
    account_sealed: Mapped[bytes | None]
    account_masked: Mapped[str] = mapped_column(default="")
    actor: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    settled_at: Mapped[datetime | None]

    line: Mapped[OrderLine] = relationship()
    code: Mapped[Code] = relationship()


class RollBack(db.Model):
    """A use that was given back: by the counter's undo or by staff, and why."""

    __tablename__ = "redemption_roll_backs"

    id: Mapped[db.PrimaryKey]
    redemption_id: Mapped[int] = mapped_column(sa.ForeignKey(Redemption.id), unique=True)
    reason: Mapped[str]
    actor: Mapped[str]
    at: Mapped[datetime] = mapped_column(default=clock.now)
