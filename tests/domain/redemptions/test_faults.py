"""Rules that make no sense are refused beside the field that is wrong; all others are taken."""

from datetime import UTC, datetime, time, timedelta

import pytest

from app.domain.redemptions.faults import MOST_USES, faults
from app.domain.redemptions.validity import Anchor, Policy
from tests.domain.redemptions.examples import at, hours

SENSIBLE = [
    Policy(),
    Policy(anchor=Anchor.SOLD, duration="P30D"),
    Policy(anchor=Anchor.SOLD, delay="PT12H", duration="P1M", min_gap="PT1M"),
    Policy(anchor=Anchor.DELIVERED, delay="P3D"),
    Policy(anchor=Anchor.FIRST_USED, duration="PT2H", end_of_day=False),
    Policy(anchor=Anchor.SOLD, duration="P100Y"),
    Policy(start_at=at("05-01 00:00"), end_at=at("05-01 00:01")),
    Policy(hours=hours("09:00–12:00", "12:00–18:00")),
    Policy(hours=hours("22:00–02:00", "02:00–03:00")),
    Policy(hours=hours("00:00–12:00", "12:00–00:00")),
    Policy(hours=hours("18:00–20:00", "09:00–12:00")),
    Policy(uses_total=1, uses_per_day=MOST_USES),
    Policy(undo_within=timedelta(0)),
    Policy(undo_within=timedelta(days=1)),
]

SENSELESS = {
    "anchor": [
        Policy(duration="P30D"),
        Policy(delay="P1D"),
    ],
    "delay": [
        Policy(anchor=Anchor.SOLD, delay="3", duration="P1D"),
        Policy(anchor=Anchor.SOLD, delay="P0D", duration="P1D"),
        Policy(anchor=Anchor.SOLD, delay="P101Y", duration="P1D"),
        Policy(anchor=Anchor.FIRST_USED, delay="P1D", duration="P1D"),
        Policy(anchor=Anchor.ACTIVATED, delay="P1D", duration="P1D"),
    ],
    "duration": [
        Policy(anchor=Anchor.SOLD),
        Policy(anchor=Anchor.SOLD, duration="一个月"),
        Policy(anchor=Anchor.SOLD, duration="P0D"),
        Policy(anchor=Anchor.SOLD, duration="PT0H"),
        Policy(anchor=Anchor.SOLD, duration="P9999Y"),
        Policy(anchor=Anchor.SOLD, duration="P99999D"),
        # Two hours that last until midnight.
        Policy(anchor=Anchor.SOLD, duration="PT2H"),
        Policy(anchor=Anchor.SOLD, duration="P1DT2H"),
    ],
    "min_gap": [Policy(min_gap="2h"), Policy(min_gap="PT0M"), Policy(min_gap="P101Y")],
    "start_at": [
        Policy(start_at=datetime(9999, 12, 31, tzinfo=UTC)),
        Policy(start_at=datetime(1, 1, 1, tzinfo=UTC)),
    ],
    "end_at": [
        Policy(end_at=datetime(9999, 12, 31, tzinfo=UTC)),
        Policy(start_at=at("05-01 00:00"), end_at=at("05-01 00:00")),
        Policy(start_at=at("05-02 00:00"), end_at=at("05-01 00:00")),
    ],
    "weekdays": [
        Policy(weekdays=frozenset()),
        Policy(weekdays=frozenset({0})),
        Policy(weekdays=frozenset({1, 8})),
    ],
    "hours": [
        Policy(hours=hours("09:00–09:00")),
        Policy(hours=hours("09:00–23:59:59")),
        Policy(hours=hours("09:00+08:00–18:00")),
        Policy(hours=((time(9), time(18, 0, 0, 1)),)),
        Policy(hours=hours("09:00–18:00", "09:00–18:00")),
        Policy(hours=hours("09:00–18:00", "17:59–20:00")),
        Policy(hours=hours("09:00–18:00", "10:00–12:00")),
        Policy(hours=hours("22:00–02:00", "01:00–03:00")),
        Policy(hours=hours("22:00–02:00", "23:00–01:00")),
        Policy(hours=hours("22:00–08:00", "20:00–06:00")),
    ],
    "uses_total": [Policy(uses_total=0), Policy(uses_total=-1), Policy(uses_total=MOST_USES + 1)],
    "uses_per_day": [Policy(uses_per_day=0), Policy(uses_per_day=MOST_USES + 1)],
    "undo_within": [
        Policy(undo_within=timedelta(minutes=-1)),
        Policy(undo_within=timedelta(days=1, minutes=1)),
    ],
}


@pytest.mark.parametrize("policy", SENSIBLE)
def test_what_makes_sense_has_no_fault(policy: Policy) -> None:
    assert [str(fault) for fault in faults(policy)] == []


@pytest.mark.parametrize(
    ("field", "policy"),
    [(field, policy) for field, policies in SENSELESS.items() for policy in policies],
)
def test_what_makes_none_is_refused_at_its_field(field: str, policy: Policy) -> None:
    found = list(faults(policy))
    assert [fault.field for fault in found] == [field]
    assert "%(" not in str(found[0])


def test_all_that_is_wrong_is_said_at_once() -> None:
    policy = Policy(duration="P1D", weekdays=frozenset(), uses_total=0, min_gap="soon")
    assert [fault.field for fault in faults(policy)] == ["min_gap", "weekdays", "uses_total"]
