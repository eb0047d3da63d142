"""Days and months in an address, and the moments at which they begin in the shop's zone."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app.domain.catalog import preferences


def read_day(text: str) -> date | None:
    """A day as browsers send it; whatever else it is, it is not there."""
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    # At the ends of the calendar there is no midnight in every zone, and no order either.
    return day if 2000 <= day.year < 3000 else None


def read_month(text: str) -> date | None:
    """The first day of a month such as 2026-10."""
    return read_day(f"{text}-01") if len(text) == 7 else None


def next_month(day: date) -> date:
    """The first day of the month after."""
    return (day.replace(day=1) + timedelta(days=31)).replace(day=1)


def midnight(day: date) -> datetime:
    """When a day begins where the shop is."""
    return datetime.combine(day, time(), ZoneInfo(preferences.get().zone))
