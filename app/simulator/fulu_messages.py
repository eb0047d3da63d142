"""Fulu's sentences: what is said about an order, and how it is signed.

From the public documents of docs.open.fulu.com, as far as they could be read. Prices are numbers in
yuan in an answer and texts with four decimals in a callback; times are Beijing's.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from app.core.crypto import Secret
from app.simulator import signing
from app.simulator.goods import GOODS
from app.simulator.order import Order

ZONE = ZoneInfo("Asia/Shanghai")
TIME = "%Y-%m-%d %H:%M:%S"
STATES = {"processing": "processing", "delivered": "success", "failed": "failed"}
DIRECT = 4


def answer(secret: Secret, code: int, message: str, result: object = None) -> dict[str, object]:
    """The signed envelope. How Fulu itself signs answers could not be confirmed."""
    text = "" if result is None else json.dumps(result, ensure_ascii=False)
    said: dict[str, object] = {"code": code, "message": message, "result": text}
    return said | {"sign": signing.fulu(secret, said)}


def standing(order: Order) -> dict[str, object]:
    """How an order stands."""
    item = GOODS[order.sku]
    return {
        "order_id": order.reference,
        "customer_order_no": order.number,
        "product_id": int(order.sku),
        "product_name": item.name,
        "charge_account": order.account,
        "buy_num": order.quantity,
        "order_price": float(each(order.cost, order.quantity)),
        "order_type": DIRECT,
        "order_state": STATES[order.state],
        "create_time": time_text(order.taken_at),
        "finish_time": time_text(order.ended_at),
        "area": "",
        "server": "",
        "type": "",
        "operator_serial_number": order.serial,
        "cards": [],
    }


def callback(said: Mapping[str, object], key: Secret, _now: float) -> dict[str, str]:
    """The signed form that tells the merchant; every value is a text."""
    ended_at = said["ended_at"]
    form = {
        "order_id": str(said["reference"]),
        "charge_finish_time": time_text(float(str(ended_at)) if ended_at else None),
        "customer_order_no": str(said["number"]),
        "order_status": STATES[str(said["state"])],
        "recharge_description": str(said["message"]),
        "product_id": str(said["sku"]),
        "price": each(int(str(said["cost"])), int(str(said["quantity"]))),
        "buy_num": str(said["quantity"]),
        "operator_serial_number": str(said["serial"]),
    }
    return form | {"sign": signing.fulu(signing.fulu_secret(key), form)}


def time_text(at: float | None) -> str:
    """A moment as Fulu writes it; empty for none."""
    return "" if at is None else f"{datetime.fromtimestamp(at, ZONE):{TIME}}"


def each(cost: int, quantity: int) -> str:
    """Fulu's prices are those of one piece, in yuan: 9974 fen for two → "49.8700"."""
    return f"{Decimal(cost) / quantity / 100:.4f}"
