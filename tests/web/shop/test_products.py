"""A product's page offers what can be bought, and no more."""

import re

import pytest

from tests import factories
from tests.web.visitors import Visitor

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        ({"max_per_order": 4}, "4"),
        ({"max_per_order": 9}, "5"),
        ({"max_per_order": 9, "max_per_buyer": 3}, "3"),
    ],
    ids=["an order", "the shelf", "a buyer"],
)
def test_the_quantity_ends_where_the_first_limit_is(
    guest: Visitor, limits: dict[str, int], most: str
) -> None:
    product = factories.make_product(codes=5, **limits)

    page = guest.get(f"/products/{product.slug}").text

    assert re.findall(r'name="quantity"[^>]* max="(\d+)"', page) == [most]
