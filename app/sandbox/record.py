"""What really happened at the channel: trades, refunds, callbacks and faults, in SQLite."""

import json
import secrets
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS trades (
    number TEXT PRIMARY KEY, state TEXT NOT NULL, trade_number TEXT NOT NULL DEFAULT '',
    amount INTEGER NOT NULL DEFAULT 0, paid INTEGER NOT NULL DEFAULT 0,
    currency TEXT NOT NULL DEFAULT '', notify_url TEXT NOT NULL DEFAULT '',
    paid_at REAL, faults TEXT NOT NULL DEFAULT '{}');
CREATE TABLE IF NOT EXISTS refunds (
    number TEXT PRIMARY KEY, payment_number TEXT NOT NULL, amount INTEGER NOT NULL,
    state TEXT NOT NULL, asked INTEGER NOT NULL DEFAULT 0, made_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS callbacks (
    id INTEGER PRIMARY KEY, number TEXT NOT NULL, event_id TEXT NOT NULL, forged INTEGER NOT NULL,
    due_at REAL NOT NULL, tries INTEGER NOT NULL DEFAULT 0, answer TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS callbacks_due ON callbacks (due_at) WHERE answer <> 'success';
"""
# Seconds after each try at which an unanswered callback is sent again.
AGAIN = (1, 2, 5, 15, 60, 300, 900, 3600)


@dataclass(frozen=True)
class Due:
    """A callback whose time has come."""

    id: int
    number: str
    event_id: str
    is_forged: bool
    tries: int


class Refused(Exception):
    """The channel will not, and says why in one word."""


class Record:
    """The channel's database: one connection a thread, one writer at a time."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._local = threading.local()
        self._db.executescript(SCHEMA)

    def trade(self, number: str) -> dict[str, Any] | None:
        row = self._db.execute("SELECT * FROM trades WHERE number = ?", (number,)).fetchone()
        return dict(row) | {"faults": json.loads(row["faults"])} if row else None

    def faults(self, number: str) -> dict[str, Any]:
        """What this trade was told to do wrong; `*` speaks for all that were told nothing."""
        for name in (number, "*"):
            found = self.trade(name)
            if found and found["faults"]:
                return dict(found["faults"])
        return {}

    def set_faults(self, number: str, faults: dict[str, Any]) -> None:
        with self._write() as db:
            db.execute(
                "INSERT INTO trades (number, state, faults) VALUES (?, 'unpaid', ?)"
                " ON CONFLICT (number) DO UPDATE SET faults = excluded.faults",
                (number, json.dumps(faults)),
            )

    def spend_fault(self, number: str, name: str) -> bool:
        """Use up one of `name` times that a fault is wanted; False when none is left."""
        faults = self.faults(number)
        left = int(faults.get(name) or 0)
        if left > 0:
            self.set_faults(number, faults | {name: left - 1})
        return left > 0

    def pay(
        self, number: str, amount: int, currency: str, notify_url: str, *, is_expired: bool
    ) -> dict[str, Any]:
        """Take the money once; raises Refused. Paying a paid trade again changes nothing."""
        faults = self.faults(number)
        with self._write() as db:
            db.execute(
                "INSERT INTO trades (number, state) VALUES (?, 'unpaid')"
                " ON CONFLICT (number) DO NOTHING", (number,),
            )
            trade = db.execute("SELECT * FROM trades WHERE number = ?", (number,)).fetchone()
            if trade["state"] == "paid":
                return dict(trade)
            if (trade["state"] == "closed" or is_expired) and not faults.get("late"):
                raise Refused("closed" if trade["state"] == "closed" else "expired")
            now = time.time()
            paid = amount + int(faults.get("wrong_amount") or 0)
            db.execute(
                "UPDATE trades SET state = 'paid', amount = ?, paid = ?, currency = ?,"
                " notify_url = ?, trade_number = ?, paid_at = ? WHERE number = ?",
                (amount, paid, currency, notify_url, f"SB{secrets.token_hex(8)}", now, number),
            )
            if not faults.get("no_callback"):
                event_id = secrets.token_hex(8)
                due = now + float(faults.get("delay") or 0)
                for _ in range(1 + int(faults.get("duplicates") or 0)):
                    self._add_callback(db, number, event_id, bool(faults.get("forged")), due)
        found = self.trade(number)
        assert found is not None
        return found

    def call_back_now(self, number: str) -> None:
        """Send the callback once more, under the event it had."""
        with self._write() as db:
            row = db.execute(
                "SELECT event_id FROM callbacks WHERE number = ? ORDER BY id", (number,)
            ).fetchone()
            event_id = row["event_id"] if row else secrets.token_hex(8)
            self._add_callback(db, number, event_id, False, time.time())

    def close(self, number: str) -> str:
        """Take no money for this number any more, also if it was never seen; paid | closed."""
        with self._write() as db:
            db.execute(
                "INSERT INTO trades (number, state) VALUES (?, 'closed')"
                " ON CONFLICT (number) DO UPDATE SET state = 'closed' WHERE state = 'unpaid'",
                (number,),
            )
        trade = self.trade(number)
        return "paid" if trade and trade["state"] == "paid" else "closed"

    def refund(self, number: str, payment_number: str, amount: int) -> dict[str, Any]:
        """Send money back once under this number; raises Refused."""
        faults = self.faults(payment_number)
        with self._write() as db:
            row = db.execute("SELECT * FROM refunds WHERE number = ?", (number,)).fetchone()
            if row is not None:
                return dict(row)
            trade = db.execute(
                "SELECT * FROM trades WHERE number = ? AND state = 'paid'", (payment_number,)
            ).fetchone()
            if trade is None:
                raise Refused("no such payment")
            back = db.execute(
                "SELECT coalesce(sum(amount), 0) FROM refunds WHERE payment_number = ?",
                (payment_number,),
            ).fetchone()[0]
            if amount <= 0 or back + amount > trade["paid"]:
                raise Refused("more than was paid")
            if faults.get("refund_refused"):
                raise Refused("the bank said no")
            state = "pending" if faults.get("refund_pending") else "succeeded"
            db.execute(
                "INSERT INTO refunds (number, payment_number, amount, state, made_at)"
                " VALUES (?, ?, ?, ?, ?)",
                (number, payment_number, amount, state, time.time()),
            )
        return self.refund_standing(number) or {}

    def refund_standing(self, number: str) -> dict[str, Any] | None:
        """A refund; one that is pending succeeds after as many questions as its fault says."""
        with self._write() as db:
            row = db.execute("SELECT * FROM refunds WHERE number = ?", (number,)).fetchone()
            if row is None:
                return None
            patience = int(self.faults(row["payment_number"]).get("refund_pending") or 0)
            if row["state"] == "pending" and row["asked"] >= patience:
                db.execute("UPDATE refunds SET state = 'succeeded' WHERE number = ?", (number,))
            db.execute("UPDATE refunds SET asked = asked + 1 WHERE number = ?", (number,))
            return dict(db.execute("SELECT * FROM refunds WHERE number = ?", (number,)).fetchone())

    def refunds(self, payment_number: str) -> list[dict[str, Any]]:
        rows = self._db.execute(
            "SELECT * FROM refunds WHERE payment_number = ? ORDER BY rowid", (payment_number,)
        )
        return [dict(row) for row in rows]

    def callbacks(self, number: str) -> list[dict[str, Any]]:
        rows = self._db.execute("SELECT * FROM callbacks WHERE number = ? ORDER BY id", (number,))
        return [dict(row) for row in rows]

    def due_callbacks(self, number: str | None = None) -> list[Due]:
        """Callbacks to send now: all, or those of one trade."""
        rows = self._db.execute(
            "SELECT * FROM callbacks WHERE answer <> 'success' AND due_at <= ? AND tries <= ?"
            " AND (number = ? OR ? IS NULL) ORDER BY id",
            (time.time(), len(AGAIN), number, number),
        )
        return [
            Due(row["id"], row["number"], row["event_id"], bool(row["forged"]), row["tries"])
            for row in rows
        ]

    def lease_callback(self, due: Due) -> bool:
        """Take a callback for sending; False when another thread has it."""
        again = time.time() + AGAIN[min(due.tries, len(AGAIN) - 1)]
        with self._write() as db:
            taken = db.execute(
                "UPDATE callbacks SET tries = tries + 1, due_at = ? WHERE id = ? AND tries = ?",
                (again, due.id, due.tries),
            )
            return taken.rowcount == 1

    def answer_callback(self, callback_id: int, answer: str) -> None:
        with self._write() as db:
            db.execute("UPDATE callbacks SET answer = ? WHERE id = ?", (answer[:100], callback_id))

    def of_day(self, start: float, end: float) -> Iterator[tuple[str, str, str, int]]:
        """(kind, our number, channel's number, amount) of a day's trades and refunds."""
        for row in self._db.execute(
            "SELECT number, trade_number, paid FROM trades WHERE paid_at >= ? AND paid_at < ?",
            (start, end),
        ):
            yield "payment", row["number"], row["trade_number"], row["paid"]
        for row in self._db.execute(
            "SELECT number, payment_number, amount FROM refunds"
            " WHERE made_at >= ? AND made_at < ? AND state = 'succeeded'", (start, end),
        ):
            yield "refund", row["number"], row["payment_number"], -row["amount"]

    @staticmethod
    def _add_callback(
        db: sqlite3.Connection, number: str, event_id: str, is_forged: bool, due_at: float
    ) -> None:
        db.execute(
            "INSERT INTO callbacks (number, event_id, forged, due_at) VALUES (?, ?, ?, ?)",
            (number, event_id, int(is_forged), due_at),
        )

    @property
    def _db(self) -> sqlite3.Connection:
        found: sqlite3.Connection | None = getattr(self._local, "db", None)
        if found is None:
            found = sqlite3.connect(self._path, isolation_level=None, timeout=15)
            found.row_factory = sqlite3.Row
            found.execute("PRAGMA journal_mode=WAL")
            found.execute("PRAGMA synchronous=NORMAL")
            self._local.db = found
        return found

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        db = self._db
        if db.in_transaction:
            yield db
            return
        db.execute("BEGIN IMMEDIATE")
        try:
            yield db
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise
