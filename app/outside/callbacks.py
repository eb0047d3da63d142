"""Callbacks on their way to a merchant: rows that are due until they are answered."""

import json
import sqlite3
from dataclasses import dataclass

# Seconds until an unanswered callback is sent again, after each try; then it is given up.
AGAIN = (1, 2, 5, 15, 60, 300, 900, 3600)
# Longer than sending may take: what a crash interrupted is sent again.
LEASE = 60


@dataclass(frozen=True)
class Due:
    """A callback to send now."""

    id: int
    url: str
    body: dict[str, object]
    is_forged: bool
    tries: int


def add(
    db: sqlite3.Connection, number: str, url: str, body: str, *, is_forged: bool, due_at: float
) -> None:
    """Have the merchant told so (`body` is a JSON object) at that moment."""
    db.execute(
        "INSERT INTO callbacks (number, url, body, is_forged, due_at) VALUES (?, ?, ?, ?, ?)",
        (number, url, body, is_forged, due_at),
    )


def take_due(db: sqlite3.Connection, now: float, most: int, number: str | None = None) -> list[Due]:
    """Lease up to so many callbacks whose time has come, about all numbers or about one."""
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
    """What the merchant said. Anything but success is sent again, until it is given up."""
    is_over = is_success or due.tries > len(AGAIN)
    db.execute(
        "UPDATE callbacks SET answer = ?, due_at = ? WHERE id = ?",
        (answer, None if is_over else now + AGAIN[due.tries - 1], due.id),
    )
