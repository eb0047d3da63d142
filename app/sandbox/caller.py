"""Signs what the channel tells a merchant."""

import json
import secrets
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx

from app.core import clock
from app.core.crypto import Secret
from app.outside import caller
from app.outside.callbacks import Due
from app.outside.record import Record
from app.providers.payments import signing


class Caller(caller.Caller):
    """Calls one merchant back; the first key signs."""

    def __init__(self, record: Record, merchant: str, keys: Sequence[Secret]) -> None:
        self._merchant = merchant
        self._key = keys[0]
        self._wrong_key = Secret(secrets.token_hex(32))
        super().__init__(record)

    def post(self, due: Due) -> httpx.Response:
        body = json.dumps({"merchant": self._merchant, **due.body}).encode()
        key = self._wrong_key if due.is_forged else self._key
        head = signing.headers(key, "POST", urlsplit(due.url).path, body, clock.now())
        head["Content-Type"] = "application/json"
        return self.http.post(due.url, content=body, headers=head)
