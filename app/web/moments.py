"""Moments as people read them: in the shop's zone, which is one of its preferences."""

from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.core.db import session
from app.domain.catalog import preferences
from app.domain.catalog.preferences import Preferences

log = structlog.get_logger()


def shop() -> Preferences:
    """The merchant's preferences; the last known when the database does not answer, because the
    page that says so needs the shop's name too."""
    try:
        return preferences.get()
    except SQLAlchemyError as error:
        session.rollback()
        log.warning("shop.preferences_unread", error=type(error).__name__)
        return preferences.last_known()


def when(at: datetime) -> str:
    """A moment in the shop's zone, the same in every language and as wide in every row."""
    return f"{at.astimezone(ZoneInfo(shop().zone)):%Y-%m-%d %H:%M}"
