"""Products as cards: what a list of them needs to know, in two queries however many they are."""

from dataclasses import dataclass

import sqlalchemy as sa

from app.core import clock
from app.core.db import session
from app.domain.catalog import preferences, queries
from app.domain.catalog.models import Product
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
    today = clock.today(preferences.get().zone)
    left = stock.stock_of([product.id for product in products], today)
    return [
        Card(product, left.get(product.id, 0), pictures.get(product.id)) for product in products
    ]
