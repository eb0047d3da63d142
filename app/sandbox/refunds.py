"""Refunds: once per number, never more than was paid."""

import sqlite3
from dataclasses import dataclass

from app.sandbox import trades
from app.sandbox.faults import Faults


class Conflicting(Exception):
    """This number belongs to another refund."""


@dataclass(frozen=True)
class Refund:
    """A row of `refunds`; `reason` says why it was refused."""

    number: str
    payment_number: str
    amount: int
    state: str
    ends_as: str
    asks_left: int
    reason: str
    asked_at: float
    settled_at: float | None


def find(db: sqlite3.Connection, number: str) -> Refund | None:
    row = db.execute("SELECT * FROM refunds WHERE number = ?", (number,)).fetchone()
    return Refund(**row) if row else None


def refund(
    db: sqlite3.Connection, number: str, payment_number: str, amount: int, now: float
) -> tuple[str, str]:
    """Send money back once; (succeeded | pending | refused, why refused). Raises Conflicting.

    A refused refund moved nothing, and may be sent again under its number.
    """
    already = find(db, number)
    if already and (already.payment_number, already.amount) != (payment_number, amount):
        raise Conflicting
    if already and already.state != "refused":
        return already.state, ""
    trade = trades.find(db, payment_number)
    if trade is None or trade.state != "paid":
        return "refused", "no such payment"
    if amount <= 0 or sent_back(db, payment_number) + amount > trade.paid:
        return "refused", "more than was paid"
    wanted = Faults.of(db, payment_number)
    ends_as, reason = (
        ("refused", "the bank said no") if wanted.refund_refused else ("succeeded", "")
    )
    state = "pending" if wanted.refund_pending else ends_as
    db.execute(
        "INSERT OR REPLACE INTO refunds (number, payment_number, amount, state, ends_as,"
        " asks_left, reason, asked_at, settled_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            number,
            payment_number,
            amount,
            state,
            ends_as,
            wanted.refund_pending,
            reason,
            now,
            None if state == "pending" else now,
        ),
    )
    return state, "" if state == "pending" else reason


def ask(db: sqlite3.Connection, number: str, now: float) -> tuple[str, str]:
    """(state, why refused); not_found for a number it never took. A pending one ends by asking."""
    found = find(db, number)
    if found is None:
        return "not_found", ""
    if found.state != "pending":
        return found.state, found.reason
    if found.asks_left > 1:
        db.execute("UPDATE refunds SET asks_left = asks_left - 1 WHERE number = ?", (number,))
        return "pending", ""
    db.execute(
        "UPDATE refunds SET state = ends_as, asks_left = 0, settled_at = ? WHERE number = ?",
        (now, number),
    )
    return found.ends_as, found.reason


def sent_back(db: sqlite3.Connection, payment_number: str) -> int:
    """What has been sent back of a payment, or is on its way."""
    row = db.execute(
        "SELECT coalesce(sum(amount), 0) FROM refunds"
        " WHERE payment_number = ? AND state <> 'refused'",
        (payment_number,),
    ).fetchone()
    return int(row[0])
