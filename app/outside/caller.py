"""Sends callbacks until each is answered with `success`, as real channels and providers do."""

import sqlite3
import threading
from concurrent.futures import Future, ThreadPoolExecutor

import httpx

from app.core.tls import TLS
from app.outside import callbacks
from app.outside.callbacks import Due
from app.outside.record import Record, now

TIMEOUT = httpx.Timeout(10, connect=3)
# Shorter than a server keeps an idle connection: none is used at the moment it is closed.
KEEP_IDLE = httpx.Limits(keepalive_expiry=2)
THREADS = 8
# Sending or about to: few enough that all are sent before their lease ends.
MOST_AT_ONCE = 2 * THREADS


class Caller:
    """A pool of threads that call the merchant back; a subclass says how one is signed and sent."""

    # Seconds between two looks at what is due.
    look_every = 0.5

    def __init__(self, record: Record) -> None:
        self._record = record
        self.http = httpx.Client(timeout=TIMEOUT, limits=KEEP_IDLE, trust_env=False, verify=TLS)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="callback")
        self._at_once = 0
        self._look_now, self._is_over = threading.Event(), threading.Event()
        self._looking = threading.Thread(target=self._look, name="callbacks", daemon=True)
        self._looking.start()

    def post(self, due: Due) -> httpx.Response:
        """Sign and send it; raises httpx.HTTPError, httpx.InvalidURL."""
        raise NotImplementedError

    def take_due(
        self, db: sqlite3.Connection, at: float, most: int, number: str | None
    ) -> list[Due]:
        """What to send at this moment, in the unit that leases it."""
        return callbacks.take_due(db, at, most, number)

    def send_due(self, number: str | None = None) -> list["Future[None]"]:
        """Send what is due, about all numbers or about one; what has no room, a little later."""
        with self._record.unit() as db:
            taken = self.take_due(db, now(), MOST_AT_ONCE - self._at_once, number)
            self._at_once += len(taken)
        return [self._pool.submit(self._send, due) for due in taken]

    def stop(self) -> None:
        """Begin no more; what is due stays due, and is sent by whoever comes next."""
        self._is_over.set()
        self._look_now.set()
        self._looking.join()

    def look_soon(self) -> None:
        """Have it looked at once more without delay, by the thread that looks."""
        self._look_now.set()

    def _look(self) -> None:
        while not self._is_over.is_set():
            self.send_due()
            self._look_now.wait(self.look_every)
            self._look_now.clear()

    def _send(self, due: Due) -> None:
        try:
            given = self.post(due)
            answer = str(given.status_code)
            is_success = given.status_code == 200 and given.text == "success"
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            answer, is_success = type(error).__name__, False
        with self._record.unit() as db:
            callbacks.answered(db, due, answer, now(), is_success=is_success)
            if self._at_once == MOST_AT_ONCE:
                self._look_now.set()
            self._at_once -= 1
