"""What really happened: the database of such a process, a SQLite file of its own."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.core import clock

# What all of them keep. Moments are seconds since 1970.
SCHEMA = """
CREATE TABLE IF NOT EXISTS callbacks (
    id INTEGER PRIMARY KEY,
    number TEXT NOT NULL,
    url TEXT NOT NULL,
    body TEXT NOT NULL,
    is_forged INTEGER NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    answer TEXT NOT NULL DEFAULT '',
    due_at REAL);
CREATE INDEX IF NOT EXISTS callbacks_due ON callbacks (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX IF NOT EXISTS callbacks_of_number ON callbacks (number);
CREATE TABLE IF NOT EXISTS faults (number TEXT PRIMARY KEY, wanted TEXT NOT NULL);
"""


class Record:
    """One connection that the process's threads take turns with: SQLite has one writer anyhow."""

    def __init__(self, path: Path, schema: str) -> None:
        self._turn = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, timeout=15, check_same_thread=False)
        self._db.row_factory = sqlite3.Row
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(SCHEMA + schema)

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


def now() -> float:
    """This moment, in seconds since 1970, as the record keeps it."""
    return clock.now().timestamp()
