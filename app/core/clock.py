"""Time: the one place that asks what time it is."""

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


def now() -> datetime:
    """This instant, in UTC."""
    return datetime.now(UTC)


def today(zone: str) -> date:
    """The shop's day: the date in its own zone, which is what a merchant means by "today"."""
    return now().astimezone(ZoneInfo(zone)).date()
