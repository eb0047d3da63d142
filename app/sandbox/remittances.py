"""What the channel holds for the merchant goes to the merchant's bank, less a fee."""

import secrets
import sqlite3
from dataclasses import dataclass

# In ten thousandths of what is remitted: what channels of this country take.
FEE = 60


class Nothing(Exception):
    """There is nothing to remit."""


@dataclass(frozen=True)
class Remittance:
    """A row of `remittances`; `amount` left the channel, its `fee` included."""

    number: str
    amount: int
    fee: int
    sent_at: float


def remit(db: sqlite3.Connection, now: float) -> Remittance:
    """Send everything that is held; raises Nothing."""
    amount = held(db)
    if amount <= 0:
        raise Nothing
    sent = Remittance(f"SBR{secrets.token_hex(8).upper()}", amount, amount * FEE // 10_000, now)
    db.execute(
        "INSERT INTO remittances (number, amount, fee, sent_at) VALUES (?, ?, ?, ?)",
        (sent.number, sent.amount, sent.fee, sent.sent_at),
    )
    return sent


def held(db: sqlite3.Connection) -> int:
    """What was paid, less what was sent back and what was remitted."""
    row = db.execute(
        "SELECT (SELECT coalesce(sum(paid), 0) FROM trades WHERE state = 'paid')"
        " - (SELECT coalesce(sum(amount), 0) FROM refunds WHERE state <> 'refused')"
        " - (SELECT coalesce(sum(amount), 0) FROM remittances)"
    ).fetchone()
    return int(row[0])
