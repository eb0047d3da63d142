"""A million codes onto the shelf, from a file and of our own making, against a bare COPY."""

import multiprocessing
import resource
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import sqlalchemy as sa

from app.core import clock
from app.core.db import session, transaction
from app.domain.vault import canaries, generating, importing
from app.domain.vault.batches import BatchDetails
from app.domain.vault.importing import Upload
from app.domain.vault.models import Code, ImportState
from bench import shop
from bench.table import Figure
from tests import factories

LINES = 1_000_000
DETAILS = BatchDetails("bench", supplier="bench", unit_cost=1)
# The columns that an import fills, in a table that has only the one index an import cannot do
# without.
BARE = """
CREATE TABLE bare (LIKE codes INCLUDING DEFAULTS);
CREATE UNIQUE INDEX ON bare (lookup);
"""
COPY_IN = "COPY bare FROM STDIN (FORMAT BINARY)"
COPY_OUT = "COPY (SELECT * FROM codes ORDER BY uid) TO STDOUT (FORMAT BINARY)"


def run(scale: float) -> list[Figure]:
    count = int(LINES * scale)
    with TemporaryDirectory(prefix="bench-") as folder, shop.database() as url:
        with shop.opened(url):
            product_id = factories.make_product(codes=0).id
        path = Path(folder) / "codes.csv"
        _write_file(path, count)
        with shop.copy_of(url) as copy:
            imported = _in_a_process(_import, copy, product_id, path)
            bare = count / _copy_bare(copy, Path(folder) / "codes.bin")
        with shop.copy_of(url) as copy:
            generated = _in_a_process(_generate, copy, product_id, count)
    limit = f"{bare:.0f} /s (binary COPY, unique index)"
    return [
        _figure(f"import of a file of {count:,} lines", count, imported, bare, limit),
        _figure(f"generating {count:,} codes", count, generated, bare, limit),
    ]


def _figure(name: str, count: int, found: tuple[float, float], bare: float, limit: str) -> Figure:
    seconds, megabytes = found
    rate = count / seconds
    return Figure(
        name,
        f"{seconds:.1f} s, {rate:.0f} /s, {rate / bare:.2f} of COPY, {megabytes:.0f} MB",
        "≥ 1/3 of COPY, < 300 MB",
        limit,
    )


def _write_file(path: Path, count: int) -> None:
    """Card numbers with passwords, as suppliers send them."""
    with path.open("w") as file:
        file.write("卡号,密码\n")
        file.writelines(f"BN{secrets.token_hex(7).upper()},{n:08d}\n" for n in range(count))


def _in_a_process(work: Callable[..., int], url: str, *arguments: Any) -> tuple[float, float]:
    """Seconds of that work in a process of its own, and the most memory it held, in MB."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(_measure, work, url, *arguments).result()


def _measure(work: Callable[..., int], url: str, *arguments: Any) -> tuple[float, float]:
    with shop.opened(url):
        begin = time.perf_counter()
        taken = work(*arguments)
        seconds = time.perf_counter() - begin
        others = Code.id.not_in(canaries.of_batches(sa.true()))
        assert session.scalar(sa.select(sa.func.count(Code.id)).where(others)) == taken
    return seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def _import(product_id: int, path: Path) -> int:
    """What the web process does with the upload, and then what the worker does."""
    with path.open("rb") as file:
        uid = importing.upload(product_id, Upload("codes.csv", file))
    started = importing.find_import(uid).id
    transaction(lambda: importing.start(started, DETAILS, clock.today(factories.ZONE)))
    return _finish(uid)


def _generate(product_id: int, count: int) -> int:
    today = clock.today(factories.ZONE)
    return _finish(transaction(lambda: generating.start(product_id, count, DETAILS, today)))


def _finish(uid: str) -> int:
    """Work it off; how many codes it took."""
    factories.work()
    session.rollback()
    done = importing.find_import(uid)
    assert done.state == ImportState.DONE, done.state
    return done.taken


def _copy_bare(url: str, path: Path) -> float:
    """Seconds that PostgreSQL takes for the same sealed rows and nothing else."""
    with psycopg.connect(shop.plain(url)) as connection:
        connection.execute(BARE)
        connection.commit()
        cursor = connection.cursor()
        with path.open("wb") as file, cursor.copy(COPY_OUT) as rows:
            for part in rows:
                file.write(part)
        begin = time.perf_counter()
        with path.open("rb") as file, cursor.copy(COPY_IN) as copy:
            while part := file.read(1 << 17):
                copy.write(part)
        connection.commit()
        return time.perf_counter() - begin
