"""Spans of time as people say them, and moments on the shop's wall clock.

Where the clocks change, a time that comes twice means its first coming, and a time that is skipped
means the moment of the jump: what closes at 02:30 is closed when the clock shows 03:00.
"""

import calendar
import re
from bisect import bisect
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

ISO_DURATION = re.compile(
    r"P(?=.)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?"
    r"(?:T(?=.)(?:(\d{1,5})H)?(?:(\d{1,6})M)?)?",
    re.ASCII,
)
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Duration:
    """A span as people say it: months and days of the calendar, and time of physics.

    P1M is a calendar month and clips to its end (31 January + P1M = 28 or 29 February); PT2H is two
    hours, whatever the clocks do meanwhile.
    """

    months: int = 0
    days: int = 0
    time: timedelta = timedelta(0)

    @classmethod
    def parse(cls, text: str) -> "Duration":
        """Read ISO 8601 (P1M, P30D, P1Y, PT2H); an empty text is none. Raises ValueError."""
        if not text:
            return cls()
        match = ISO_DURATION.fullmatch(text)
        if not match:
            raise ValueError(text)
        years, months, weeks, days, hours, minutes = (int(part or 0) for part in match.groups())
        return cls(years * 12 + months, weeks * 7 + days, timedelta(hours=hours, minutes=minutes))

    def __bool__(self) -> bool:
        return bool(self.months or self.days or self.time)

    def after(self, start: datetime, zone: ZoneInfo) -> datetime:
        """The moment so long after `start`, in UTC: calendar parts on the shop's wall clock."""
        # Python adds to a local time as if clocks never changed, so never to a local time.
        if not (self.months or self.days):
            return start.astimezone(UTC) + self.time
        local = start.astimezone(zone)
        day = _add_months(local.date(), self.months) + self.days * DAY
        return moment(day, local.time(), zone) + self.time


def _add_months(day: date, months: int) -> date:
    years, month = divmod(day.month - 1 + months, 12)
    year, month = day.year + years, month + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """When a day begins in the shop, in UTC."""
    return moment(day, time(0), zone)


def moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """When the shop's wall clock shows this, in UTC."""
    local = datetime.combine(day, at, tzinfo=zone)
    found = local.astimezone(UTC)
    shown = found.astimezone(zone)
    if shown.replace(tzinfo=None) == local.replace(tzinfo=None):
        return found
    # Read with the offset of after the jump it lies before the jump, and the other way round.
    return _jump(local.replace(fold=1).astimezone(UTC), local.replace(fold=0).astimezone(UTC), zone)


def _jump(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The moment between these two at which the clocks are put forward."""

    def offset(seconds: int) -> timedelta:
        found = (before + timedelta(seconds=seconds)).astimezone(zone).utcoffset()
        assert found is not None
        return found

    seconds = range(int((after - before).total_seconds()))
    return before + timedelta(seconds=bisect(seconds, offset(0), key=offset))
