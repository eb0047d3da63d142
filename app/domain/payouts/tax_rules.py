"""The arithmetic of withholding: pure, whole minor units, each step kept for the statement.

An amount that does not come out even is rounded half up to the fen, once, at the end.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from app.core.errors import N_
from app.domain.payouts import tax_tables
from app.domain.payouts.tax_tables import Bracket

# What each step of a trace is called, and how its value is written.
STEPS = {
    "income_month": (N_("本月累计收入"), "money"),
    "income_year": (N_("本年累计收入"), "money"),
    "income": (N_("本次收入"), "money"),
    "months": (N_("连续取得收入的月份数"), "count"),
    "deduction": (N_("减除费用"), "money"),
    "base": (N_("应纳税所得额"), "money"),
    "rate": (N_("税率"), "percent"),
    "quick": (N_("速算扣除数"), "money"),
    "due": (N_("累计应扣税额"), "money"),
    "before": (N_("此前已扣税额"), "money"),
    "tax": (N_("本次扣税"), "money"),
    "source": (N_("依据"), "text"),
}
# A name of STEPS and its value: minor units, basis points of a rate, a count, or a text.
Step = list[str | int]


@dataclass(frozen=True)
class Due:
    """What is due on an income, and how it came about."""

    tax: int
    trace: list[Step]


def per_month(income: int, day: date) -> Due:
    """Tax on a resident's labour remuneration of one month, taken together (minor units).

    公告2018年第61号 art. 8: what is paid for the same item within a month is one income.
    """
    table = tax_tables.in_force(tax_tables.LABOUR, day)
    if income <= table.small:
        base = max(income - table.fixed, 0) * 100
    else:
        base = income * (100 - table.cost)
    return _due(base, table.brackets, [["income_month", income]], income, table.source)


def cumulative(income: int, months: int, day: date) -> Due:
    """Tax on a platform worker's income of the year so far (公告2025年第16号), never below zero."""
    table = tax_tables.in_force(tax_tables.CUMULATIVE, day)
    base = max(income * (100 - table.cost) - table.monthly * months * 100, 0)
    steps: list[Step] = [["income_year", income], ["months", months]]
    return _due(base, table.brackets, steps, income, table.source)


def at_rate(income: int, rate_bp: int) -> Due:
    """Tax at a rate (basis points) that finance has fixed for this payee, as for a non-resident."""
    tax = _half_up(income * rate_bp, 10_000)
    return Due(tax, [["income", income], ["rate", rate_bp], ["tax", tax]])


def withhold_now(due: Due, already: int) -> Due:
    """What is still to be withheld, when so much of it was before; nothing is given back."""
    tax = max(due.tax - already, 0)
    return Due(tax, [*due.trace, ["before", already], ["tax", tax]])


def gross_up(net: int, day: date) -> int:
    """The least income of a month of which exactly `net` is left: the inverse of `per_month`.

    Each fen more of income leaves nothing or one fen more, so every net is reached.
    """
    low, high = net, net * 2 + 1
    while low < high:
        middle = (low + high) // 2
        if middle - per_month(middle, day).tax >= net:
            high = middle
        else:
            low = middle + 1
    return low


def months_of(paid: Iterable[int], month: int, *, gap_restarts: bool) -> int:
    """How many months count in `month`, given the months of the year (1 to 12) with an income.

    The text does not say how a month without one counts. By default the count begins again after
    it, which withholds more and is settled at the year's end; else it goes on from the first month.
    """
    known = {*paid, month}
    first = month
    if not gap_restarts:
        return month - min(known) + 1
    while first - 1 in known:
        first -= 1
    return month - first + 1


def _due(
    base: int, brackets: Sequence[Bracket], steps: list[Step], income: int, source: str
) -> Due:
    """`base` in hundredths of a minor unit, so that nothing is rounded before the end."""
    bracket = next(one for one in brackets if one.up_to is None or base <= one.up_to * 100)
    tax = _half_up(base * bracket.rate, 10_000) - bracket.quick
    shown = _half_up(base, 100)
    return Due(
        tax,
        [
            *steps,
            ["deduction", income - shown],
            ["base", shown],
            ["rate", bracket.rate * 100],
            ["quick", bracket.quick],
            ["due", tax],
            ["source", source],
        ],
    )


def _half_up(amount: int, divisor: int) -> int:
    return (2 * amount + divisor) // (2 * divisor)
