"""Files that open whole or not at all: AES-256-GCM in chunks (the STREAM construction).

    header  [0:4] "HSSF" · [4] 0x01 version · [5:13] which key · [13:45] salt
    chunk   1 MiB of plain text, the last one shorter · its 16 byte tag

Each file has a key of its own, HKDF-SHA256 of the given key and the salt, so a nonce can simply
count: 11 bytes of chunk number, one byte that is 1 in the last chunk only. The header is
authenticated with every chunk. A chunk that was changed, left out, moved or put after the end
does not open; neither does a file that was cut off.
"""

import os
from collections.abc import Iterator
from typing import BinaryIO

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from app.core.crypto import Tampered

MAGIC = b"HSSF\x01"
KEY_ID = slice(5, 13)
SALT = slice(13, 45)
HEADER_BYTES = 45
CHUNK = 1 << 20
TAG = 16


class SealedWriter:
    """Writes one sealed file. Without `finish()` the file is cut off, and will be refused."""

    def __init__(self, file: BinaryIO, key: bytes) -> None:
        self._file = file
        self._header = MAGIC + _key_id(key) + os.urandom(SALT.stop - SALT.start)
        self._cipher = _cipher(key, self._header)
        self._waiting = bytearray()
        self._count = 0
        self._is_finished = False
        file.write(self._header)

    def write(self, plain: bytes) -> None:
        """Add to the file; what does not fill a chunk waits."""
        if self._is_finished:
            raise ValueError("the sealed file is finished")
        self._waiting += plain
        # A full chunk waits too: only the next byte shows that it is not the last one.
        while len(self._waiting) > CHUNK:
            self._seal(is_last=False)

    def finish(self) -> None:
        """Write the last chunk. Closing and syncing the file is the caller's."""
        if self._is_finished:
            raise ValueError("the sealed file is finished")
        self._seal(is_last=True)
        self._is_finished = True

    def _seal(self, *, is_last: bool) -> None:
        plain = bytes(self._waiting[:CHUNK])
        del self._waiting[:CHUNK]
        nonce = _nonce(self._count, is_last)
        self._file.write(self._cipher.encrypt(nonce, plain, self._header))
        self._count += 1


class SealedReader:
    """Reads one sealed file, chunk by chunk. Raises Tampered, at once when no key fits.

    Every chunk is authentic when it is given, but that nothing is missing is known only after the
    last: what is done with them must be undone when iterating raises. `keys` are those the file
    may be sealed with: after a rotation there is an old one too.
    """

    def __init__(self, file: BinaryIO, *keys: bytes) -> None:
        self._file = file
        self._header = _read(file, HEADER_BYTES)
        if len(self._header) < HEADER_BYTES or not self._header.startswith(MAGIC):
            raise Tampered("not a sealed file of this program")
        fitting = [key for key in keys if _key_id(key) == self._header[KEY_ID]]
        if not fitting:
            raise Tampered("the file is sealed with a key that is not here")
        self._cipher = _cipher(fitting[0], self._header)

    def __iter__(self) -> Iterator[bytes]:
        chunk = _read(self._file, CHUNK + TAG)
        count = 0
        while True:
            following = _read(self._file, CHUNK + TAG)
            yield self._open(count, chunk, is_last=not following)
            if not following:
                return
            chunk = following
            count += 1

    def _open(self, count: int, chunk: bytes, *, is_last: bool) -> bytes:
        try:
            return self._cipher.decrypt(_nonce(count, is_last), chunk, self._header)
        except InvalidTag:
            raise Tampered(f"the sealed file is damaged or cut off at chunk {count}") from None


def _key_id(key: bytes) -> bytes:
    """Names a key without telling anything about it."""
    return HKDF(SHA256(), 8, salt=None, info=b"hardshelf/file-key-id/v1").derive(key)


def _cipher(key: bytes, header: bytes) -> AESGCM:
    info = b"hardshelf/file/v1"
    return AESGCM(HKDF(SHA256(), 32, salt=header[SALT], info=info).derive(key))


def _nonce(count: int, is_last: bool) -> bytes:
    return count.to_bytes(11, "big") + (b"\x01" if is_last else b"\x00")


def _read(file: BinaryIO, size: int) -> bytes:
    """Read `size` bytes, fewer only at the end: one read() of a pipe may give less."""
    parts = []
    while size and (part := file.read(size)):
        parts.append(part)
        size -= len(part)
    return b"".join(parts)
