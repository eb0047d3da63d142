"""Which rule counts, what it gives, and what refunds take back."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate, pairwise

import hypothesis.strategies as st
import pytest
from hypothesis import given

from app.domain.channels.rules import (
    Context,
    Earner,
    Line,
    Resolution,
    RuleTerms,
    Sale,
    Scope,
    amount,
    from_trace,
    of_order,
    resolve,
    reversal,
    share,
    spread,
)

NOW = datetime(2026, 11, 11, tzinfo=UTC)
DAY = timedelta(days=1)
# A sale of product 20 in category 30 by distributor 10 of tier 40, in the campaign 双11.
SALE = Context(1, 10, 40, 20, 30, "双11", NOW)
BY_SCOPE = {
    Scope.DISTRIBUTOR_AND_PRODUCT: {"distributor_id": 10, "product_id": 20},
    Scope.DISTRIBUTOR: {"distributor_id": 10},
    Scope.CAMPAIGN_AND_TIER: {"campaign": "双11", "tier_id": 40},
    Scope.PRODUCT: {"product_id": 20},
    Scope.CATEGORY: {"category_id": 30},
    Scope.TIER: {"tier_id": 40},
    Scope.DEFAULT: {},
}
amounts = st.integers(0, 10_000_000)
rates = st.integers(0, 10_000)
caps = st.none() | st.integers(0, 100_000)
terms = st.builds(
    RuleTerms,
    id=st.integers(1, 9),
    percent_bp=rates,
    per_unit=st.integers(0, 100_000),
    cap_per_order=caps,
    cap_per_month=caps,
    min_margin_bp=st.none() | rates,
)


def test_the_most_specific_rule_wins_and_each_loser_says_why() -> None:
    assert list(BY_SCOPE) == sorted(Scope, reverse=True)
    rules = [
        RuleTerms(number, **names)  # type: ignore[arg-type]
        for number, names in enumerate(BY_SCOPE.values(), start=1)
    ]
    assert [rule.scope for rule in rules] == list(BY_SCOPE)
    for place, scope in enumerate(BY_SCOPE):
        found = resolve(rules[place:][::-1], SALE)
        assert found.rule is rules[place]
        assert [(one.scope, one.verdict) for one in found.candidates] == [
            (scope, "won"),
            *((lower, "less_specific") for lower in list(BY_SCOPE)[place + 1 :]),
        ]


@pytest.mark.parametrize(
    "names",
    [
        {"level": 2},
        {"distributor_id": 11},
        {"product_id": 21},
        {"category_id": 31},
        {"tier_id": 41},
        {"campaign": "双12", "tier_id": 40},
        {"distributor_id": 10, "product_id": 21},
    ],
)
def test_a_rule_for_another_sale_is_no_candidate(names: dict[str, int]) -> None:
    assert resolve([RuleTerms(1, **names)], SALE) == Resolution(None, ())  # type: ignore[arg-type]


def test_dates_and_age_decide_among_equals() -> None:
    rules = [
        RuleTerms(1),
        RuleTerms(2, starts_at=NOW, ends_at=NOW + DAY),
        RuleTerms(3, product_id=20, starts_at=NOW + DAY),
        RuleTerms(4, product_id=20, ends_at=NOW),
    ]
    found = resolve(rules, SALE)
    assert found.rule is rules[1]
    assert {one.rule_id: one.verdict for one in found.candidates} == {
        3: "not_started",
        4: "ended",
        2: "won",
        1: "older",
    }


def test_a_combination_that_no_scope_is_for_is_none() -> None:
    with pytest.raises(KeyError):
        _ = RuleTerms(1, product_id=20, tier_id=40).scope


@pytest.mark.parametrize(
    ("_case", "rule", "sale", "wanted", "steps"),
    [
        ("percent, half up", {"percent_bp": 500}, Sale(3010, 1), 151, ["percent"]),
        ("percent, below half", {"percent_bp": 500}, Sale(3009, 1), 150, ["percent"]),
        ("so much a unit", {"per_unit": 120}, Sale(9000, 3), 360, ["per_unit"]),
        (
            "both",
            {"percent_bp": 1000, "per_unit": 100},
            Sale(6000, 2),
            800,
            ["percent", "per_unit"],
        ),
        (
            "cap of the order",
            {"percent_bp": 1000, "cap_per_order": 700},
            Sale(6000, 1, earned_this_order=300),
            400,
            ["percent", "cap_per_order"],
        ),
        (
            "the month is used up",
            {"percent_bp": 1000, "cap_per_month": 500},
            Sale(6000, 1, earned_this_month=900),
            0,
            ["percent", "cap_per_month"],
        ),
        (
            "a tenth stays above the cost",
            {"percent_bp": 3000, "min_margin_bp": 1000},
            Sale(10000, 1, cost=7000),
            2000,
            ["percent", "min_margin"],
        ),
        (
            "what level 1 takes counts against the margin",
            {"percent_bp": 1000, "min_margin_bp": 1000},
            Sale(10000, 1, cost=7000, taken=1500),
            500,
            ["percent", "min_margin"],
        ),
        (
            "sold below cost",
            {"percent_bp": 1000, "min_margin_bp": 0},
            Sale(10000, 1, cost=12000),
            0,
            ["percent", "min_margin"],
        ),
        (
            "nobody knows the cost",
            {"percent_bp": 1000, "min_margin_bp": 500},
            Sale(10000, 1),
            1000,
            ["percent", "cost_unknown"],
        ),
        (
            "the pool is rounded down",
            {"percent_bp": 5000},
            Sale(101, 1, pool_max_bp=3000),
            30,
            ["percent", "pool_max"],
        ),
        (
            "the pool is what level 1 left of it",
            {"percent_bp": 1000},
            Sale(10000, 1, taken=2500, pool_max_bp=3000),
            500,
            ["percent", "pool_max"],
        ),
        ("nothing", {}, Sale(10000, 1), 0, []),
    ],
)
def test_amounts(
    _case: str, rule: dict[str, int], sale: Sale, wanted: int, steps: Sequence[str]
) -> None:
    got, by = amount(RuleTerms(1, **rule), sale)  # type: ignore[arg-type]
    assert (got, [step.name for step in by]) == (wanted, list(steps))
    assert not by or by[-1].amount == got


@given(terms, st.builds(Sale, amounts, st.integers(1, 99), st.none() | amounts))
def test_an_amount_stays_within_its_limits(rule: RuleTerms, sale: Sale) -> None:
    got, _steps = amount(rule, sale)
    assert 0 <= got <= sale.base
    assert got <= min(
        cap for cap in (rule.cap_per_order, rule.cap_per_month, got) if cap is not None
    )
    if rule.min_margin_bp is not None and sale.cost is not None and got:
        assert sale.base - got >= sale.cost + share(sale.base, rule.min_margin_bp)


@given(st.lists(st.integers(0, 10**10), max_size=9))
def test_the_lines_of_an_order_sum_to_its_rounded_total(exact: list[int]) -> None:
    whole = spread(exact)
    assert all(part >= 0 for part in whole)
    assert sum(whole) == (2 * sum(exact) + 10_000) // 20_000
    for part, wanted in zip(whole[:-1], exact, strict=False):
        assert part <= (2 * wanted + 10_000) // 20_000


def test_the_last_line_absorbs() -> None:
    assert spread([4000, 4000, 4000]) == [0, 0, 1]
    assert spread([5000] * 4) == [1, 1, 0, 0]
    assert spread([6000, 6000]) == [1, 0]


@given(
    st.lists(st.tuples(amounts, st.integers(1, 9), st.none() | amounts), min_size=1, max_size=5),
    terms,
    terms,
    rates,
)
def test_all_levels_together_never_take_more_than_the_pool(
    sold: list[tuple[int, int, int | None]], first: RuleTerms, second: RuleTerms, pool: int
) -> None:
    lines = [
        Line(number, 1, None, quantity, base, cost)
        for number, (base, quantity, cost) in enumerate(sold)
    ]
    picked = {1: Resolution(first, ()), 2: Resolution(second, ())}
    earners = [Earner(2, 8, 1), Earner(1, 7, 1)]
    found = of_order(lambda earner, _line: picked[earner.level], lines, earners, {}, pool)
    assert [one.earner.level for one in found] == [1] * len(lines) + [2] * len(lines)
    for line in lines:
        of_line = [one for one in found if one.line_id == line.id]
        assert sum(one.amount for one in of_line) <= line.base * pool // 10_000
        for one in of_line:
            # What is stored is enough to compute it again.
            kept = from_trace(one.trace())
            assert kept is not None and amount(one.rule, kept)[0] == one.amount
    for level, rule in ((1, first), (2, second)):
        if rule.cap_per_order is not None:
            earned = sum(one.amount for one in found if one.earner.level == level)
            assert earned <= rule.cap_per_order


@given(amounts, amounts, st.lists(amounts, max_size=12))
def test_refunds_in_any_pieces_take_back_all_and_never_more(
    base: int, earned: int, cuts: list[int]
) -> None:
    earned = min(earned, base)
    so_far = [0, *sorted(min(cut, base) for cut in cuts), base]
    assert list(accumulate(b - a for a, b in pairwise(so_far)))[-1] == base
    taken = 0
    for refunded in so_far[1:]:
        back = reversal(earned, base, refunded, taken)
        taken += back
        assert back >= 0 and taken <= earned
        if base > 0 and refunded < base:
            assert abs(taken - earned * refunded / base) <= 0.5
    assert taken == earned
