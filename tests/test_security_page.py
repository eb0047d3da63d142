"""docs/security.md says what is: its numbers are those of the code."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

from app.domain.accounts.rules import PATIENCE
from app.web.limits import LIMITS

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs/security.md").read_text()
UNITS = {"ms": "milliseconds", "s": "seconds", "min": "minutes", "h": "hours"}


def test_the_fences_are_those_of_the_code() -> None:
    assert {row[0].strip("`"): row[2] for row in table("fence")} == LIMITS


def test_the_throttles_are_those_of_the_code() -> None:
    written = {
        row[0].strip("`"): (int(row[2]), *map(duration, row[3:])) for row in table("throttle")
    }
    assert written == {
        kind: (one.free, one.first, one.longest, one.forgives) for kind, one in PATIENCE.items()
    }


def table(first: str) -> Iterator[list[str]]:
    """The rows of the table whose first heading this is."""
    _, _, rest = PAGE.partition(f"\n| {first} |")
    for line in rest.splitlines()[2:]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in line.strip("|").split("|")]


def duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+) (ms|s|min|h)", text)
    assert found is not None, text
    return timedelta(**{UNITS[found[2]]: int(found[1])})
