"""What makes no sense in rules of use, for the form they are written in.

Rules that pass here can be judged and described at any moment of any history; rules that contradict
themselves are refused rather than read in one of their ways.
"""

from collections.abc import Iterator
from datetime import time, timedelta
from itertools import pairwise

from app.core.errors import N_, Refusal
from app.domain.redemptions.spans import DAY, Duration
from app.domain.redemptions.validity import ALL_WEEK, Anchor, Policy

MOST_USES = 100_000
# Beyond these nobody means a date but "for ever", and the calendar itself comes to an end.
MOST_YEARS = 100
YEARS = range(2000, 2201)


def faults(policy: Policy) -> Iterator[Refusal]:
    """All that makes no sense, each fault naming its field."""
    spans = list(_faults_of_spans(policy))
    yield from spans or _faults_of_life(policy)
    yield from _faults_of_moments(policy)
    if not policy.weekdays or not policy.weekdays <= ALL_WEEK:
        yield Refusal(N_("请至少选择一天"), field="weekdays")
    yield from _faults_of_hours(policy.hours)
    for name in ("uses_total", "uses_per_day"):
        value = getattr(policy, name)
        if value is not None and not 1 <= value <= MOST_USES:
            yield Refusal(N_("要在 1 到 %(most)s 之间"), field=name, most=MOST_USES)
    if not timedelta(0) <= policy.undo_within <= DAY:
        yield Refusal(N_("撤销时限最长 24 小时"), field="undo_within")


def _faults_of_spans(policy: Policy) -> Iterator[Refusal]:
    for name in ("delay", "duration", "min_gap"):
        text = getattr(policy, name)
        try:
            span = Duration.parse(text)
        except ValueError:
            yield Refusal(N_("请填写例如 30 天、1 个月或 2 小时"), field=name)
            continue
        if text and not span:
            yield Refusal(N_("不能是 0；没有这一条就留空"), field=name)
        if span.months / 12 + (span.days + span.time / DAY) / 365 > MOST_YEARS:
            yield Refusal(N_("最长 %(most)s 年；不限就留空"), field=name, most=MOST_YEARS)


def _faults_of_life(policy: Policy) -> Iterator[Refusal]:
    counts = policy.delay or policy.duration
    if policy.anchor == Anchor.FIXED and counts:
        yield Refusal(N_("请选择从什么时候开始计算"), field="anchor")
    if policy.anchor != Anchor.FIXED and not counts:
        yield Refusal(N_("请填写有效多久，或选择不从某一刻算起"), field="duration")
    if policy.anchor in (Anchor.ACTIVATED, Anchor.FIRST_USED) and policy.delay:
        # It is used before its anchor is set: a delay would stop it after the first use only.
        yield Refusal(N_("从激活或首次使用算起时，不能再要求等待"), field="delay")
    if policy.end_of_day and Duration.parse(policy.duration).time:
        yield Refusal(N_("按小时或分钟计算的，请取消“到期当天整天可用”"), field="duration")


def _faults_of_moments(policy: Policy) -> Iterator[Refusal]:
    for name in ("start_at", "end_at"):
        value = getattr(policy, name)
        if value is not None and value.year not in YEARS:
            yield Refusal(N_("年份要在 2000 到 2200 之间；不限就留空"), field=name)
    if policy.start_at and policy.end_at and policy.start_at >= policy.end_at:
        yield Refusal(N_("结束时间要晚于开始时间"), field="end_at")


def _faults_of_hours(hours: tuple[tuple[time, time], ...]) -> Iterator[Refusal]:
    bounds = [bound for span in hours for bound in span]
    if any(bound != time(bound.hour, bound.minute) for bound in bounds):
        yield Refusal(N_("时段精确到分钟，到午夜请写 00:00"), field="hours")
    elif any(start == end for start, end in hours):
        yield Refusal(N_("时段的开始和结束不能相同"), field="hours")
    elif hours and _turns(hours) > 1:
        yield Refusal(N_("时段不能重叠"), field="hours")


def _turns(hours: tuple[tuple[time, time], ...]) -> int:
    """How often the clock goes round from one bound to the next, and to the first one again: once,
    unless two of the spans overlap."""
    bounds = [bound for span in sorted(hours) for bound in span]
    return sum(later < earlier for earlier, later in pairwise([*bounds, bounds[0]]))
