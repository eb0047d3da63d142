"""How often a code may be used: in all, in a day, and how soon again, by examples."""

from dataclasses import replace

import pytest

from app.domain.redemptions.validity import Policy, judge
from tests.domain.redemptions.examples import BERLIN, ask, at, hours, shown, used, verdict

WEEKDAYS = frozenset({1, 2, 3, 4, 5})
DAYTIME = Policy(hours=hours("09:00–18:00"))
MEALS = Policy(hours=hours("09:00–12:00", "18:00–20:00"), uses_per_day=1)
NIGHTS = Policy(hours=hours("22:00–02:00"), uses_per_day=1)
TWICE_A_DAY, THRICE_A_DAY = Policy(uses_per_day=2), Policy(uses_per_day=3)
ONCE = Policy(uses_total=1)
TWO_MORE_DAYS = Policy(min_gap="P2D", end_at=at("05-06 10:00"))


@pytest.mark.parametrize(
    ("policy", "uses", "need", "line"),
    [
        (Policy(uses_total=3), 0, 3, "yes"),
        (Policy(uses_total=3), 2, 1, "yes"),
        (Policy(uses_total=3), 2, 2, "uses-insufficient, None"),
        (Policy(uses_total=3), 3, 1, "used, None"),
        (Policy(uses_total=3), 4, 1, "used, None"),
        # Used up is told before closed; and it never opens again. 9 May is a Saturday.
        (replace(ONCE, weekdays=WEEKDAYS), 0, 1, "outside-hours, 05-11 00:00"),
        (replace(ONCE, weekdays=WEEKDAYS), 1, 1, "used, None"),
        (replace(ONCE, start_at=at("06-01 00:00")), 0, 1, "not-started, 06-01 00:00"),
        (replace(ONCE, start_at=at("06-01 00:00")), 1, 1, "not-started, None"),
        (replace(ONCE, end_at=at("05-02 00:00")), 1, 1, "expired, None"),
    ],
)
def test_uses_in_all(policy: Policy, uses: int, need: int, line: str) -> None:
    assert verdict(policy, "05-09 12:00", used(*["05-01 12:00"] * uses), need) == line


@pytest.mark.parametrize(
    ("policy", "now", "uses", "need", "line"),
    [
        (TWICE_A_DAY, "05-04 12:00", "05-03 23:59, 05-04 00:00", 1, "yes"),
        (TWICE_A_DAY, "05-04 12:00", "05-04 00:00, 05-04 08:00", 1, "day-limit, 05-05 00:00"),
        (THRICE_A_DAY, "05-04 12:00", "05-04 00:00, 05-04 08:00", 1, "yes"),
        (THRICE_A_DAY, "05-04 12:00", "05-04 00:00, 05-04 08:00", 2, "day-limit, 05-05 00:00"),
        (THRICE_A_DAY, "05-04 12:00", "05-01 08:00", 4, "day-limit, None"),
        (MEALS, "05-04 13:00", "05-04 10:00", 1, "outside-hours, 05-05 09:00"),
        # A night is one day.
        (NIGHTS, "05-05 00:30", "05-04 23:30", 1, "day-limit, 05-05 22:00"),
        (NIGHTS, "05-05 22:00", "05-05 00:30", 1, "yes"),
    ],
)
def test_uses_in_a_day(policy: Policy, now: str, uses: str, need: int, line: str) -> None:
    assert verdict(policy, now, used(*uses.split(", ")), need) == line


def test_after_a_full_friday_comes_monday() -> None:
    policy = Policy(uses_per_day=1, weekdays=WEEKDAYS)
    assert verdict(policy, "05-08 12:00", used("05-08 08:00")) == "day-limit, 05-11 00:00"


@pytest.mark.parametrize(
    ("policy", "last", "now", "line"),
    [
        (Policy(min_gap="PT2H"), "05-04 10:00", "05-04 11:59", "too-soon, 05-04 12:00"),
        (Policy(min_gap="PT2H"), "05-04 10:00", "05-04 12:00", "yes"),
        (Policy(min_gap="P1M"), "01-31 10:00", "02-27 10:00", "too-soon, 02-28 10:00"),
        (replace(DAYTIME, min_gap="PT2H"), "05-04 17:00", "05-04 17:30", "too-soon, 05-05 09:00"),
        (Policy(min_gap="P2D"), "05-04 10:00", "05-04 11:00", "too-soon, 05-06 10:00"),
        (TWO_MORE_DAYS, "05-04 10:00", "05-04 11:00", "too-soon, None"),
    ],
)
def test_a_gap_between_two_uses(policy: Policy, last: str, now: str, line: str) -> None:
    assert verdict(policy, now, used("01-01 00:00", last)) == line


def test_the_gap_is_told_before_the_day_and_both_are_waited_for() -> None:
    policy = Policy(min_gap="PT2H", uses_per_day=1)
    history = used("05-04 23:00")

    assert verdict(policy, "05-04 23:30", history) == "too-soon, 05-05 01:00"
    assert verdict(replace(policy, min_gap="PT5M"), "05-04 23:30", history) == (
        "day-limit, 05-05 00:00"
    )


def test_the_day_of_25_hours_has_one_day_s_uses() -> None:
    policy = Policy(uses_per_day=1)
    history = used("10-25 00:30", zone=BERLIN)

    judgement = judge(policy, history, at("10-25 23:59", BERLIN), BERLIN)

    assert judgement.slug == "code-day-limit"
    assert shown(judgement.next_at, BERLIN) == "10-26 00:00"


@pytest.mark.parametrize(
    ("total", "uses", "left"), [(None, 5, None), (3, 0, 3), (3, 1, 2), (3, 3, 0), (3, 4, 0)]
)
def test_uses_left(total: int | None, uses: int, left: int | None) -> None:
    history = used(*["05-01 12:00"] * uses)
    assert ask(Policy(uses_total=total), "05-04 12:00", history).uses_left == left


def test_nothing_is_no_use() -> None:
    with pytest.raises(AssertionError):
        ask(Policy(), "05-04 12:00", need=0)


def test_the_figures_for_the_sentence() -> None:
    once = used("05-04 08:00")

    few = ask(Policy(uses_total=2), "05-04 09:00", once, 2)
    full = ask(Policy(uses_per_day=1), "05-04 09:00", once)

    assert few.params == {"left": 1, "need": 2, "next": None}
    assert full.params == {"most": 1, "used": 1, "next": at("05-05 00:00")}
