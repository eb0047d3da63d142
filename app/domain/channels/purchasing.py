"""What a distributor buys from her balance, at her tier's price.

Such an order is nobody's to earn on: it is her own purchase, no attribution is written for it, so
it has no commission and counts towards no tier.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import sqlalchemy as sa

from app.core import audit
from app.core.db import session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.domain.catalog import queries as catalog
from app.domain.catalog.models import CODED, Product
from app.domain.channels import balance, costs, queries
from app.domain.channels.models import Distributor, DistributorState, Tier
from app.domain.orders import balances
from app.domain.orders import queries as orders
from app.domain.orders.balances import Recipient
from app.domain.orders.models import Order, Payment
from app.domain.orders.placing import Purchase
from app.domain.orders.rules import BALANCE
from app.domain.pricing.rules import Item


@dataclass(frozen=True)
class Offer:
    """A product as she can buy it; minor units."""

    product: Product
    price: int

    @property
    def is_cheaper(self) -> bool:
        return self.price < self.product.price


def offer_of(product: Product, distributor: Distributor) -> Offer:
    """The product at her tier's price, rounded as pricing does."""
    item = Item(product.id, product.price, 1, distributor.tier.discount_bp)
    return Offer(product, item.price)


def below_cost(tiers: Sequence[Tier]) -> dict[int, list[str]]:
    """Names of the products on sale that each tier's price sells below their cost, by tier."""
    known = costs.of_products()
    on_sale = session.scalars(catalog.on_sale().where(Product.id.in_(known))).unique().all()
    return {
        tier.id: [
            one.name
            for one in on_sale
            if Item(one.id, one.price, 1, tier.discount_bp).price < known[one.id]
        ]
        for tier in tiers
    }


def buy(
    distributor_id: int, purchase: Purchase, recipients: Sequence[Recipient], today: date
) -> Order:
    """Buy from her balance; `purchase.shown_price` is the price of hers that she saw.

    Raises Refusal, Conflict and changes nothing then: she sells no longer, another price, no
    stock, not enough balance (field `balance`).
    """
    one = queries.lock(distributor_id)
    if one.state != DistributorState.ACTIVE:
        raise Conflict(N_("分销资格已暂停，现在不能进货"))
    order = balances.buy(
        replace(purchase, balance_of=one.uid), one.tier.discount_bp, recipients, today
    )
    balance.tell_if_low(one, order)
    return order


def purchases_of(uid: str) -> sa.Select[Order]:
    """What she bought from her balance, top-ups not among it."""
    is_paid_from = sa.exists().where(Payment.order_id == Order.id, Payment.channel == BALANCE)
    return sa.select(Order).where(Order.balance_of == uid, is_paid_from)


def find(uid: str, number: str) -> Order:
    """A purchase of hers; raises NotFound for whatever else."""
    found = session.scalar(purchases_of(uid).where(Order.number == number))
    if found is None:
        raise NotFound(N_("没有找到这个订单"))
    return orders.find(number)


def lines_with_codes(order: Order) -> list[int]:
    """The lines of which she may have the codes; raises Refusal when there is none."""
    found = [line.id for line in order.lines if line.kind in CODED and line.delivered_at]
    if not found:
        raise Refusal(N_("这个订单没有可以下载的卡密"))
    return found


def note_download(order: Order, codes: int) -> None:
    """The codes of an order left as a file: who, when, how many."""
    audit.record("purchase.download", "orders", order.id, codes=codes)
