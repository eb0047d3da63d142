"""Products that are recharged, redeemed or shown at the counter, for tests that walk the pages."""

from dataclasses import dataclass

import sqlalchemy as sa

from app.core.db import session, transaction
from app.domain.catalog import offers
from app.domain.catalog.models import AccountFormat, Product, ProductKind
from app.domain.catalog.offers import OfferFields
from app.domain.orders.models import Order
from app.domain.redemptions.validity import Policy
from app.domain.vault import own_codes
from app.domain.vault.models import Code
from tests import factories
from tests.fake_provider import add_provider

ACCOUNT = "13912345678"


@dataclass
class Sold:
    """An order with one code of ours, and the text of the code."""

    order: Order
    code_id: int
    text: str


def recharged(name: str = "one", **fields: object) -> Product:
    """A product that the provider of that name delivers into an account."""
    wanted = {"kind": ProductKind.RECHARGE, "account_format": AccountFormat.PHONE} | fields
    product = factories.make_product(codes=0, **wanted)
    provider = add_provider(name)
    transaction(lambda: offers.add_offer(product.id, OfferFields(provider.id, "S1", 100)))
    return product


def redeemable(name: str = "one") -> Product:
    """A product whose code is redeemed for what that provider delivers."""
    return recharged(name, kind=ProductKind.REDEEM)


def multi(uses: int = 3) -> Product:
    """A pass of so many uses."""
    return factories.make_product(
        codes=0, kind=ProductKind.MULTI, name="健身次卡", policy=Policy(uses_total=uses)
    )


def sell(product: Product, **values: object) -> Sold:
    """Stock one code of our own and sell it."""
    (text,) = own_codes.generate(1)
    transaction(lambda: factories.add_batch(product, [text]))
    order = factories.buy(product, **values)
    code_id = session.scalars(
        sa.select(Code.id).where(Code.order_line_id == order.lines[0].id)
    ).one()
    session.rollback()
    return Sold(order, code_id, text)
