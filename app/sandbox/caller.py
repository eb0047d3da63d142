"""Sends callbacks until each is answered with `success`, as real channels do."""

import json
import secrets
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx

from app.core import clock
from app.core.crypto import Secret
from app.providers.payments import signing
from app.sandbox import callbacks
from app.sandbox.callbacks import Due
from app.sandbox.record import Record

TIMEOUT = httpx.Timeout(10, connect=3)
# Shorter than a server keeps an idle connection: none is used at the moment it is closed.
KEEP_IDLE = httpx.Limits(keepalive_expiry=2)
THREADS = 8
# Sending or about to: few enough that all are sent before their lease ends.
MOST_AT_ONCE = 2 * THREADS
LOOK_EVERY = 0.5


class Caller:
    """A pool of threads that call the merchant back."""

    def __init__(self, record: Record, merchant: str, keys: Sequence[Secret]) -> None:
        self._record = record
        self._merchant = merchant
        self._key = keys[0]
        self._wrong_key = Secret(secrets.token_hex(32))
        self._http = httpx.Client(timeout=TIMEOUT, limits=KEEP_IDLE, trust_env=False)
        self._pool = ThreadPoolExecutor(THREADS, thread_name_prefix="callback")
        self._at_once = 0
        self._look_now = threading.Event()
        threading.Thread(target=self._look, name="callbacks", daemon=True).start()

    def send_due(self, number: str | None = None) -> list["Future[None]"]:
        """Send what is due, of all trades or of one; what there is no room for, a little later."""
        now = clock.now().timestamp()
        with self._record.unit() as db:
            taken = callbacks.take_due(db, now, MOST_AT_ONCE - self._at_once, number)
            self._at_once += len(taken)
        return [self._pool.submit(self._send, due) for due in taken]

    def _look(self) -> None:
        while True:
            self.send_due()
            self._look_now.wait(LOOK_EVERY)
            self._look_now.clear()

    def _send(self, due: Due) -> None:
        answer, is_success = self._post(due)
        now = clock.now().timestamp()
        with self._record.unit() as db:
            callbacks.answered(db, due, answer, now, is_success=is_success)
            if self._at_once == MOST_AT_ONCE:
                self._look_now.set()
            self._at_once -= 1

    def _post(self, due: Due) -> tuple[str, bool]:
        """The merchant's answer, or why there was none."""
        body = json.dumps({"merchant": self._merchant, **due.body}).encode()
        key = self._wrong_key if due.is_forged else self._key
        head = signing.headers(key, "POST", urlsplit(due.url).path, body, clock.now())
        head["Content-Type"] = "application/json"
        try:
            answer = self._http.post(due.url, content=body, headers=head)
        except httpx.HTTPError as error:
            return type(error).__name__, False
        return str(answer.status_code), answer.status_code == 200 and answer.text == "success"
