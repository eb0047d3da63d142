"""A sealed field opens where it belongs, under its own key, and nowhere else."""

import copy
import hashlib
import hmac
import json
import logging
import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from hypothesis import given
from hypothesis import strategies as st

from app.core import crypto
from app.core.crypto import (
    BadKey,
    DataKey,
    KeyRing,
    Secret,
    Tampered,
    blind_index,
    context,
    data_key_id_of,
    load_key_ring,
    new_master_key,
)

RAW = bytes(range(32))
KEY = DataKey(7, "batch", RAW)
HERE = context(b"codes", bytes(16), 1)
RING = KeyRing({"k1": bytes(32)})
FIELDS = st.lists(st.binary(max_size=20) | st.text(max_size=20) | st.integers(0, 2**64 - 1))


def fixed_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "urandom", lambda size: bytes(range(100, 100 + size)))


# Sealing


def test_the_format_of_a_sealed_field_is_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    fixed_noise(monkeypatch)

    blob = KEY.seal(b"ABCD-EFGH", context(b"codes", bytes(16), 42))

    # Written out by hand, not by the code it tests: what is in the databases must open for ever.
    header = bytes.fromhex("01010000000000000007")
    bound_to = b"\0\0\0\x05codes" + b"\0\0\0\x10" + bytes(16) + b"\0\0\0\x08" + bytes(7) + b"*"
    nonce = bytes(range(100, 112))
    padded = b"ABCD-EFGH\x80" + bytes(54)
    sealed = AESGCM(RAW).encrypt(nonce, padded, b"hardshelf/field/v1\0" + header + bound_to)
    assert blob == header + nonce + sealed
    assert blob.hex().startswith("010100000000000000076465666768696a6b6c6d6e6f")
    digest = "171981cf24e5c4bd46ae45554d981818e60b839df790ff9157e8d8f8ee8c4288"
    assert hashlib.sha256(blob).hexdigest() == digest


@given(st.binary(max_size=300), FIELDS)
def test_what_was_sealed_opens_again(plain: bytes, fields: list[bytes | str | int]) -> None:
    assert KEY.open(KEY.seal(plain, context(*fields)), context(*fields)) == plain


@given(st.lists(st.tuples(st.binary(max_size=130), st.binary(max_size=40)), max_size=20))
def test_many_are_sealed_like_one(rows: list[tuple[bytes, bytes]]) -> None:
    sealed = KEY.seal_many(rows)

    assert [KEY.open(blob, row[1]) for blob, row in zip(sealed, rows, strict=True)] == [
        plain for plain, _ in rows
    ]
    assert len({blob[10:22] for blob in sealed}) == len(rows), "each has its own nonce"


def test_the_length_of_a_code_is_not_to_be_seen() -> None:
    assert {len(KEY.seal(bytes(size), HERE)) for size in range(64)} == {22 + 64 + 16}
    assert len(KEY.seal(bytes(64), HERE)) == 22 + 128 + 16


@pytest.mark.parametrize("position", range(22 + 64 + 16))
def test_a_change_at_any_place_is_noticed(position: int) -> None:
    blob = bytearray(KEY.seal(b"ABCD-EFGH", HERE))
    for bit in range(8):
        blob[position] ^= 1 << bit
        with pytest.raises(Tampered):
            KEY.open(bytes(blob), HERE)
        blob[position] ^= 1 << bit
    assert KEY.open(bytes(blob), HERE) == b"ABCD-EFGH"


def test_a_blob_cut_off_or_extended_anywhere_is_noticed() -> None:
    blob = KEY.seal(b"ABCD-EFGH", HERE)
    for broken in [blob[:size] for size in range(len(blob))] + [blob + b"\0", b"\0" + blob]:
        with pytest.raises(Tampered):
            KEY.open(broken, HERE)


@given(FIELDS, FIELDS)
def test_it_opens_for_nothing_else_than_what_it_was_sealed_to(
    sealed_to: list[bytes | str | int], asked_for: list[bytes | str | int]
) -> None:
    blob = KEY.seal(b"ABCD", context(*sealed_to))
    if context(*sealed_to) != context(*asked_for):
        with pytest.raises(Tampered):
            KEY.open(blob, context(*asked_for))


@pytest.mark.parametrize(
    "other",
    [
        DataKey(8, "batch", RAW),
        DataKey(7, "batch", bytes(32)),
    ],
    ids=["another id", "another key"],
)
def test_another_key_does_not_open_it(other: DataKey) -> None:
    with pytest.raises(Tampered):
        other.open(KEY.seal(b"ABCD", HERE), HERE)


def test_plain_text_without_padding_is_not_taken_for_a_field() -> None:
    header = b"\x01\x01" + (7).to_bytes(8, "big")
    for padded in (bytes(64), b"ABCD", b"AB\x80CD"):
        sealed = AESGCM(RAW).encrypt(bytes(12), padded, crypto.FIELD + header + HERE)
        with pytest.raises(Tampered):
            KEY.open(header + bytes(12) + sealed, HERE)


def test_the_key_a_blob_needs_is_read_from_the_blob() -> None:
    blob = DataKey(2**63, "batch", RAW).seal(b"", HERE)

    assert data_key_id_of(blob) == 2**63
    for strange in (b"", blob[:22], b"\x02" + blob[1:], b"\x01\x02" + blob[2:]):
        with pytest.raises(Tampered):
            data_key_id_of(strange)


# Contexts and the blind index


@given(st.lists(st.binary(max_size=9), max_size=4), st.lists(st.binary(max_size=9), max_size=4))
def test_different_fields_never_make_the_same_context(one: list[bytes], two: list[bytes]) -> None:
    assert (context(*one) == context(*two)) == (one == two)


def test_moving_the_border_between_fields_makes_another_context() -> None:
    assert context("ab", "c") != context("a", "bc")
    assert context("ab") != context("ab", "")
    assert context(1, 2) != context(2, 1)


def test_a_number_that_does_not_fit_is_an_error_and_not_cut_off() -> None:
    for number in (-1, 2**64):
        with pytest.raises(OverflowError):
            context(number)


@given(st.binary(min_size=32, max_size=32), st.text(max_size=20), st.text(max_size=80))
def test_the_blind_index_is_hmac_sha256(key: bytes, scope: str, text: str) -> None:
    message = scope.encode() + b"\0" + text.encode()
    assert blind_index(key, scope, text) == hmac.new(key, message, "sha256").digest()


def test_the_blind_index_depends_on_key_scope_and_text() -> None:
    assert (
        len(
            {
                blind_index(RAW, "product:1", "ABCD"),
                blind_index(RAW, "product:2", "ABCD"),
                blind_index(RAW, "product:1", "ABCE"),
                blind_index(bytes(32), "product:1", "ABCD"),
            }
        )
        == 4
    )


# Master keys


def test_the_format_of_a_wrapped_key_is_pinned() -> None:
    key_id, wrapped = KeyRing({"k1": RAW}).wrap(bytes(32), 258, "batch")

    what = b"hardshelf/data-key/v1\0" + bytes([0, 0, 0, 0, 0, 0, 1, 2]) + b"batch"
    expected = aes_key_wrap(RAW, bytes(32) + hashlib.sha256(what).digest()[:16])
    assert (key_id, wrapped) == ("k1", b"\x01" + expected)
    assert len(wrapped) == 57


@given(
    st.binary(min_size=32, max_size=32), st.integers(0, 2**63), st.sampled_from(["batch", "pii"])
)
def test_a_wrapped_key_is_unwrapped(raw: bytes, data_key_id: int, purpose: str) -> None:
    key_id, wrapped = RING.wrap(raw, data_key_id, purpose)

    assert RING.unwrap(key_id, wrapped, data_key_id, purpose) == raw
    assert raw not in wrapped


def test_a_wrapped_key_belongs_to_its_row_and_purpose() -> None:
    key_id, wrapped = RING.wrap(RAW, 1, "batch")
    for data_key_id, purpose in ((2, "batch"), (1, "personal"), (1, "")):
        with pytest.raises(Tampered, match="another row"):
            RING.unwrap(key_id, wrapped, data_key_id, purpose)


@pytest.mark.parametrize("position", range(57))
def test_a_change_of_a_wrapped_key_is_noticed(position: int) -> None:
    key_id, wrapped = RING.wrap(RAW, 1, "batch")
    changed = bytearray(wrapped)
    changed[position] ^= 1
    for broken in (bytes(changed), wrapped[:position]):
        with pytest.raises(Tampered):
            RING.unwrap(key_id, broken, 1, "batch")


def test_the_first_master_key_wraps_and_every_one_unwraps() -> None:
    _, before = KeyRing({"k1": bytes(32)}).wrap(RAW, 1, "batch")
    ring = KeyRing({"k2": b"2" * 32, "k1": bytes(32)})

    key_id, after = ring.wrap(RAW, 1, "batch")

    assert key_id == ring.active == "k2"
    assert ring.unwrap("k1", before, 1, "batch") == ring.unwrap("k2", after, 1, "batch") == RAW
    with pytest.raises(Tampered, match="not here"):
        KeyRing({"k2": b"2" * 32}).unwrap("k1", before, 1, "batch")


def test_keys_for_other_purposes_come_from_every_master_key() -> None:
    ring = KeyRing({"k2": b"2" * 32, "k1": bytes(32)})

    assert ring.derive("backup") == ring.derive_each("backup")[0]
    assert ring.derive_each("backup")[1] == RING.derive("backup")
    assert len({*ring.derive_each("backup"), *ring.derive_each("other"), bytes(32)}) == 5


@pytest.mark.parametrize("separator", [",", "\n", " ,\n , "])
def test_a_key_ring_is_read_as_it_is_written(separator: str) -> None:
    text = separator.join([new_master_key("k2"), new_master_key("k1")]) + "\n"

    ring = KeyRing.parse(text)

    assert ring.active == "k2"
    assert repr(ring) == "KeyRing(k2, k1)"
    assert new_master_key("k1") != new_master_key("k1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n,",
        "k1",
        "k1:",
        "k1:AAAA",
        ":" + "A" * 43 + "=",
        "k1:" + "A" * 44,
        "k1:" + "A" * 42 + "-=",
        "k1:" + "密" * 44,
        "k1:" + "A" * 43 + "=,k2",
        "k1:" + "A" * 43 + "=,k1:" + "B" * 42 + "A=",
    ],
    ids=repr,
)
def test_what_is_no_key_ring_is_refused_without_quoting_it(text: str) -> None:
    with pytest.raises(BadKey) as raised:
        KeyRing.parse(text)
    assert "AAA" not in str(raised.value)
    assert raised.value.__cause__ is None


def test_the_key_ring_comes_from_the_environment_before_the_file(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    assert load_key_ring("", path) is None

    path.write_text(new_master_key("file"))
    path.chmod(0o600)
    from_file = load_key_ring("", path)
    from_environment = load_key_ring(new_master_key("environment"), path)

    assert from_file is not None
    assert from_environment is not None
    assert (from_file.active, from_environment.active) == ("file", "environment")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o601, 0o777])
def test_a_key_file_that_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "master.key"
    path.write_text(new_master_key("k1"))
    path.chmod(mode)

    with pytest.raises(BadKey, match="chmod 600"):
        load_key_ring("", path)


def test_a_key_file_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    path.write_bytes(b"k1:" + os.urandom(32) + b"\xff")
    path.chmod(0o600)

    with pytest.raises(BadKey):
        load_key_ring("", path)


# Secrets


SHOWING: dict[str, Callable[[Secret], object]] = {
    "str": str,
    "repr": repr,
    "f-string": lambda secret: f"{secret}",
    "format with a width": lambda secret: f"{secret:>40}",
    "conversion": lambda secret: f"{secret!r}{secret!s}",
    "percent": lambda secret: "%s %r" % (secret, secret),  # noqa: UP031
    "in a list": lambda secret: str([secret]),
    "its attributes": lambda secret: str(dir(secret)) + str(getattr(secret, "__dict__", "")),
    "a log record": lambda secret: logging.LogRecord(
        "x", 20, "x", 1, "%s", (secret,), None
    ).getMessage(),
    "json with repr": lambda secret: json.dumps([secret], default=repr),
}


@pytest.mark.parametrize("show", SHOWING.values(), ids=SHOWING.keys())
def test_a_secret_is_not_shown(show: Callable[[Secret], object]) -> None:
    assert "hunter2" not in str(show(Secret("hunter2")))


@pytest.mark.parametrize("secret", [Secret("hunter2"), KEY, RING], ids=repr)
@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy, json.dumps])
def test_secrets_and_keys_do_not_leave_the_process(
    secret: object, leave: Callable[[object], object]
) -> None:
    with pytest.raises(TypeError) as raised:
        leave(secret)
    assert "hunter2" not in str(raised.value)


def test_keys_are_not_shown() -> None:
    for shown in (repr(KEY), f"{KEY}", repr(RING), str(RING)):
        assert shown in ("DataKey(7, batch)", "KeyRing(k1)")


def test_a_secret_is_compared_and_revealed() -> None:
    assert Secret("hunter2").reveal() == "hunter2"
    assert Secret("hunter2") == Secret("hunter2")
    assert Secret("hunter2") != Secret("hunter3")
    assert Secret("hunter2") != "hunter2"
    assert Secret("\ud800") != Secret("\ud801"), "no error that would carry the text"
    assert bool(Secret("hunter2")) is True
    assert bool(Secret("")) is False


def test_a_secret_is_no_key_of_a_dict() -> None:
    with pytest.raises(TypeError, match="unhashable"):
        hash(Secret("hunter2"))


def test_no_message_of_an_error_holds_what_was_sealed() -> None:
    with pytest.raises(Tampered) as raised:
        KEY.open(KEY.seal(b"hunter2", HERE), context(b"elsewhere"))

    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    assert str(raised.value) == "changed, or not where it belongs"
