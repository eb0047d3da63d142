"""A typed code becomes a redemption: how long among a million codes, how many a second."""

import multiprocessing
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from app.core import ids
from app.core.db import db, transaction
from app.domain.catalog import offers
from app.domain.catalog.models import AccountFormat, Product, ProductKind
from app.domain.catalog.offers import OfferFields
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.redemptions import guessing, service
from app.domain.redemptions.models import Way
from app.domain.risk.visits import Visit
from app.domain.vault import own_codes
from bench import shop
from bench.lookup import LARGE, _fill
from bench.orders import recorded, replayed
from bench.table import Figure, percentile
from tests import factories
from tests.fake_provider import ObedientProvider, add_provider, speaking

ASKED = 600
CLIENTS = 16
ACCOUNT = RechargeAccount(AccountFormat.PHONE, "13912345678")


def run(scale: float) -> list[Figure]:
    with speaking(one=ObedientProvider()), shop.database() as base, TemporaryDirectory() as folder:
        with shop.opened(base):
            product = _product()
            total = len(_fill(product, int(LARGE * scale)))
            sold = _sell(ASKED * 3)
        script = Path(folder) / "redemptions.sql"
        with shop.copy_of(base) as url, shop.opened(url):
            latencies = [_redeem(code) for code in sold[:ASKED]]
        with shop.copy_of(base) as url, shop.opened(url), recorded(script):
            for code in sold[:ASKED]:
                _redeem(code)
        with shop.copy_of(base) as url:
            bare = ASKED / replayed(url, script)
        with shop.copy_of(base) as url:
            rate = _side_by_side(url, sold)
    alone = ASKED / sum(latencies)
    return [
        Figure(
            f"redeeming a typed code among {total:,}",
            f"p50 {percentile(latencies, 0.5):.1f} ms, p95 {percentile(latencies, 0.95):.1f} ms",
        ),
        Figure(
            "redemptions, one process",
            f"{alone:.0f} /s, {alone / bare:.2f} of libpq",
            "",
            f"{bare:.0f} /s (psql, the same SQL)",
        ),
        Figure(f"redemptions, {CLIENTS} processes", f"{rate:.0f} /s, {rate / bare:.2f} of libpq"),
    ]


def _product() -> Product:
    product = factories.make_product(
        codes=0, kind=ProductKind.REDEEM, account_format=AccountFormat.PHONE
    )
    provider = add_provider("one")
    transaction(lambda: offers.add_offer(product.id, OfferFields(provider.id, "S1", 100)))
    return product


def _sell(count: int) -> list[str]:
    """Codes that were sold, each to somebody: their texts."""
    texts = own_codes.generate(count)
    fresh = factories.make_product(
        codes=0, kind=ProductKind.REDEEM, account_format=AccountFormat.PHONE, max_per_order=500
    )
    transaction(lambda: factories.add_batch(fresh, texts))
    for _ in range(count // 100):
        factories.buy(fresh, quantity=100)
    return texts[: count // 100 * 100]


def _redeem(text: str) -> float:
    begin = time.perf_counter()
    code_id = guessing.read(text, Visit("", "net", "device"))
    transaction(lambda: service.redeem(code_id, ACCOUNT, Way.TYPED, ids.token()))
    return time.perf_counter() - begin


def _side_by_side(url: str, codes: list[str]) -> float:
    """Redemptions a second when so many processes redeem at once."""
    each = len(codes) // CLIENTS
    ready = multiprocessing.Barrier(CLIENTS)
    queue: multiprocessing.Queue[Any] = multiprocessing.Queue()
    clients = [
        multiprocessing.Process(
            target=_redeem_many, args=(url, codes[n * each : (n + 1) * each], ready, queue)
        )
        for n in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    found = [queue.get(timeout=300) for _ in clients]
    for client in clients:
        client.join()
    took: float = max(end for _, end in found) - min(begin for begin, _ in found)
    return each * CLIENTS / took


def _redeem_many(url: str, codes: list[str], ready: Any, queue: Any) -> None:
    with shop.opened(url):
        db.engine.dispose()
        ready.wait()
        begin = time.time()
        for number, text in enumerate(codes):
            guesser = Visit("", f"net-{number}-{codes[0]}", f"device-{codes[0]}")
            code_id = guessing.read(text, guesser)
            transaction(lambda: service.redeem(code_id, ACCOUNT, Way.TYPED, ids.token()))  # noqa: B023  called at once
        queue.put((begin, time.time()))
