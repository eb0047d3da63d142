"""The rules in plain words: each rule has its sentence, and nothing is said that is not a rule."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.redemptions.validity import Anchor, Policy
from app.domain.redemptions.wording import describe
from tests.domain.redemptions.examples import at, hours

WORKDAYS = frozenset({1, 2, 3, 4, 5})


@pytest.mark.parametrize(
    ("policy", "sentences"),
    [
        (Policy(), []),
        (Policy(anchor=Anchor.FIRST_USED, duration="P30D"), ["首次使用后 P30D内有效"]),
        (Policy(anchor=Anchor.SOLD, duration="P1M"), ["购买后 P1M内有效"]),
        (Policy(anchor=Anchor.DELIVERED, duration="P1M"), ["到货后 P1M内有效"]),
        (Policy(anchor=Anchor.ACTIVATED, duration="P1M"), ["激活后 P1M内有效"]),
        (Policy(anchor=Anchor.SOLD, delay="P3D"), ["购买满 P3D后才能使用"]),
        # The duration is counted from the end of the delay, and so it says.
        (
            Policy(anchor=Anchor.DELIVERED, delay="P3D", duration="P1M"),
            ["到货满 P3D后才能使用", "此后 P1M内有效"],
        ),
        (Policy(weekdays=WORKDAYS), ["[1, 2, 3, 4, 5] 可用"]),
        (Policy(hours=hours("09:00–18:00")), ["每天 ['09:00–18:00'] 可用"]),
        (
            Policy(weekdays=WORKDAYS, hours=hours("18:00–02:00", "09:00–12:00")),
            ["[1, 2, 3, 4, 5] ['09:00–12:00', '18:00–02:00'] 可用"],
        ),
        (Policy(uses_total=10, uses_per_day=2), ["共 10 次", "每天最多 2 次"]),
        (Policy(min_gap="PT2H"), ["两次之间至少隔 PT2H"]),
    ],
)
def test_each_rule_has_its_sentence(policy: Policy, sentences: list[str]) -> None:
    assert [message % params for message, params in describe(policy)] == sentences


def test_dates_are_left_for_the_page_to_write() -> None:
    first, last = at("05-01 00:00"), at("06-01 00:00")
    policy = Policy(start_at=first, end_at=last, blackout=frozenset({date(2026, 5, 5)}))
    assert describe(policy) == [
        ("%(moment)s 起可用", {"moment": first}),
        ("%(moment)s 前有效", {"moment": last}),
        ("%(days)s 不可用", {"days": [date(2026, 5, 5)]}),
    ]


spans = st.sampled_from(["", "P1M", "PT2H", "P0D", "nonsense"])


@given(
    st.builds(
        Policy,
        anchor=st.sampled_from(Anchor),
        delay=spans,
        duration=spans,
        min_gap=spans,
        start_at=st.none() | st.datetimes(),
        end_at=st.none() | st.datetimes(),
        weekdays=st.frozensets(st.integers(0, 8)),
        hours=st.lists(st.tuples(st.times(), st.times()), max_size=3).map(tuple),
        blackout=st.frozensets(st.dates(), max_size=3),
        uses_total=st.none() | st.integers(-1, 5),
        uses_per_day=st.none() | st.integers(-1, 5),
    )
)
def test_even_senseless_rules_can_be_described(policy: Policy) -> None:
    for message, params in describe(policy):
        assert "%(" not in message % params
