"""Passwords: argon2id, slow on purpose, and never inside a transaction.

m = 19 MiB, t = 2, p = 1 is OWASP's first choice (Password Storage Cheat Sheet; ASVS 5.0, 11.4.2),
about 30 ms. At most one a core runs at a time, so a flood of tries cannot eat the memory.
"""

import os
from threading import BoundedSemaphore

from argon2 import PasswordHasher
from argon2.exceptions import VerificationError

from app.core.crypto import Secret
from app.core.db import is_in_unit

_hasher = PasswordHasher(time_cost=2, memory_cost=19456, parallelism=1)
_cores = BoundedSemaphore(os.cpu_count() or 1)

# The hash of a random text nobody knows: checking it takes as long as checking a real one.
DUMMY = (
    "$argon2id$v=19$m=19456,t=2,p=1$Ov5qzo1xN2rrMulBLUepfg"
    "$MOw4fTJJR0PqwwyN9+Cd0ERRphQP2rG0d5f2Ot0jZco"
)


def hash(password: Secret) -> str:  # noqa: A001  the field's own word
    """The hash to store, with its parameters and a salt of its own."""
    _refuse_within_transaction()
    with _cores:
        return _hasher.hash(password.reveal())


def check(stored: str | None, password: Secret) -> bool:
    """Whether it is the password; without a stored one False, after the same work."""
    _refuse_within_transaction()
    with _cores:
        try:
            return _hasher.verify(stored or DUMMY, password.reveal()) and bool(stored)
        except VerificationError:
            return False


def is_outdated(stored: str) -> bool:
    """Whether the hash was made with other parameters than today's."""
    return _hasher.check_needs_rehash(stored)


def hash_pickup(pickup: Secret) -> str:
    """The hash of an order's pickup password 取货密码."""
    return hash(pickup)


def check_pickup(stored: str | None, pickup: Secret) -> bool:
    """Whether it opens the order; without a stored one everything does, after the same work."""
    return check(stored, pickup) or stored is None


def _refuse_within_transaction() -> None:
    # Thirty milliseconds under a lock would be thirty milliseconds for everybody.
    if is_in_unit():
        raise RuntimeError("hash and check passwords outside of transaction()")
