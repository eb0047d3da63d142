"""Calendar spans and the wall clock, above all where the clocks change."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.redemptions.spans import Duration, midnight, moment

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
# Midnight itself is skipped in spring and comes twice in autumn.
HAVANA = ZoneInfo("America/Havana")
ZONES = [SHANGHAI, BERLIN, HAVANA, ZoneInfo("America/New_York"), ZoneInfo("Australia/Lord_Howe")]


def after(zone: ZoneInfo, start: str, span: str) -> str:
    begins = datetime.fromisoformat(start)
    if begins.tzinfo is None:
        begins = begins.replace(tzinfo=zone)
    found = Duration.parse(span).after(begins, zone)
    assert found.tzinfo is UTC
    return f"{found.astimezone(zone):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("start", "span", "end"),
    [
        ("2026-01-15 10:00", "P1M", "2026-02-15 10:00"),
        ("2026-01-31 10:00", "P1M", "2026-02-28 10:00"),
        ("2028-01-31 10:00", "P1M", "2028-02-29 10:00"),
        ("2026-01-31 10:00", "P2M", "2026-03-31 10:00"),
        ("2026-03-31 10:00", "P1M", "2026-04-30 10:00"),
        ("2026-12-31 10:00", "P1M", "2027-01-31 10:00"),
        ("2026-11-30 10:00", "P3M", "2027-02-28 10:00"),
        ("2028-02-29 10:00", "P1Y", "2029-02-28 10:00"),
        ("2028-02-29 10:00", "P4Y", "2032-02-29 10:00"),
        ("2096-02-29 10:00", "P4Y", "2100-02-28 10:00"),
        ("2026-01-31 10:00", "P1M1D", "2026-03-01 10:00"),
        ("2026-01-31 10:00", "P30D", "2026-03-02 10:00"),
        ("2026-01-31 10:00", "P2W", "2026-02-14 10:00"),
        ("2026-01-31 23:00", "PT2H", "2026-02-01 01:00"),
        ("2026-01-31 23:00", "P1DT2H30M", "2026-02-02 01:30"),
        ("2026-01-31 23:00", "", "2026-01-31 23:00"),
    ],
)
def test_a_span_ends_where_people_expect(start: str, span: str, end: str) -> None:
    assert after(SHANGHAI, start, span) == end


def test_the_month_is_the_shop_s_not_that_of_utc() -> None:
    # 31 January, 20:00 in UTC, is 1 February in Shanghai.
    assert after(SHANGHAI, "2026-01-31T20:00+00:00", "P1M") == "2026-03-01 04:00"


@pytest.mark.parametrize(
    "text",
    [
        "P", "PT", "30D", "p30d", "P30", "P-1D", "P1.5D", "P1DT", "PT1S", "P1D ", " P1D", "P1D\n",
        "P1M1Y", "P99999Y", "P٣D", "一个月",
    ],
)  # fmt: skip
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Duration.parse(text)


# In Berlin 02:00 to 03:00 is skipped on 29 March 2026 and comes twice on 25 October 2026.


@pytest.mark.parametrize(
    ("start", "span", "end"),
    [
        # A day is a day of the calendar, and 24 hours are 24 hours.
        ("2026-03-28 12:00", "P1D", "2026-03-29 12:00"),
        ("2026-03-28 12:00", "PT24H", "2026-03-29 13:00"),
        ("2026-10-24 12:00", "P1D", "2026-10-25 12:00"),
        ("2026-10-24 12:00", "PT24H", "2026-10-25 11:00"),
        # Into the skipped hour: when the clocks jump.
        ("2026-03-28 02:30", "P1D", "2026-03-29 03:00"),
        ("2026-02-28 02:00", "P1M1D", "2026-03-29 03:00"),
        ("2026-03-29 01:30", "PT1H", "2026-03-29 03:30"),
    ],
)
def test_spans_over_a_change_of_clocks(start: str, span: str, end: str) -> None:
    assert after(BERLIN, start, span) == end


def test_hours_are_counted_through_the_hour_that_comes_twice() -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN)
    second = first.replace(fold=1)

    assert Duration.parse("PT1H").after(first, BERLIN) == second.astimezone(UTC)
    assert Duration.parse("PT1H").after(second, BERLIN) == datetime(2026, 10, 25, 2, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("zone", "wall", "utc"),
    [
        (SHANGHAI, "2026-05-01 09:00", "2026-05-01 01:00"),
        (BERLIN, "2026-03-29 01:59", "2026-03-29 00:59"),
        (BERLIN, "2026-03-29 02:00", "2026-03-29 01:00"),
        (BERLIN, "2026-03-29 02:59", "2026-03-29 01:00"),
        (BERLIN, "2026-03-29 03:00", "2026-03-29 01:00"),
        (BERLIN, "2026-10-25 02:00", "2026-10-25 00:00"),
        (BERLIN, "2026-10-25 02:59", "2026-10-25 00:59"),
        (BERLIN, "2026-10-25 03:00", "2026-10-25 02:00"),
        (HAVANA, "2026-03-08 00:00", "2026-03-08 05:00"),
        (HAVANA, "2026-11-01 00:00", "2026-11-01 04:00"),
        # Half an hour is skipped here, and in Apia a whole day was.
        (ZoneInfo("Australia/Lord_Howe"), "2026-10-04 02:15", "2026-10-03 15:30"),
        (ZoneInfo("Pacific/Apia"), "2011-12-30 12:00", "2011-12-30 10:00"),
    ],
)
def test_a_time_on_the_wall_is_one_moment(zone: ZoneInfo, wall: str, utc: str) -> None:
    local = datetime.fromisoformat(wall)
    assert f"{moment(local.date(), local.time(), zone):%Y-%m-%d %H:%M}" == utc


FIRST, LAST = datetime.fromisoformat("2000-01-01"), datetime.fromisoformat("2200-01-01")
moments = st.datetimes(FIRST, LAST, timezones=st.just(UTC))
walls = st.datetimes(FIRST, LAST)


@given(moments, st.sampled_from(ZONES))
def test_every_moment_lies_in_its_own_day(at: datetime, zone: ZoneInfo) -> None:
    day = at.astimezone(zone).date()
    assert midnight(day, zone) <= at < midnight(day + timedelta(days=1), zone)


@given(walls, walls, st.sampled_from(ZONES))
def test_later_on_the_wall_is_never_earlier(one: datetime, other: datetime, zone: ZoneInfo) -> None:
    earlier, later = sorted([one, other])
    assert moment(earlier.date(), earlier.time(), zone) <= moment(later.date(), later.time(), zone)


@given(walls, st.sampled_from(ZONES))
def test_the_wall_shows_it_at_that_moment_or_never(wall: datetime, zone: ZoneInfo) -> None:
    shown = moment(wall.date(), wall.time(), zone).astimezone(zone).replace(tzinfo=None)
    # Later only if the clocks jumped over it, to that very moment.
    assert shown == wall or (shown > wall and (shown.second, shown.minute % 30) == (0, 0))


@given(moments, st.integers(1, 36), st.sampled_from(ZONES))
def test_a_month_later_is_in_that_month(at: datetime, months: int, zone: ZoneInfo) -> None:
    start = at.astimezone(zone)
    end = Duration(months=months).after(at, zone).astimezone(zone)
    assert (end.year * 12 + end.month) - (start.year * 12 + start.month) == months
    is_clipped = end.day < start.day and (end + timedelta(days=1)).day == 1
    assert end.day == start.day or is_clipped


def test_the_last_day_of_a_year_is_followed_by_the_next() -> None:
    assert midnight(date(2027, 1, 1), SHANGHAI) == datetime(2026, 12, 31, 16, tzinfo=UTC)
    assert moment(date(2026, 12, 31), time(23, 59), SHANGHAI) == datetime(
        2026, 12, 31, 15, 59, tzinfo=UTC
    )
