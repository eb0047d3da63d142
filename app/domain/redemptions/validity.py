"""When a sold code may be used: one pure function, from its rules and its history to an answer.

Times are moments in UTC; days, weekdays and hours are the shop's, in its zone. Intervals are
half-open. Hours over midnight belong to the day they begin on, and so does a use in them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import takewhile
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from app.domain.redemptions.spans import DAY, Duration, midnight, moment

ALL_WEEK = frozenset(range(1, 8))
ALL_DAY = ((time(0), time(0)),)
FORMAT = 1


class Anchor(StrEnum):
    """What the delay and the duration are counted from. FIXED: from nothing but the dates."""

    FIXED = "fixed"
    SOLD = "sold"
    DELIVERED = "delivered"
    ACTIVATED = "activated"
    FIRST_USED = "first_used"


@dataclass(frozen=True)
class Policy:
    """The rules of use; without any, a code may always be used.

    The duration is counted from the end of the delay, the delay from the anchor. `end_of_day` lets
    a duration of whole days run to the end of its last one. `hours` are (from, until) on the wall
    clock, to the minute; an until that is not after from is on the next day. None is no limit.
    """

    anchor: Anchor = Anchor.FIXED
    start_at: datetime | None = None
    end_at: datetime | None = None
    delay: str = ""
    duration: str = ""
    end_of_day: bool = True
    weekdays: frozenset[int] = ALL_WEEK
    hours: tuple[tuple[time, time], ...] = ()
    blackout: frozenset[date] = frozenset()
    uses_total: int | None = None
    uses_per_day: int | None = None
    min_gap: str = ""
    undo_within: timedelta = timedelta(minutes=15)

    def to_json(self) -> dict[str, Any]:
        """What is kept of it, in a form that later versions of this code still read."""
        return {
            "format": FORMAT,
            "anchor": self.anchor.value,
            "start_at": _write_moment(self.start_at),
            "end_at": _write_moment(self.end_at),
            "delay": self.delay,
            "duration": self.duration,
            "end_of_day": self.end_of_day,
            "weekdays": sorted(self.weekdays),
            "hours": [[f"{start:%H:%M}", f"{end:%H:%M}"] for start, end in self.hours],
            "blackout": sorted(day.isoformat() for day in self.blackout),
            "uses_total": self.uses_total,
            "uses_per_day": self.uses_per_day,
            "min_gap": self.min_gap,
            "undo_minutes": int(self.undo_within.total_seconds() // 60),
        }

    @classmethod
    def from_json(cls, rules: dict[str, Any]) -> "Policy":
        """The inverse of `to_json`; raises ValueError for a format of later code."""
        if rules["format"] != FORMAT:
            raise ValueError(f"rules of use in format {rules['format']}")
        return cls(
            anchor=Anchor(rules["anchor"]),
            start_at=_read_moment(rules["start_at"]),
            end_at=_read_moment(rules["end_at"]),
            delay=rules["delay"],
            duration=rules["duration"],
            end_of_day=rules["end_of_day"],
            weekdays=frozenset(rules["weekdays"]),
            hours=tuple(
                (time.fromisoformat(start), time.fromisoformat(end))
                for start, end in rules["hours"]
            ),
            blackout=frozenset(date.fromisoformat(day) for day in rules["blackout"]),
            uses_total=rules["uses_total"],
            uses_per_day=rules["uses_per_day"],
            min_gap=rules["min_gap"],
            undo_within=timedelta(minutes=rules["undo_minutes"]),
        )


def _write_moment(at: datetime | None) -> str | None:
    return None if at is None else at.astimezone(UTC).isoformat()


def _read_moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


@dataclass(frozen=True)
class History:
    """The moments that count. `used_at` holds uses that were not given back, oldest first."""

    sold_at: datetime | None = None
    delivered_at: datetime | None = None
    activated_at: datetime | None = None
    first_used_at: datetime | None = None
    used_at: tuple[datetime, ...] = ()


@dataclass(frozen=True)
class Judgement:
    """Whether a code may be used now; if not, `slug` says why and `params` with what figures.

    `next_at` is the next moment when it may be, None when there is none. `starts_at` and `ends_at`
    bound its life as far as it is known now; `uses_left` None is no limit.
    """

    allowed: bool
    slug: str = ""
    params: dict[str, Any] = field(default_factory=dict)
    next_at: datetime | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    uses_left: int | None = None


def judge(
    policy: Policy, history: History, now: datetime, zone: ZoneInfo, need: int = 1
) -> Judgement:
    """May it be used `need` times now? The first reason against it is the one that is told.

    Used up is told before closed: what is used up will not open again.
    """
    assert need > 0
    now = now.astimezone(UTC)
    starts_at, ends_at = life(policy, history, zone)
    left = None if policy.uses_total is None else max(0, policy.uses_total - len(history.used_at))
    why_not = (
        _outside_life(starts_at, ends_at, now)
        or _used_up(left, need)
        or _at_another_time(policy, history, now, zone, need)
    )
    if why_not is None:
        return Judgement(True, "", {}, now, starts_at, ends_at, left)
    slug, params = why_not
    next_at = None
    if not _used_up(left, need):
        earliest = now if starts_at is None else max(now, starts_at)
        next_at = _next(policy, history, earliest, ends_at, zone, need)
    return Judgement(False, slug, {**params, "next": next_at}, next_at, starts_at, ends_at, left)


# A slug and the figures for its sentence.
WhyNot = tuple[str, dict[str, Any]]


def _outside_life(
    starts_at: datetime | None, ends_at: datetime | None, now: datetime
) -> WhyNot | None:
    if starts_at is not None and now < starts_at:
        return "code-not-started", {"start": starts_at}
    if ends_at is not None and now >= ends_at:
        return "code-expired", {"end": ends_at}
    return None


def _used_up(left: int | None, need: int) -> WhyNot | None:
    if left is None or left >= need:
        return None
    if left == 0:
        return "code-used", {}
    return "code-uses-insufficient", {"left": left, "need": need}


def _at_another_time(
    policy: Policy, history: History, now: datetime, zone: ZoneInfo, need: int
) -> WhyNot | None:
    window = _window_at(policy, now, zone)
    if window is None:
        return "code-outside-hours", {}
    free_at = _free_at(policy, history, zone)
    if free_at is not None and now < free_at:
        return "code-too-soon", {}
    if not _has_room(policy, history, window.day, zone, need):
        used = _uses_on(policy, history, window.day, zone)
        return "code-day-limit", {"most": policy.uses_per_day, "used": used}
    return None


def life(
    policy: Policy, history: History, zone: ZoneInfo
) -> tuple[datetime | None, datetime | None]:
    """From when until when it may be used at all; None is no bound, or not known yet."""
    starts, ends = [policy.start_at], [policy.end_at]
    anchored = _anchored_at(policy.anchor, history)
    if anchored is not None:
        begins = Duration.parse(policy.delay).after(anchored, zone)
        starts.append(begins)
        if policy.duration:
            until = Duration.parse(policy.duration).after(begins, zone)
            if policy.end_of_day:
                until = midnight(until.astimezone(zone).date() + DAY, zone)
            ends.append(until)
    return max(filter(None, starts), default=None), min(filter(None, ends), default=None)


def _anchored_at(anchor: Anchor, history: History) -> datetime | None:
    return {
        Anchor.FIXED: None,
        Anchor.SOLD: history.sold_at,
        Anchor.DELIVERED: history.delivered_at,
        Anchor.ACTIVATED: history.activated_at,
        Anchor.FIRST_USED: history.first_used_at,
    }[anchor]


class Window(NamedTuple):
    """An open span, and the day that it belongs to."""

    day: date
    opens: datetime
    closes: datetime


def _windows(policy: Policy, first: date, days: int, zone: ZoneInfo) -> Iterator[Window]:
    """The open spans that belong to so many days, in order; the clocks may leave one empty."""
    for day in (first + ahead * DAY for ahead in range(days)):
        if day.isoweekday() not in policy.weekdays or day in policy.blackout:
            continue
        for start, end in sorted(policy.hours or ALL_DAY):
            last = day if start < end else day + DAY
            yield Window(day, moment(day, start, zone), moment(last, end, zone))


def _window_at(policy: Policy, at: datetime, zone: ZoneInfo) -> Window | None:
    """The open span that a moment lies in; it may have begun the day before."""
    yesterday = at.astimezone(zone).date() - DAY
    windows = _windows(policy, yesterday, 2, zone)
    return next((window for window in windows if window.opens <= at < window.closes), None)


def _free_at(policy: Policy, history: History, zone: ZoneInfo) -> datetime | None:
    """From when on it is far enough from the last use."""
    if not policy.min_gap or not history.used_at:
        return None
    return Duration.parse(policy.min_gap).after(history.used_at[-1], zone)


def _has_room(policy: Policy, history: History, day: date, zone: ZoneInfo, need: int) -> bool:
    most = policy.uses_per_day
    return most is None or _uses_on(policy, history, day, zone) + need <= most


def _uses_on(policy: Policy, history: History, day: date, zone: ZoneInfo) -> int:
    begins = midnight(day, zone)
    recent = takewhile(lambda at: at >= begins, reversed(history.used_at))
    return sum(_day_of(policy, at, zone) == day for at in recent)


def _day_of(policy: Policy, at: datetime, zone: ZoneInfo) -> date:
    """The day that a use belongs to: that of its open span, else the calendar's."""
    window = _window_at(policy, at, zone)
    return window.day if window else at.astimezone(zone).date()


def _next(
    policy: Policy,
    history: History,
    earliest: datetime,
    ends_at: datetime | None,
    zone: ZoneInfo,
    need: int,
) -> datetime | None:
    """The first moment from `earliest` on that is open, far enough from the last use, and on a day
    with room for `need` more; None when there is none."""
    earliest = max(earliest, _free_at(policy, history, zone) or earliest)
    yesterday = earliest.astimezone(zone).date() - DAY
    # In the worst case each of these costs a week: every blackout date, yesterday and today used
    # up, and one in which the clocks jump over the hours. The week after those is open.
    weeks = len(policy.blackout) + 5
    for window in _windows(policy, yesterday, 7 * weeks, zone):
        found = max(window.opens, earliest)
        if ends_at is not None and found >= ends_at:
            return None
        if found < window.closes and _has_room(policy, history, window.day, zone, need):
            return found
    return None
