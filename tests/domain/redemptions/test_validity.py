"""When a code may be used: its life, its days and hours, and changes of clocks, by examples."""

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest

from app.domain.redemptions.validity import Anchor, History, Judgement, Policy, judge, life
from tests.domain.redemptions.examples import (
    BERLIN,
    SHANGHAI,
    SOLD,
    at,
    hours,
    line_of,
    shown,
    used,
    verdict,
)

WEEKDAYS = Policy(weekdays=frozenset({1, 2, 3, 4, 5}))
DAYTIME = Policy(hours=hours("09:00–18:00"))
NIGHTS = Policy(hours=hours("22:00–02:00"))
MEALS = Policy(hours=hours("18:00–20:00", "09:00–12:00"))
FRIDAY = frozenset({5})
MAY_5 = frozenset({date(2026, 5, 5)})
MAY_8 = frozenset({date(2026, 5, 8)})


def test_a_code_without_rules_may_always_be_used() -> None:
    now = at("05-06 12:00")
    assert judge(Policy(), History(), now, SHANGHAI) == Judgement(True, next_at=now)


# From when, until when


@pytest.mark.parametrize(
    ("policy", "begins", "ends"),
    [
        (Policy(), None, None),
        (Policy(anchor=Anchor.SOLD, duration="P30D"), SOLD, "03-03 00:00"),
        (Policy(anchor=Anchor.SOLD, duration="P1M"), SOLD, "03-01 00:00"),
        (Policy(anchor=Anchor.SOLD, duration="P1Y"), SOLD, "2027-02-01 00:00"),
        (Policy(anchor=Anchor.SOLD, duration="P1M", end_of_day=False), SOLD, "02-28 10:00"),
        (Policy(anchor=Anchor.SOLD, duration="PT2H", end_of_day=False), SOLD, "01-31 12:00"),
        (Policy(anchor=Anchor.SOLD, delay="P3D"), "02-03 10:00", None),
        # The duration is counted from the end of the delay.
        (
            Policy(anchor=Anchor.SOLD, delay="PT12H", duration="P1D"),
            "01-31 22:00",
            "02-02 00:00",
        ),
        (Policy(start_at=at("06-01 08:00")), "06-01 08:00", None),
        (Policy(end_at=at("06-01 08:00")), None, "06-01 08:00"),
        # The later start and the earlier end.
        (
            Policy(anchor=Anchor.SOLD, duration="P1Y", start_at=at("02-01 00:00")),
            "02-01 00:00",
            "2027-02-01 00:00",
        ),
        (
            Policy(anchor=Anchor.SOLD, duration="P1Y", end_at=at("02-01 00:00")),
            SOLD,
            "02-01 00:00",
        ),
        # Whose anchor is not set yet has neither.
        (Policy(anchor=Anchor.FIRST_USED, duration="P30D"), None, None),
    ],
)
def test_life(policy: Policy, begins: str | None, ends: str | None) -> None:
    starts_at, ends_at = life(policy, used(), SHANGHAI)
    assert (shown(starts_at), shown(ends_at)) == (begins, ends)


@pytest.mark.parametrize(
    ("anchor", "ends"),
    [
        (Anchor.SOLD, "04-02 00:00"),
        (Anchor.DELIVERED, "04-03 00:00"),
        (Anchor.ACTIVATED, "04-04 00:00"),
        (Anchor.FIRST_USED, "04-05 00:00"),
        (Anchor.FIXED, None),
    ],
)
def test_each_anchor_is_its_own_moment(anchor: Anchor, ends: str | None) -> None:
    history = History(
        sold_at=at("03-01 10:00"),
        delivered_at=at("03-02 10:00"),
        activated_at=at("03-03 10:00"),
        first_used_at=at("03-04 10:00"),
    )
    assert shown(life(Policy(anchor=anchor, duration="P1M"), history, SHANGHAI)[1]) == ends


def test_the_end_of_the_day_is_the_shop_s() -> None:
    # 31 January, 17:00 in UTC, is 1 February in Shanghai.
    history = History(sold_at=datetime(2026, 1, 31, 17, tzinfo=UTC))
    ends_at = life(Policy(anchor=Anchor.SOLD, duration="P1D"), history, SHANGHAI)[1]
    assert shown(ends_at) == "02-03 00:00"


@pytest.mark.parametrize(
    ("now", "line"),
    [
        ("02-03 09:59", "not-started, 02-03 10:00"),
        ("02-03 10:00", "yes"),
        ("03-03 23:59", "yes"),
        ("03-04 00:00", "expired, None"),
    ],
)
def test_life_is_half_open(now: str, line: str) -> None:
    assert verdict(Policy(anchor=Anchor.SOLD, delay="P3D", duration="P1M"), now) == line


def test_the_first_use_starts_it() -> None:
    policy = Policy(anchor=Anchor.FIRST_USED, duration="P30D")

    assert verdict(policy, "2031-01-01 00:00") == "yes"
    assert verdict(policy, "03-31 23:59", used("03-01 10:00")) == "yes"
    assert verdict(policy, "04-01 00:00", used("03-01 10:00")) == "expired, None"


def test_what_ends_before_it_starts_never_comes() -> None:
    history = History(sold_at=at(SOLD))
    policy = Policy(anchor=Anchor.SOLD, delay="P3D", end_at=at("02-01 00:00"))
    assert verdict(policy, "01-31 12:00", history) == "not-started, None"


# Weekdays, hours, blackout dates. 4 May is a Monday.


@pytest.mark.parametrize(
    ("policy", "now", "line"),
    [
        (WEEKDAYS, "05-08 23:59", "yes"),
        (WEEKDAYS, "05-09 00:00", "outside-hours, 05-11 00:00"),
        (DAYTIME, "05-04 08:59", "outside-hours, 05-04 09:00"),
        (DAYTIME, "05-04 09:00", "yes"),
        (DAYTIME, "05-04 17:59", "yes"),
        (DAYTIME, "05-04 18:00", "outside-hours, 05-05 09:00"),
        (MEALS, "05-04 08:00", "outside-hours, 05-04 09:00"),
        (MEALS, "05-04 12:00", "outside-hours, 05-04 18:00"),
        (Policy(hours=hours("00:00–00:00")), "05-04 00:00", "yes"),
        (Policy(hours=hours("12:00–00:00")), "05-04 23:59", "yes"),
        (replace(DAYTIME, weekdays=WEEKDAYS.weekdays), "05-08 18:00", "outside-hours, 05-11 09:00"),
        (Policy(blackout=MAY_5), "05-04 23:59", "yes"),
        (Policy(blackout=MAY_5), "05-05 00:00", "outside-hours, 05-06 00:00"),
        # Over midnight: the hours after it belong to the day before.
        (NIGHTS, "05-04 22:00", "yes"),
        (NIGHTS, "05-05 01:59", "yes"),
        (NIGHTS, "05-05 02:00", "outside-hours, 05-05 22:00"),
        (replace(NIGHTS, weekdays=FRIDAY), "05-09 01:00", "yes"),
        (replace(NIGHTS, weekdays=FRIDAY), "05-08 01:00", "outside-hours, 05-08 22:00"),
        (replace(NIGHTS, blackout=MAY_8), "05-08 01:00", "yes"),
        (replace(NIGHTS, blackout=MAY_8), "05-09 01:00", "outside-hours, 05-09 22:00"),
        # The next moment must lie in its life.
        (replace(WEEKDAYS, end_at=at("05-11 00:00")), "05-09 12:00", "outside-hours, None"),
        (replace(WEEKDAYS, end_at=at("05-11 00:01")), "05-09 12:00", "outside-hours, 05-11 00:00"),
        (replace(WEEKDAYS, start_at=at("05-09 12:00")), "05-08 12:00", "not-started, 05-11 00:00"),
    ],
)  # fmt: skip
def test_days_and_hours(policy: Policy, now: str, line: str) -> None:
    assert verdict(policy, now) == line


def test_a_long_closure_is_looked_past() -> None:
    mondays = frozenset(date.fromordinal(date(2026, 5, 4).toordinal() + 7 * n) for n in range(150))
    policy = Policy(weekdays=frozenset({1}), blackout=mondays)
    assert verdict(policy, "05-04 12:00") == "outside-hours, 2029-03-19 00:00"


def test_the_figures_for_the_sentence() -> None:
    policy = Policy(start_at=at("05-04 00:00"), end_at=at("05-10 00:00"))
    judgements = [judge(policy, History(), at(f"05-{day} 00:00"), SHANGHAI) for day in ("03", "10")]

    assert [judgement.params for judgement in judgements] == [
        {"start": at("05-04 00:00"), "next": at("05-04 00:00")},
        {"end": at("05-10 00:00"), "next": None},
    ]


# Changes of clocks. In Berlin 02:00 to 03:00 is skipped on Sunday, 29 March, and comes twice on
# Sunday, 25 October.


@pytest.mark.parametrize(
    ("spans", "now", "line"),
    [
        (["00:00–02:30"], "03-29 01:59", "yes"),
        (["00:00–02:30"], "03-29 03:00", "outside-hours, 03-30 00:00"),
        (["02:30–05:00"], "03-29 01:59", "outside-hours, 03-29 03:00"),
        (["02:30–05:00"], "03-29 03:00", "yes"),
        (["02:15–02:45"], "03-29 01:00", "outside-hours, 03-30 02:15"),
        (["22:00–02:00"], "03-29 01:59", "yes"),
        (["22:00–02:00"], "03-29 03:00", "outside-hours, 03-29 22:00"),
        (["02:00–03:00"], "10-25 02:59", "yes"),
        (["02:00–03:00"], "10-25 02:00 again", "yes"),
        (["02:00–03:00"], "10-25 02:59 again", "yes"),
        (["02:00–03:00"], "10-25 03:00", "outside-hours, 10-26 02:00"),
        (["22:00–02:00"], "10-25 01:59", "yes"),
        (["22:00–02:00"], "10-25 02:00", "outside-hours, 10-25 22:00"),
        # What closes within the hour that comes twice closes the first time.
        (["22:00–02:30"], "10-25 02:29", "yes"),
        (["22:00–02:30"], "10-25 02:00 again", "outside-hours, 10-25 22:00"),
    ],
)
def test_hours_over_a_change_of_clocks(spans: list[str], now: str, line: str) -> None:
    moment = at(now, BERLIN)
    judgement = judge(Policy(hours=hours(*spans)), History(), moment, BERLIN)
    assert line_of(judgement, moment, BERLIN) == line


def test_a_sunday_that_loses_its_only_hours_costs_a_week() -> None:
    policy = Policy(weekdays=frozenset({7}), hours=hours("02:15–02:45"))
    judgement = judge(policy, History(), at("03-25 12:00", BERLIN), BERLIN)
    assert shown(judgement.next_at, BERLIN) == "04-05 02:15"


def test_moments_in_local_time_are_the_same_moments() -> None:
    """Python compares and adds two times of one zone as if its clocks never changed."""
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    again = first.replace(fold=1)
    policy = Policy(min_gap="PT1H", end_at=again)

    assert judge(policy, History(used_at=(first,)), again, BERLIN).slug == "code-expired"
    assert judge(policy, History(), first, BERLIN).allowed
    assert judge(Policy(min_gap="PT1H"), History(used_at=(first,)), again, BERLIN).allowed


# In the database

KEPT = {
    "format": 1,
    "anchor": "sold",
    "start_at": "2026-04-30T16:00:00+00:00",
    "end_at": None,
    "delay": "PT12H",
    "duration": "P1M",
    "end_of_day": True,
    "weekdays": [5, 6],
    "hours": [["22:00", "02:00"]],
    "blackout": ["2026-05-05", "2026-05-08"],
    "uses_total": 10,
    "uses_per_day": None,
    "min_gap": "PT2H",
    "undo_minutes": 15,
}


def test_rules_are_kept_in_this_form() -> None:
    """Rows of this form are in shops' databases: another form is another format."""
    policy = Policy(
        anchor=Anchor.SOLD,
        start_at=datetime(2026, 5, 1, tzinfo=SHANGHAI),
        delay="PT12H",
        duration="P1M",
        weekdays=frozenset({6, 5}),
        hours=hours("22:00–02:00"),
        blackout=MAY_8 | MAY_5,
        uses_total=10,
        min_gap="PT2H",
    )
    assert policy.to_json() == KEPT
    assert Policy.from_json(KEPT) == policy


def test_rules_of_later_code_are_not_guessed_at() -> None:
    with pytest.raises(ValueError, match="format 2"):
        Policy.from_json({**KEPT, "format": 2})
