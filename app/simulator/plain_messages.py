"""The plain protocol's sentences: what is said about an order, and how it is signed."""

from collections.abc import Mapping

from app.core.crypto import Secret
from app.core.money import yuan
from app.simulator import signing
from app.simulator.order import Order


def standing(order: Order) -> dict[str, object]:
    """How an order stands."""
    return {
        "code": "ok",
        "state": order.state,
        "reference": order.reference,
        "message": order.message,
        "cost": plain_yuan(order.cost),
        "serial": order.serial,
    }


def callback(said: Mapping[str, object], key: Secret, now: float) -> dict[str, str]:
    """The signed form that tells the merchant."""
    names = ("number", "state", "reference", "message", "serial")
    form = {name: str(said[name]) for name in names}
    form |= {"cost": plain_yuan(int(str(said["cost"]))), "timestamp": str(int(now))}
    return form | {"sign": signing.plain(key, form)}


def plain_yuan(amount: int) -> str:
    """123456 fen → "1234.56"."""
    return yuan(amount).replace(",", "")
