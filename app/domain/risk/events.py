"""What happened, written down to be counted; by whom, as keyed hashes."""

import ipaddress
from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa

from app.core import clock, db, keys
from app.core.db import session
from app.domain.risk.models import EventKind, Key, RiskEvent

HASH_BYTES = 16
# Behind an address of these is the shop's own machine, house or proxy, and never one visitor: who
# counted by it would take all the shop's buyers for one. (RFC 1918, 4193, 3927, 6598.)
NOT_A_VISITOR = [
    ipaddress.ip_network(text)
    for text in (
        *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
        *("100.64.0.0/10", "::1/128", "fc00::/7", "fe80::/10"),
    )
]

_EVENTS = db.table_of(RiskEvent)
# On the way of every order, so built once.
RECORD = sa.insert(_EVENTS).values(
    {one.name: sa.bindparam(f"event_{one.name}") for one in _EVENTS.c if one.name != "id"}
)
_RECORD = RECORD.returning(_EVENTS.c.id)
# The money of an order has come: who placed it left it unpaid no longer.
SETTLE = (
    sa.update(_EVENTS)
    .where(_EVENTS.c.order_id == sa.bindparam("event_order_id"), _EVENTS.c.kind == EventKind.PLACED)
    .values(unpaid=False)
)
_PLACED = sa.select(*(_EVENTS.c[key.value] for key in Key)).where(
    _EVENTS.c.order_id == sa.bindparam("order_id"), _EVENTS.c.kind == EventKind.PLACED
)


def hashed(known: Mapping[Key, str]) -> dict[Key, bytes]:
    """The keys that say something, each as the hash under which it is counted."""
    return {
        key: keys.index(f"risk:{key.value}", text)[:HASH_BYTES]
        for key, text in known.items()
        if text
    }


def from_address(address: str, network: str) -> dict[Key, str]:
    """The keys that an address gives; none when there is none, or it is not a visitor's own."""
    if not address:
        return {}
    parsed = ipaddress.ip_address(address)
    if any(parsed in inner for inner in NOT_A_VISITOR if inner.version == parsed.version):
        return {}
    return {Key.IP: address, Key.NETWORK: network}


def record(
    kind: EventKind,
    whose: Mapping[Key, bytes],
    *,
    order_id: int | None = None,
    amount: int = 0,
) -> int:
    """Count it from the end of this unit on; its id, should it have to be taken back."""
    db.require_transaction()
    values = values_of(kind, whose, clock.now(), order_id=order_id, amount=amount)
    if kind == EventKind.PAID:
        db.execute(SETTLE, values)
    return int(db.execute(_RECORD, values).scalar_one())


def values_of(
    kind: EventKind,
    whose: Mapping[Key, bytes],
    at: datetime,
    *,
    order_id: int | None,
    amount: int,
) -> dict[str, object]:
    """What the parameters of RECORD stand for."""
    keys_of = {f"event_{key.value}": whose.get(key) for key in Key}
    return keys_of | {
        "event_kind": kind,
        "event_at": at,
        "event_order_id": order_id,
        "event_amount": amount,
        "event_unpaid": kind == EventKind.PLACED,
    }


def take_back(event_id: int) -> None:
    """It did not happen after all."""
    session.execute(sa.delete(RiskEvent).where(RiskEvent.id == event_id))


def keys_of_order(order_id: int) -> dict[Key, bytes]:
    """By what the one who placed an order was known; empty when nobody was asked then."""
    found = db.execute(_PLACED, {"order_id": order_id}).mappings().one_or_none()
    return {Key(name): value for name, value in (found or {}).items() if value is not None}
