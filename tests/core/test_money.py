"""Splitting loses nothing; writing and reading amounts are inverse."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.money import fen, split, yuan


@given(st.integers(0, 10**12), st.lists(st.integers(0, 10**6), min_size=1, max_size=20))
def test_the_shares_of_a_split_sum_to_the_amount(amount: int, weights: list[int]) -> None:
    shares = split(amount, weights)

    assert sum(shares) == amount
    total = sum(weights)
    for share, weight in zip(shares, weights, strict=True):
        exact = amount * weight / total if total else amount / len(weights)
        assert abs(share - exact) < 1.001


@given(st.integers(0, 10**12))
def test_an_amount_written_out_reads_back_as_itself(amount: int) -> None:
    assert fen(yuan(amount)) == amount


NO_AMOUNTS = ["", "abc", "1.234", "1.2.3", "-5", "１２", "1e3", "nan", ".", "10000000000000.01"]


@pytest.mark.parametrize("text", NO_AMOUNTS)
def test_what_is_not_an_exact_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an amount"):
        fen(text)
