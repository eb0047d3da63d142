"""A sealed file opens whole, or it is refused."""

import io
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from app.core.crypto import Tampered
from app.core.sealed_file import CHUNK, HEADER_BYTES, TAG, SealedReader, SealedWriter

KEY = bytes(range(32))
SEALED = CHUNK + TAG


def seal(plain: bytes, key: bytes = KEY) -> bytes:
    file = io.BytesIO()
    writer = SealedWriter(file, key)
    writer.write(plain)
    writer.finish()
    return file.getvalue()


def unseal(sealed: bytes, *keys: bytes) -> bytes:
    return b"".join(SealedReader(io.BytesIO(sealed), *(keys or [KEY])))


@pytest.fixture(scope="module")
def three_chunks() -> bytes:
    """Two full chunks and a short one, each of its own letter."""
    return seal(b"a" * CHUNK + b"b" * CHUNK + b"c" * 100)


@pytest.mark.parametrize("size", [0, 1, 100, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 2 * CHUNK + 1])
def test_what_was_written_is_read(size: int) -> None:
    plain = bytes(range(256)) * (size // 256) + bytes(range(size % 256))
    sealed = seal(plain)

    assert unseal(sealed) == plain
    assert len(sealed) == HEADER_BYTES + size + TAG * max(1, -(-size // CHUNK))


@settings(max_examples=25)
@given(st.lists(st.integers(0, CHUNK + 10), max_size=6))
def test_how_it_was_cut_for_writing_does_not_matter(sizes: list[int]) -> None:
    file = io.BytesIO()
    writer = SealedWriter(file, KEY)
    for number, size in enumerate(sizes):
        writer.write(bytes([number]) * size)
    writer.finish()

    assert unseal(file.getvalue()) == b"".join(
        bytes([number]) * size for number, size in enumerate(sizes)
    )


def test_the_format_is_pinned() -> None:
    sealed = seal(b"hello")

    def derive(info: bytes, length: int, salt: bytes | None) -> bytes:
        return HKDF(SHA256(), length, salt=salt, info=info).derive(KEY)

    header, salt = sealed[:45], sealed[13:45]
    assert header == b"HSSF\x01" + derive(b"hardshelf/file-key-id/v1", 8, None) + salt
    cipher = AESGCM(derive(b"hardshelf/file/v1", 32, salt))
    assert cipher.decrypt(bytes(11) + b"\x01", sealed[45:], header) == b"hello"


def test_the_same_file_never_looks_the_same() -> None:
    assert seal(b"hello")[HEADER_BYTES:] != seal(b"hello")[HEADER_BYTES:]


@pytest.mark.parametrize("position", range(len(seal(b"hello"))))
def test_a_change_at_any_place_is_noticed(position: int) -> None:
    sealed = bytearray(seal(b"hello"))
    sealed[position] ^= 1
    with pytest.raises(Tampered):
        unseal(bytes(sealed))


@pytest.mark.parametrize("size", range(len(seal(b"hello"))))
def test_a_file_cut_off_anywhere_is_noticed(size: int) -> None:
    with pytest.raises(Tampered):
        unseal(seal(b"hello")[:size])


def pieces(sealed: bytes) -> list[bytes]:
    body = sealed[HEADER_BYTES:]
    return [body[:SEALED], body[SEALED : 2 * SEALED], body[2 * SEALED :]]


REARRANGED: dict[str, Callable[[bytes, list[bytes]], bytes]] = {
    "the last chunk is missing": lambda head, p: head + p[0] + p[1],
    "only the first is left": lambda head, p: head + p[0],
    "no chunk is left": lambda head, _p: head,
    "the first is missing": lambda head, p: head + p[1] + p[2],
    "one in between is missing": lambda head, p: head + p[0] + p[2],
    "two changed places": lambda head, p: head + p[1] + p[0] + p[2],
    "the last is doubled": lambda head, p: head + p[0] + p[1] + p[2] + p[2],
    "a full one is doubled": lambda head, p: head + p[0] + p[0] + p[1] + p[2],
    "a byte follows": lambda head, p: head + p[0] + p[1] + p[2] + b"\0",
    "it ends inside a chunk": lambda head, p: head + p[0] + p[1][:-1],
    "it ends one byte early": lambda head, p: head + p[0] + p[1] + p[2][:-1],
    "a chunk of another file": lambda head, p: head + pieces(seal(b"a" * CHUNK + b"b"))[0] + p[1],
    "the header of another file": lambda _head, p: seal(b"")[:HEADER_BYTES] + b"".join(p),
    "another version": lambda head, p: head[:4] + b"\x02" + head[5:] + b"".join(p),
}


@pytest.mark.parametrize("rearrange", REARRANGED.values(), ids=REARRANGED.keys())
def test_a_rearranged_file_is_refused(
    three_chunks: bytes, rearrange: Callable[[bytes, list[bytes]], bytes]
) -> None:
    assert len(unseal(three_chunks)) == 2 * CHUNK + 100

    with pytest.raises(Tampered):
        unseal(rearrange(three_chunks[:HEADER_BYTES], pieces(three_chunks)))


def test_a_file_cut_off_between_chunks_gives_nothing_false_before_it_is_refused(
    three_chunks: bytes,
) -> None:
    reader = iter(SealedReader(io.BytesIO(three_chunks[: HEADER_BYTES + 2 * SEALED]), KEY))

    assert next(reader) == b"a" * CHUNK
    with pytest.raises(Tampered, match="chunk 1"):
        next(reader)


def test_an_unfinished_file_is_refused() -> None:
    file = io.BytesIO()
    SealedWriter(file, KEY).write(b"a" * (2 * CHUNK + 1))

    with pytest.raises(Tampered):
        unseal(file.getvalue())


def test_a_finished_file_takes_nothing_more() -> None:
    writer = SealedWriter(io.BytesIO(), KEY)
    writer.finish()

    with pytest.raises(ValueError, match="finished"):
        writer.write(b"a")
    with pytest.raises(ValueError, match="finished"):
        writer.finish()


def test_a_file_opens_with_any_of_the_keys_it_may_be_sealed_with() -> None:
    old, new = b"1" * 32, b"2" * 32
    sealed = seal(b"hello", old)

    assert unseal(sealed, new, old) == b"hello"
    with pytest.raises(Tampered, match="a key that is not here"):
        unseal(sealed, new)
    with pytest.raises(Tampered, match="a key that is not here"):
        SealedReader(io.BytesIO(sealed))


def test_what_is_no_sealed_file_is_refused_at_once() -> None:
    for strange in (b"", b"HSSF", b"SQLite format 3\0" + bytes(100)):
        with pytest.raises(Tampered, match="not a sealed file"):
            SealedReader(io.BytesIO(strange), KEY)


def test_a_source_that_gives_little_at_a_time_is_read_whole(three_chunks: bytes) -> None:
    class Pipe(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            return super().read(min(size or 0, 70_000))

    assert len(b"".join(SealedReader(Pipe(three_chunks), KEY))) == 2 * CHUNK + 100
