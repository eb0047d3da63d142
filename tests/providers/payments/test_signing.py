"""Signatures of the sandbox channel: what is believed, and all that is not."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.core.crypto import Secret
from app.providers.payments import signing

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
KEY, OTHER = Secret("k" * 32), Secret("o" * 32)
BODY = b'{"amount": 9900}'

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


def signed(key: Secret = KEY, body: bytes = BODY, at: datetime = NOW) -> dict[str, str]:
    return signing.headers(key, "POST", "/hooks/payments/sandbox", body, at)


def is_believed(
    head: dict[str, str],
    body: bytes = BODY,
    *,
    method: str = "POST",
    path: str = "/hooks/payments/sandbox",
    keys: tuple[Secret, ...] = (KEY,),
    now: datetime = NOW,
) -> bool:
    return signing.is_genuine(keys, method, path, head, body, now)


def test_a_known_message_has_a_known_signature() -> None:
    """The protocol itself: whoever writes another client gets the same characters."""
    assert signing.sign(KEY, "POST", "/p", "1772366400", "00ff" * 4, b"{}") == (
        "2d2920c6926559ad50b179679641fdf46227ae53ee99aa6f2fd77a24fefd816f"
    )
    assert signing.sign_fields(KEY, {"b": "2", "a": "中 &=\n"}) == (
        "af9f5b07d0008f6fd7d58e49626d24231fd20d6aeab3ec2a2b36108ba7ed90ef"
    )


@given(st.binary(max_size=200), texts, texts)
def test_what_was_signed_is_genuine(body: bytes, method: str, path: str) -> None:
    head = signing.headers(KEY, method, path, body, NOW)

    assert signing.is_genuine([KEY], method, path, head, body, NOW)
    assert not signing.is_genuine([OTHER], method, path, head, body, NOW)
    assert not signing.is_genuine([KEY], method, path, head, body + b"\n", NOW)
    assert not signing.is_genuine([KEY], method + "x", path, head, body, NOW)
    assert not signing.is_genuine([KEY], method, path + "x", head, body, NOW)


@given(st.dictionaries(texts, texts, max_size=5), st.dictionaries(texts, texts, max_size=5))
def test_two_sets_of_fields_never_share_a_signature(
    one: dict[str, str], other: dict[str, str]
) -> None:
    signature = signing.sign_fields(KEY, one)

    assert signing.are_genuine([KEY], one, signature)
    assert signing.are_genuine([KEY], other, signature) is (one == other)
    assert not signing.are_genuine([OTHER], one, signature)
    assert not signing.are_genuine([], one, signature)


def test_a_line_break_in_a_value_makes_no_second_field() -> None:
    whole = signing.sign_fields(KEY, {"a": "1\nb=2"})

    assert not signing.are_genuine([KEY], {"a": "1", "b": "2"}, whole)


def test_both_keys_are_believed_while_one_replaces_the_other() -> None:
    new, old = signing.keys_of(f"{'n' * 32}, {'k' * 32}")

    assert is_believed(signed(old), keys=(new, old))
    assert is_believed(signed(new), keys=(new, old))
    assert not is_believed(signed(OTHER), keys=(new, old))


@pytest.mark.parametrize("text", ["", " ", ",", " , "])
def test_there_is_no_channel_without_a_key(text: str) -> None:
    with pytest.raises(ValueError, match="needs a key"):
        signing.keys_of(text)


def test_nothing_is_genuine_without_a_key() -> None:
    assert not is_believed(signed(), keys=())


@pytest.mark.parametrize(
    ("seconds", "believed"), [(0, True), (300, True), (-300, True), (301, False), (-301, False)]
)
def test_a_message_is_believed_for_five_minutes(seconds: int, believed: bool) -> None:
    assert is_believed(signed(), now=NOW + timedelta(seconds=seconds)) is believed


def test_a_replayed_message_cannot_be_made_young_again() -> None:
    later = NOW + timedelta(minutes=6)
    replayed = signed() | {signing.TIMESTAMP: str(int(later.timestamp()))}

    assert not is_believed(replayed, now=later)


def test_header_names_are_the_same_in_any_case() -> None:
    assert is_believed({name.upper(): value for name, value in signed().items()})


@pytest.mark.parametrize(
    ("header", "value"),
    [
        (signing.TIMESTAMP, ""),
        (signing.TIMESTAMP, "1e9"),
        (signing.TIMESTAMP, "-1"),
        (signing.TIMESTAMP, "١٧٧٢٣٦٦٤٠٠"),
        (signing.TIMESTAMP, "9" * 13),
        (signing.NONCE, ""),
        (signing.NONCE, "\ud800" * 16),
        (signing.SIGNATURE, ""),
        (signing.SIGNATURE, "0" * 64),
        (signing.SIGNATURE, "\xff" * 64),
        (signing.SIGNATURE, "none"),
    ],
)
def test_odd_headers_are_refused_and_break_nothing(header: str, value: str) -> None:
    assert not is_believed(signed() | {header: value})


@pytest.mark.parametrize("header", [signing.TIMESTAMP, signing.NONCE, signing.SIGNATURE])
def test_a_missing_header_is_refused(header: str) -> None:
    head = signed()
    del head[header]

    assert not is_believed(head)


def test_a_signature_in_capitals_is_another_one() -> None:
    head = signed()

    assert not is_believed(head | {signing.SIGNATURE: head[signing.SIGNATURE].upper()})
