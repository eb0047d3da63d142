"""What browsers and a channel send, and what the shop has in it afterwards."""

import io
import json
from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from werkzeug.test import TestResponse

from app.core import clock
from app.core.crypto import Secret
from app.core.db import Base, session
from app.domain.catalog.models import Product
from app.domain.orders.models import (
    OrderState,
    Payment,
    PaymentState,
)
from app.providers.payments import signing
from tests import factories
from tests.web.visitors import Visitor

HOOK = "/hooks/payments/sandbox"
KEY = "k" * 32
UNPAID = (OrderState.PENDING, PaymentState.PENDING)
DELIVERED = (OrderState.DELIVERED, PaymentState.PAID)
# Enough of a product's form.
PRODUCT = {
    "name": "测试卡",
    "price": "30",
    "min_per_order": "1",
    "max_per_order": "9",
    "low_stock_at": "1",
    "position": "0",
}


def contents() -> dict[str, list[Any]]:
    """Every row of every table."""
    session.rollback()
    return {
        table.name: sorted(map(repr, session.execute(sa.select(table))))
        for table in Base.metadata.sorted_tables
    }


def count(model: type[Any]) -> int:
    session.rollback()
    return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def about(payment: Payment, **said: Any) -> bytes:
    """What the channel says about a payment that was made."""
    return json.dumps(
        {
            "event_id": f"E{payment.number}",
            "merchant": "M1",
            "number": payment.number,
            "trade_number": f"T{payment.number}",
            "state": "paid",
            "amount": payment.amount,
            "currency": payment.currency,
            "payer": "play money",
        }
        | said
    ).encode()


def signed(body: bytes, key: str = KEY, path: str = HOOK, age: int = 0) -> dict[str, str]:
    now = clock.now() - timedelta(seconds=age)
    return signing.headers(Secret(key), "POST", path, body, now)


def call(visitor: Visitor, body: bytes, *, path: str = HOOK, **headers: str) -> TestResponse:
    return visitor._open(
        "POST", path, data=body, headers=headers or signed(body, path=path), content_type="x/y"
    )


def waiting(product: Product | None = None, **values: Any) -> Payment:
    """The open payment of an order that was just placed."""
    placed = factories.place(product or factories.make_product(), **values)
    assert placed.payment is not None
    return placed.payment


def standing(payment: Payment) -> tuple[OrderState, PaymentState]:
    session.rollback()
    found = session.get_one(Payment, payment.id, populate_existing=True)
    session.refresh(found.order)
    return found.order.state, found.state


def checkout(product: Product, **values: Any) -> dict[str, Any]:
    return {
        "product": product.slug,
        "quantity": "1",
        "price": product.price,
        "contact": factories.contact(),
        "channel": "sandbox",
        "checkout_key": "k" * 22,
    } | values


def lookup(visitor: Visitor, number: str, contact: str, pickup: str = "") -> TestResponse:
    return visitor.post("/lookup", {"number": number, "contact": contact, "pickup": pickup})


def upload(visitor: Visitor, product: Product, content: bytes, name: str) -> TestResponse:
    file = (io.BytesIO(content), name)
    return visitor.post("/admin/imports", {"product": product.id, "file": file})
