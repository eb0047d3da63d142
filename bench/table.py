"""What a bench found, as a line of the table."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """`limit` is what this machine can do at most, measured in the same run."""

    name: str
    measured: str
    target: str = ""
    limit: str = ""


def as_table(figures: Iterable[Figure]) -> str:
    """The figures as a Markdown table, which is read well on a terminal too."""
    rows = [("figure", "measured", "target", "this machine's limit")]
    rows += [(figure.name, figure.measured, figure.target, figure.limit) for figure in figures]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ["| " + " | ".join(f"{row[c]:{widths[c]}}" for c in range(4)) + " |" for row in rows]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def percentile(seconds: list[float], part: float) -> float:
    """The value below which that part of the measurements lies, in milliseconds."""
    ordered = sorted(seconds)
    return ordered[min(int(len(ordered) * part), len(ordered) - 1)] * 1000
