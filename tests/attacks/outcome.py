"""What an attack came to, as a line of the table."""

from collections.abc import Iterable
from dataclasses import dataclass

# Of so many honest people in a hundred, fewer than one may be troubled.
MOST_TROUBLED = 0.01


@dataclass(frozen=True)
class Outcome:
    """`got_through` is what succeeded beyond the `allowance`, which the shop's settings give to
    anybody; `cost` what the attacker paid for it; `honest` people did what people do meanwhile."""

    attack: str
    tried: str
    got_through: int
    allowance: str
    cost: str
    honest: int = 0
    troubles: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        return self.got_through == 0 and len(self.troubles) <= self.honest * MOST_TROUBLED


def as_table(outcomes: Iterable[Outcome]) -> str:
    """As a Markdown table."""
    head = (
        "attack",
        "tried",
        "got through",
        "allowance",
        "cost to the attacker",
        "honest troubled",
    )
    rows = [head]
    for one in outcomes:
        troubled = f"{len(one.troubles)} of {one.honest}" if one.honest else "nobody there"
        rows.append(
            (one.attack, one.tried, str(one.got_through), one.allowance, one.cost, troubled)
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = [
        "| " + " | ".join(f"{cell:{width}}" for cell, width in zip(row, widths, strict=True)) + " |"
        for row in rows
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)
