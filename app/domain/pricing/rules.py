"""The one price function: what a purchase costs, and each step of how that came about."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.core.errors import N_


@dataclass(frozen=True)
class Item:
    """So many of one product; prices in minor units.

    `discount_bp` is what a distributor's tier takes off each, in basis points.
    """

    product_id: int
    unit_price: int
    quantity: int
    discount_bp: int = 0

    @property
    def price(self) -> int:
        """What one costs: rounded half up to whole minor units, and never nothing."""
        return max((self.unit_price * (10_000 - self.discount_bp) + 5_000) // 10_000, 1)


@dataclass(frozen=True)
class Step:
    """One line of the explanation: a marked sentence, its parameters, and what it did in fen."""

    sentence: str
    params: dict[str, object]
    amount: int

    def as_json(self) -> dict[str, object]:
        return {"sentence": self.sentence, "params": self.params, "amount": self.amount}


@dataclass(frozen=True)
class Quote:
    """What the buyer is asked for. The sum of `steps`, the sum of `amounts` and `total` agree."""

    currency: str
    amounts: tuple[int, ...]
    steps: tuple[Step, ...]
    total: int


def quote(items: Sequence[Item], currency: str = "CNY") -> Quote:
    """Price the items, in their order. Pure: the same items cost the same everywhere."""
    amounts = tuple(item.price * item.quantity for item in items)
    steps = tuple(step for item in items for step in _steps(item))
    return Quote(currency, amounts, steps, sum(amounts))


def _steps(item: Item) -> Iterator[Step]:
    listed = item.unit_price * item.quantity
    yield Step(N_("单价 × %(quantity)s"), {"quantity": item.quantity}, listed)
    if item.discount_bp:
        percent = f"{item.discount_bp / 100:g}"
        off = item.price * item.quantity - listed
        yield Step(N_("等级优惠 %(percent)s%%"), {"percent": percent}, off)
