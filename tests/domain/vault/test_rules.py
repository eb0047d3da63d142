"""What a code consists of, how codes are compared and shown, what they are sealed to."""

import itertools
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.crypto import DataKey, Tampered
from app.domain.vault import canaries
from app.domain.vault.rules import (
    Content,
    group_for_display,
    join_content,
    last_four,
    normalise,
    sold_context,
    split_content,
    tidy,
    unsold_context,
)

BATCH, OTHER_BATCH = b"b" * 16, b"B" * 16
CODE, OTHER_CODE = b"c" * 16, b"C" * 16
BUYER, OTHER_BUYER = b"y" * 32, b"Y" * 32
KEY = DataKey(1, "batch", bytes(32))
# As an importer lets it through: no control characters, nothing invisible at its ends.
TEXT = st.text(st.characters(exclude_categories=["C"]), max_size=40)

BINDINGS = {
    "unsold": unsold_context(BATCH, CODE),
    "unsold, another batch": unsold_context(OTHER_BATCH, CODE),
    "unsold, another code": unsold_context(BATCH, OTHER_CODE),
    "unsold, the two exchanged": unsold_context(CODE, BATCH),
    "sold": sold_context(BATCH, CODE, 1, BUYER),
    "sold, another batch": sold_context(OTHER_BATCH, CODE, 1, BUYER),
    "sold, another code": sold_context(BATCH, OTHER_CODE, 1, BUYER),
    "sold, another line": sold_context(BATCH, CODE, 2, BUYER),
    "sold, another buyer": sold_context(BATCH, CODE, 1, OTHER_BUYER),
    "sold to nobody": sold_context(BATCH, CODE, 1, b""),
}


@pytest.mark.parametrize(
    ("sealed_to", "asked_for"),
    list(itertools.permutations(BINDINGS, 2)),
    ids=lambda name: name,
)
def test_a_code_that_was_moved_does_not_open(sealed_to: str, asked_for: str) -> None:
    blob = KEY.seal(b"ABCD", BINDINGS[sealed_to])

    assert KEY.open(blob, BINDINGS[sealed_to]) == b"ABCD"
    with pytest.raises(Tampered):
        KEY.open(blob, BINDINGS[asked_for])


def test_what_codes_are_sealed_to_is_pinned() -> None:
    unsold = b"\0\0\0\x05codes" + b"\0\0\0\x10" + CODE + b"\0\0\0\x10" + BATCH
    line_and_buyer = b"\0\0\0\x08" + bytes(6) + b"\x01\x02" + b"\0\0\0\x20" + BUYER

    assert unsold_context(BATCH, CODE) == unsold
    assert sold_context(BATCH, CODE, 258, BUYER) == unsold + line_and_buyer


# Contents


@given(TEXT, st.none() | TEXT)
def test_a_content_is_one_text_and_comes_back(code: str, password: str | None) -> None:
    assert split_content(join_content(Content(code, password))) == Content(code, password)


def test_a_code_without_password_is_sealed_as_it_is() -> None:
    assert join_content(Content("ABCD")) == "ABCD"
    assert join_content(Content("ABCD", "1234")) == "ABCD\x1f1234"
    assert split_content("ABCD\x1f") == Content("ABCD", "")


def test_a_content_is_not_printed() -> None:
    content = Content("ABCD", "1234")
    for shown in (str(content), repr(content), f"{content}", str([content])):
        assert "ABCD" not in shown
        assert "1234" not in shown


# Keeping and comparing


@pytest.mark.parametrize(
    "around",
    [" ", "\t", "\r\n", "\xa0", "\u3000", "\ufeff", "\u200b", "\u200e", "\u2060", "\u202a"],
)
def test_what_copying_left_around_a_code_is_cut_off(around: str) -> None:
    assert tidy(f"{around}{around}aB-c 1{around}") == "aB-c 1"


@given(TEXT)
def test_a_code_is_kept_as_the_supplier_wrote_it(text: str) -> None:
    kept = tidy(text)

    assert kept in text
    assert tidy(kept) == kept


@pytest.mark.parametrize(
    "spelling",
    [
        "ABCD-EFGH-2345",
        "abcd-efgh-2345",
        "ABCDEFGH2345",
        "ABCD EFGH 2345",
        "ABCD—EFGH–2345",
        "ABCD\u3000EFGH\xa02345",
        "AB\u200bCDEFGH2345",
        "ＡＢＣＤ－ＥＦＧＨ－２３４５",
    ],
)
def test_spellings_of_one_code_are_compared_as_one(spelling: str) -> None:
    assert normalise(spelling, case_sensitive=False) == "ABCDEFGH2345"


def test_case_counts_where_the_product_says_so() -> None:
    assert normalise("aB-c", case_sensitive=True) == "aBc"
    assert normalise("aB-c", case_sensitive=True) != normalise("ab-c", case_sensitive=True)


@given(st.text("aB1 -—\u3000\xa0ａＢ１－中文"), st.booleans())
def test_what_is_compared_does_not_change_by_doing_it_again(
    text: str, case_sensitive: bool
) -> None:
    once = normalise(text, case_sensitive=case_sensitive)

    assert normalise(once, case_sensitive=case_sensitive) == once


@given(TEXT, st.booleans())
def test_a_code_is_never_compared_as_nothing(text: str, case_sensitive: bool) -> None:
    assert bool(normalise(text, case_sensitive=case_sensitive)) == bool(text)


@given(st.text(st.characters(codec="ascii", exclude_categories=["C"]), min_size=1))
def test_ascii_codes_lose_nothing_but_spaces_dashes_and_case(text: str) -> None:
    bare = text.replace("-", "").replace(" ", "")
    assert normalise(text, case_sensitive=True) == (bare or text)


def test_codes_of_dashes_alone_stay_different() -> None:
    assert normalise("----", case_sensitive=False) != normalise("---", case_sensitive=False)


# Showing


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ABCD-EFGH-2345", "2345"),
        ("ABCD-EFG-H", "GH"),
        ("123456789", "789"),
        ("123456", "56"),
        ("123", "3"),
        ("12", ""),
        ("", ""),
        ("----", ""),
    ],
)
def test_the_last_four_are_never_more_than_a_third(text: str, shown: str) -> None:
    assert last_four(text) == shown


@given(TEXT)
def test_most_of_a_code_stays_hidden(text: str) -> None:
    assert len(last_four(text)) <= min(4, len(text) / 3)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ABCDEFGHKLMN", "ABCD EFGH KLMN"),
        ("1234567890", "1234 5678 90"),
        ("ABCD-EFGH-KLMN", "ABCD-EFGH-KLMN"),
        ("123456789", "123456789"),
        ("A" * 41, "A" * 41),
        ("https://example.com/ABCDEFGH", "https://example.com/ABCDEFGH"),
        ("卡密卡密卡密卡密卡密", "卡密卡密卡密卡密卡密"),
    ],
)
def test_a_long_word_is_shown_in_groups_of_four(text: str, shown: str) -> None:
    assert group_for_display(text) == shown


@given(st.text(st.characters(exclude_categories=["Z", "C"]), max_size=50))
def test_grouping_adds_spaces_and_nothing_else(text: str) -> None:
    assert group_for_display(text).replace(" ", "") == text


def test_the_hyphens_that_look_like_one_are_all_known() -> None:
    hyphens = [
        chr(point) for point in range(0x2010, 0x2016) if unicodedata.category(chr(point)) == "Pd"
    ]
    assert len(hyphens) == 6
    for hyphen in hyphens:
        assert normalise(f"A{hyphen}B", case_sensitive=True) == "AB"


@given(st.lists(st.text("ABC-09", min_size=20, max_size=22), min_size=9, max_size=30))
def test_an_imitation_has_in_each_place_what_others_have_there(texts: list[str]) -> None:
    made = canaries.imitation(texts)

    alike = [text for text in texts if len(text) == len(made)]
    assert alike or not made
    assert all(symbol in {text[at] for text in alike} for at, symbol in enumerate(made))
