"""Messages to buyers: one row for each thing that a buyer is told, and what became of it."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, db
from app.domain.orders.models import Order


class Kind(StrEnum):
    """What a message tells of."""

    PAID = "paid"
    ARRIVED = "arrived"
    FAILED = "failed"
    REFUNDED = "refunded"
    EXPIRING = "expiring"
    GIVEN_BACK = "given_back"
    LOW_BALANCE = "low_balance"
    REPLACED = "replaced"


class MessageState(StrEnum):
    """SENDING is the intent; UNKNOWN is doubt, and is not sent again: see `service`."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class MessageRow(db.Model):
    """One thing told about one order. What it said is not kept: the templates say it again."""

    __tablename__ = "messages"
    __table_args__ = (sa.UniqueConstraint("order_id", "kind", "subject_id"),)

    MOVES = {
        MessageState.QUEUED: {MessageState.SENDING, MessageState.REFUSED},
        MessageState.SENDING: {
            MessageState.SENT,
            MessageState.REFUSED,
            MessageState.UNKNOWN,
            MessageState.QUEUED,
        },
        MessageState.SENT: set(),
        MessageState.REFUSED: set(),
        MessageState.UNKNOWN: set(),
    }

    id: Mapped[db.PrimaryKey]
    order_id: Mapped[int] = mapped_column(sa.ForeignKey(Order.id))
    kind: Mapped[Kind]
    # What it tells of: the order, one of its refunds, lines or redemptions.
    subject_id: Mapped[int]
    # The sender's name, and whom it went to.
    channel: Mapped[str]
    recipient_masked: Mapped[str]
    state: Mapped[MessageState] = mapped_column(default=MessageState.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    # Why it was not sent, or not yet: the sender's, for staff.
    reason: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    sent_at: Mapped[datetime | None]
