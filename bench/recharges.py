"""From a payment to the provider's acceptance; and many recharges at a slow provider."""

import contextlib
import http.client
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import sqlalchemy as sa

from app.core import bell, clock, outbox
from app.core.db import session, transaction
from app.core.processes import die_with_parent
from app.domain.catalog import offers
from app.domain.catalog.models import AccountFormat, Product, ProductKind, RechargeProvider
from app.domain.catalog.offers import OfferFields
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.orders.models import Payment
from app.domain.recharges import providers
from app.domain.recharges.models import Recharge, RechargeState
from app.domain.recharges.providers import ProviderFields
from bench import shop
from bench.table import Figure, percentile
from tests import factories, servers
from tests.outside import Process
from tests.recharging import KEY, MERCHANT

ALONE = 60
QUEUED = 200
WORKERS = 8
ACCOUNT = RechargeAccount(AccountFormat.PHONE, "13900000000")


@dataclass(frozen=True)
class Works:
    simulator: Process
    product: Product
    port: int


def run(scale: float) -> list[Figure]:
    with _working() as works:
        return [_alone(works, max(int(ALONE * scale), 10)), *_many(works, int(QUEUED * scale))]


def _alone(works: Works, count: int) -> Figure:
    """One at a time, with a worker that is idle and a provider that answers at once."""
    # The first ones wait for the workers to start.
    took = [_one(works) for _ in range(WORKERS + count)][WORKERS:]
    return Figure(
        "paid until the provider has accepted",
        f"p50 {percentile(took, 0.5):.0f} ms, p95 {percentile(took, 0.95):.0f} ms",
        "p95 < 300 ms",
    )


def _one(works: Works) -> float:
    """Seconds from a payment to the provider's acceptance."""
    payment = _waiting(works.product)
    paid_at = time.time()
    factories.settle(payment)
    # The provider notes when it took it, so looking seldom costs no accuracy; looking often would
    # cost the workers one of the two cores.
    servers.wait_until(_is_quiet, "the recharge", within=60, every=0.05)
    orders = httpx.get(f"{works.simulator.url}/control/orders", trust_env=False).json()
    return float(max(one["taken_at"] for one in orders["orders"]) - paid_at)


def _many(works: Works, count: int) -> list[Figure]:
    """A provider that takes a second for each call: as many at once as there are workers."""
    idle = percentile(_pages(works, 100), 0.5)
    _conditions(works, latency=1000)
    payments = [_waiting(works.product) for _ in range(count)]
    begin = time.time()
    for payment in payments:
        factories.settle(payment)
    busy = percentile(_pages(works, 100), 0.5)
    servers.wait_until(_all_settled, "all recharges", within=600, every=0.1)
    rate = count / (time.time() - begin)
    return [
        Figure(
            f"{count} recharges at 1 s each, {WORKERS} workers of one thread",
            f"{rate:.1f} /s",
            "follows the workers",
            f"{WORKERS}.0 /s",
        ),
        Figure(
            "product page meanwhile",
            f"p50 {busy:.1f} ms, {busy / idle:.2f} times idle",
            "≤ 1.5 times",
            f"p50 {idle:.1f} ms idle",
        ),
    ]


def _waiting(product: Product) -> Payment:
    placed = factories.place(product, account=ACCOUNT)
    assert placed.payment is not None
    return placed.payment


def _all_settled() -> bool:
    session.rollback()
    asked = session.scalar(
        sa.select(sa.func.count(outbox.OutboxRow.id)).where(
            outbox.OutboxRow.name.like("%recharge_line"),
            outbox.OutboxRow.state != outbox.OutboxState.DONE,
        )
    )
    done = session.scalar(
        sa.select(sa.func.count(Recharge.id)).where(Recharge.state != RechargeState.DELIVERED)
    )
    session.rollback()
    return asked == 0 and done == 0


def _is_quiet() -> bool:
    """Nothing is due or under way: the next one finds idle workers."""
    session.rollback()
    row = outbox.OutboxRow
    is_due = sa.and_(row.state == outbox.OutboxState.READY, row.due_at <= clock.now())
    busy = session.scalar(
        sa.select(row.id).where(is_due | (row.state == outbox.OutboxState.RUNNING)).limit(1)
    )
    session.rollback()
    return busy is None and _all_settled()


def _pages(works: Works, count: int) -> list[float]:
    connection = http.client.HTTPConnection("127.0.0.1", works.port, timeout=10)
    took = []
    for number in range(count):
        begin = time.perf_counter()
        # A page of its own each time: what is kept for strangers would hide the work.
        connection.request("GET", f"/products/{works.product.slug}?n={number}")
        connection.getresponse().read()
        took.append(time.perf_counter() - begin)
    return took


def _conditions(works: Works, **wanted: object) -> None:
    url = f"{works.simulator.url}/control/conditions"
    httpx.post(url, json=wanted, trust_env=False).raise_for_status()


@contextlib.contextmanager
def _working() -> Iterator[Works]:
    """The shop on PostgreSQL and Redis with its workers, and the simulated provider."""
    with shop.database() as url, TemporaryDirectory(prefix="bench-") as folder:
        queue = servers.RedisServer(Path(folder))
        queue.start()
        simulator = Process(
            "app.simulator",
            Path(folder) / "simulator.db",
            {"SIMULATOR_MERCHANT": MERCHANT, "SIMULATOR_KEY": KEY},
        )
        simulator.start()
        port = servers.free_port()
        environment = shop.settings(url, Path(folder), queue.url, port)
        with shop.opened(url, environment):
            outbox.connect(bell.RqBell(queue.url))
            product = _stock(simulator.url)
            httpx.post(
                f"{simulator.url}/control/deposit", json={"amount": 10**9}, trust_env=False
            ).raise_for_status()
            command = [sys.executable, "worker.py", "--workers", str(WORKERS)]
            workers = subprocess.Popen(
                command,
                cwd=servers.ROOT,
                env=shop.inherited(environment),
                preexec_fn=die_with_parent,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            with shop.gunicorn(["wsgi:app", "--workers", "2"], port, environment):
                yield Works(simulator, product, port)
            workers.kill()
            workers.wait()
        simulator.stop()
        queue.kill()


def _stock(url: str) -> Product:
    product = factories.make_product(
        codes=0, kind=ProductKind.RECHARGE, account_format=AccountFormat.PHONE
    )
    values = {"url": url, "merchant": MERCHANT, "key": KEY}
    fields = ProviderFields(
        "one", "one", "simulator", values, concurrency=WORKERS, per_minute=100_000
    )
    provider: RechargeProvider = transaction(lambda: providers.create(fields))
    transaction(lambda: offers.add_offer(product.id, OfferFields(provider.id, "10000201", 5000)))
    return product
