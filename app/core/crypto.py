"""Keys and sealing: AES-256-GCM under a data key, data keys wrapped by a master key.

Format of a sealed field, version 1:

    [0] 0x01 version · [1] 0x01 AES-256-GCM · [2:10] data key id · [10:22] nonce · [22:] ciphertext

What it is bound to (batch, row, order line, buyer) is in the authenticated data, so that moving
it elsewhere makes it unreadable. Plain text is padded to 64 bytes: a length would tell a face
value.
"""

import base64
import hashlib
import hmac
import os
import stat
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import NoReturn

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.keywrap import (
    InvalidUnwrap,
    aes_key_unwrap,
    aes_key_wrap,
)

VERSION = b"\x01\x01"
NONCE_BYTES = 12
KEY_ID_ENDS = 10
HEADER_BYTES = 22
KEY_BYTES = 32
BLOCK = 64
FIELD = b"hardshelf/field/v1\0"
WRAPPED = b"\x01"
BINDING = b"hardshelf/data-key/v1\0"

# ISO 7816-4, by the length of the plain text's last block: 0x80, then zeros to the block's end.
PADDING = [b"\x80" + bytes(BLOCK - 1 - length) for length in range(BLOCK)]


class Tampered(Exception):
    """It does not open: changed, moved to where it does not belong, or under another key."""


class BadKey(Exception):
    """A master key is malformed, or its file can be read by others. Never quotes a key."""


class Secret:
    """A text that must not be seen. Printing, formatting, pickling or comparing shows nothing."""

    __slots__ = ("_text",)
    # Not to be a key of a dict or a member of a set: looking it up would compare in the open.
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
        return hmac.compare_digest(_utf8(self._text), _utf8(other._text))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret does not leave its process")


def _utf8(text: str) -> bytes:
    # A lone surrogate from a broken request must not raise an error that carries the text.
    return text.encode("utf-8", "surrogatepass")


def context(*fields: bytes | int | str) -> bytes:
    """Join fields so that no two lists of fields give the same bytes: each with its length."""
    joined = []
    for field in fields:
        if isinstance(field, bytes):
            raw = field
        else:
            raw = field.encode() if isinstance(field, str) else field.to_bytes(8, "big")
        joined.append(len(raw).to_bytes(4, "big"))
        joined.append(raw)
    return b"".join(joined)


def blind_index(key: bytes, scope: str, text: str) -> bytes:
    """HMAC-SHA256 of a text within a scope: equal texts are found, none can be guessed off line."""
    keyed = _keyed(key, scope).copy()
    keyed.update(text.encode())
    return keyed.finalize()


@lru_cache(maxsize=16)
def _keyed(key: bytes, scope: str) -> HMAC:
    # Keyed once and copied, it takes a third of the time of a new one: an import makes a million.
    keyed = HMAC(key, SHA256())
    keyed.update(scope.encode() + b"\0")
    return keyed


class DataKey:
    """An unwrapped key that seals fields."""

    def __init__(self, key_id: int, purpose: str, raw: bytes) -> None:
        self.id = key_id
        self.purpose = purpose
        self.raw = raw
        self._header = head_of(key_id)
        self._cipher = AESGCM(raw)

    def __repr__(self) -> str:
        return f"DataKey({self.id}, {self.purpose})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a DataKey does not leave its process")

    def seal(self, plain: bytes, bound_to: bytes) -> bytes:
        """Seal `plain` to what it is bound to."""
        (sealed,) = self.seal_many([(plain, bound_to)])
        return sealed

    def seal_many(self, rows: Iterable[tuple[bytes, bytes]]) -> list[bytes]:
        """Seal (plain, bound_to) pairs, each under a nonce of its own."""
        pairs = list(rows)
        header, encrypt = self._header, self._cipher.encrypt
        authenticated = FIELD + header
        noise = os.urandom(NONCE_BYTES * len(pairs))
        sealed = []
        at = 0
        for plain, bound_to in pairs:
            nonce = noise[at : at + NONCE_BYTES]
            at += NONCE_BYTES
            padded = plain + PADDING[len(plain) % BLOCK]
            sealed.append(header + nonce + encrypt(nonce, padded, authenticated + bound_to))
        return sealed

    def open(self, blob: bytes, bound_to: bytes) -> bytes:
        """Open a sealed field; raises Tampered."""
        if data_key_id_of(blob) != self.id:
            raise Tampered("sealed under another key")
        nonce, sealed = blob[KEY_ID_ENDS:HEADER_BYTES], blob[HEADER_BYTES:]
        try:
            padded = self._cipher.decrypt(nonce, sealed, FIELD + self._header + bound_to)
        except InvalidTag:
            raise Tampered("changed, or not where it belongs") from None
        plain, mark, zeros = padded.rpartition(b"\x80")
        if not mark or zeros.strip(b"\0"):
            raise Tampered("sealed by something that does not pad")
        return plain


def data_key_id_of(blob: bytes) -> int:
    """Which data key sealed this; raises Tampered when it is no sealed field."""
    if len(blob) <= HEADER_BYTES or blob[:2] != VERSION:
        raise Tampered("not a sealed field")
    return int.from_bytes(blob[2:KEY_ID_ENDS], "big")


def head_of(data_key_id: int) -> bytes:
    """How every field begins that this data key sealed: its first KEY_ID_ENDS bytes."""
    return VERSION + data_key_id.to_bytes(8, "big")


class KeyRing:
    """The master keys, by id; the first wraps, all unwrap."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        if not keys:
            raise BadKey("there is no master key")
        self._keys = keys

    def __repr__(self) -> str:
        return f"KeyRing({', '.join(self._keys)})"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a KeyRing does not leave its process")

    def __contains__(self, key_id: object) -> bool:
        return key_id in self._keys

    @property
    def active(self) -> str:
        """The id of the master key that wraps what is made from now on."""
        return next(iter(self._keys))

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all of them, the active one first."""
        return tuple(self._keys)

    @classmethod
    def parse(cls, text: str) -> "KeyRing":
        """Read `id:base64[,id:base64]`, also one a line; raises BadKey."""
        keys: dict[str, bytes] = {}
        for item in text.replace("\n", ",").split(","):
            if not item.strip():
                continue
            name, _, encoded = item.strip().partition(":")
            key = _decoded(encoded)
            if not name or len(key) != KEY_BYTES:
                raise BadKey("a master key must be written id:base64 of 32 bytes")
            if name in keys:
                raise BadKey("two master keys have the same id")
            keys[name] = key
        return cls(keys)

    def wrap(self, raw: bytes, data_key_id: int, purpose: str) -> tuple[str, bytes]:
        """Wrap a data key (RFC 3394) together with what it is for: (master key id, wrapped)."""
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
        if not hmac.compare_digest(payload[KEY_BYTES:], _binding(data_key_id, purpose)):
            raise Tampered("the wrapped key belongs to another row")
        return payload[:KEY_BYTES]

    def derive(self, purpose: str) -> bytes:
        """A key for another purpose, such as backups, from the active master key."""
        return self.derive_each(purpose)[0]

    def derive_each(self, purpose: str) -> list[bytes]:
        """That key from every master key, the active one first: what is old must open too."""
        info = b"hardshelf/" + purpose.encode()
        return [
            HKDF(SHA256(), KEY_BYTES, salt=None, info=info).derive(key)
            for key in self._keys.values()
        ]


def new_master_key(name: str) -> str:
    """A fresh master key as `parse` reads it."""
    return f"{name}:{base64.b64encode(os.urandom(KEY_BYTES)).decode()}"


def load_key_ring(given: str, path: Path) -> KeyRing | None:
    """From the environment's value, else the file; None before `flask init` made one.

    Raises BadKey when the file can be read by others.
    """
    if given:
        return KeyRing.parse(given)
    if not path.exists():
        return None
    with path.open("rb") as file:
        # Asked of the file that is open, not of the name, which may lead elsewhere by then.
        if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
            raise BadKey(f"{path} must be readable by its owner only: chmod 600 it")
        return KeyRing.parse(file.read().decode("ascii", "replace"))


def _binding(data_key_id: int, purpose: str) -> bytes:
    what = BINDING + data_key_id.to_bytes(8, "big") + purpose.encode()
    return hashlib.sha256(what).digest()[:16]


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except ValueError:
        return b""
