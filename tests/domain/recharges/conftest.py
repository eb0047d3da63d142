"""Two providers that obey, a product that both can deliver, and books that are audited."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from flask import Flask

from app.core.db import session, transaction
from app.domain.catalog import offers
from app.domain.catalog.models import AccountFormat, Product, ProductKind
from app.domain.catalog.offers import OfferFields
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.orders.models import Order
from app.domain.recharges import queries
from app.domain.recharges.models import Attempt, Recharge
from tests import factories
from tests.fake_provider import ObedientProvider, add_provider, speaking

ACCOUNT = "13912345678"


@dataclass
class Market:
    """`first` is asked before `second`."""

    first: ObedientProvider = field(default_factory=ObedientProvider)
    second: ObedientProvider = field(default_factory=ObedientProvider)
    product: Product = field(init=False)

    def buy(self, account: str = ACCOUNT, quantity: int = 1) -> Order:
        """A paid order; its recharge is asked for and not begun."""
        placed = factories.place(
            self.product,
            quantity=quantity,
            account=RechargeAccount.parse(AccountFormat.PHONE, account),
        )
        assert placed.payment is not None
        factories.settle(placed.payment)
        return factories.fresh(placed.order)

    def recharge(self, order: Order) -> Recharge:
        session.rollback()
        session.expire_all()
        line_id = factories.fresh(order).lines[0].id
        return queries.of_lines([line_id])[line_id]

    def attempts(self, order: Order) -> list[Attempt]:
        return queries.attempts_of(self.recharge(order).id)


@pytest.fixture
def market(app: Flask, channel: object, audited: None) -> Iterator[Market]:
    made = Market()
    with speaking(first=made.first, second=made.second):
        first, second = add_provider("first"), add_provider("second")
        made.product = factories.make_product(
            codes=0, kind=ProductKind.RECHARGE, account_format=AccountFormat.PHONE
        )
        for priority, provider in enumerate((first, second), 1):
            wanted = OfferFields(provider.id, f"SKU{priority}", 2000 + priority, priority)
            transaction(lambda wanted=wanted: offers.add_offer(made.product.id, wanted))
        # What a new provider's balance is, is nobody's question here.
        factories.work()
        yield made
