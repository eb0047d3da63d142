"""Sends callbacks until each is answered with `success`, as real channels do."""

import json
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from urllib.parse import urlsplit

import httpx

from app.core import clock
from app.providers.payments import signing
from app.sandbox.record import Due, Record

LOOK_EVERY = 0.5


class Caller:
    """A pool of threads that call the merchants back."""

    def __init__(self, record: Record, merchant: str, key: str) -> None:
        self._record = record
        self._merchant = merchant
        self._key = key
        self._http = httpx.Client(timeout=10, trust_env=False)
        self._pool = ThreadPoolExecutor(8, thread_name_prefix="callback")
        self._stop = threading.Event()
        threading.Thread(target=self._look, name="callbacks", daemon=True).start()

    def send_due(self, number: str | None = None) -> list["Future[None]"]:
        """Send what is due, of all trades or of one."""
        return [self._pool.submit(self._send, due) for due in self._record.due_callbacks(number)]

    def _look(self) -> None:
        while not self._stop.wait(LOOK_EVERY):
            for sent in self.send_due():
                sent.result()

    def _send(self, due: Due) -> None:
        trade = self._record.trade(due.number)
        if trade is None or not self._record.lease_callback(due):
            return
        body = json.dumps({
            "event_id": due.event_id,
            "merchant": self._merchant,
            "number": due.number,
            "trade_number": trade["trade_number"],
            "state": "paid",
            "amount": trade["paid"],
            "currency": trade["currency"],
            "payer": "sandbox",
        }).encode()
        path = urlsplit(trade["notify_url"]).path
        key = "not the key" * 4 if due.is_forged else self._key
        head = signing.headers(key, "POST", path, body, clock.now())
        head["Content-Type"] = "application/json"
        try:
            answer = self._http.post(trade["notify_url"], content=body, headers=head)
        except httpx.HTTPError as error:
            self._record.answer_callback(due.id, type(error).__name__)
            return
        is_success = answer.status_code == 200 and answer.text == "success"
        self._record.answer_callback(due.id, "success" if is_success else str(answer.status_code))
