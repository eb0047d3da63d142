"""When a sold code may be used: one pure function, from its rules and its history to an answer.

Times are moments in UTC; days, weekdays and hours are the shop's, in its zone. Intervals are
half-open. The rules follow ISO 8601 for durations: P1M is a calendar month and clips to its end
(31 January + P1M = 28 or 29 February), PT2H is two hours on the clock of physics.
"""

import calendar
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from app.core.errors import N_, Refusal

ISO_DURATION = re.compile(
    r"P(?=.)(?:(\d{1,4})Y)?(?:(\d{1,4})M)?(?:(\d{1,4})W)?(?:(\d{1,5})D)?"
    r"(?:T(?=.)(?:(\d{1,5})H)?(?:(\d{1,6})M)?)?"
)
ALL_WEEK = frozenset(range(1, 8))
# How far ahead a next usable moment is looked for: beyond it the rules never allow one again.
HORIZON = 800
DAY = timedelta(days=1)
FORMAT = 1
MOST_USES = 100_000


class Anchor(StrEnum):
    """What the delay and the duration are counted from. FIXED: from nothing but the dates."""

    FIXED = "fixed"
    SOLD = "sold"
    DELIVERED = "delivered"
    ACTIVATED = "activated"
    FIRST_USED = "first_used"


@dataclass(frozen=True)
class Duration:
    """A span as people say it: months and days of the calendar, and time of physics."""

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
        """The moment so long after `start`: calendar parts on the shop's wall clock."""
        if not (self.months or self.days):
            return start + self.time
        local = start.astimezone(zone)
        day = _add_months(local.date(), self.months) + self.days * DAY
        return _moment(day, local.time(), zone) + self.time


@dataclass(frozen=True)
class Policy:
    """The rules of use. `hours` are (from, until) on the wall; until before from crosses midnight
    and belongs to the day it starts on. `uses_total` None is no limit."""

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
            "start_at": self.start_at.isoformat() if self.start_at else None,
            "end_at": self.end_at.isoformat() if self.end_at else None,
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
        """The inverse of `to_json`."""
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


@dataclass(frozen=True)
class History:
    """The moments that count. `used_at` holds uses that were not given back, oldest first;
    `hard_expiry` is the batch's last day, which no rule outlives."""

    sold_at: datetime | None = None
    delivered_at: datetime | None = None
    activated_at: datetime | None = None
    first_used_at: datetime | None = None
    used_at: tuple[datetime, ...] = ()
    hard_expiry: date | None = None


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
    """May it be used `need` times now? The first reason against it is the one that is told."""
    starts_at, ends_at = life(policy, history, zone)
    left = None if policy.uses_total is None else policy.uses_total - len(history.used_at)
    why_not = (
        _outside_life(starts_at, ends_at, now)
        or _used_up(left, need)
        or _at_another_time(policy, history, now, zone, need)
    )
    if why_not is None:
        return Judgement(True, "", {}, now, starts_at, ends_at, left)
    slug, earliest, params = why_not
    found = None if earliest is None else _next(policy, history, earliest, ends_at, zone)
    return Judgement(False, slug, {**params, "next": found}, found, starts_at, ends_at, left)


# A slug, from when on it may be different (None: never), and figures for the sentence.
WhyNot = tuple[str, datetime | None, dict[str, Any]]


def _outside_life(
    starts_at: datetime | None, ends_at: datetime | None, now: datetime
) -> WhyNot | None:
    if starts_at is not None and now < starts_at:
        return "code-not-started", starts_at, {"start": starts_at}
    if ends_at is not None and now >= ends_at:
        return "code-expired", None, {"end": ends_at}
    return None


def _used_up(left: int | None, need: int) -> WhyNot | None:
    if left is None or left >= need:
        return None
    if left <= 0:
        return "code-used", None, {}
    return "code-uses-insufficient", None, {"left": left, "need": need}


def _at_another_time(
    policy: Policy, history: History, now: datetime, zone: ZoneInfo, need: int
) -> WhyNot | None:
    if not is_open(policy, now, zone):
        return "code-outside-hours", now, {}
    if history.used_at and policy.min_gap:
        free_at = Duration.parse(policy.min_gap).after(history.used_at[-1], zone)
        if now < free_at:
            return "code-too-soon", free_at, {}
    most = policy.uses_per_day
    if most is not None and _uses_on(history, now, zone) + need > most:
        return "code-day-limit", now, {"most": most}
    return None


def life(
    policy: Policy, history: History, zone: ZoneInfo
) -> tuple[datetime | None, datetime | None]:
    """From when until when it may be used at all; None is no bound, or not known yet."""
    anchored = _anchored_at(policy.anchor, history)
    start, end = policy.start_at, policy.end_at
    if anchored is not None:
        begins = Duration.parse(policy.delay).after(anchored, zone)
        start = max(filter(None, (start, begins)))
        duration = Duration.parse(policy.duration)
        if duration:
            until = duration.after(begins, zone)
            if policy.end_of_day:
                until = _moment(until.astimezone(zone).date() + DAY, time(0), zone)
            end = min(filter(None, (end, until)))
    if history.hard_expiry is not None:
        last = _moment(history.hard_expiry + DAY, time(0), zone)
        end = min(filter(None, (end, last)))
    return start, end


def is_open(policy: Policy, now: datetime, zone: ZoneInfo) -> bool:
    """Whether weekday, hours and blackout dates allow this moment."""
    today = now.astimezone(zone).date()
    return any(
        start <= now < end
        for day in (today - DAY, today)
        for start, end in _windows(policy, day, zone)
    )


def next_open(
    policy: Policy, earliest: datetime, ends_at: datetime | None, zone: ZoneInfo
) -> datetime | None:
    """The first moment from `earliest` on that weekday, hours and dates allow, within its life."""
    first = earliest.astimezone(zone).date() - DAY
    for ahead in range(HORIZON):
        day = first + ahead * DAY
        for start, end in _windows(policy, day, zone):
            found = max(start, earliest)
            if found < end:
                return found if ends_at is None or found < ends_at else None
        if ends_at is not None and _moment(day, time(0), zone) > ends_at:
            return None
    return None


def faults(policy: Policy) -> Iterator[Refusal]:
    """All that makes no sense, each fault naming its field."""
    yield from _faults_of_spans(policy)
    if policy.start_at and policy.end_at and policy.start_at >= policy.end_at:
        yield Refusal(N_("结束时间要晚于开始时间"), field="end_at")
    if not policy.weekdays or not policy.weekdays <= ALL_WEEK:
        yield Refusal(N_("请至少选择一天"), field="weekdays")
    if any(start == end for start, end in policy.hours):
        yield Refusal(N_("时段的开始和结束不能相同"), field="hours")
    for name in ("uses_total", "uses_per_day"):
        value = getattr(policy, name)
        if value is not None and not 1 <= value <= MOST_USES:
            yield Refusal(N_("要在 1 到 %(most)s 之间"), field=name, most=MOST_USES)
    if not timedelta(0) <= policy.undo_within <= DAY:
        yield Refusal(N_("撤销时限最长 24 小时"), field="undo_within")


def _faults_of_spans(policy: Policy) -> Iterator[Refusal]:
    for name in ("delay", "duration", "min_gap"):
        try:
            Duration.parse(getattr(policy, name))
        except ValueError:
            yield Refusal(
                N_("请填写例如 P30D（30 天）、P1M（1 个月）或 PT2H（2 小时）"), field=name
            )
    if policy.anchor == Anchor.FIXED and (policy.delay or policy.duration):
        yield Refusal(N_("请选择从什么时候开始计算"), field="anchor")


def describe(policy: Policy) -> list[tuple[str, dict[str, Any]]]:
    """The rules in plain words: marked sentences and what fills them."""
    return [*_describe_life(policy), *_describe_times(policy), *_describe_uses(policy)]


SINCE = {
    Anchor.SOLD: N_("购买后 %(span)s 内有效"),
    Anchor.DELIVERED: N_("到货后 %(span)s 内有效"),
    Anchor.ACTIVATED: N_("激活后 %(span)s 内有效"),
    Anchor.FIRST_USED: N_("首次使用后 %(span)s 内有效"),
}


def _describe_life(policy: Policy) -> Iterator[tuple[str, dict[str, Any]]]:
    if policy.delay:
        yield N_("%(span)s 后才能使用"), {"span": policy.delay}
    if policy.duration and policy.anchor in SINCE:
        yield SINCE[policy.anchor], {"span": policy.duration}
    if policy.start_at:
        yield N_("%(moment)s 起可用"), {"moment": policy.start_at}
    if policy.end_at:
        yield N_("%(moment)s 前有效"), {"moment": policy.end_at}


def _describe_times(policy: Policy) -> Iterator[tuple[str, dict[str, Any]]]:
    if policy.weekdays != ALL_WEEK:
        yield N_("%(weekdays)s 可用"), {"weekdays": sorted(policy.weekdays)}
    for start, end in policy.hours:
        yield N_("每天 %(start)s–%(end)s 可用"), {"start": f"{start:%H:%M}", "end": f"{end:%H:%M}"}
    if policy.blackout:
        yield N_("%(days)s 不可用"), {"days": sorted(policy.blackout)}


def _describe_uses(policy: Policy) -> Iterator[tuple[str, dict[str, Any]]]:
    if policy.uses_total:
        yield N_("共 %(count)s 次"), {"count": policy.uses_total}
    if policy.uses_per_day:
        yield N_("每天最多 %(count)s 次"), {"count": policy.uses_per_day}
    if policy.min_gap:
        yield N_("两次之间至少隔 %(span)s"), {"span": policy.min_gap}


def _anchored_at(anchor: Anchor, history: History) -> datetime | None:
    return {
        Anchor.FIXED: None,
        Anchor.SOLD: history.sold_at,
        Anchor.DELIVERED: history.delivered_at,
        Anchor.ACTIVATED: history.activated_at,
        Anchor.FIRST_USED: history.first_used_at,
    }[anchor]


def _windows(policy: Policy, day: date, zone: ZoneInfo) -> list[tuple[datetime, datetime]]:
    """The open spans that belong to a day, in order; one over midnight reaches into the next."""
    if day.isoweekday() not in policy.weekdays or day in policy.blackout:
        return []
    spans = policy.hours or ((time(0), time(0)),)
    found = []
    for start, end in sorted(spans):
        last = day if end > start else day + DAY
        found.append((_moment(day, start, zone), _moment(last, end, zone)))
    return found


def _uses_on(history: History, now: datetime, zone: ZoneInfo) -> int:
    today = now.astimezone(zone).date()
    return sum(at.astimezone(zone).date() == today for at in history.used_at)


def _next(
    policy: Policy, history: History, earliest: datetime, ends_at: datetime | None, zone: ZoneInfo
) -> datetime | None:
    """The first moment from `earliest` on for one use: open, far enough from the last use, on a
    day that is not used up."""
    if history.used_at and policy.min_gap:
        free_at = Duration.parse(policy.min_gap).after(history.used_at[-1], zone)
        earliest = max(earliest, free_at)
    found = next_open(policy, earliest, ends_at, zone)
    if found is None or policy.uses_per_day is None:
        return found
    if _uses_on(history, found, zone) < policy.uses_per_day:
        return found
    tomorrow = _moment(found.astimezone(zone).date() + DAY, time(0), zone)
    return next_open(policy, tomorrow, ends_at, zone)


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    """A wall clock's moment; one that a change of clocks skips is the moment after the gap."""
    local = datetime.combine(day, at.replace(tzinfo=None), tzinfo=zone)
    return local.astimezone(ZoneInfo("UTC"))


def _add_months(day: date, months: int) -> date:
    month = day.month - 1 + months
    year, month = day.year + month // 12, month % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def _read_moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
