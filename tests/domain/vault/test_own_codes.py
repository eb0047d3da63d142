"""Our own codes cannot be guessed, and a typing error is noticed, named and never a sale."""

import itertools
import math
import random
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.vault import own_codes
from app.domain.vault.own_codes import ALPHABET, LENGTH, RANDOM, WEIGHTS, Typed, explain, generate

CODES = [code.replace("-", "") for code in generate(40)]
SYMBOLS = st.sampled_from(ALPHABET)


def typed_wrong(code: str, changes: dict[int, str]) -> str:
    return "".join(changes.get(place, symbol) for place, symbol in enumerate(code))


# Generating


def test_a_code_is_five_groups_of_four() -> None:
    for code in generate(200):
        groups = code.split("-")
        assert [len(group) for group in groups] == [4] * 5
        assert set("".join(groups)) <= set(ALPHABET)
        assert explain(code) == Typed(normalised="".join(groups))


@pytest.mark.parametrize("count", [0, 1, 2, 1000])
def test_as_many_are_made_as_were_asked_for_and_all_differ(count: int) -> None:
    codes = generate(count)

    assert len(codes) == len(set(codes)) == count


def test_a_code_has_more_than_75_bits() -> None:
    assert len(ALPHABET) == len(set(ALPHABET)) == 31
    assert RANDOM * math.log2(len(ALPHABET)) > 89


def test_no_symbol_is_taken_for_another() -> None:
    assert set("IJO01").isdisjoint(ALPHABET)


def test_every_random_symbol_is_equally_likely_in_every_place() -> None:
    codes = [code.replace("-", "") for code in generate(31_000)]
    for place in range(LENGTH):
        counts = Counter(code[place] for code in codes)
        # 1000 expected with a deviation of 31: 200 is more than six of them.
        assert set(counts) == set(ALPHABET)
        assert all(800 < count < 1200 for count in counts.values())


def test_bytes_that_would_favour_some_symbols_are_thrown_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = itertools.count(1)

    def noise(size: int) -> bytes:
        # First nothing but bytes that may not be used; then each of the values below 31.
        return b"\xf8\xff" * size if next(asked) == 1 else bytes(range(31)) * size

    monkeypatch.setattr(own_codes.os, "urandom", noise)

    assert own_codes._fair(31) == bytes(range(31))
    assert next(asked) == 3


def test_columns_are_added_without_one_spilling_into_the_next() -> None:
    for count in range(1, LENGTH + 1):
        assert own_codes._sum([bytes([30, 0, 30])] * count) == bytes(
            [30 * count % 31, 0, 30 * count % 31]
        )


# Noticing


def test_every_single_wrong_symbol_is_noticed_and_its_group_named() -> None:
    tried = 0
    for code in CODES:
        for place, symbol in itertools.product(range(LENGTH), ALPHABET):
            if symbol != code[place]:
                found = explain(typed_wrong(code, {place: symbol}))
                assert (found.normalised, found.group) == ("", place // 4 + 1)
                tried += 1
    assert tried == len(CODES) * LENGTH * 30


def test_every_two_symbols_that_changed_places_are_noticed() -> None:
    tried = 0
    for code in CODES:
        for one, two in itertools.combinations(range(LENGTH), 2):
            if code[one] != code[two]:
                swapped = typed_wrong(code, {one: code[two], two: code[one]})
                assert explain(swapped).normalised == ""
                tried += 1
    assert tried > len(CODES) * 150


def test_a_swap_of_neighbours_is_called_that_and_never_put_in_a_wrong_group() -> None:
    named = 0
    for code in CODES:
        for place in range(LENGTH - 1):
            if code[place] != code[place + 1]:
                swapped = {place: code[place + 1], place + 1: code[place]}
                found = explain(typed_wrong(code, swapped))
                assert "写反" in found.problem
                assert found.group in (None, place // 4 + 1)
                named += found.group is not None
    assert named > len(CODES) * 5


def test_every_two_wrong_symbols_are_noticed() -> None:
    code = CODES[0]
    for one, two in itertools.combinations(range(LENGTH), 2):
        for first, second in itertools.product(ALPHABET, ALPHABET):
            if first != code[one] and second != code[two]:
                assert explain(typed_wrong(code, {one: first, two: second})).normalised == ""


def test_the_weights_are_what_the_proof_asks_for() -> None:
    assert len({weight % 31 for weight in WEIGHTS}) == LENGTH


def test_a_made_up_code_passes_once_in_961() -> None:
    made_up = random.Random(1)
    passed = sum(
        bool(explain("".join(made_up.choices(ALPHABET, k=LENGTH))).normalised)
        for _ in range(30_000)
    )
    assert 10 < passed < 60


# Forgiving


@pytest.mark.parametrize(
    "spell",
    [
        str.lower,
        " ".join,
        lambda code: f"\u3000{code[:4]}－{code[4:12]}—{code[12:]}\n",
        lambda code: "".join(chr(ord(symbol) + 0xFEE0) for symbol in code),
        lambda code: f"\ufeff{code}\u200b",
        lambda code: "-".join(code[start : start + 5] for start in range(0, 20, 5)),
    ],
    ids=["lower case", "spaces", "groups and dashes", "full width", "invisible", "other groups"],
)
def test_a_code_is_read_however_it_is_typed(spell: object) -> None:
    for code in CODES:
        assert explain(spell(code)) == Typed(normalised=code)  # type: ignore[operator]


@pytest.mark.parametrize("symbol", ["I", "i", "J", "O", "o", "0", "1", "Ｏ", "０"])
@pytest.mark.parametrize("place", [0, 3, 4, 11, 19])
def test_a_look_alike_is_explained_with_its_group(symbol: str, place: int) -> None:
    found = explain(typed_wrong(CODES[0], {place: symbol}))

    assert found.group == place // 4 + 1
    assert "I、J、O" in found.problem
    assert f"第 {found.group} 组" in found.problem % found.params


@pytest.mark.parametrize("symbol", ["密", "!", "_", "Ä", "\0"])
def test_a_symbol_of_no_code_is_named_with_its_group(symbol: str) -> None:
    found = explain(typed_wrong(CODES[0], {9: symbol}))

    assert found.group == 3
    assert "不会用到" in found.problem


def test_a_group_that_is_too_short_or_too_long_is_named() -> None:
    groups = [CODES[0][start : start + 4] for start in range(0, 20, 4)]
    for number in range(5):
        for group in (groups[number][:-1], groups[number] + "A"):
            found = explain("-".join([*groups[:number], group, *groups[number + 1 :]]))
            assert found.group == number + 1
            assert "4 个字符" in found.problem


def test_groups_are_counted_as_they_were_typed() -> None:
    found = explain("ABC-DEF0-ABCD")

    assert found.group == 2


@pytest.mark.parametrize(
    "typed",
    # Named: the codes are new in every process, and the test's name must not be.
    [
        pytest.param(CODES[0][:-1], id="one missing"),
        pytest.param(CODES[0] + "A", id="one too many"),
        "ABCD",
        "A" * 10_000,
    ],
)
def test_a_wrong_length_is_told(typed: str) -> None:
    found = explain(typed)

    assert found.group is None
    assert str(min(len(typed), 512)) in found.problem % found.params


@pytest.mark.parametrize("typed", ["", "  ", "----"])
def test_nothing_typed_is_asked_for(typed: str) -> None:
    assert explain(typed).problem == "请输入卡密"


@given(st.text(max_size=60) | st.text(SYMBOLS, min_size=18, max_size=22))
def test_whatever_is_typed_gets_a_code_or_a_sentence(typed: str) -> None:
    found = explain(typed)

    assert bool(found.normalised) != bool(found.problem)
    assert "%" not in found.problem % found.params


def test_what_was_typed_is_not_printed() -> None:
    assert CODES[0] not in repr(explain(CODES[0]))
