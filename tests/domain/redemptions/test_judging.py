"""What is true of every judgement, whatever the rules, the history, the moment and the zone."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.domain.redemptions.faults import faults
from app.domain.redemptions.spans import Duration
from app.domain.redemptions.validity import Anchor, History, Policy, judge, life

# Berlin and Havana change their clocks within these weeks, Havana at midnight.
ZONES = [ZoneInfo(name) for name in ("Asia/Shanghai", "Europe/Berlin", "America/Havana")]
SPRING, AUTUMN = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 10, 20, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)

zones = st.sampled_from(ZONES)
# Quarters of an hour, so that moments and bounds often fall together.
moments = st.builds(
    lambda first, quarters: first + quarters * 15 * MINUTE,
    st.sampled_from([SPRING, AUTUMN]),
    st.integers(0, 40 * 96),
)
days = moments.map(datetime.date)
calendar_spans = st.sampled_from(["P1D", "P7D", "P1M"])
spans = st.sampled_from(["PT30M", "PT2H", "P1D", "P7D", "P1M"])
quarters = st.integers(0, 24 * 4 - 1).map(lambda number: time(number // 4, number % 4 * 15))
no = st.just("")


@st.composite
def lives(draw: st.DrawFn) -> Policy:
    """Rules of from when until when that make sense."""
    start_at, end_at = sorted(draw(st.sets(moments, min_size=2, max_size=2)))
    policy = Policy(
        anchor=draw(st.sampled_from(Anchor)),
        start_at=draw(st.sampled_from([start_at, None])),
        end_at=draw(st.sampled_from([end_at, None])),
    )
    if policy.anchor == Anchor.FIXED:
        return policy
    end_of_day = draw(st.booleans())
    duration = draw(calendar_spans if end_of_day else spans)
    waits = policy.anchor in (Anchor.SOLD, Anchor.DELIVERED)
    delay = draw(no | spans) if waits else ""
    return replace(policy, delay=delay, duration=duration, end_of_day=end_of_day)


@st.composite
def opening_hours(draw: st.DrawFn) -> tuple[tuple[time, time], ...]:
    """None, one or two spans that do not overlap; the last may cross midnight."""
    number = draw(st.integers(0, 2))
    bounds = sorted(draw(st.sets(quarters, min_size=2 * number, max_size=2 * number)))
    if bounds and draw(st.booleans()):
        bounds = [*bounds[1:], bounds[0]]
    return tuple(zip(bounds[::2], bounds[1::2], strict=True))


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    return replace(
        draw(lives()),
        weekdays=frozenset(draw(st.sets(st.integers(1, 7), min_size=1))),
        hours=draw(opening_hours()),
        blackout=frozenset(draw(st.sets(days, max_size=5))),
        uses_total=draw(st.none() | st.integers(1, 8)),
        uses_per_day=draw(st.none() | st.integers(1, 3)),
        min_gap=draw(no | spans),
    )


@st.composite
def histories(draw: st.DrawFn, now: datetime) -> History:
    """One that can lie before `now`: sold, delivered, used some times."""
    passed = st.integers(0, 4 * 96).map(lambda number: number * 15 * MINUTE)
    used_at = tuple(sorted(now - draw(passed) for _ in range(draw(st.integers(0, 4)))))
    first = used_at[0] if used_at else None
    sold_at = (first or now) - draw(passed)
    return History(
        sold_at=sold_at,
        delivered_at=draw(st.sampled_from([sold_at, first, None])),
        activated_at=first,
        first_used_at=first,
        used_at=used_at,
    )


cases = moments.flatmap(lambda now: st.tuples(policies(), histories(now), st.just(now), zones))
needs = st.integers(1, 3)
Case = tuple[Policy, History, datetime, ZoneInfo]


@given(cases, needs)
def test_the_next_moment_is_one(case: Case, need: int) -> None:
    policy, history, now, zone = case
    judgement = judge(policy, history, now, zone, need)
    assert (judgement.next_at == now) == judgement.allowed
    if judgement.next_at is not None:
        assert judgement.next_at >= now
        assert judge(policy, history, judgement.next_at, zone, need).allowed


@given(cases, needs, st.data())
def test_no_moment_before_the_next_is_one(case: Case, need: int, data: st.DataObject) -> None:
    policy, history, now, zone = case
    judgement = judge(policy, history, now, zone, need)
    assume(not judgement.allowed)
    until = judgement.next_at or now + timedelta(days=60)
    waits = int((until - now) / MINUTE)
    samples = {data.draw(st.integers(0, max(0, waits - 1))) for _ in range(20)} | {0, waits - 1}
    for minutes in samples:
        assert not judge(policy, history, now + minutes * MINUTE, zone, need).allowed


@given(cases, needs)
def test_what_is_not_open_to_few_is_not_open_to_many(case: Case, need: int) -> None:
    policy, history, now, zone = case
    few, many = (judge(policy, history, now, zone, count) for count in (need, need + 1))
    assert few.allowed or not many.allowed
    assert many.next_at is None or (few.next_at is not None and few.next_at <= many.next_at)


@given(cases)
def test_one_more_use_never_allows_more(case: Case) -> None:
    policy, history, now, zone = case
    once_more = replace(history, used_at=(*history.used_at, now))
    before, after = judge(policy, history, now, zone), judge(policy, once_more, now, zone)
    assert before.allowed or not after.allowed
    assert after.next_at is None or (before.next_at is not None and before.next_at <= after.next_at)
    assert before.uses_left is None or after.uses_left == max(0, before.uses_left - 1)


@given(cases)
def test_valid_until_strictly_its_end_and_from_its_start(case: Case) -> None:
    policy, history, _now, zone = case
    starts_at, ends_at = life(policy, history, zone)
    if ends_at is not None:
        assert not judge(policy, history, ends_at, zone).allowed
        assert judge(policy, history, ends_at, zone).next_at is None
    if starts_at is not None:
        assert not judge(policy, history, starts_at - MINUTE, zone).allowed
    if ends_at is not None and (starts_at is None or starts_at < ends_at):
        # A code that nothing but its life bounds is good for its last moment.
        bare = replace(policy, weekdays=frozenset(range(1, 8)), hours=(), blackout=frozenset())
        bare = replace(bare, uses_total=None, uses_per_day=None, min_gap="")
        assert judge(bare, history, ends_at - timedelta(microseconds=1), zone).allowed


@given(cases)
def test_the_clock_on_the_wall_agrees(case: Case) -> None:
    """Whether days and hours allow it, said again by reading the clock: where and when it is not
    changed, since of an hour that comes twice one half may be open and the other not."""
    policy, _history, now, zone = case
    offsets = {(now + hours * HOUR).astimezone(zone).utcoffset() for hours in range(-30, 30)}
    assume(len(offsets) == 1)
    rules = Policy(weekdays=policy.weekdays, hours=policy.hours, blackout=policy.blackout)
    wall = now.astimezone(zone)

    def counts(day: date) -> bool:
        return day.isoweekday() in policy.weekdays and day not in policy.blackout

    def is_open(start: time, end: time) -> bool:
        today, yesterday = wall.date(), wall.date() - timedelta(days=1)
        if start < end:
            return counts(today) and start <= wall.time() < end
        return (counts(today) and wall.time() >= start) or (counts(yesterday) and wall.time() < end)

    opens = any(is_open(*span) for span in policy.hours) if policy.hours else counts(wall.date())
    assert judge(rules, History(), now, zone).allowed == opens


@settings(max_examples=50)
@given(cases, st.integers(2, 40))
def test_who_comes_whenever_it_is_allowed_keeps_to_the_rules(case: Case, uses: int) -> None:
    """Use it as often as ever possible, then count by hand."""
    policy, history, now, zone = case
    for _ in range(uses):
        next_at = judge(policy, history, now, zone).next_at
        if next_at is None:
            break
        history = replace(history, used_at=(*history.used_at, next_at))
        history = replace(history, first_used_at=history.used_at[0])
        now = next_at
    before = len(case[1].used_at)
    taken = history.used_at[before:]
    assert policy.uses_total is None or len(taken) <= max(0, policy.uses_total - before)
    if policy.min_gap:
        gap = Duration.parse(policy.min_gap)
        assert all(gap.after(one, zone) <= other for one, other in pairwise(taken))
    if policy.uses_per_day is not None and not policy.hours:
        by_day = [at.astimezone(zone).date() for at in taken]
        assert all(by_day.count(day) <= policy.uses_per_day for day in by_day)


@given(policies())
def test_what_makes_sense_is_not_refused(policy: Policy) -> None:
    assert list(faults(policy)) == []


@given(policies())
def test_rules_come_back_from_the_database(policy: Policy) -> None:
    kept = policy.to_json()
    assert Policy.from_json(kept) == policy
    assert Policy.from_json(kept).to_json() == kept
