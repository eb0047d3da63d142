"""The database: columns' types, the session, and the only place that commits.

This is the one module that knows Flask-SQLAlchemy. Everything else takes `Model`, `session` and
`transaction` from here and would not notice if the extension left.
"""

import enum
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import event, exc
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import DeclarativeBase, mapped_column, registry

T = TypeVar("T")

BigInt = sa.BigInteger().with_variant(sa.Integer, "sqlite")


class Instant(sa.TypeDecorator[datetime]):
    """A moment in UTC. SQLite keeps no zone: it is checked going in and given back coming out."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, _dialect: sa.Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a zone is not a moment")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, _dialect: sa.Dialect) -> datetime | None:
        if value is None or value.tzinfo is not None:
            return value
        return value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    # A registry rather than the two class attributes: Flask-SQLAlchemy copies this class's body.
    registry = registry(
        metadata=sa.MetaData(
            naming_convention={
                "ix": "ix_%(table_name)s_%(column_0_N_name)s",
                "uq": "uq_%(table_name)s_%(column_0_N_name)s",
                "ck": "ck_%(table_name)s_%(constraint_name)s",
                "fk": "fk_%(table_name)s_%(column_0_N_name)s",
                "pk": "pk_%(table_name)s",
            }
        ),
        type_annotation_map={
            int: BigInt,
            str: sa.Text,
            bytes: sa.LargeBinary,
            datetime: Instant,
            dict[str, Any]: sa.JSON,
            list[Any]: sa.JSON,
            enum.StrEnum: sa.Enum(
                enum.StrEnum,
                native_enum=False,
                create_constraint=True,
                length=20,
                values_callable=lambda kind: [member.value for member in kind],
            ),
        },
    )


# Each test, worker and web process makes its own app; the session is always the one of the app
# in whose context the code runs.
db = SQLAlchemy(
    model_class=Base,
    session_options={"expire_on_commit": False, "autoflush": False},
    disable_autonaming=True,
)
session = db.session

if TYPE_CHECKING:
    Model = Base
else:
    Model = db.Model

PrimaryKey = Annotated[int, mapped_column(primary_key=True)]

# Only locks waited for, dead ends and lost races are worth another try; the rest is a fault.
RETRYABLE_PG = {"40001", "40P01", "55P03"}
TRIES = 6


def connect(app: Flask, url: str) -> None:
    """Give the app its engine; nothing connects until the first query."""
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = engine_options(url)
    db.init_app(app)
    with app.app_context():
        prepare_engine(db.engine)


def engine_options(url: str) -> dict[str, Any]:
    """Time limits for PostgreSQL, so that no request waits for a lock it will not get.

    Outside a unit each statement stands alone: it sees what it would see anyway, needs no BEGIN and
    no ROLLBACK, and a request that dawdles holds nothing open.
    """
    options: dict[str, Any] = {"hide_parameters": True}
    if url.startswith("postgresql"):
        options |= {"pool_size": 10, "max_overflow": 20, "pool_pre_ping": False}
        options["isolation_level"] = "AUTOCOMMIT"
        options["connect_args"] = {
            "options": "-c lock_timeout=3000 -c statement_timeout=30000"
            " -c idle_in_transaction_session_timeout=30000 -c timezone=UTC"
        }
    return options


def prepare_engine(engine: sa.Engine) -> None:
    """SQLite: durable commits, and a write unit takes the write lock when it begins.

    A deferred BEGIN that turns from reading to writing fails at once when another writer came
    between, whatever the busy timeout; BEGIN IMMEDIATE waits its turn.
    """
    if engine.dialect.name != "sqlite":
        return

    @event.listens_for(engine, "connect")
    def _pragmas(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        for pragma in (
            "journal_mode=WAL",
            "busy_timeout=15000",
            "synchronous=FULL",
            "foreign_keys=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        is_write = connection.get_execution_options().get("write")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")


def is_postgres() -> bool:
    return session.get_bind().dialect.name == "postgresql"


def once(ids: sa.Select[Any]) -> sa.Select[Any]:
    """The ids that a locking select with a LIMIT picks, for use within IN.

    As a bare subquery PostgreSQL may run it again for each row it compares, and with SKIP LOCKED
    each run picks others: more rows would be changed than the LIMIT says. It stands within the IN,
    not in front: of a statement that begins with WITH, SQLite's driver counts no changed rows.
    """
    return sa.select(ids.cte("picked", nesting=True))


def transaction(work: Callable[[], T]) -> T:
    """Run `work` as one unit: all of it is committed, or nothing.

    The whole unit is run again when the database asks for it (deadlock, lock wait, busy file), when
    a UNIQUE constraint says that somebody else was first (the second run then sees them), and when
    a part raises DoneWithout. So `work` must have no effect outside the database. Units do not
    nest.
    """
    if is_in_unit():
        raise RuntimeError("transactions do not nest: the edge opens the one there is")
    without: frozenset[str] = frozenset()
    for attempt in range(TRIES):
        # What was read before is not what the unit may decide on: begin with a fresh view.
        session.rollback()
        unit = session().info["unit"] = _Unit(without=without)
        try:
            session.connection(execution_options=_unit_options())
            result = work()
            session.flush()
            for write in dict.fromkeys(write for write, _ in unit.at_the_end):
                write_now(write)
            session.commit()
        except (exc.DBAPIError, DoneWithout) as error:
            session.rollback()
            if not _worth_another_try(error, attempt):
                raise
            without |= {error.part} if isinstance(error, DoneWithout) else set()
            time.sleep(random.uniform(0.005, 0.03) * 2**attempt)  # noqa: S311  jitter
            continue
        except BaseException:
            session.rollback()
            raise
        finally:
            session().info["unit"] = None
        for call in unit.after_commit:
            call()
        return result
    raise AssertionError("unreachable: the last try raises")


class DoneWithout(Exception):
    """A part of a unit got no answer from the database, and the unit can do without it.

    The unit is run again, and `is_without(part)` then says so. A savepoint around the part would do
    the same, and cost every unit two ways to the database that nearly none needs.
    """

    def __init__(self, part: str) -> None:
        super().__init__(part)
        self.part = part


def is_without(part: str) -> bool:
    """Whether this run of the unit has to do without a part."""
    return part in _unit().without


@contextmanager
def savepoint() -> Iterator[None]:
    """What is done in the block is undone alone when it raises, and the unit can go on."""
    unit = _unit()
    before = unit.at_the_end, unit.after_commit
    try:
        with session.begin_nested():
            yield
    except BaseException:
        unit.at_the_end, unit.after_commit = before
        raise


def see_one_moment() -> None:
    """Let what is read from here until the next unit, or a rollback, agree with itself."""
    session.rollback()
    if is_postgres():
        session.connection(execution_options={"isolation_level": "REPEATABLE READ"})


def _unit_options() -> dict[str, Any]:
    return {"isolation_level": "READ COMMITTED"} if is_postgres() else {"write": True}


def insert_once(model: type[Any], unique: str, **values: object) -> int | None:
    """Insert a row unless its `unique` columns (comma-separated) are taken; its id, or None.

    One statement, so two that come at once cannot both believe they were first.
    """
    require_transaction()
    statement = _insert_once(table_of(model), unique, for_postgres=is_postgres())
    found: int | None = execute(statement, values).scalar()
    return found


def table_of(model: type[Any]) -> sa.Table:
    """The table behind a model, for statements that are built once and know no ORM."""
    table: sa.Table = model.__table__
    return table


@cache
def _insert_once(table: sa.Table, unique: str, *, for_postgres: bool) -> sa.Executable:
    insert = postgresql.insert if for_postgres else sqlite.insert
    return (
        insert(table).on_conflict_do_nothing(index_elements=unique.split(",")).returning(table.c.id)
    )


def execute(statement: sa.Executable, *values: Any) -> sa.CursorResult[*tuple[Any, ...]]:
    """Run a statement that is built once and knows no ORM: what the hot path does many times.

    Building a statement costs more than running it; see docs/architecture.md, "Speed".
    """
    return session.connection().execute(statement, *values)


def at_the_end(write: Callable[[list[T]], None], item: T) -> None:
    """Let `write` have `item`, together with all others it is to have, as the unit's last step.

    For what nobody in the unit reads again: one statement writes it all, and a row that everybody
    writes to is locked no longer than a commit takes.
    """
    unit = _unit()
    unit.at_the_end += ((write, item),)


def still_to_write(write: Callable[[list[T]], None]) -> list[T]:
    """What `write` will have at the end of this unit, so far."""
    return [item for writer, item in _unit().at_the_end if writer == write]


def write_now(write: Callable[[list[T]], None]) -> None:
    """Let `write` have at once what it was to have at the end of this unit."""
    unit = _unit()
    items = still_to_write(write)
    unit.at_the_end = tuple(pair for pair in unit.at_the_end if pair[0] != write)
    write(items)


def after_commit(call: Callable[[], None]) -> None:
    """Run `call` once the unit is committed; forgotten when it is rolled back."""
    unit = _unit()
    unit.after_commit += (call,)


def drop_dead_connections() -> None:
    """Let a connection whose server is gone fail here, rather than in what comes next: one that
    lies idle is not told. SQLAlchemy then makes all of them anew."""
    with suppress(exc.DBAPIError):
        session.execute(sa.select(1))
    session.rollback()


def is_in_unit() -> bool:
    """Whether a transaction() is under way here."""
    return session().info.get("unit") is not None


def require_transaction() -> None:
    """Raise unless a unit is open: a change outside one would be lost or half-done."""
    _unit()


@dataclass
class _Unit:
    """What is left to do for a unit. Tuples, so that a savepoint can remember what there was."""

    at_the_end: tuple[tuple[Callable[[list[Any]], None], Any], ...] = ()
    after_commit: tuple[Callable[[], None], ...] = ()
    without: frozenset[str] = frozenset()


def _unit() -> _Unit:
    unit: _Unit | None = session().info.get("unit")
    if unit is None:
        raise RuntimeError("this needs a transaction()")
    return unit


def _worth_another_try(error: exc.DBAPIError | DoneWithout, attempt: int) -> bool:
    if attempt >= TRIES - 1:
        return False
    if isinstance(error, DoneWithout):
        return True
    if isinstance(error, exc.IntegrityError):
        return attempt < 2 and _is_unique_violation(error)
    if getattr(error.orig, "sqlstate", None) in RETRYABLE_PG:
        return True
    return "database is locked" in str(error.orig)


def _is_unique_violation(error: exc.IntegrityError) -> bool:
    return getattr(error.orig, "sqlstate", None) == "23505" or "UNIQUE constraint" in str(
        error.orig
    )
