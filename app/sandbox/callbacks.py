"""Callbacks on their way to a merchant: rows that are due until they are answered."""

import json
import secrets
import sqlite3
from dataclasses import dataclass

from app.sandbox.faults import Faults

# Seconds until an unanswered callback is sent again, after each try; then the channel gives up.
AGAIN = (1, 2, 5, 15, 60, 300, 900, 3600)
# Longer than sending may take: what a crash interrupted is sent again.
LEASE = 60
STALE_AFTER = 1


@dataclass(frozen=True)
class Due:
    """A callback to send now."""

    id: int
    url: str
    body: dict[str, object]
    is_forged: bool
    tries: int


def announce(db: sqlite3.Connection, number: str, wanted: Faults, now: float) -> None:
    """Have the merchant told of a payment, or not, as the faults want it."""
    is_forged = bool(wanted.forged or wanted.forgery)
    body = _body(db, number, "paid")
    due_at = now + wanted.delay
    for _ in range(0 if wanted.no_callback else 1 + wanted.duplicates):
        _add(db, number, body, is_forged, due_at)
    if wanted.out_of_order:
        _add(db, number, _body(db, number, "unpaid"), is_forged, due_at + STALE_AFTER)


def repeat(db: sqlite3.Connection, number: str, now: float) -> None:
    """Send the trade's first callback again; one about how it stands, if there was none."""
    row = db.execute(
        "SELECT body FROM callbacks WHERE number = ? ORDER BY id LIMIT 1", (number,)
    ).fetchone()
    state = db.execute("SELECT state FROM trades WHERE number = ?", (number,)).fetchone()["state"]
    _add(db, number, row["body"] if row else _body(db, number, state), False, now)


def take_due(db: sqlite3.Connection, now: float, most: int, number: str | None = None) -> list[Due]:
    """Lease up to so many callbacks whose time has come, of all trades or of one."""
    rows = db.execute(
        "UPDATE callbacks SET tries = tries + 1, due_at = ? WHERE id IN"
        " (SELECT id FROM callbacks WHERE due_at <= ? AND (number = ? OR ? IS NULL)"
        " ORDER BY due_at, id LIMIT ?) RETURNING id, url, body, is_forged, tries",
        (now + LEASE, now, number, number, most),
    ).fetchall()
    return [
        Due(row["id"], row["url"], json.loads(row["body"]), bool(row["is_forged"]), row["tries"])
        for row in rows
    ]


def answered(
    db: sqlite3.Connection, due: Due, answer: str, now: float, *, is_success: bool
) -> None:
    """What the merchant said. Anything but success is sent again, until the channel gives up."""
    is_over = is_success or due.tries > len(AGAIN)
    db.execute(
        "UPDATE callbacks SET answer = ?, due_at = ? WHERE id = ?",
        (answer, None if is_over else now + AGAIN[due.tries - 1], due.id),
    )


def _body(db: sqlite3.Connection, number: str, state: str) -> str:
    trade = db.execute(
        "SELECT trade_number, amount, currency, paid FROM trades WHERE number = ?", (number,)
    ).fetchone()
    return json.dumps(
        {
            "event_id": secrets.token_hex(12),
            "number": number,
            "trade_number": trade["trade_number"],
            "state": state,
            "amount": trade["paid"] or trade["amount"],
            "currency": trade["currency"],
            "payer": "play money",
        }
    )


def _add(db: sqlite3.Connection, number: str, body: str, is_forged: bool, due_at: float) -> None:
    db.execute(
        "INSERT INTO callbacks (number, url, body, is_forged, due_at)"
        " SELECT number, notify_url, ?, ?, ? FROM trades WHERE number = ?",
        (body, is_forged, due_at, number),
    )
