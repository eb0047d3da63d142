"""A shop as a merchant runs it when it has grown: PostgreSQL, Redis, gunicorn with its settings."""

import contextlib
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import sqlalchemy as sa
from flask import Flask

from app import create_app
from app.core import clock, keys, migrations, outbox
from app.core.crypto import Secret
from app.core.db import db, session, transaction
from app.core.processes import die_with_parent
from app.domain.catalog import preferences
from app.domain.risk import pack
from app.domain.risk.models import Rule, RuleMode
from app.providers.payments import signing
from app.settings import Settings
from tests import factories, servers
from tests.conftest import MASTER_KEY

MERCHANT, KEY = "bench", "k" * 32
PRICE = 3000
_numbers = itertools.count(1)


@cache
def postgres() -> servers.Postgres:
    """One server for all benches, as it comes: durable, with the defaults of its makers."""
    server = servers.start_postgres(shared_preload_libraries="pg_stat_statements")
    server.create(servers.TEMPLATE, template="template0")
    migrations.upgrade(server.url(servers.TEMPLATE))
    return server


@contextlib.contextmanager
def database() -> Iterator[str]:
    """The URL of a migrated, empty database."""
    name = f"bench_{next(_numbers)}"
    yield postgres().create(name)
    with postgres().connect() as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def plain(url: str) -> str:
    """As libpq and its tools read it."""
    return url.replace("postgresql+psycopg", "postgresql")


def name_of(url: str) -> str:
    return sa.make_url(url).database or ""


@contextlib.contextmanager
def copy_of(url: str) -> Iterator[str]:
    """The URL of a copy of a database that nobody has open."""
    name = f"bench_{next(_numbers)}"
    yield postgres().create(name, template=name_of(url))
    with postgres().connect() as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextlib.contextmanager
def opened(url: str, environment: dict[str, str] | None = None) -> Iterator[Flask]:
    """The app on that database, in its context, in this process."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        values = environment or settings(url, Path(folder), "unix:///nowhere", 80)
        preferences.forget()
        app = create_app(Settings.from_environment(values))
        outbox.connect(outbox.NoBell())
        with app.app_context():
            transaction(keys.ensure_shop_keys)
            yield app
            session.remove()
            db.engine.dispose()


def settings(url: str, folder: Path, redis_url: str, port: int) -> dict[str, str]:
    return {
        "DATA_DIR": str(folder),
        "DATABASE_URL": url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "bench" * 16,
        "MASTER_KEYS": MASTER_KEY,
        "SHOP_ENV": "test",
        "LOG_LEVEL": "WARNING",
        "BASE_URL": f"http://127.0.0.1:{port}",
        # So that each buyer has an address of her own, as buyers have.
        "TRUSTED_PROXIES": "1",
        "SANDBOX_URL": "http://127.0.0.1:9",
        "SANDBOX_MERCHANT": MERCHANT,
        "SANDBOX_KEY": KEY,
    }


@dataclass(frozen=True)
class Web:
    """A running shop with one product."""

    port: int
    slug: str
    url: str


@contextlib.contextmanager
def serving(
    codes: int, processes: int = 2, *, rules: bool = False, before: Callable[[], None] | None = None
) -> Iterator[Web]:
    """The shop with that many codes on its shelf, behind gunicorn; with every rule of risk on, and
    with what `before` says happened in it."""
    with database() as url, tempfile.TemporaryDirectory(prefix="bench-") as folder:
        queue = servers.RedisServer(Path(folder))
        queue.start()
        port = servers.free_port()
        environment = settings(url, Path(folder), queue.url, port)
        with opened(url, environment):
            slug = factories.make_product(codes=codes, price=PRICE).slug
            if rules:
                transaction(switch_all_on)
            if before is not None:
                before()
        with gunicorn(["wsgi:app", "--workers", str(processes)], port, environment):
            yield Web(port, slug, url)
        queue.kill()


def switch_all_on() -> None:
    """The whole pack of risk's rules, as a merchant has it who has switched everything on."""
    pack.install()
    session.execute(sa.update(Rule).values(state=RuleMode.ON))


def inherited(environment: dict[str, str]) -> dict[str, str]:
    """This process's environment with that of a shop."""
    return os.environ | environment


@contextlib.contextmanager
def gunicorn(arguments: list[str], port: int, environment: dict[str, str]) -> Iterator[None]:
    """Gunicorn with the shop's own settings, until the block ends."""
    command = [sys.executable, "-m", "gunicorn", *arguments, "--bind", f"127.0.0.1:{port}"]
    process = subprocess.Popen(
        command, cwd=servers.ROOT, env=inherited(environment), preexec_fn=die_with_parent
    )
    try:
        servers.wait_until(lambda: _listens(port), "gunicorn", within=60)
        yield
    finally:
        process.terminate()
        process.wait(30)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def receipt(payment: str, amount: int = PRICE) -> tuple[bytes, dict[str, str]]:
    """What the channel sends when a payment is made: the body and its signed headers."""
    body = json.dumps(
        {
            "event_id": f"paid-{payment}",
            "merchant": MERCHANT,
            "number": payment,
            "trade_number": f"T{payment}",
            "state": "paid",
            "amount": amount,
            "currency": "CNY",
            # Everybody pays from an account of her own.
            "payer": f"payer of {payment}",
        }
    ).encode()
    path = "/hooks/payments/sandbox"
    return body, signing.headers(Secret(KEY), "POST", path, body, clock.now())
