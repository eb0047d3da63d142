"""Plain functions that make legal things: every one goes through the services, as people do."""

import itertools
import os
from datetime import timedelta

import sqlalchemy as sa

from app.core import clock, ids, keys, outbox
from app.core.db import session, transaction
from app.core.outbox import OutboxRow, OutboxState
from app.domain.accounts.contacts import Contact
from app.domain.catalog import service as catalog
from app.domain.catalog.models import Product
from app.domain.catalog.rules import ProductFields
from app.domain.orders import placing, queries, settling
from app.domain.orders.models import Order, Payment, Verdict
from app.domain.redemptions import policies
from app.domain.redemptions.validity import Policy
from app.domain.vault import own_codes, storing
from app.domain.vault.models import Batch, BatchState
from app.domain.vault.rules import last_four, normalise

ZONE = "Asia/Shanghai"
PRICE = 3000
_numbers = itertools.count(10_000_000)


def contact() -> str:
    """A phone number nobody else has."""
    return f"138{next(_numbers)}"


def add_batch(product: Product, codes: list[str], **values: object) -> Batch:
    """An open batch of these codes; within a unit of work."""
    batch = Batch(
        **{
            "uid": os.urandom(16),
            "product_id": product.id,
            "data_key_id": keys.create(keys.KeyPurpose.BATCH).id,
            "state": BatchState.OPEN,
            "name": "test",
            "created_by": "test",
        }
        | values
    )
    session.add(batch)
    session.flush()
    new = [
        storing.NewCode(
            code,
            keys.index("code", normalise(code, case_sensitive=product.codes_case_sensitive)),
            last_four(code),
        )
        for code in codes
    ]
    storing.store(batch.id, storing.seal(batch, new))
    return batch


def make_product(codes: int = 5, **fields: object) -> Product:
    """A product on sale with so many codes on its shelf; `policy` are its rules of use."""

    def make() -> Product:
        policy = fields.pop("policy", None)
        product = catalog.create_product(
            ProductFields(**({"name": "测试卡", "price": PRICE} | fields))  # type: ignore[arg-type]
        )
        if isinstance(policy, Policy):
            policies.set_policy(product.id, policy)
        catalog.put_on_sale(product.id)
        if codes:
            add_batch(product, own_codes.generate(codes))
        return product

    return transaction(make)


def purchase(product: Product, **values: object) -> placing.Purchase:
    """What the product's page would send."""
    who = Contact.parse(str(values.pop("phone", None) or contact()))
    return placing.Purchase(
        **{
            "checkout_key": ids.token(),
            "product_id": product.id,
            "quantity": 1,
            "shown_price": product.price,
            "contact": who,
            "channel": "sandbox",
            "pickup_hash": None,
            "person_id": None,
            "ip": "203.0.113.7",
            "network": f"net-{next(_numbers)}",
            "language": "zh",
        }
        | values  # type: ignore[arg-type]
    )


def terms(hold: timedelta = timedelta(minutes=15)) -> placing.Terms:
    return placing.Terms(hold=hold, today=clock.today(ZONE))


def place(product: Product, **values: object) -> placing.Placed:
    wanted = purchase(product, **values)
    return transaction(lambda: placing.place(wanted, terms()))


def receipt(payment: Payment, **values: object) -> settling.Receipt:
    """The channel's word that the payment was made."""
    return settling.Receipt(
        **{
            "channel": payment.channel,
            "event_id": f"event-{payment.number}",
            "number": payment.number,
            "trade_number": f"T{payment.number}",
            "amount": payment.amount,
            "currency": payment.currency,
            "payer": "",
            "source": "callback",
        }
        | values  # type: ignore[arg-type]
    )


def settle(payment: Payment, **values: object) -> Verdict:
    message = receipt(payment, **values)
    return transaction(lambda: settling.settle(message, clock.today(ZONE)))


def buy(product: Product, **values: object) -> Order:
    """An order that is paid and delivered."""
    placed = place(product, **values)
    assert placed.payment is not None
    assert settle(placed.payment) == Verdict.PAID
    return fresh(placed.order)


def fresh(order: Order) -> Order:
    """The order as the database has it now."""
    session.rollback()
    session.expire_all()
    return queries.find(order.number)


def work() -> None:
    """Run every job that is due, as the workers would, until none is left."""
    for _ in range(100):
        session.rollback()
        ids_due = list(
            session.scalars(
                sa.select(OutboxRow.id).where(
                    OutboxRow.state == OutboxState.READY, OutboxRow.due_at <= clock.now()
                )
            )
        )
        session.rollback()
        if not ids_due:
            return
        for row_id in ids_due:
            outbox.run(row_id)
    raise AssertionError("jobs keep asking for jobs")


def take_over() -> None:
    """A lease that a dead worker held has run out: its rows wait for others."""
    transaction(
        lambda: session.execute(
            sa.update(OutboxRow)
            .where(OutboxRow.state == OutboxState.RUNNING, OutboxRow.lease_until < clock.now())
            .values(state=OutboxState.READY, lease=None, rung_at=None)
        )
    )
