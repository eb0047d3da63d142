"""A new master key over a million codes: all data keys wrapped anew, then all codes sealed anew."""

import multiprocessing
import os
import time
from concurrent.futures import Future, ProcessPoolExecutor
from math import inf
from pathlib import Path
from tempfile import TemporaryDirectory

from app.core import keys
from app.core.crypto import DataKey, new_master_key
from app.core.db import session, transaction
from app.domain.catalog.models import Product
from app.domain.orders import resealing
from app.domain.vault import own_codes, rotating
from app.domain.vault.rotation_models import KeyRotation
from app.domain.vault.rules import unsold_contexts
from bench import shop
from bench.table import Figure, percentile
from tests import factories
from tests.conftest import MASTER_KEY

CODES, BATCHES = 1_000_000, 1_000
BARE, BUYERS = 50_000, 200


def run(scale: float) -> list[Figure]:
    count, batches = int(CODES * scale), max(int(BATCHES * scale), 1)
    with TemporaryDirectory(prefix="bench-") as folder, shop.database() as url:
        ring = f"{new_master_key('k1')},{MASTER_KEY}"
        new = shop.settings(url, Path(folder), "unix:///nowhere", 80) | {"MASTER_KEYS": ring}
        with shop.opened(url):
            product = _fill(count, batches)
            alone = [_buy(product) for _ in range(BUYERS)]
        with shop.opened(url, new):
            begin = time.perf_counter()
            rotation = transaction(rotating.begin)
            wrapping = time.perf_counter() - begin
            rewrapped, rotation_id = rotation.rewrapped, rotation.id
        sealing = _reseal(url, new, rotation_id)
        with shop.opened(url, new):
            _check(rotation_id, count)
            again = transaction(rotating.begin).id
            beside = _buy_beside(product, url, new, again)
            _check(again, count)
    rate, bare = count / sealing, _bare()
    return [
        Figure(
            f"wrapping {rewrapped:,} data keys of {count:,} codes anew",
            f"{wrapping:.2f} s",
            "< 5 s",
        ),
        Figure(
            f"sealing {count:,} codes anew",
            f"{sealing:.1f} s, {rate:.0f} /s, {rate / bare:.2f} of the bare cipher",
            "",
            f"{bare:.0f} /s (the same AES-GCM calls, no database)",
        ),
        Figure(
            "a purchase from place to delivery meanwhile",
            f"p50 {percentile(beside, 0.5):.0f} ms, p99 {percentile(beside, 0.99):.0f} ms",
            "",
            f"p50 {percentile(alone, 0.5):.0f} ms, p99 {percentile(alone, 0.99):.0f} ms alone",
        ),
    ]


def _fill(count: int, batches: int) -> Product:
    product = factories.make_product(codes=0)
    for start in range(0, count, count // batches):
        some = own_codes.generate(min(count // batches, count - start))
        transaction(lambda some=some: factories.add_batch(product, some))  # type: ignore[misc]
    return product


def _buy(product: Product) -> float:
    """Seconds from an order to its sealed code, without the web."""
    begin = time.perf_counter()
    factories.buy(product)
    return time.perf_counter() - begin


def _buy_beside(
    product: Product, url: str, environment: dict[str, str], rotation_id: int
) -> list[float]:
    """Buy one after the other as long as another process seals all codes anew."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        sealing: Future[float] = pool.submit(_reseal, url, environment, rotation_id)
        bought = []
        while not sealing.done():
            bought.append(_buy(product))
        sealing.result()
    return bought


def _reseal(url: str, environment: dict[str, str], rotation_id: int) -> float:
    """Seconds of a worker's work on all codes, new data keys and all."""
    with shop.opened(url, environment):
        begin = time.perf_counter()
        resealing.work(rotation_id, until=inf)
        return time.perf_counter() - begin


def _check(rotation_id: int, count: int) -> None:
    session.rollback()
    rotation = session.get_one(KeyRotation, rotation_id, populate_existing=True)
    assert rotation.unreadable == 0
    assert rotation.looked_at == count
    replaced = keys.replaced()
    assert replaced
    assert rotating.unused(replaced) == replaced
    session.rollback()


def _bare() -> float:
    """Codes a second that one core opens and seals again, all in memory."""
    batch, noise = os.urandom(16), os.urandom(16 * BARE)
    contexts = unsold_contexts(batch, (noise[i : i + 16] for i in range(0, len(noise), 16)))
    old, new = (DataKey(number, "batch", os.urandom(32)) for number in (1, 2))
    texts = (code.encode() for code in own_codes.generate(BARE))
    sealed = old.seal_many(zip(texts, contexts, strict=True))
    begin = time.perf_counter()
    opened = [old.open(blob, to) for blob, to in zip(sealed, contexts, strict=True)]
    new.seal_many(zip(opened, contexts, strict=True))
    return BARE / (time.perf_counter() - begin)
