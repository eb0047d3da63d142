"""How suppliers sign fields, and how it is checked that they did.

Most of them join the sorted fields into one text, add a key, and hash it; they differ in how it is
joined, where the key goes, and what is left out. MD5 is their choice, not ours.
"""

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
    load_pem_public_key,
)

from app.core.crypto import Secret


class BadSigningKey(Exception):
    """A key that cannot be read. Never quotes it."""


@dataclass(frozen=True)
class Base:
    """How fields become the text that is signed: `has_marks` joins them as `k=v&k=v`, else as
    `kvkv`; the key goes nowhere, before, after, or after as one more field (`&key=KEY`)."""

    has_marks: bool = True
    key_at: str = "nowhere"
    key_name: str = "key"
    skips_empty: bool = True
    without: frozenset[str] = frozenset()

    def text(self, fields: Mapping[str, str], key: Secret) -> str:
        pairs = sorted(
            (name, value)
            for name, value in fields.items()
            if name not in self.without and (value or not self.skips_empty)
        )
        equals, joint = ("=", "&") if self.has_marks else ("", "")
        parts = [f"{name}{equals}{value}" for name, value in pairs]
        if self.key_at == "as_field":
            parts.append(f"{self.key_name}{equals}{key.reveal()}")
        text = joint.join(parts)
        if self.key_at == "before":
            return key.reveal() + text
        return text + key.reveal() if self.key_at == "after" else text


class Signer(Protocol):
    """Signs a text as we do, and checks what the other side signed."""

    def sign(self, text: str) -> str: ...

    def is_genuine(self, text: str, signature: str) -> bool: ...


class Digest:
    """MD5 of a text that has the key in it, or an HMAC-SHA256 under the key; hexadecimal."""

    def __init__(self, make: Callable[[bytes], str], *, is_upper: bool = False) -> None:
        self._make = make
        self._is_upper = is_upper

    def sign(self, text: str) -> str:
        made = self._make(to_bytes(text))
        return made.upper() if self._is_upper else made

    def is_genuine(self, text: str, signature: str) -> bool:
        """In constant time; capitals and small letters are the same number."""
        return are_equal(self._make(to_bytes(text)), signature.lower())


class Rsa:
    """SHA256withRSA (PKCS#1 v1.5) in Base64: we sign with our key, they with theirs."""

    def __init__(self, private: RSAPrivateKey, theirs: RSAPublicKey | None) -> None:
        self._private = private
        self._theirs = theirs

    def sign(self, text: str) -> str:
        return base64.b64encode(self._private.sign(to_bytes(text), PKCS1v15(), SHA256())).decode()

    def is_genuine(self, text: str, signature: str) -> bool:
        """Without their key nothing is genuine."""
        if self._theirs is None:
            return False
        try:
            self._theirs.verify(
                base64.b64decode(signature, validate=True), to_bytes(text), PKCS1v15(), SHA256()
            )
        except (InvalidSignature, binascii.Error, ValueError):
            return False
        return True


def md5(text: bytes) -> str:
    """For protocols that want it; it proves nothing by itself."""
    return hashlib.md5(text, usedforsecurity=False).hexdigest()


def hmac_sha256(key: Secret) -> Callable[[bytes], str]:
    return lambda text: hmac.new(key.reveal().encode(), text, "sha256").hexdigest()


def private_key(key: Secret) -> RSAPrivateKey:
    """From PEM, or from its Base64 alone as suppliers hand it out; raises BadSigningKey."""
    found = _load(key.reveal(), load_pem_private_key, load_der_private_key)
    if not isinstance(found, RSAPrivateKey):
        raise BadSigningKey
    return found


def public_key(text: str) -> RSAPublicKey:
    """As `private_key`, for the other side's."""
    found = _load(
        text,
        lambda data, _password: load_pem_public_key(data),
        lambda data, _password: load_der_public_key(data),
    )
    if not isinstance(found, RSAPublicKey):
        raise BadSigningKey
    return found


def sorted_characters(fields: Mapping[str, object], secret: Secret) -> str:
    """Fulu's: the compact JSON's characters in order, then the secret, MD5 in small letters.

    All characters are sorted, so the order of the fields does not matter.
    """
    text = json.dumps(dict(fields), ensure_ascii=False, separators=(",", ":"))
    return md5(to_bytes("".join(sorted(text)) + secret.reveal()))


def are_equal(expected: str, given: str) -> bool:
    """In constant time."""
    return hmac.compare_digest(to_bytes(expected), to_bytes(given))


def to_bytes(text: str) -> bytes:
    """UTF-8, also of half a character, which JSON can carry and nobody has signed."""
    return text.encode("utf-8", "surrogatepass")


def _load(
    text: str,
    from_pem: Callable[[bytes, bytes | None], object],
    from_der: Callable[[bytes, bytes | None], object],
) -> object:
    # Whatever is wrong with a key, its error could quote it.
    try:
        if "-----BEGIN" in text:
            return from_pem(text.encode(), None)
        return from_der(base64.b64decode("".join(text.split()), validate=True), None)
    except (ValueError, TypeError, binascii.Error):
        raise BadSigningKey from None
