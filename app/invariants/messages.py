"""Messages to buyers: none is left lying half-way."""

import sqlalchemy as sa

from app.core.outbox import OutboxRow, OutboxState
from app.domain.messages.models import MessageRow, MessageState
from app.invariants.counting import Counted, counted

UNDER_WAY = (MessageState.QUEUED, MessageState.SENDING)


@counted
def messages_are_carried() -> Counted:
    """Every message that has not ended has a job that goes on with it, or is seen as dead."""
    carried = sa.select(OutboxRow.key).where(
        OutboxRow.state.in_([OutboxState.READY, OutboxState.RUNNING, OutboxState.DEAD])
    )
    key = (
        sa.literal("message:")
        + sa.cast(MessageRow.kind, sa.Text)
        + sa.literal(":")
        + sa.cast(MessageRow.subject_id, sa.Text)
    )
    under_way = sa.select(MessageRow.id).where(MessageRow.state.in_(UNDER_WAY))
    return under_way, under_way.where(key.not_in(carried))
