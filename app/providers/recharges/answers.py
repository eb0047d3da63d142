"""Reading what providers say: strictly, because every reading is about money.

An answer that is not JSON, says a name twice, or is in another charset is Unreadable: doubt.
Numbers are kept as the texts they came as, so that "49.8750" is never a float.
"""

import json
import re
from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import TypeVar
from urllib.parse import parse_qsl

UNITS = {"yuan": 100, "fen": 1}
AMOUNT = re.compile(r"-?[0-9]{1,12}(\.[0-9]{1,8})?")
# Beyond it no amount is meant, and no column holds it.
MOST = 10**12
LONGEST_TEXT = 200
MOST_FIELDS = 100


Value = TypeVar("Value")


class Unreadable(Exception):
    """It makes no sense, or more than one."""


def parse(body: bytes | str) -> object:
    """JSON in UTF-8, numbers as texts; raises Unreadable."""
    try:
        return json.loads(
            body.decode("utf-8-sig") if isinstance(body, bytes) else body,
            parse_int=str,
            parse_float=str,
            parse_constant=_refuse,
            object_pairs_hook=once,
        )
    except (ValueError, RecursionError):
        raise Unreadable from None


def form(body: bytes) -> list[tuple[str, str]]:
    """A posted form's fields in UTF-8, empty ones too; raises Unreadable."""
    try:
        return parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=MOST_FIELDS,
        )
    except ValueError:
        raise Unreadable from None


def once(pairs: Sequence[tuple[str, Value]]) -> dict[str, Value]:
    """Fields by name; raises Unreadable when one comes twice, because then it has no one value."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable
    return found


def at(said: object, path: str) -> object:
    """What stands at a dotted path (`data.0.state`); None when there is nothing.

    `a|b` looks at a first and then at b.
    """
    for one in filter(None, path.split("|")):
        found = _walk(said, one.strip().split("."))
        if found is not None:
            return found
    return None


def text_at(said: object, path: str) -> str | None:
    """The text at a path; None when there is nothing, or something that is no single value."""
    found = at(said, path) if path else None
    if isinstance(found, bool):
        return "true" if found else "false"
    return found.strip() if isinstance(found, str) else None


def words_at(said: object, path: str) -> str:
    """The text at a path as it may be stored: one line, bounded; empty when there is none."""
    return tidy(text_at(said, path) or "")


def tidy(text: str, longest: int = LONGEST_TEXT) -> str:
    """One printable line of at most `longest` characters. No database takes a NUL."""
    return "".join(char if char.isprintable() else " " for char in text)[:longest].strip()


def minor(text: str | None, unit: str = "yuan", times: int = 1) -> int | None:
    """An amount in minor units: `times` as much as the text says, in `unit`, half a fen up.

    "49.8750" yuan is 4988 fen, and 9975 twice: it is rounded once, at the end. None for what is
    not a plain decimal of a size that is meant.
    """
    if text is None or not AMOUNT.fullmatch(text):
        return None
    amount = (Decimal(text) * UNITS[unit] * times).quantize(Decimal(1), ROUND_HALF_UP)
    return int(amount) if abs(amount) <= MOST else None


def cost(text: str | None, unit: str = "yuan", times: int = 1) -> int | None:
    """As `minor`, for what something cost: never below zero."""
    amount = minor(text, unit, times)
    return amount if amount is not None and amount >= 0 else None


def _walk(said: object, names: Sequence[str]) -> object:
    for name in names:
        if isinstance(said, Mapping):
            said = said.get(name)
        elif isinstance(said, list) and name.isascii() and name.isdigit():
            said = said[int(name)] if int(name) < len(said) else None
        else:
            return None
    return said


def _refuse(_constant: str) -> object:
    raise Unreadable
