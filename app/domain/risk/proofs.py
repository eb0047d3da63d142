"""The captcha: a proof that a visitor's machine worked a while, or that she waited a while.

Hardshelf's own, with no third party, no picture and no sound. The page carries a signed challenge:

    purpose . whom . nonce . issued at (seconds) . signature

*By work*: a number n such that SHA-256(challenge ":" n) begins with BITS zero bits (hashcash, Back
2002). The page's script finds it within a second or two and the visitor does nothing.

*By waiting*: who has no script, or a machine too slow for it, sends the form again when WAIT has
passed. Nothing has to be seen, heard, read or puzzled out, which a question would demand of some
who cannot (WCAG 2.2, 3.3.8). Waiting would cost a script nothing if it could wait for many at once,
so one network has one waited proof in each WAIT.

Each challenge is good for one purpose, one browser, LASTS, and once: the spent ones are rows.
"""

import hashlib
import hmac
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil

import sqlalchemy as sa

from app.core import clock, db, keys
from app.core.db import session
from app.domain.risk.models import Checkpoint, SpentProof

# About 260,000 hashes: a second on a phone.
BITS = 18
WAIT = timedelta(seconds=20)
LASTS = timedelta(minutes=10)
NONCE_BYTES = 12
NUMBER_LENGTH = 12


@dataclass(frozen=True)
class Proof:
    """What a form brought back: the challenge it was given, and the number that was found."""

    challenge: str
    number: str


@dataclass(frozen=True)
class Challenge:
    """What a form carries. `whom` is the browser it was given to."""

    purpose: Checkpoint
    whom: str
    nonce: bytes
    issued_at: datetime

    @property
    def text(self) -> str:
        return f"{self._signed}.{_signature(self._signed)}"

    @property
    def _signed(self) -> str:
        whom = hashlib.sha256(self.whom.encode()).hexdigest()[:16]
        at = int(self.issued_at.timestamp())
        return f"{self.purpose.value}.{whom}.{self.nonce.hex()}.{at}"


def challenge(purpose: Checkpoint, whom: str) -> str:
    """A new challenge for a form. Nothing is stored before one is used."""
    return Challenge(purpose, whom, os.urandom(NONCE_BYTES), clock.now()).text


def spend(proof: Proof, purpose: Checkpoint, whom: str, network: bytes | None) -> bool:
    """Use a proof up; False when it proves nothing. Within the unit that it opens the way for."""
    db.require_transaction()
    found = _read(proof.challenge, purpose, whom)
    now = clock.now()
    if found is None or now - found.issued_at > LASTS:
        return False
    worked = is_solved(proof.challenge, proof.number)
    if not worked and not _has_waited(found, network, now):
        return False
    waited_by = None if worked else network
    spent = db.insert_once(SpentProof, "nonce", nonce=found.nonce, waited_by=waited_by, at=now)
    return spent is not None


def seconds_to_wait(text: str, purpose: Checkpoint, whom: str) -> int:
    """How much longer who waits with this challenge has to; the whole of it for none of ours."""
    found = _read(text, purpose, whom)
    left = WAIT - (clock.now() - found.issued_at) if found else WAIT
    return max(ceil(left.total_seconds()), 0)


def is_fresh(text: str, purpose: Checkpoint, whom: str) -> bool:
    """Whether a form may keep the challenge it has, rather than begin with a new one."""
    found = _read(text, purpose, whom)
    if found is None or clock.now() - found.issued_at > LASTS:
        return False
    spent = sa.select(SpentProof.id).where(SpentProof.nonce == found.nonce)
    return session.scalar(spent) is None


def is_solved(challenge_text: str, number: str, bits: int = BITS) -> bool:
    """Whether the number is the work that the challenge asks for."""
    if not 1 <= len(number) <= NUMBER_LENGTH or not number.isascii() or not number.isdigit():
        return False
    digest = hashlib.sha256(f"{challenge_text}:{number}".encode()).digest()
    return int.from_bytes(digest, "big") >> (256 - bits) == 0


def solve(challenge_text: str, bits: int = BITS) -> str:
    """Do the work, as the page's script does."""
    number = 0
    while not is_solved(challenge_text, str(number), bits):
        number += 1
    return str(number)


def _has_waited(found: Challenge, network: bytes | None, now: datetime) -> bool:
    if now - found.issued_at < WAIT:
        return False
    if network is None:
        return True
    lately = sa.select(SpentProof.id).where(
        SpentProof.waited_by == network, SpentProof.at > now - WAIT
    )
    return session.scalar(lately.limit(1)) is None


def _read(text: str, purpose: Checkpoint, whom: str) -> Challenge | None:
    """The challenge, if it is one of ours, for this purpose and this browser."""
    signed, _, signature = text.rpartition(".")
    if not hmac.compare_digest(_signature(signed).encode(), signature.encode()):
        return None
    # Signed by us, so it has the parts that we gave it.
    _, _, nonce, at = signed.split(".")
    found = Challenge(purpose, whom, bytes.fromhex(nonce), datetime.fromtimestamp(int(at), UTC))
    return found if hmac.compare_digest(found.text.encode(), text.encode()) else None


def _signature(signed: str) -> str:
    return keys.index("risk:challenge", signed).hex()[:32]
