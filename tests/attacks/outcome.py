"""What an attack came to, as a line of the table; and what shows that it attacked at all."""

from collections.abc import Iterable
from dataclasses import dataclass

# Of so many honest people in a hundred, fewer than one may be troubled.
MOST_TROUBLED = 0.01
HEAD = (
    "attack",
    "tried",
    "got through",
    "allowance",
    "cost to the attacker",
    "control",
    "honest troubled",
)


class ControlFailed(Exception):
    """What was tried would not get through with the defence off either: nothing was attacked."""


def control(holds: object, what: str) -> str:
    """`what` shows that the attack reaches what it attacks; raises ControlFailed if it does not."""
    if not holds:
        raise ControlFailed(what)
    return what


@dataclass(frozen=True)
class People:
    """How many did what people do, and what troubled some of them."""

    number: int
    troubles: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{len(self.troubles)} of {self.number}" if self.number else "nobody there"


@dataclass(frozen=True)
class Neighbours:
    """Who is at the attacker's own addresses: people who have paid here before, and others."""

    regulars: People
    newcomers: People

    def __str__(self) -> str:
        return f"regulars {self.regulars}, newcomers {self.newcomers}"


@dataclass(frozen=True)
class Outcome:
    """`got_through` is what succeeded beyond the `allowance`, which the shop's settings give to
    anybody; `cost` what the attacker paid for it; `control` what shows that it was an attack;
    `honest` people did what people do meanwhile, and so did its `neighbours`, of whom no regular
    may be troubled; newcomers there are counted and not judged by."""

    attack: str
    tried: str
    got_through: int
    allowance: str
    cost: str
    control: str
    honest: int = 0
    troubles: tuple[str, ...] = ()
    neighbours: Neighbours | None = None

    @property
    def holds(self) -> bool:
        if self.neighbours is not None and self.neighbours.regulars.troubles:
            return False
        return self.got_through == 0 and len(self.troubles) <= self.honest * MOST_TROUBLED

    @property
    def row(self) -> tuple[str, ...]:
        troubled = str(People(self.honest, self.troubles))
        if self.neighbours is not None:
            troubled = f"{troubled}; at its addresses: {self.neighbours}"
        through = str(self.got_through)
        return (
            self.attack,
            self.tried,
            through,
            self.allowance,
            self.cost,
            self.control,
            troubled,
        )


def as_table(outcomes: Iterable[Outcome]) -> str:
    """As a Markdown table."""
    rows = [HEAD, *(one.row for one in outcomes)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "| " + " | ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
