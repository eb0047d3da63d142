"""Rate tables of individual income tax: data with the day they begin and where they stand.

A new table is added beside the old ones; what was computed under an old one stays computed so.
Amounts in minor units, rates in percent.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol, TypeVar


class Dated(Protocol):
    """A table that is in force from a day on."""

    @property
    def valid_from(self) -> date: ...


T = TypeVar("T", bound=Dated)


@dataclass(frozen=True)
class Bracket:
    """Up to this base (None: without end) so much percent, less the quick deduction."""

    up_to: int | None
    rate: int
    quick: int


@dataclass(frozen=True)
class LabourTable:
    """Labour remuneration, withheld by the month: `fixed` off an income of at most `small`, else
    `cost` percent."""

    valid_from: date
    source: str
    small: int
    fixed: int
    cost: int
    brackets: tuple[Bracket, ...]


@dataclass(frozen=True)
class CumulativeTable:
    """Withheld over the year: `cost` percent off, and `monthly` for each month."""

    valid_from: date
    source: str
    cost: int
    monthly: int
    brackets: tuple[Bracket, ...]


LABOUR = (
    LabourTable(
        valid_from=date(2019, 1, 1),
        source="国家税务总局公告2018年第61号",
        small=4000_00,
        fixed=800_00,
        cost=20,
        brackets=(
            Bracket(20_000_00, 20, 0),
            Bracket(50_000_00, 30, 2000_00),
            Bracket(None, 40, 7000_00),
        ),
    ),
)
CUMULATIVE = (
    CumulativeTable(
        valid_from=date(2025, 10, 1),
        source="国家税务总局公告2025年第16号",
        cost=20,
        monthly=5000_00,
        brackets=(
            Bracket(36_000_00, 3, 0),
            Bracket(144_000_00, 10, 2520_00),
            Bracket(300_000_00, 20, 16_920_00),
            Bracket(420_000_00, 25, 31_920_00),
            Bracket(660_000_00, 30, 52_920_00),
            Bracket(960_000_00, 35, 85_920_00),
            Bracket(None, 45, 181_920_00),
        ),
    ),
)


def in_force(tables: Sequence[T], day: date) -> T:
    """The table of that day; raises LookupError before the first one."""
    begun = [table for table in tables if table.valid_from <= day]
    if not begun:
        raise LookupError(f"no rate table is in force on {day}")
    return max(begun, key=lambda table: table.valid_from)
