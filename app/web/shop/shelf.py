"""Products as cards, and how many of each are left: in a few queries however many they are."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from app.core import clock
from app.core.db import session
from app.domain.catalog import preferences, queries
from app.domain.catalog.models import Product, ProductKind
from app.domain.vault import stock

# More would not be looked through on a phone; categories and the search narrow them.
LIMIT = 120


@dataclass(frozen=True)
class Card:
    product: Product
    left: int
    picture: str | None


def cards(wanted: sa.Select[Product]) -> list[Card]:
    """Each product with its picture and how many are left, counted up to stock's cap."""
    products = list(session.scalars(wanted.limit(LIMIT)))
    pictures = queries.picture_digests(products)
    left = left_of(products)
    return [
        Card(product, left.get(product.id, 0), pictures.get(product.id)) for product in products
    ]


def left_of(products: Sequence[Product], cap: int = stock.CAP) -> dict[int, int]:
    """How many of each can be bought now, counted to `cap` + 1.

    What is recharged has no stock: as long as somebody can deliver it there is enough.
    """
    recharged = [product.id for product in products if product.kind == ProductKind.RECHARGE]
    with_codes = [product.id for product in products if product.kind != ProductKind.RECHARGE]
    left: dict[int, int] = {}
    if with_codes:
        left = stock.stock_of(with_codes, clock.today(preferences.get().zone), cap)
    if recharged:
        left |= dict.fromkeys(queries.live_offers_of(recharged), cap + 1)
    return left
