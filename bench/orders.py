"""Complete orders, over HTTP and by the verbs alone."""

import contextlib
import multiprocessing
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

import psycopg
import sqlalchemy as sa
from sqlalchemy import event

from app.core.db import db, session
from app.domain.catalog.models import Product
from bench import shop
from bench.buyer import STEPS, Buyer, Connection
from bench.machine import sales_per_second
from bench.table import Figure, percentile
from tests import factories

CLIENTS = 8
VERBS = 400


def run(scale: float) -> list[Figure]:
    return [*over_http(int(800 * scale)), statements(), verbs()]


def over_http(orders: int) -> list[Figure]:
    """8 buyers at a time, each from the product's page to the code."""
    seconds, latencies, _ = _bought(orders, rules=False)
    rate = len(latencies) / seconds
    limit = sales_per_second(CLIENTS)
    return [
        Figure(
            "complete orders over HTTP",
            f"{rate:.1f} /s, 5 requests",
            "≥ 60 /s, ≤ 5 requests",
            f"{limit:.0f} bare sales/s (pgbench)",
        ),
        Figure(
            "one complete order",
            f"p50 {percentile(latencies, 0.5):.0f} ms, p95 {percentile(latencies, 0.95):.0f} ms",
        ),
    ]


def rate(orders: int, *, rules: bool, before: Callable[[], None]) -> tuple[float, float]:
    """Complete orders a second, and the processor time in seconds that one takes of the shop and
    its database, with every rule of risk on or with none, in a shop with a past."""
    seconds, latencies, used = _bought(orders, rules=rules, before=before)
    return len(latencies) / seconds, used / len(latencies)


def _bought(
    orders: int, *, rules: bool, before: Callable[[], None] | None = None
) -> tuple[float, list[float], float]:
    each = max(orders // CLIENTS, 5)
    codes = CLIENTS * (each + 5) + 200
    with shop.serving(codes=codes, rules=rules, before=before) as web:
        _all_buy(web, 5, first=1)
        used = _processor_time()
        seconds, latencies = _all_buy(web, each, first=1000)
        return seconds, latencies, _processor_time() - used


def _processor_time() -> float:
    """What all web processes and databases of this machine have used, in seconds."""
    used = 0
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            command = (process / "cmdline").read_bytes()
            if b"wsgi:app" in command or command.startswith(b"postgres"):
                after_name = (process / "stat").read_text().rpartition(")")[2].split()
                used += int(after_name[11]) + int(after_name[12])
    return used / os.sysconf("SC_CLK_TCK")


def _all_buy(web: shop.Web, each: int, first: int) -> tuple[float, list[float]]:
    """From the first request to the last answer, and how long each order took."""
    queue: multiprocessing.Queue[Any] = multiprocessing.Queue()
    ready = multiprocessing.Barrier(CLIENTS)
    clients = [
        multiprocessing.Process(
            target=_buy_many, args=(web, each, first + number * each, ready, queue)
        )
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    found = [queue.get(timeout=300) for _ in clients]
    for client in clients:
        client.join()
    begin, end = min(one[0] for one in found), max(one[1] for one in found)
    return end - begin, [latency for one in found for latency in one[2]]


def _buy_many(web: shop.Web, each: int, first: int, ready: Any, queue: Any) -> None:
    connection, channel = Connection(web.port), Connection(web.port)
    ready.wait()
    begin, latencies = time.time(), []
    for number in range(first, first + each):
        start = time.perf_counter()
        Buyer(connection, number).buy(web.slug, channel)
        latencies.append(time.perf_counter() - start)
    queue.put((begin, time.time(), latencies))


def statements() -> Figure:
    """SQL statements of each step, counted where the driver gets them."""
    with shop.serving(codes=50, processes=1) as web:
        connection, channel = Connection(web.port), Connection(web.port)
        for number in range(5):
            Buyer(connection, number).buy(web.slug, channel)
        counted = _Counting(connection, web.url)
        Buyer(counted, 100).buy(web.slug, counted)  # type: ignore[arg-type]
    total = sum(counted.of_step)
    per_step = ", ".join(
        f"{step} {count}" for step, count in zip(STEPS, counted.of_step, strict=True)
    )
    return Figure("SQL statements of an order", f"{total} ({per_step})", "≤ 45")


class _Counting:
    """A connection that asks PostgreSQL how many statements each request took."""

    def __init__(self, connection: Connection, url: str) -> None:
        self.connection = connection
        self.of_step: list[int] = []
        self.database = psycopg.connect(shop.plain(url), autocommit=True)
        self.database.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")

    def ask(self, *arguments: Any) -> tuple[int, bytes, bytes]:
        self.database.execute("SELECT pg_stat_statements_reset()")
        answer = self.connection.ask(*arguments)
        row = self.database.execute(COUNT).fetchone()
        assert row is not None
        self.of_step.append(row[0])
        return answer


# What changes or reads rows; BEGIN, COMMIT and SAVEPOINT are not statements of anybody's.
COUNT = """
SELECT coalesce(sum(calls), 0)::int FROM pg_stat_statements
WHERE query ~* '^ *(SELECT|INSERT|UPDATE|DELETE|WITH)' AND query !~ 'pg_stat_statements'
"""


def verbs() -> Figure:
    """Placing, settling and delivering without the web, against libpq sending the same SQL."""
    with shop.database() as base, TemporaryDirectory() as folder:
        with shop.opened(base):
            product_id = factories.make_product(codes=VERBS + 100).id
            for _ in range(20):
                factories.buy(session.get_one(Product, product_id))
        script = Path(folder) / "orders.sql"
        with shop.copy_of(base) as url, shop.opened(url):
            seconds = _buy_in_process(product_id)
        with shop.copy_of(base) as url, shop.opened(url), recorded(script):
            _buy_in_process(product_id)
        with shop.copy_of(base) as url:
            bare = VERBS / replayed(url, script)
    mine = VERBS / seconds
    return Figure(
        "place, settle, deliver",
        f"{mine:.0f} /s, {mine / bare:.2f} of libpq",
        "≥ 1/4 of the same SQL",
        f"{bare:.0f} /s (psql, the same SQL)",
    )


def _buy_in_process(product_id: int) -> float:
    product = session.get_one(Product, product_id)
    factories.buy(product)
    begin = time.perf_counter()
    for _ in range(VERBS):
        placed = factories.place(product)
        assert placed.payment is not None
        factories.settle(placed.payment)
    return time.perf_counter() - begin


@contextlib.contextmanager
def recorded(path: Path) -> Iterator[None]:
    """Write down every statement that the engine sends, with its values, as psql reads it."""
    with path.open("w") as file, psycopg.connect(shop.plain(str(db.engine.url))) as connection:
        cursor = psycopg.ClientCursor(connection)

        def write(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
            for one in values if isinstance(values, list) else [values]:
                file.write(cursor.mogrify(statement, one or None) + ";\n")

        event.listen(db.engine, "before_cursor_execute", write)
        for word in ("begin", "commit"):
            event.listen(db.engine, word, partial(_write_word, file, word.upper()))
        yield


def _write_word(file: TextIO, word: str, connection: sa.Connection, *_: object) -> None:
    if connection.get_isolation_level() != "AUTOCOMMIT":
        file.write(f"{word};\n")


def replayed(url: str, script: Path) -> float:
    """How long psql takes to send what was `recorded`, in seconds."""
    command = [str(shop.postgres().programs / "psql"), "-qX", "-v", "ON_ERROR_STOP=1"]
    command += ["-o", os.devnull, "-f", str(script), shop.plain(url)]
    quiet = os.environ | {"PGOPTIONS": "-c client_min_messages=error"}
    begin = time.perf_counter()
    subprocess.run(command, check=True, env=quiet)
    return time.perf_counter() - begin
