"""One place commits; a unit is whole or nothing, and is run again when the database asks."""

import psycopg
import pytest
import sqlalchemy as sa
from flask import Flask

from app.core import audit
from app.core.audit import AuditEntry
from app.core.db import (
    DoneWithout,
    after_commit,
    at_the_end,
    db,
    drop_dead_connections,
    is_without,
    savepoint,
    session,
    transaction,
    write_now,
)


def entries() -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(AuditEntry)) or 0


def test_what_raises_leaves_nothing_behind(app: Flask) -> None:
    def work() -> None:
        audit.record("test", "things", 1)
        session.flush()
        raise RuntimeError("half-way")

    with pytest.raises(RuntimeError, match="half-way"):
        transaction(work)

    assert entries() == 0


def test_a_unit_inside_a_unit_is_refused(app: Flask) -> None:
    with pytest.raises(RuntimeError, match="do not nest"):
        transaction(lambda: transaction(lambda: None))


def test_a_change_outside_a_unit_is_refused(app: Flask) -> None:
    with pytest.raises(RuntimeError, match=r"needs a transaction\(\)"):
        audit.record("test", "things", 1)


def test_calls_after_commit_are_made_once_and_only_when_it_committed(app: Flask) -> None:
    called: list[str] = []

    def fails() -> None:
        after_commit(lambda: called.append("rolled back"))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        transaction(fails)
    transaction(lambda: after_commit(lambda: called.append("committed")))
    transaction(lambda: None)

    assert called == ["committed"]


def test_what_waits_for_the_end_is_written_together_and_once(app: Flask) -> None:
    written: list[list[int]] = []

    def work() -> None:
        at_the_end(written.append, 1)
        at_the_end(written.append, 2)
        assert written == []
        write_now(written.append)
        at_the_end(written.append, 3)

    transaction(work)
    transaction(lambda: None)

    assert written == [[1, 2], [3]]


def test_what_raises_in_a_savepoint_is_undone_alone(app: Flask) -> None:
    written: list[list[str]] = []
    called: list[str] = []

    def step(name: str) -> None:
        audit.record(name, "things", 1)
        session.flush()
        at_the_end(written.append, name)
        after_commit(lambda: called.append(name))

    @savepoint()
    def fails() -> None:
        step("within")
        write_now(written.append)
        raise RuntimeError("half-way")

    def work() -> None:
        step("before")
        with pytest.raises(RuntimeError, match="half-way"):
            fails()
        with savepoint():
            step("after")

    transaction(work)

    assert session.scalars(sa.select(AuditEntry.action)).all() == ["before", "after"]
    # What was written within was undone by the database, so what had waited is written again.
    assert written == [["before", "within"], ["before", "after"]]
    assert called == ["before", "after"]


def test_a_lost_race_for_a_unique_value_runs_the_unit_again(app: Flask) -> None:
    runs = 0

    def work() -> int:
        nonlocal runs
        runs += 1
        if runs == 1:
            # What a second browser's insert meets when the first one's has just committed.
            session.execute(sa.text("INSERT INTO preferences (name, value) VALUES ('a', '1')"))
            session.execute(sa.text("INSERT INTO preferences (name, value) VALUES ('a', '2')"))
        return runs

    assert transaction(work) == 2


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_connection_whose_server_is_gone_fails_where_it_is_looked_for(app: Flask) -> None:
    pid = session.scalar(sa.select(sa.func.pg_backend_pid()))
    session.remove()
    with psycopg.connect(
        str(db.engine.url.set(drivername="postgresql").render_as_string())
    ) as other:
        other.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])

    drop_dead_connections()

    assert session.scalar(sa.select(sa.func.pg_backend_pid())) != pid


def test_a_unit_that_can_do_without_a_part_is_run_again_without_it(app: Flask) -> None:
    seen: list[bool] = []

    def work() -> str:
        seen.append(is_without("weather"))
        if is_without("weather"):
            return "went on"
        try:
            session.execute(sa.text("SELECT nothing FROM nowhere"))
        except sa.exc.DBAPIError as error:
            raise DoneWithout("weather") from error
        return "not reached"

    assert transaction(work) == "went on"
    assert seen == [False, True]
    # The next unit asks for it again; one that cannot do without it ends.
    assert transaction(lambda: is_without("weather")) is False

    def insist() -> None:
        raise DoneWithout("weather")

    with pytest.raises(DoneWithout):
        transaction(insist)
