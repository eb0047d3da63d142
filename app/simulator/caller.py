"""Ends the orders whose time has come, and tells the merchant in the order's own protocol."""

import secrets
import sqlite3
from collections.abc import Callable, Mapping

import httpx

from app.core.crypto import Secret
from app.outside import caller
from app.outside.callbacks import Due
from app.outside.record import Record, now
from app.simulator import fulu_messages, orders, plain_messages
from app.simulator.conditions import Conditions

MESSAGES: Mapping[str, Callable[[Mapping[str, object], Secret, float], dict[str, str]]] = {
    "plain": plain_messages.callback,
    "fulu": fulu_messages.callback,
}


class Caller(caller.Caller):
    """Calls one merchant back, unless the provider is down."""

    look_every = 0.1

    def __init__(self, record: Record, key: Secret) -> None:
        self._key = key
        self._wrong_key = Secret(secrets.token_hex(32))
        super().__init__(record)

    def take_due(
        self, db: sqlite3.Connection, at: float, most: int, number: str | None
    ) -> list[Due]:
        orders.end_due(db, at)
        return [] if Conditions.now(db).down else super().take_due(db, at, most, number)

    def post(self, due: Due) -> httpx.Response:
        key = self._wrong_key if due.is_forged else self._key
        message = MESSAGES[str(due.body["protocol"])](due.body, key, now())
        return self.http.post(due.url, data=message)
