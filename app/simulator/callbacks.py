"""What a merchant is told about an order, and when."""

import json
import sqlite3
from dataclasses import replace

from app.outside import callbacks
from app.simulator.faults import Faults
from app.simulator.order import Order

STALE_AFTER, CONTRADICTED_AFTER = 1, 2
OPPOSITE = {"delivered": "failed", "failed": "delivered"}


def announce(db: sqlite3.Connection, order: Order, wanted: Faults, now: float) -> None:
    """Have the merchant told how it ended, or not, as the faults want it."""
    if wanted.no_callback:
        return
    due_at = now + wanted.delay
    if wanted.strange_number:
        _add(db, order, {"number": _strange(order.number)}, due_at)
    changed: dict[str, object] = {"cost": order.cost + wanted.callback_cost}
    for _ in range(1 + wanted.duplicates):
        _add(db, order, changed, due_at)
    if wanted.stale:
        _add(db, order, changed | {"state": "processing"}, due_at + STALE_AFTER)
    if wanted.contradiction:
        _add(db, order, changed | {"state": OPPOSITE[order.state]}, due_at + CONTRADICTED_AFTER)


def forge(db: sqlite3.Connection, order: Order, now: float) -> None:
    """Have somebody who has no key say that it was delivered."""
    _add(db, replace(order, ended_at=now), {"state": "delivered"}, now, is_forged=True)


def repeat(db: sqlite3.Connection, order: Order, now: float) -> None:
    """Tell the merchant once more how it stands."""
    _add(db, order, {}, now)


def _add(
    db: sqlite3.Connection,
    order: Order,
    changed: dict[str, object],
    due_at: float,
    *,
    is_forged: bool = False,
) -> None:
    if not order.notify_url:
        return
    said = {
        "protocol": order.protocol,
        "number": order.number,
        "reference": order.reference,
        "state": order.state,
        "sku": order.sku,
        "quantity": order.quantity,
        "cost": order.cost,
        "serial": order.serial,
        "message": order.message,
        "ended_at": order.ended_at,
    }
    body = json.dumps(said | changed)
    callbacks.add(db, order.number, order.notify_url, body, is_forged=is_forged, due_at=due_at)


def _strange(number: str) -> str:
    """A number that nobody sent, one letter off."""
    return f"{number[:-1]}{'0' if number[-1] != '0' else '1'}"
