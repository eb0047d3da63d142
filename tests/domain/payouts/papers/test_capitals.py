"""Amounts in Chinese capitals: the examples of 支付结算办法, annex 1, and what zeros do."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.payouts.papers.capitals import DIGITS, capitals


@pytest.mark.parametrize(
    ("amount", "words"),
    [
        # The annex's own examples.
        (1409_50, "壹仟肆佰零玖元伍角"),
        (6007_14, "陆仟零柒元壹角肆分"),
        (1680_32, "壹仟陆佰捌拾元零叁角贰分"),
        (107_000_53, "壹拾万柒仟元零伍角叁分"),
        (16_409_02, "壹万陆仟肆佰零玖元零贰分"),
        (325_04, "叁佰贰拾伍元零肆分"),
        # Zeros, whole groups of them, and the ends.
        (0, "零元整"),
        (5, "伍分"),
        (50, "伍角"),
        (55, "伍角伍分"),
        (10_00, "壹拾元整"),
        (10_05, "壹拾元零伍分"),
        (100_01_00, "壹万零壹元整"),
        (100_00_00, "壹万元整"),
        (1_0010_0000, "壹佰万壹仟元整"),
        (1_0000_5000_00, "壹亿零伍仟元整"),
        (1_0000_0000_00, "壹亿元整"),
        (1_0001_0000_00, "壹亿零壹万元整"),
        (20_0300_4005_06, "贰拾亿零叁佰万肆仟零伍元零陆分"),
        (-12_30, "负壹拾贰元叁角"),
    ],
)
def test_an_amount_in_capitals(amount: int, words: str) -> None:
    assert capitals(amount) == f"人民币{words}"


UNITS = {"拾": 10, "佰": 100, "仟": 1000}


def read(words: str) -> int:
    """What a reader makes of it: an oracle that goes the other way."""
    total = section = group = digit = 0
    for symbol in words.removeprefix("人民币").removesuffix("整"):
        if symbol in DIGITS:
            digit = DIGITS.index(symbol)
        elif symbol in UNITS:
            section += digit * UNITS[symbol]
            digit = 0
        elif symbol == "万":
            group += (section + digit) * 10_000
            section = digit = 0
        elif symbol == "亿":
            group = (group + section + digit) * 100_000_000
            section = digit = 0
        elif symbol == "元":
            total += (group + section + digit) * 100
            group = section = digit = 0
        else:
            total += digit * {"角": 10, "分": 1}[symbol]
            digit = 0
    return total


@given(st.integers(0, 10**13))
def test_the_words_say_the_amount_and_no_zero_twice(amount: int) -> None:
    words = capitals(amount)
    assert read(words) == amount
    assert "零零" not in words
    assert "零元" not in words or amount == 0
