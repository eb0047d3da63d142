"""Databases, the app, and a client: real ones, fresh for every test."""

import base64
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient

from app import create_app
from app.core import keys, migrations
from app.core.db import db, transaction
from app.domain.catalog import preferences
from app.settings import Settings
from tests import servers

MASTER_KEY = "test:" + base64.b64encode(bytes(range(32))).decode()


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
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file, made once and copied for every test."""
    path = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrations.upgrade(f"sqlite:///{path}")
    with sa.create_engine(f"sqlite:///{path}").connect() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Postgres]:
    """This xdist worker's own PostgreSQL server, with a migrated template database."""
    server = servers.start_postgres()
    with server.admin() as connection:
        connection.execute("CREATE DATABASE template")
    migrations.upgrade(server.url("template"))
    yield server
    servers.stop_postgres(server)


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    shutil.copy(sqlite_template, tmp_path / "shop.db")
    return f"sqlite:///{tmp_path / 'shop.db'}"


@pytest.fixture
def postgres_url(postgres: servers.Postgres) -> Iterator[str]:
    with postgres.admin() as connection:
        connection.execute("CREATE DATABASE test TEMPLATE template STRATEGY file_copy")
    yield postgres.url("test")
    with postgres.admin() as connection:
        connection.execute("DROP DATABASE test WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Each of the two databases in turn."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def app(database_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The shop on an empty database, in its context; no queue: tests run jobs themselves."""
    preferences.forget()
    made = create_app(settings(tmp_path, database_url))
    with made.app_context():
        transaction(keys.ensure_shop_keys)
        yield made
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.RedisServer]:
    server = servers.RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[servers.Shop]:
    """The whole running shop with demo data, on SQLite and the embedded queue."""
    running = servers.start_shop(tmp_path_factory.mktemp("shop") / "data")
    yield running
    running.stop()


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """Debian's Chromium, which looks up nothing on the network by itself."""
    return {
        "executable_path": shutil.which("chromium"),
        "args": [
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
        ],
    }
