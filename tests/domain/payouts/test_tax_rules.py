"""The arithmetic of withholding: the vectors of the law's examples, and what must always hold."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.payouts import tax_rules, tax_tables
from app.domain.payouts.tax_rules import (
    STEPS,
    at_rate,
    cumulative,
    gross_up,
    months_of,
    per_month,
    withhold_now,
)

DAY = date(2026, 11, 26)
MONEY = st.integers(0, 300_000_00)


@pytest.mark.parametrize(
    ("income", "tax"),
    [
        (0, 0),
        (800, 0),
        (1000, 40),
        (4000, 640),
        (5000, 800),
        (20_000, 3200),
        (25_000, 4000),
        (30_000, 5200),
        (62_500, 13_000),
        (100_000, 25_000),
    ],
)
def test_labour_remuneration_by_the_month(income: int, tax: int) -> None:
    due = per_month(income * 100, DAY)
    assert due.tax == tax * 100
    assert dict(due.trace)["source"] == "国家税务总局公告2018年第61号"
    assert {name for name, _ in due.trace} <= STEPS.keys()


@given(st.lists(st.integers(1, 80_000_00), min_size=1, max_size=8))
def test_splitting_a_payout_changes_no_tax(parts: list[int]) -> None:
    withheld = income = 0
    for part in parts:
        income += part
        now = withhold_now(per_month(income, DAY), withheld)
        assert 0 <= now.tax <= part
        withheld += now.tax
    assert withheld == per_month(sum(parts), DAY).tax


@given(MONEY)
def test_the_gross_up_is_the_inverse(net: int) -> None:
    gross = gross_up(net, DAY)
    assert gross - per_month(gross, DAY).tax == net
    assert gross == 0 or gross - 1 - per_month(gross - 1, DAY).tax < net
    yuan = net / 100
    if yuan <= 800:
        closed = yuan
    elif yuan <= 3360:
        closed = (yuan - 160) / 0.8
    elif yuan <= 21_000:
        closed = yuan / 0.84
    elif yuan <= 49_500:
        closed = (yuan - 2000) / 0.76
    else:
        closed = (yuan - 7000) / 0.68
    assert abs(gross - closed * 100) <= 1.5


def test_ten_thousand_each_month_on_a_platform() -> None:
    withheld = 0
    for month in range(1, 13):
        now = withhold_now(cumulative(10_000_00 * month, month, DAY), withheld)
        assert now.tax == 90_00
        withheld += now.tax


@pytest.mark.parametrize(
    ("base", "tax"),
    [
        (36_000, 1080),
        (144_000, 11_880),
        (300_000, 43_080),
        (420_000, 73_080),
        (660_000, 145_080),
        (960_000, 250_080),
        (1_000_000, 268_080),
    ],
)
def test_the_cumulative_table_joins_at_its_steps(base: int, tax: int) -> None:
    income = (base + 5000) * 100 * 100 // 80
    assert cumulative(income, 1, DAY).tax == tax * 100


@given(st.lists(st.integers(0, 400_000_00), min_size=2, max_size=2).map(sorted))
def test_more_income_is_never_less_tax_and_never_less_net(incomes: list[int]) -> None:
    less, more = incomes
    for due in (lambda income: per_month(income, DAY), lambda income: cumulative(income, 3, DAY)):
        assert due(less).tax <= due(more).tax
        assert less - due(less).tax <= more - due(more).tax


def test_nothing_is_given_back_within_the_year() -> None:
    assert cumulative(4000_00, 1, DAY).tax == 0
    now = withhold_now(per_month(1000_00, DAY), 640_00)
    assert now.tax == 0
    assert now.trace[-2:] == [["before", 640_00], ["tax", 0]]
    assert at_rate(1234_56, 2000).tax == 246_91


@pytest.mark.parametrize(
    ("paid", "month", "restarting", "going_on"),
    [
        ([], 5, 1, 1),
        ([1, 2, 3], 4, 4, 4),
        ([1, 2], 4, 1, 4),
        ([2, 4], 5, 2, 4),
        ([6], 6, 1, 1),
    ],
)
def test_months_that_count(paid: list[int], month: int, restarting: int, going_on: int) -> None:
    assert months_of(paid, month, gap_restarts=True) == restarting
    assert months_of(paid, month, gap_restarts=False) == going_on


def test_a_table_is_chosen_by_its_day() -> None:
    with pytest.raises(LookupError):
        tax_tables.in_force(tax_tables.CUMULATIVE, date(2025, 9, 30))
    assert tax_tables.in_force(tax_tables.CUMULATIVE, date(2025, 10, 1)).monthly == 5000_00
    for table in (*tax_tables.LABOUR, *tax_tables.CUMULATIVE):
        assert table.brackets[-1].up_to is None
        for one, following in zip(table.brackets, table.brackets[1:], strict=False):
            assert one.up_to is not None
            at_step = one.up_to * (following.rate - one.rate)
            assert following.quick - one.quick == tax_rules._half_up(at_step, 100)
