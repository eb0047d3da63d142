"""Trades: opened by a pay link, paid or closed, never both."""

import secrets
import sqlite3
from dataclasses import dataclass

from app.sandbox import callbacks
from app.sandbox.faults import Faults
from app.sandbox.links import PayLink


class Refused(Exception):
    """The channel takes no money for this: `closed`, `expired`, or `reused` for another amount."""


@dataclass(frozen=True)
class Trade:
    """A row of `trades`. `amount` was asked for, `paid` was paid; 0 while nobody did."""

    number: str
    trade_number: str
    state: str
    amount: int
    currency: str
    notify_url: str
    paid: int
    opened_at: float
    closed_at: float | None
    paid_at: float | None


def find(db: sqlite3.Connection, number: str) -> Trade | None:
    row = db.execute("SELECT * FROM trades WHERE number = ?", (number,)).fetchone()
    return Trade(**row) if row else None


def standing(db: sqlite3.Connection, link: PayLink, now: float) -> str:
    """Open the trade; `unpaid`, or why it cannot be paid: paid, closed, expired, reused."""
    trade = _open(db, link, now)
    if (trade.amount, trade.currency) != (link.amount, link.currency):
        return "reused"
    if trade.state == "unpaid" and link.expires_at <= now:
        return "expired"
    return trade.state


def pay(db: sqlite3.Connection, link: PayLink, now: float) -> None:
    """Take the money and have the merchant called; raises Refused. Paying twice pays once."""
    state, wanted = standing(db, link, now), Faults.of(db, link.number)
    if state == "paid":
        return
    if state != "unpaid" and not (wanted.late and state in ("closed", "expired")):
        raise Refused(state)
    if not wanted.forgery:
        db.execute(
            "UPDATE trades SET state = 'paid', paid = ?, paid_at = ? WHERE number = ?",
            (max(1, link.amount + wanted.wrong_amount), now, link.number),
        )
    callbacks.announce(db, link.number, wanted, now)


def close(db: sqlite3.Connection, number: str, now: float) -> str:
    """Take no money for this number any more, even if it was never seen; closed | paid."""
    db.execute(
        "INSERT INTO trades (number, trade_number, state, opened_at, closed_at)"
        " VALUES (?, ?, 'closed', ?, ?) ON CONFLICT (number) DO UPDATE"
        " SET state = 'closed', closed_at = excluded.closed_at WHERE state = 'unpaid'",
        (number, _trade_number(), now, now),
    )
    state: str = db.execute("SELECT state FROM trades WHERE number = ?", (number,)).fetchone()[0]
    return state


def _open(db: sqlite3.Connection, link: PayLink, now: float) -> Trade:
    """The trade of a link; one that was closed unseen learns what it would have been."""
    db.execute(
        "INSERT INTO trades"
        " (number, trade_number, state, amount, currency, notify_url, opened_at)"
        " VALUES (?, ?, 'unpaid', ?, ?, ?, ?) ON CONFLICT (number) DO UPDATE"
        " SET amount = excluded.amount, currency = excluded.currency,"
        " notify_url = excluded.notify_url WHERE amount = 0",
        (link.number, _trade_number(), link.amount, link.currency, link.notify_url, now),
    )
    trade = find(db, link.number)
    assert trade is not None
    return trade


def _trade_number() -> str:
    return f"SB{secrets.token_hex(10).upper()}"
