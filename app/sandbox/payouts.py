"""Payouts: what the channel has been asked to pay, and each time that it really paid.

`payout_effects` has a row for each time money went to a payee, and no rule against two: it is the
judge of whether anybody was paid twice.
"""

import json
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

from app.outside import faults

# A number that was refused may be asked for again; one that came back is used up.
SCHEMA = """
CREATE TABLE IF NOT EXISTS payouts (
    number TEXT PRIMARY KEY,
    order_id TEXT NOT NULL UNIQUE,
    amount INTEGER NOT NULL CHECK (amount > 0),
    identity TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('DEALING', 'WAIT_PAYEE', 'SUCCESS', 'REFUND')),
    asks_left INTEGER NOT NULL,
    asked_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS payout_effects (
    id INTEGER PRIMARY KEY,
    number TEXT NOT NULL,
    amount INTEGER NOT NULL,
    identity TEXT NOT NULL,
    at REAL NOT NULL);
"""


@dataclass(frozen=True)
class PayoutFaults(faults.Faults):
    """What goes wrong with a payout. Switches are 1; `…_fails` are so many times, each of which
    uses one up; `fails_after` fails although it took effect."""

    LIMITS: ClassVar[Mapping[str, int]] = {"hang": 60}

    # Refused for certain; DEALING, or waiting for the payee, until it was asked about so often;
    # sent back by the payee's bank so often when it is asked about after that.
    refused: int = 0
    dealing: int = 0
    awaiting_payee: int = 0
    returned: int = 0
    fails: int = 0
    fails_after: int = 0
    query_fails: int = 0
    # SYSTEM_ERROR, before and after it took effect: an answer, and doubt all the same.
    system_error: int = 0
    hang: int = 0

    @classmethod
    def of(cls, db: sqlite3.Connection, number: str) -> Self:
        """Kept apart from those of trades, whose numbers and names are others."""
        row = db.execute(
            "SELECT wanted FROM faults WHERE number IN (?, ?) ORDER BY number = ? DESC LIMIT 1",
            (f"payout:{number}", f"payout:{faults.EVERY}", f"payout:{number}"),
        ).fetchone()
        return cls.read(json.loads(row["wanted"])) if row else cls()

    def want(self, db: sqlite3.Connection, number: str) -> None:
        super().want(db, f"payout:{number}")


class Refused(Exception):
    """A definite no, with the channel's code for it."""


@dataclass(frozen=True)
class Payout:
    """A row of `payouts`."""

    number: str
    order_id: str
    amount: int
    identity: str
    name: str
    state: str
    asks_left: int
    asked_at: float


def find(db: sqlite3.Connection, number: str) -> Payout | None:
    row = db.execute("SELECT * FROM payouts WHERE number = ?", (number,)).fetchone()
    return Payout(**row) if row else None


def pay(
    db: sqlite3.Connection, number: str, amount: int, payee: tuple[str, str], now: float
) -> Payout:
    """Pay once under this number; raises Refused, which leaves the number as it was."""
    already = find(db, number)
    if already is not None:
        if (already.amount, already.identity, already.name) != (amount, *payee):
            raise Refused("INVALID_PARAMETER")
        return already
    wanted = PayoutFaults.of(db, number)
    if wanted.refused:
        raise Refused("PAYEE_NOT_EXIST")
    state = "WAIT_PAYEE" if wanted.awaiting_payee else "DEALING" if wanted.dealing else "SUCCESS"
    db.execute(
        "INSERT INTO payouts (number, order_id, amount, identity, name, state, asks_left, asked_at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            secrets.token_hex(12),
            amount,
            *payee,
            state,
            wanted.awaiting_payee or wanted.dealing,
            now,
        ),
    )
    if state == "SUCCESS":
        _take_effect(db, number, now)
    return _found(db, number)


def ask(db: sqlite3.Connection, number: str, now: float) -> Payout | None:
    """How it stands; what is under way ends by asking, and what was paid may come back."""
    found = find(db, number)
    if found is None:
        return None
    if found.state in ("DEALING", "WAIT_PAYEE"):
        if found.asks_left > 1:
            db.execute("UPDATE payouts SET asks_left = asks_left - 1 WHERE number = ?", (number,))
        else:
            db.execute("UPDATE payouts SET state = 'SUCCESS' WHERE number = ?", (number,))
            _take_effect(db, number, now)
    elif found.state == "SUCCESS" and PayoutFaults.spend(db, number, "returned"):
        db.execute("UPDATE payouts SET state = 'REFUND' WHERE number = ?", (number,))
    return _found(db, number)


def effects(db: sqlite3.Connection) -> list[dict[str, object]]:
    """Each time money really went to somebody."""
    return [dict(row) for row in db.execute("SELECT * FROM payout_effects ORDER BY id")]


def _take_effect(db: sqlite3.Connection, number: str, now: float) -> None:
    db.execute(
        "INSERT INTO payout_effects (number, amount, identity, at)"
        " SELECT number, amount, identity, ? FROM payouts WHERE number = ?",
        (now, number),
    )


def _found(db: sqlite3.Connection, number: str) -> Payout:
    found = find(db, number)
    assert found is not None
    return found
