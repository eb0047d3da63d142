"""Finding one code by its blind index, in a small store and in a large one."""

import secrets
import time

from app.core.db import session, transaction
from app.domain.catalog.models import Product
from app.domain.vault import own_codes, storing
from app.domain.vault.rules import Content
from bench import shop
from bench.table import Figure, percentile
from tests import factories

SMALL, LARGE = 10_000, 1_000_000
ASKED = 2_000
PER_STEP = 50_000


def run(scale: float) -> list[Figure]:
    with shop.database() as url, shop.opened(url):
        product = factories.make_product(codes=0)
        few = _fill(product, SMALL)
        small = _ask(few)
        many = few + _fill(product, int(LARGE * scale) - SMALL)
        large = _ask(many)
    slower = percentile(large, 0.99) / percentile(small, 0.99)
    return [
        Figure(
            f"finding one code among {len(many):,}",
            f"p50 {percentile(large, 0.5):.2f} ms, p99 {percentile(large, 0.99):.2f} ms, "
            f"{slower:.2f} times that among {len(few):,}",
            "p99 < 5 ms, ≤ 2 times",
            f"p99 {percentile(small, 0.99):.2f} ms among {len(few):,}",
        )
    ]


def _fill(product: Product, count: int) -> list[str]:
    made: list[str] = []
    while len(made) < count:
        some = own_codes.generate(min(count - len(made), PER_STEP))
        transaction(lambda some=some: factories.add_batch(product, some))  # type: ignore[misc]
        made += some
    return made


def _ask(codes: list[str]) -> list[float]:
    """Seconds of each of some questions, from a code's text to its row."""
    for _ in range(100):
        _find(secrets.choice(codes))
    asked = [secrets.choice(codes) for _ in range(ASKED)]
    return [_find(code) for code in asked]


def _find(code: str) -> float:
    begin = time.perf_counter()
    lookup = storing.new_code(Content(code), case_sensitive=True).lookup
    found = storing.known([lookup])
    seconds = time.perf_counter() - begin
    assert len(found) == 1
    session.rollback()
    return seconds
