"""Check digits of resident identity numbers and credit codes, and what is shown of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.identity_numbers import is_credit_code, is_resident_id, mask_number

# The standards' own examples: GB 11643-1999, annex; a company that publishes its code.
RESIDENT = "11010519491231002X"
CREDIT = "91110108551385082Q"


def test_the_examples_of_the_standards() -> None:
    assert is_resident_id(RESIDENT)
    assert is_resident_id("440524188001010014")
    assert is_credit_code(CREDIT)
    assert is_credit_code("91350100M000100Y43")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "11010519491331002X",
        "11010519490230002X",
        "11010519491231002x",
        "１" * 18,
        RESIDENT[:17],
    ],
)
def test_what_is_no_resident_number(text: str) -> None:
    assert not is_resident_id(text)


@pytest.mark.parametrize("text", ["", CREDIT[:17], "9111010855138508IQ", CREDIT.lower(), "９" * 18])
def test_what_is_no_credit_code(text: str) -> None:
    assert not is_credit_code(text)


@given(st.integers(0, 17), st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
def test_every_single_wrong_symbol_is_found(place: int, symbol: str) -> None:
    for number, check in ((RESIDENT, is_resident_id), (CREDIT, is_credit_code)):
        changed = number[:place] + symbol + number[place + 1 :]
        assert check(changed) is (changed == number)


def test_a_masked_number_shows_five_symbols() -> None:
    assert mask_number(RESIDENT) == "110*************2X"
    assert mask_number("E1234") == "E****"
