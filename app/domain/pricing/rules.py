"""The one price function: what a purchase costs, and each step of how that came about."""

from collections.abc import Sequence
from dataclasses import dataclass

from app.core.errors import N_


@dataclass(frozen=True)
class Item:
    """So many of one product; prices in minor units."""

    product_id: int
    unit_price: int
    quantity: int


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
    amounts = tuple(item.unit_price * item.quantity for item in items)
    steps = tuple(
        Step(N_("单价 × %(quantity)s"), {"quantity": item.quantity}, amount)
        for item, amount in zip(items, amounts, strict=True)
    )
    return Quote(currency, amounts, steps, sum(amounts))
