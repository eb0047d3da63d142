"""How a distributor's sales look when she wants her money."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core import clock
from app.core.db import session, transaction
from app.domain.channels import conduct, links
from app.domain.channels.conduct import Conduct
from app.domain.channels.links import ClickFields
from app.domain.channels.models import Attribution, Distributor
from app.domain.orders.models import Order, OrderState
from tests import earning, factories, sellers


def sell(seller: Distributor, count: int) -> None:
    product = factories.make_product(codes=count)
    for _ in range(count):
        earning.attributed(product, seller)


@pytest.mark.usefixtures("channel")
def test_shares_are_told_of_enough_orders_of_late(app: Flask) -> None:
    seller = sellers.make()
    sell(seller, 19)
    assert conduct.of(seller.id, clock.now()) is None
    sell(seller, 1)
    sell(sellers.make(), 1)
    assert conduct.of(seller.id, clock.now()) == Conduct(0, 0, 0)

    def spoil() -> None:
        hers = session.scalars(
            sa.select(Attribution).where(Attribution.distributor_id == seller.id)
        ).all()
        link = links.link_of(seller, None)
        for number, one in enumerate(hers):
            order = session.get_one(Order, one.order_id)
            if number < 4:
                order.state = OrderState.REFUNDED
            if number < 11:
                click = links.record(link, ClickFields("192.0.2.0/24"))
                click.at = order.created_at - timedelta(seconds=1 if number < 10 else 3)
                one.click_id = click.id
            if number < 5:
                one.earns_nothing_because = "self_purchase"

    transaction(spoil)
    assert conduct.of(seller.id, clock.now()) == Conduct(refunded=20, hasty=50, own=25)
    assert conduct.of(seller.id, clock.now() + timedelta(days=31)) is None
