"""Plain functions that fill a distributor's balance and buy from it, as the portal does."""

from app.core import clock, ids
from app.core.db import session, transaction
from app.domain.accounts.contacts import Contact
from app.domain.catalog.models import Product
from app.domain.channels import balance, purchasing
from app.domain.channels.models import Distributor
from app.domain.orders.balances import Recipient
from app.domain.orders.models import Order, Verdict
from app.domain.orders.placing import Placed, Purchase
from tests import factories


def who(seller: Distributor, product: Product | None = None, **values: object) -> Purchase:
    """What a page of the portal sends of her."""
    return Purchase(
        **{
            "checkout_key": ids.token(),
            "product_id": product.id if product else 0,
            "quantity": 1,
            "shown_price": purchasing.offer_of(product, seller).price if product else 0,
            "contact": Contact.parse("13900139000"),
            "channel": "sandbox",
            "pickup_hash": None,
            "person_id": seller.person_id,
            "ip": "203.0.113.7",
            "network": "net",
            "language": "zh",
            "balance_of": seller.uid,
        }
        | values  # type: ignore[arg-type]
    )


def ask(seller: Distributor, amount: int, **values: object) -> Placed:
    wanted = who(seller, **values)
    return transaction(lambda: balance.top_up(wanted, amount, "余额充值"))


def fill(seller: Distributor, amount: int) -> Order:
    placed = ask(seller, amount)
    assert placed.payment is not None
    assert factories.settle(placed.payment) == Verdict.PAID
    return placed.order


def buy(seller: Distributor, product: Product, *recipients: Recipient, **values: object) -> Order:
    wanted, seller_id = who(seller, product, **values), seller.id
    today = clock.today(factories.ZONE)
    order = transaction(lambda: purchasing.buy(seller_id, wanted, recipients, today))
    return factories.fresh(order)


def has(seller: Distributor) -> int:
    """What she can buy from, as the database has it now."""
    session.rollback()
    return balance.of(seller.uid)
