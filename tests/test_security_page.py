"""docs/security.md says what is: its numbers are those of the code."""

import ast
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

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


# The rows of ASVS 5.0 that decide here, as they were chosen.
ROWS = (
    "1.2.1, 1.2.3", "1.2.4", "1.2.10", "1.3.1, 1.3.4", "1.3.6, 13.2.4, 13.2.5, 15.3.2", "1.3.7",
    "2.2.1–2.2.3", "2.3.1", "2.3.2", "2.3.3", "2.3.4", "2.3.5", "2.4.1", "3.3.1–3.3.4", "3.4.1",
    "3.4.3", "3.4.4–3.4.6", "3.5.1, 3.5.3", "3.7.2", "4.1.3, 15.3.4", "5.2.1, 5.2.2, 5.3.2",
    "6.2.x", "6.3.1", "6.3.3", "6.4.3", "6.5.1, 6.5.5", "7.2.3, 7.2.4", "7.3.1, 7.3.2",
    "7.4.1, 7.4.2, 7.4.5", "7.5.1, 7.5.3", "8.2.1–8.2.3", "8.3.2",
    "11.1.1, 11.1.2, 11.2.2, 11.3.x", "11.4.2", "12.2.1, 12.3.1", "13.2.2, 13.2.3", "13.3.1",
    "13.4.2, 13.4.5", "14.2.1", "14.3.2", "15.3.1, 15.3.3", "16.2.5, 16.3.x, 16.4.1–16.4.3",
    "16.5.2, 16.5.3",
)  # fmt: skip


def test_every_row_is_there_once_and_held_by_tests_that_there_are() -> None:
    written = list(table("row"))
    assert [row[0].removesuffix(" (L3)") for row in written] == list(ROWS)
    assert len(ROWS) == 43
    for row, asked, how, held in written:
        assert asked and how, row
        faults = faults_of(held)
        assert not faults, f"{row}: {', '.join(faults)}"


@pytest.mark.parametrize(
    ("held", "fault"),
    [
        ("", "names no test"),
        ("`tests/test_security_page.py`", "tests/test_security_page.py names no test"),
        ("`tests/nowhere.py::test_it`", "tests/nowhere.py::test_it does not exist"),
        (
            "`tests/test_security_page.py::test_it`",
            "tests/test_security_page.py::test_it does not exist",
        ),
        ("not held:", "names no test"),
    ],
)
def test_a_row_that_nothing_holds_is_noticed(held: str, fault: str) -> None:
    assert faults_of(held) == [fault]
    assert faults_of("not held: there is no such thing in the shop") == []


def faults_of(held: str) -> list[str]:
    """What is wrong with what a row says it is held by: tests, or `not held:` and why."""
    if re.fullmatch(r"not held: .{10,}", held):
        return []
    names = re.findall(r"`([^`]+)`", held)
    return [fault for name in names for fault in _faults_of(name)] or (
        [] if names else ["names no test"]
    )


def _faults_of(name: str) -> list[str]:
    path, _, test = name.partition("::")
    if not test:
        return [f"{name} names no test"]
    file = ROOT / path
    found = ast.walk(ast.parse(file.read_text())) if file.is_file() else ()
    tests = {node.name for node in found if isinstance(node, ast.FunctionDef)}
    return [] if test in tests else [f"{name} does not exist"]


def table(first: str) -> Iterator[list[str]]:
    """The rows of the table whose first heading this is."""
    _, _, rest = PAGE.partition(f"\n| {first} |")
    for line in rest.splitlines()[2:]:
        if not line.startswith("|"):
            return
        yield [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))]


def duration(text: str) -> timedelta:
    found = re.fullmatch(r"(\d+) (ms|s|min|h)", text)
    assert found is not None, text
    return timedelta(**{UNITS[found[2]]: int(found[1])})
