"""Databases, queues, the app, a client, a browser: real ones, fresh for every test."""

import base64
import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from jinja2 import FileSystemBytecodeCache

from app import connect, create_app
from app.core import keys, migrations
from app.core.actors import acting_as
from app.core.db import db, transaction
from app.core.processes import collect_less
from app.domain.catalog import preferences
from app.domain.risk import keywords
from app.settings import Settings
from app.web import limits
from app.web.admin import todo
from app.web.shop import page_cache
from tests import gateway as gateways
from tests import servers
from tests.watching import watched  # noqa: F401  a fixture of every test

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis.settings.register_profile("hardshelf", deadline=None)
hypothesis.settings.load_profile("hardshelf")

MASTER_KEY = "test:" + base64.b64encode(bytes(range(32))).decode()
# Processes that tests start keep their bytecode, whoever started pytest: they start faster.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# xdist's workers inherit it: servers that they share live as long as this process.
os.environ.setdefault("TEST_RUN", str(os.getpid()))


def pytest_collection_finish() -> None:
    """What is there before the tests stays to the end: the collector need not look at it again."""
    collect_less()


def settings(data_dir: Path, database_url: str, redis_url: str = "unix:///nowhere") -> Settings:
    return Settings.from_environment(
        {
            "DATA_DIR": str(data_dir),
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SECRET_KEY": "test" * 16,
            "MASTER_KEYS": MASTER_KEY,
            "SHOP_ENV": "test",
            "BASE_URL": "http://localhost",
            "SANDBOX_URL": "http://127.0.0.1:9",
            "SANDBOX_MERCHANT": "M1",
            "SANDBOX_KEY": "k" * 32,
        }
    )


@pytest.fixture(scope="session")
def sqlite_template(shared: Path) -> Path:
    """A migrated SQLite file, made once in a test run and copied for every test."""
    path = shared / "template.db"
    with servers.only_one(shared / "sqlite.lock"):
        if not path.exists():
            made = shared / "template.new"
            migrations.upgrade(f"sqlite:///{made}")
            engine = sa.create_engine(f"sqlite:///{made}")
            with engine.connect() as connection:
                connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            engine.dispose()
            made.rename(path)
    return path


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The directory that all of xdist's workers have."""
    temporary = tmp_path_factory.getbasetemp()
    return temporary if worker_id == "master" else temporary.parent


@pytest.fixture(scope="session")
def postgres(shared: Path) -> Iterator[servers.Postgres]:
    """The test run's PostgreSQL server, with a migrated template database."""
    server = servers.shared_postgres(shared, prepare=migrations.upgrade)
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgres_database(postgres: servers.Postgres, worker_id: str) -> str:
    postgres.create(f"test_{worker_id}")
    return f"test_{worker_id}"


@pytest.fixture
def here(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This test's own directory under a name that it has in every test of this process."""
    link = tmp_path_factory.getbasetemp() / "here"
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path)
    return link


@pytest.fixture
def sqlite_url(sqlite_template: Path, here: Path) -> str:
    """A migrated, empty SQLite file."""
    shutil.copy(sqlite_template, here / "shop.db")
    return f"sqlite:///{here / 'shop.db'}"


@pytest.fixture
def postgres_url(postgres: servers.Postgres, postgres_database: str) -> str:
    """A migrated, empty PostgreSQL database, this xdist worker's own."""
    return postgres.empty(postgres_database)


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each of the two databases in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


def make_app(wanted: Settings, compiled: Path) -> Flask:
    """The shop; its SQLite file need not outlast the machine, and waits for no disk.

    `compiled` has the templates that were compiled before: they are the same for every app.
    """
    made = create_app(wanted)
    made.jinja_env.bytecode_cache = FileSystemBytecodeCache(str(compiled))

    def hurry(connection: Any, _record: object) -> None:
        connection.execute("PRAGMA synchronous=OFF")

    with made.app_context():
        if db.engine.dialect.name == "sqlite":
            sa.event.listen(db.engine, "connect", hurry)
    return made


class Apps:
    """Apps that were made, by their database: to make one takes longer than most tests."""

    def __init__(self, compiled: Path) -> None:
        self._compiled = compiled
        self._made: dict[str, tuple[Flask, dict[str, object]]] = {}
        self._latest: object = None

    def get(self, wanted: Settings) -> Flask:
        """The app with these settings, as it was when it was made."""
        # Extensions serve the app that was made last; a test may have made one of its own.
        if getattr(limits.limiter, "_fallback_storage", None) is not self._latest:
            self._made.clear()
        if wanted.database_url not in self._made:
            made = make_app(wanted, self._compiled)
            self._made[wanted.database_url] = made, dict(made.config)
            self._latest = limits.limiter._fallback_storage
        made, config = self._made[wanted.database_url]
        made.config.clear()
        # Not with the directory of the test that it was made for.
        made.config.update(config | {"SETTINGS": wanted})
        limits.limiter._fallback_storage.reset()
        for part in (preferences, todo, page_cache, keywords):
            part.forget()
        connect(made)
        return made


@pytest.fixture(scope="session")
def compiled(shared: Path) -> Path:
    """The directory of the templates that were compiled in this test run."""
    directory = shared / "templates"
    directory.mkdir(exist_ok=True)
    return directory


@pytest.fixture(scope="session")
def apps(compiled: Path) -> Apps:
    return Apps(compiled)


@pytest.fixture
def app(
    request: pytest.FixtureRequest, apps: Apps, compiled: Path, database_url: str, here: Path
) -> Iterator[Flask]:
    """The shop on an empty database, in its context; no queue: tests run jobs themselves.

    A test that adds routes to it is marked `own_app`.
    """
    wanted = settings(here, database_url)
    is_own = request.node.get_closest_marker("own_app")
    made = make_app(wanted, compiled) if is_own else apps.get(wanted)
    # Whoever acted in the test before is not who acts in this one.
    with made.app_context(), acting_as("system"):
        # The connections kept from the test before may have ended with its database.
        with contextlib.suppress(sa.exc.OperationalError):
            db.session.execute(sa.text("SELECT 1"))
        transaction(keys.ensure_shop_keys)
        yield made
        db.session.remove()
        if is_own or db.engine.dialect.name == "sqlite":
            db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def redis_server() -> Iterator[servers.RedisServer]:
    """A real Redis of this test's own, to be killed and started again as it likes."""
    # A short path: a socket's may not be longer than 107 bytes.
    with tempfile.TemporaryDirectory(prefix="hardshelf-redis-") as directory:
        server = servers.RedisServer(Path(directory))
        server.start()
        yield server
        server.kill()


@pytest.fixture
def redis_url(redis_server: servers.RedisServer) -> str:
    return redis_server.url


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[gateways.Gateway]:
    """The sandbox, to be paid out through."""
    with gateways.running(tmp_path_factory.mktemp("gateway") / "sandbox.db") as made:
        yield made


@pytest.fixture(scope="session")
def shop(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Iterator[servers.Shop]:
    """The whole running shop with demo data, on SQLite; on PostgreSQL with
    `@pytest.mark.parametrize("shop", ["postgres"], indirect=True)`."""
    data_dir = tmp_path_factory.mktemp("shop") / "data"
    database = {}
    if getattr(request, "param", "sqlite") == "postgres":
        postgres: servers.Postgres = request.getfixturevalue("postgres")
        database["DATABASE_URL"] = postgres.create(f"shop_{worker_id}")
    running = servers.start_shop(data_dir, **database)
    yield running
    assert running.stop() == 0


@pytest.fixture
def context() -> None:
    """pytest-playwright's own browser, which `page` is of: nobody would watch it."""
    pytest.fail("open browsers through `watched`, whose tests fail with what goes wrong in them")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """Debian's Chromium, which looks up nothing on the network by itself.

    Its headless shell is the same engine without the windows around it, for two thirds of the time.
    """
    arguments = ("quic", "background-networking", "component-update", "sync", "dev-shm-usage")
    return {
        "executable_path": shutil.which("chromium-headless-shell") or shutil.which("chromium"),
        "args": [*(f"--disable-{name}" for name in arguments), "--no-first-run"],
    }
