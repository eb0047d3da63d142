"""Identifiers: numbers people read to each other, and tokens nobody can guess."""

import hashlib
import secrets
from datetime import datetime

# Without 0 1 I L O U: read aloud, typed from paper, never an accidental word.
ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ"


def number(at: datetime, random_symbols: int = 9) -> str:
    """A number for orders and payments: the day, then 44 random bits, unique by constraint.

    Letters and digits only and at most 32 long, so that every payment channel takes it.
    """
    tail = "".join(secrets.choice(ALPHABET) for _ in range(random_symbols))
    return f"{at:%y%m%d}{tail}"


def token() -> str:
    """A 128-bit secret for a link or a cookie; only its hash is stored."""
    return secrets.token_urlsafe(16)


def hash_token(value: str | bytes) -> bytes:
    """What is stored of a token. Plain SHA-256 is enough for 128 random bits."""
    return hashlib.sha256(value.encode() if isinstance(value, str) else value).digest()
