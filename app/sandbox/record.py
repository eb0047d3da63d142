"""What really happened at the channel: its database, a SQLite file of its own."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# Moments are seconds since 1970; amounts are minor units. A trade without an amount was closed
# before anybody opened it: nobody can pay it any more.
SCHEMA = """
CREATE TABLE IF NOT EXISTS trades (
    number TEXT PRIMARY KEY,
    trade_number TEXT NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('unpaid', 'paid', 'closed')),
    amount INTEGER NOT NULL DEFAULT 0,
    currency TEXT NOT NULL DEFAULT '',
    notify_url TEXT NOT NULL DEFAULT '',
    paid INTEGER NOT NULL DEFAULT 0,
    opened_at REAL NOT NULL,
    closed_at REAL,
    paid_at REAL);
CREATE INDEX IF NOT EXISTS trades_paid_at ON trades (paid_at);
CREATE TABLE IF NOT EXISTS refunds (
    number TEXT PRIMARY KEY,
    payment_number TEXT NOT NULL REFERENCES trades,
    amount INTEGER NOT NULL CHECK (amount > 0),
    state TEXT NOT NULL CHECK (state IN ('pending', 'succeeded', 'refused')),
    ends_as TEXT NOT NULL CHECK (ends_as IN ('succeeded', 'refused')),
    asks_left INTEGER NOT NULL,
    reason TEXT NOT NULL,
    asked_at REAL NOT NULL,
    settled_at REAL);
CREATE INDEX IF NOT EXISTS refunds_of_payment ON refunds (payment_number);
CREATE INDEX IF NOT EXISTS refunds_settled_at ON refunds (settled_at);
CREATE TABLE IF NOT EXISTS callbacks (
    id INTEGER PRIMARY KEY,
    number TEXT NOT NULL REFERENCES trades,
    url TEXT NOT NULL,
    body TEXT NOT NULL,
    is_forged INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    answer TEXT NOT NULL DEFAULT '',
    due_at REAL);
CREATE INDEX IF NOT EXISTS callbacks_due ON callbacks (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS callbacks_of_trade ON callbacks (number);
CREATE TABLE IF NOT EXISTS faults (number TEXT PRIMARY KEY, wanted TEXT NOT NULL);
"""


class Record:
    """One connection that the process's threads take turns with: SQLite has one writer anyhow."""

    def __init__(self, path: Path) -> None:
        self._turn = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, timeout=15, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(SCHEMA)

    @contextmanager
    def unit(self) -> Iterator[sqlite3.Connection]:
        """All of it or nothing. Not nestable; nothing slow belongs inside."""
        with self._turn:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield self._db
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")
