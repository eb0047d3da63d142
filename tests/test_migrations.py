"""Migrations and models say the same, on both databases, in both directions."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.core import migrations
from app.core.db import Model
from tests import servers


@pytest.fixture(params=["sqlite", "postgres"])
def nothing(request: pytest.FixtureRequest, tmp_path: Path, worker_id: str) -> str:
    """The URL of a database that has no table yet."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'nothing.db'}"
    postgres: servers.Postgres = request.getfixturevalue("postgres")
    return postgres.create(f"nothing_{worker_id}", template="template0")


def differences(url: str) -> list[Any]:
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        found = compare_metadata(context, Model.metadata)
    engine.dispose()
    return found


def schema(url: str) -> dict[str, Any]:
    """What can be seen of the tables: columns, keys, indexes, checks, triggers."""
    engine = sa.create_engine(url)
    seen: dict[str, Any] = {}
    inspector = sa.inspect(engine)
    for table in inspector.get_table_names():
        seen[table] = {
            "columns": {
                c["name"]: (str(c["type"]), c["nullable"]) for c in inspector.get_columns(table)
            },
            "keys": inspector.get_pk_constraint(table)["constrained_columns"],
            "foreign": sorted(
                str(f["constrained_columns"]) for f in inspector.get_foreign_keys(table)
            ),
            "unique": sorted(str(u["name"]) for u in inspector.get_unique_constraints(table)),
            "checks": sorted(str(c["name"]) for c in inspector.get_check_constraints(table)),
            "indexes": sorted(str(i["name"]) for i in inspector.get_indexes(table)),
        }
    triggers = (
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
        if engine.dialect.name == "sqlite"
        else "SELECT DISTINCT trigger_name FROM information_schema.triggers"
    )
    with engine.connect() as connection:
        seen["triggers"] = sorted(connection.exec_driver_sql(triggers).scalars())
    engine.dispose()
    return seen


def test_migrations_are_in_step_with_the_models(database_url: str) -> None:
    assert differences(database_url) == []


def test_up_down_up(nothing: str) -> None:
    migrations.upgrade(nothing)
    first = schema(nothing)

    command.downgrade(migrations.config(nothing), "base")
    assert {"alembic_version", "triggers"} == set(schema(nothing))
    assert schema(nothing)["triggers"] == []

    migrations.upgrade(nothing)
    assert schema(nothing) == first


def test_there_is_one_line_of_revisions() -> None:
    """Two heads would mean that two migrations were written side by side."""
    directory = ScriptDirectory(str(migrations.DIRECTORY))
    assert len(directory.get_heads()) == 1
    assert len(directory.get_bases()) == 1
