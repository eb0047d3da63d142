"""Our own codes: XXXX-XXXX-XXXX-XXXX-XXXX, 18 random symbols (89 bits) and two check symbols.

With v the values of the twenty symbols and w their weights, a code is right when

    Σ v ≡ 0  and  Σ w·v ≡ 0   (mod 31)

That is a Reed-Solomon code: any one or two wrong symbols and any two that changed places are
noticed, and one wrong symbol is found: it stands where w is the second sum divided by the first.
"""

import os
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import mul

from app.core.errors import N_
from app.domain.vault.rules import GROUP, LONGEST, SEPARATORS

# Without I, J, O, 0 and 1, which are taken for one another; and 31 is prime.
ALPHABET = "ABCDEFGHKLMNPQRSTUVWXYZ23456789"
LOOK_ALIKES = "IJO01"
BASE = len(ALPHABET)
RANDOM = 18
LENGTH = RANDOM + 2
# Each group has a dash after it, the last one too while they are made.
PRINTED = LENGTH + LENGTH // GROUP
# All different, which is what the proof needs; these two make the check symbols easy to work out.
WEIGHTS = (*range(2, RANDOM + 2), 1, 0)
VALUE = {symbol: value for value, symbol in enumerate(ALPHABET)}

# Bytes from 248, the greatest multiple of 31, are thrown away: they would favour some symbols.
UNFAIR = bytes(range(256 - 256 % BASE, 256))
MODULO = bytes(byte % BASE for byte in range(256))
TIMES = [bytes(byte * weight % BASE for byte in range(256)) for weight in WEIGHTS]
MINUS = bytes(-byte % BASE for byte in range(256))
SYMBOLS = bytes(ord(ALPHABET[byte % BASE]) for byte in range(256))
SEPARATOR_RUN = re.compile(f"[{re.escape(SEPARATORS)}]+")
# Values below 31 of which so many can be added in a byte.
ADDENDS = 255 // (BASE - 1)


@dataclass(frozen=True)
class Typed:
    """What somebody typed: a code that can be looked up, or a problem that says where to look.

    `problem` is a marked sentence to be filled with `params`; it is empty for a code.
    """

    normalised: str = field(default="", repr=False)
    problem: str = ""
    group: int | None = None
    length: int = 0

    @property
    def params(self) -> dict[str, object]:
        return {"group": self.group, "length": self.length}


def generate(count: int) -> list[str]:
    """So many new codes, from the system's random numbers; a second for a million."""
    columns = [_fair(count) for _ in range(RANDOM)]
    columns.append(_sum([c.translate(TIMES[i]) for i, c in enumerate(columns)]).translate(MINUS))
    columns.append(_sum(columns).translate(MINUS))
    text = bytearray(b"-") * (count * PRINTED)
    for position, column in enumerate(columns):
        text[position + position // GROUP :: PRINTED] = column.translate(SYMBOLS)
    codes = text.decode()
    return [codes[start : start + PRINTED - 1] for start in range(0, len(codes), PRINTED)]


def _fair(count: int) -> bytes:
    """So many numbers below 31, all equally likely."""
    fair = b""
    while len(fair) < count:
        fair += os.urandom(count - len(fair) + 64).translate(MODULO, UNFAIR)
    return fair[:count]


def _sum(columns: Sequence[bytes]) -> bytes:
    """Add columns of numbers below 31, place by place, modulo 31: each column as one big number."""
    total = columns[0]
    for start in range(1, len(columns), ADDENDS - 1):
        part = [total, *columns[start : start + ADDENDS - 1]]
        added = sum(int.from_bytes(column, "big") for column in part)
        total = added.to_bytes(len(total), "big").translate(MODULO)
    return total


def explain(typed: str) -> Typed:
    """Read a typed code in any case, width and grouping, or say what is wrong with it and where."""
    text = unicodedata.normalize("NFKC", typed[:LONGEST]).upper()
    groups = SEPARATOR_RUN.sub(" ", text).split()
    code = "".join(groups)
    for number, group in enumerate(_as_printed(groups), 1):
        if wrong := [symbol for symbol in group if symbol not in VALUE]:
            return Typed(problem=_why_not(wrong[0]), group=number)
    if len(code) != LENGTH:
        return _wrong_length(groups, len(code))
    return _checked(code)


def has_our_shape(typed: str) -> bool:
    """Whether it has as many symbols as our codes have, all of them ours."""
    text = unicodedata.normalize("NFKC", typed[:LONGEST]).upper()
    code = SEPARATOR_RUN.sub("", text)
    return len(code) == LENGTH and all(symbol in VALUE for symbol in code)


def _as_printed(groups: list[str]) -> list[str]:
    """The groups as they were typed, or of four when it was typed in one go."""
    if len(groups) != 1:
        return groups
    return [groups[0][start : start + GROUP] for start in range(0, len(groups[0]), GROUP)]


def _why_not(symbol: str) -> str:
    if symbol in LOOK_ALIKES:
        return N_("卡密里没有字母 I、J、O 和数字 0、1,请对照检查第 %(group)s 组")
    return N_("第 %(group)s 组里有卡密不会用到的字符，请对照检查")


def _wrong_length(groups: list[str], length: int) -> Typed:
    if not groups:
        return Typed(problem=N_("请输入卡密"))
    uneven = [number for number, group in enumerate(groups, 1) if len(group) != GROUP]
    if len(groups) == LENGTH // GROUP and len(uneven) == 1:
        return Typed(problem=N_("第 %(group)s 组应有 4 个字符，请对照检查"), group=uneven[0])
    return Typed(problem=N_("卡密应有 20 个字符，现在是 %(length)s 个"), length=length)


def _checked(code: str) -> Typed:
    values = [VALUE[symbol] for symbol in code]
    plain = sum(values) % BASE
    weighted = sum(map(mul, WEIGHTS, values)) % BASE
    if plain == weighted == 0:
        return Typed(normalised=code)
    if plain == 0:
        group = _swapped_group(values, weighted)
        if group is None:
            return Typed(problem=N_("好像有两个字符写反了，请逐组对照检查"))
        return Typed(problem=N_("第 %(group)s 组好像有两个字符写反了，请对照检查"), group=group)
    weight = weighted * pow(plain, -1, BASE) % BASE
    if weight not in WEIGHTS:
        return Typed(problem=N_("卡密有不止一个字符不对，请逐组对照检查"))
    group = WEIGHTS.index(weight) // GROUP + 1
    return Typed(problem=N_("第 %(group)s 组好像有一个字符不对，请对照检查"), group=group)


def _swapped_group(values: list[int], weighted: int) -> int | None:
    """The group where swapping two neighbours back mends the code, if there is only one."""
    found = {
        place // GROUP + 1
        for place in range(LENGTH - 1)
        if (WEIGHTS[place] - WEIGHTS[place + 1]) * (values[place] - values[place + 1]) % BASE
        == weighted
    }
    return found.pop() if len(found) == 1 else None
