"""How messages are found, and what is about to end."""

from datetime import datetime
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.core import clock
from app.core.db import session
from app.domain.catalog import preferences
from app.domain.catalog.models import REDEEMABLE
from app.domain.messages.models import Kind, MessageRow
from app.domain.messages.rules import notice_at
from app.domain.orders.models import OrderLine
from app.domain.redemptions import queries as redemptions
from app.domain.redemptions.queries import Found
from app.domain.redemptions.validity import life
from app.domain.vault import queries as vault
from app.domain.vault.models import CodeState


def of_order(order_id: int) -> list[MessageRow]:
    """What the buyer of an order was told, oldest first."""
    return list(
        session.scalars(
            sa.select(MessageRow).where(MessageRow.order_id == order_id).order_by(MessageRow.id)
        )
    )


def lock(order_id: int, kind: Kind, subject_id: int) -> MessageRow | None:
    """The message about just this, locked and read afresh; None when there is none yet."""
    return session.scalar(
        sa.select(MessageRow)
        .where(
            MessageRow.order_id == order_id,
            MessageRow.kind == kind,
            MessageRow.subject_id == subject_id,
        )
        .with_for_update()
        .execution_options(populate_existing=True)
    )


def next_end(line: OrderLine) -> tuple[datetime, datetime] | None:
    """When the first of a line's codes that can still be used is over, and when to tell of it.

    None while that is not known (a pass that counts from its first use), and when nobody need be
    told: all is used up, or it never had longer than the notice that would be given.
    """
    if line.kind not in REDEEMABLE or line.delivered_at is None:
        return None
    found = [redemptions.find(code.id) for code, _ in vault.sold_codes_of(line.id)]
    ends = [end for one in found if one is not None and (end := _end_of(one)) is not None]
    return min(ends, default=None)


def _end_of(found: Found) -> tuple[datetime, datetime] | None:
    if found.code.state != CodeState.SOLD:
        return None
    history = found.history
    _, ends_at = life(found.policy, history, ZoneInfo(preferences.get().zone))
    since = history.activated_at or history.delivered_at
    if ends_at is None or since is None or ends_at <= clock.now():
        return None
    at = notice_at(ends_at, since)
    return (ends_at, at) if at is not None else None
