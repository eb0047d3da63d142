"""What a merchant is told about a trade, and when."""

import json
import secrets
import sqlite3

from app.outside import callbacks
from app.sandbox.faults import Faults

STALE_AFTER = 1


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
    row = db.execute("SELECT notify_url FROM trades WHERE number = ?", (number,)).fetchone()
    callbacks.add(db, number, row["notify_url"], body, is_forged=is_forged, due_at=due_at)
