"""Reading what providers say: exact amounts, and no answer that could mean two things."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.providers.recharges import answers
from app.providers.recharges.answers import Unreadable


@pytest.mark.parametrize(
    ("text", "unit", "times", "amount"),
    [
        ("49.8750", "yuan", 1, 4988),
        ("49.8750", "yuan", 2, 9975),
        ("49.8749", "yuan", 1, 4987),
        ("0.005", "yuan", 1, 1),
        ("-0.005", "yuan", 1, -1),
        ("12", "yuan", 1, 1200),
        ("1234", "fen", 1, 1234),
        ("0", "yuan", 3, 0),
    ],
)
def test_amounts_are_rounded_once_half_a_fen_up(
    text: str, unit: str, times: int, amount: int
) -> None:
    assert answers.minor(text, unit, times) == amount


@pytest.mark.parametrize(
    "text",
    [
        *(None, "", " 1", "1e3", "1,000.00", "１２", "٣", "NaN", "Infinity", ".5", "5.", "--1"),
        *("0x10", "9" * 13, "1.123456789", "1\n"),
    ],
)
def test_what_is_no_plain_amount_is_none(text: str | None) -> None:
    assert answers.minor(text) is None


def test_an_amount_that_nobody_means_is_none() -> None:
    assert answers.minor("9999999999.99") == 999_999_999_999
    assert answers.minor("10000000000.00") == 10**12
    assert answers.minor("10000000000.01") is None
    assert answers.minor("999999999999", times=999_999) is None


def test_a_cost_is_never_below_zero() -> None:
    assert answers.cost("-0.01") is None
    assert answers.cost("0") == 0


@given(st.decimals(0, 10**8, places=4), st.integers(1, 50))
def test_an_amount_is_what_decimal_arithmetic_says(amount: Decimal, times: int) -> None:
    exact = (amount * 100 * times).quantize(Decimal(1), ROUND_HALF_UP)

    assert answers.minor(f"{amount:f}", times=times) == int(exact)


def test_numbers_stay_the_texts_they_came_as() -> None:
    said = answers.parse(b'{"price": 49.8750, "id": 19072426795315681646, "n": [1e2]}')

    assert said == {"price": "49.8750", "id": "19072426795315681646", "n": ["1e2"]}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<html>", id="a page"),
        pytest.param("成功".encode("gbk"), id="another charset"),
        pytest.param('{"message": "成功"}'.encode("gbk"), id="JSON in another charset"),
        pytest.param(b'{"state": "failed", "state": "success"}', id="a name twice"),
        pytest.param(b'{"a": {"b": 1, "b": 1}}', id="a name twice within"),
        pytest.param(b'{"cost": NaN}', id="not a number"),
        pytest.param(b"[" * 100_000, id="deeper than anybody goes"),
        pytest.param(b'{"a": 1} {"a": 2}', id="two answers"),
    ],
)
def test_what_could_mean_two_things_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        answers.parse(body)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("code", "0"),
        ("data.state", "done"),
        ("list.1.state", "second"),
        ("list.2.state", None),
        ("list.-1.state", None),
        ("data.missing|data.state", "done"),
        ("data", None),
        ("code.deeper", None),
        ("ok", "true"),
        ("nothing", None),
        ("", None),
    ],
)
def test_a_path_leads_to_one_value_or_none(path: str, text: str | None) -> None:
    said = answers.parse(
        b'{"code": 0, "ok": true, "nothing": null, "data": {"state": " done "},'
        b' "list": [{"state": "first"}, {"state": "second"}]}'
    )

    assert answers.text_at(said, path) == text


def test_words_are_one_printable_line() -> None:
    said = answers.parse(b'{"message": "a\\u0000b\\nc\\ud800d' + b"x" * 500 + b'"}')

    words = answers.words_at(said, "message")

    assert words.startswith("a b c d")
    assert len(words) == answers.LONGEST_TEXT
    assert words.encode()
