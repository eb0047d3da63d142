"""Which providers can deliver a product, at what cost and in which order."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.core import audit
from app.core.db import session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.domain.catalog.models import RECHARGED, Offer, Product, RechargeProvider
from app.domain.catalog.queries import lock_product
from app.domain.catalog.rules import MAX_PRICE

SKU_LENGTH = 100
LAST_PRIORITY = 99


@dataclass(frozen=True)
class OfferFields:
    """What staff decide about an offer. `cost` in minor units, of one."""

    provider_id: int
    sku: str
    cost: int
    priority: int = 1
    is_on: bool = True


def add_offer(product_id: int, fields: OfferFields) -> Offer:
    """One more way to deliver a product; raises Refusal, Conflict."""
    product = lock_product(product_id)
    if product.kind not in RECHARGED:
        raise Conflict(N_("这类商品不需要充值供应商"))
    _check(fields)
    if session.get(RechargeProvider, fields.provider_id) is None:
        raise Refusal(N_("请选择供应商"), field="provider_id")
    _refuse_double(product_id, fields)
    offer = Offer(
        product_id=product_id,
        provider_id=fields.provider_id,
        sku=fields.sku.strip(),
        cost=fields.cost,
        priority=fields.priority,
        is_on=fields.is_on,
    )
    session.add(offer)
    session.flush()
    audit.record("offer.add", "products", product_id, sku=offer.sku, cost=offer.cost)
    return offer


def change_offer(offer_id: int, *, cost: int, priority: int, is_on: bool) -> Offer:
    """Change cost, order or switch; where it leads stays, attempts name it. Raises Refusal."""
    offer = find_offer(offer_id)
    lock_product(offer.product_id)
    _check(OfferFields(offer.provider_id, offer.sku, cost, priority, is_on))
    wanted = {"cost": cost, "priority": priority, "is_on": is_on}
    changed: dict[str, Any] = {
        name: [getattr(offer, name), value]
        for name, value in wanted.items()
        if getattr(offer, name) != value
    }
    for name, value in wanted.items():
        setattr(offer, name, value)
    if changed:
        audit.record("offer.change", "products", offer.product_id, offer=offer.id, **changed)
    session.flush()
    return offer


def find_offer(offer_id: int) -> Offer:
    """An offer by its id; raises NotFound."""
    offer = session.get(Offer, offer_id)
    if offer is None:
        raise NotFound
    return offer


def margin(product: Product, offer: Offer) -> int:
    """What one sale through this offer leaves, in minor units; below zero it loses money."""
    return product.price - offer.cost


def _check(fields: OfferFields) -> None:
    if not 1 <= len(fields.sku.strip()) <= SKU_LENGTH:
        raise Refusal(N_("请填写供应商的商品编号"), field="sku")
    if not 0 <= fields.cost <= MAX_PRICE:
        raise Refusal(N_("成本不对，请填写例如 12.50"), field="cost")
    if not 1 <= fields.priority <= LAST_PRIORITY:
        raise Refusal(N_("要在 1 到 %(most)s 之间"), field="priority", most=LAST_PRIORITY)


def _refuse_double(product_id: int, fields: OfferFields) -> None:
    same = sa.select(Offer.id).where(
        Offer.product_id == product_id,
        Offer.provider_id == fields.provider_id,
        Offer.sku == fields.sku.strip(),
    )
    if session.scalar(same) is not None:
        raise Refusal(N_("这个供应商的这个编号已经添加过"), field="sku")
