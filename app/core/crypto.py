"""Keys and sealing: AES-256-GCM under a data key, data keys wrapped by a master key.

Format of a sealed field, version 1:

    [0] 0x01 version · [1] 0x01 AES-256-GCM · [2:10] data key id · [10:22] nonce · [22:] ciphertext

What it is bound to (batch, row, order line, buyer) is in the authenticated data, so that moving
it elsewhere makes it unreadable. Plaintext is padded to 64 bytes: a length would tell a face
value.
"""

import base64
import hashlib
import hmac
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_wrap,
)

VERSION = b"\x01\x01"
NONCE_BYTES = 12
HEADER_BYTES = 22
BLOCK = 64
FIELD = b"hardshelf/field/v1\0"
WRAPPED = b"\x01"
BINDING = b"hardshelf/data-key/v1\0"


class Tampered(Exception):
    """It does not open: changed, moved to where it does not belong, or under another key."""


class BadKey(Exception):
    """A master key is malformed, or its file can be read by others."""


class Secret:
    """A text that must not be seen. Printing, formatting, pickling or comparing shows nothing."""

    __slots__ = ("_text",)
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself. Each call is a place to look at in a review."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return "***"

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self._text.encode(), other._text.encode())

    def __reduce__(self) -> str:
        raise TypeError("a Secret does not leave its process")


def context(*fields: bytes | int | str) -> bytes:
    """Join fields so that no two lists of fields give the same bytes: each with its length."""
    return b"".join(len(raw).to_bytes(4, "big") + raw for raw in map(_as_bytes, fields))


def _as_bytes(field: bytes | int | str) -> bytes:
    if isinstance(field, bytes):
        return field
    return field.to_bytes(8, "big") if isinstance(field, int) else field.encode()


def blind_index(key: bytes, scope: str, text: str) -> bytes:
    """HMAC-SHA256 of a text within a scope: equal texts are found, none can be guessed off line."""
    return hmac.digest(key, scope.encode() + b"\0" + text.encode(), "sha256")


class DataKey:
    """An unwrapped key that seals fields."""

    def __init__(self, id: int, purpose: str, raw: bytes) -> None:
        self.id = id
        self.purpose = purpose
        self.raw = raw
        self._header = VERSION + id.to_bytes(8, "big")
        self._cipher = AESGCM(raw)

    def __repr__(self) -> str:
        return f"DataKey({self.id}, {self.purpose})"

    def seal(self, plain: bytes, bound_to: bytes) -> bytes:
        """Seal `plain` to what it is bound to."""
        nonce = os.urandom(NONCE_BYTES)
        sealed = self._cipher.encrypt(nonce, _pad(plain), FIELD + self._header + bound_to)
        return self._header + nonce + sealed

    def seal_many(self, rows: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
        """Seal (plain, bound_to) pairs, with the loop's overhead pared down for imports."""
        header, encrypt = self._header, self._cipher.encrypt
        prefix = FIELD + header
        pairs = list(rows)
        noise = os.urandom(NONCE_BYTES * len(pairs))
        sealed = []
        for i, (plain, bound_to) in enumerate(pairs):
            nonce = noise[i * NONCE_BYTES : (i + 1) * NONCE_BYTES]
            sealed.append(header + nonce + encrypt(nonce, _pad(plain), prefix + bound_to))
        return sealed

    def open(self, blob: bytes, bound_to: bytes) -> bytes:
        """Open a sealed field; raises Tampered."""
        if len(blob) <= HEADER_BYTES or blob[:10] != self._header:
            raise Tampered("sealed under another key or in another format")
        try:
            padded = self._cipher.decrypt(
                blob[10:HEADER_BYTES], blob[HEADER_BYTES:], FIELD + self._header + bound_to
            )
        except InvalidTag:
            raise Tampered("changed, or not where it belongs") from None
        return padded[: padded.rindex(b"\x80")]


def data_key_id_of(blob: bytes) -> int:
    """Which data key sealed this; raises Tampered when it is no sealed field."""
    if len(blob) <= HEADER_BYTES or blob[:2] != VERSION:
        raise Tampered("not a sealed field")
    return int.from_bytes(blob[2:10], "big")


def _pad(plain: bytes) -> bytes:
    """ISO 7816-4: 0x80, then zeros to a whole number of blocks."""
    return plain + b"\x80" + bytes(-(len(plain) + 1) % BLOCK)


class KeyRing:
    """The master keys, by id; the first wraps, all unwrap."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        if not keys:
            raise BadKey("there is no master key")
        self._keys = keys

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    @property
    def active(self) -> str:
        return next(iter(self._keys))

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """Read `id:base64[,id:base64]`; raises BadKey, which never quotes a key."""
        keys: dict[str, bytes] = {}
        for item in text.replace("\n", ",").split(","):
            if not item.strip():
                continue
            name, _, encoded = item.strip().partition(":")
            try:
                key = base64.b64decode(encoded, validate=True)
            except ValueError:
                key = b""
            if not name or len(key) != 32:
                raise BadKey("a master key must be written id:base64 of 32 bytes")
            keys[name] = key
        return cls(keys)

    def wrap(self, raw: bytes, data_key_id: int, purpose: str) -> tuple[str, bytes]:
        """Wrap a data key (RFC 3394) together with what it is for; (master key id, wrapped)."""
        payload = raw + _binding(data_key_id, purpose)
        return self.active, WRAPPED + aes_key_wrap(self._keys[self.active], payload)

    def unwrap(self, key_id: str, wrapped: bytes, data_key_id: int, purpose: str) -> bytes:
        """The data key; raises Tampered when the row was changed or the master key is not here."""
        if key_id not in self._keys or wrapped[:1] != WRAPPED:
            raise Tampered("wrapped by a master key that is not here")
        try:
            payload = aes_key_unwrap(self._keys[key_id], wrapped[1:])
        except (InvalidUnwrap, ValueError):
            raise Tampered("the wrapped key was changed") from None
        if not hmac.compare_digest(payload[32:], _binding(data_key_id, purpose)):
            raise Tampered("the wrapped key belongs to another row")
        return payload[:32]

    def derive(self, purpose: str) -> bytes:
        """A key for another purpose, such as backups, from the active master key."""
        info = b"hardshelf/" + purpose.encode()
        return HKDF(SHA256(), 32, salt=None, info=info).derive(self._keys[self.active])


def _binding(data_key_id: int, purpose: str) -> bytes:
    what = BINDING + data_key_id.to_bytes(8, "big") + purpose.encode()
    return hashlib.sha256(what).digest()[:16]


def load_key_ring(given: str, path: Path) -> KeyRing | None:
    """From the environment's value, else the file; None before `flask init` made one.

    Raises BadKey when the file can be read by others.
    """
    if given:
        return KeyRing.parse(given)
    if not path.exists():
        return None
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise BadKey(f"{path} must be readable by its owner only: chmod 600 it")
    return KeyRing.parse(path.read_text())
