"""Work for later happens once: after the commit, in spite of loss, repetition and failure."""

import os
import subprocess
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app.core import audit, clock, outbox
from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.core.outbox import OutboxRow, OutboxState

JOB = "app.domain.orders.jobs.deliver"


class RecordingBell:
    """A real bell whose rings can be counted: the queue is tested in tests/races."""

    def __init__(self) -> None:
        self.rung: list[int] = []

    def ring(self, ids: Sequence[int]) -> None:
        self.rung += ids


@pytest.fixture
def bell(app: Flask, monkeypatch: pytest.MonkeyPatch) -> RecordingBell:
    bell = RecordingBell()
    monkeypatch.setattr(outbox, "_bell", bell)
    return bell


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> Callable[[outbox.Unit | None], None]:
    """Let every row run this unit."""

    def use(unit: outbox.Unit | None) -> None:
        monkeypatch.setattr(outbox, "resolve", lambda _name: lambda *_ids: unit)

    return use


def ask(key: str | None = None, at: datetime | None = None) -> int:
    transaction(lambda: outbox.later(JOB, 7, key=key, at=at))
    return row().id


def row() -> OutboxRow:
    session.rollback()
    return session.scalars(sa.select(OutboxRow).order_by(OutboxRow.id.desc())).first()  # type: ignore[return-value]


def acts() -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(AuditEntry)) or 0


def act() -> None:
    audit.record("acted", "things", 7)


def test_it_rings_after_the_commit_and_not_for_what_was_rolled_back(bell: RecordingBell) -> None:
    def fails() -> None:
        outbox.later(JOB, 7)
        raise RuntimeError

    with pytest.raises(RuntimeError):
        transaction(fails)
    assert bell.rung == []

    assert bell.rung == [] and ask() == bell.rung[0]


def test_a_key_is_asked_for_once(bell: RecordingBell) -> None:
    ask(key="only")
    ask(key="only")

    assert len(bell.rung) == 1


def test_a_row_run_twice_acts_once(bell: RecordingBell, job: Callable[..., None]) -> None:
    job(act)
    row_id = ask()

    outbox.run(row_id)
    outbox.run(row_id)

    assert acts() == 1
    assert row().state == OutboxState.DONE


def test_the_relay_rings_for_what_a_lost_queue_forgot(bell: RecordingBell) -> None:
    row_id = ask()
    bell.rung.clear()

    assert outbox.relay() == 0
    with time_machine.travel(clock.now() + outbox.RING_AGAIN * 2):
        assert outbox.relay() == 1

    assert bell.rung == [row_id]


def test_the_relay_waits_for_what_is_due_later(bell: RecordingBell) -> None:
    due = clock.now() + timedelta(minutes=15)
    row_id = ask(at=due)

    assert outbox.relay() == 0
    with time_machine.travel(due + timedelta(seconds=1)):
        assert outbox.relay() == 1

    assert bell.rung == [row_id]


def test_a_worker_that_died_is_followed_after_its_lease(
    bell: RecordingBell, job: Callable[..., None]
) -> None:
    job(act)
    row_id = ask()
    transaction(lambda: outbox._claim(row_id, "dead worker"))

    outbox.run(row_id)
    assert acts() == 0
    with time_machine.travel(clock.now() + outbox.LEASE + timedelta(seconds=1)):
        assert outbox.relay() == 1
        outbox.run(row_id)

    assert acts() == 1


def test_what_a_dead_process_had_in_hand_is_freed_by_its_successor(
    bell: RecordingBell, job: Callable[..., None]
) -> None:
    job(act)
    dead = subprocess.Popen(["true"])
    dead.wait()
    rows = {}
    for name, holder in (("dead", dead.pid), ("alive", os.getpid())):
        rows[name] = ask()
        lease = f"{outbox.FAMILY}.{holder}.1"
        transaction(lambda: outbox._claim(rows[name], lease))  # noqa: B023  called at once
    rows["elsewhere"] = ask()
    transaction(lambda: outbox._claim(rows["elsewhere"], f"another.{dead.pid}.1"))
    bell.rung.clear()

    assert transaction(outbox.free_orphans) == 1
    with time_machine.travel(clock.now() + timedelta(seconds=1)):
        outbox.relay()
        outbox.run(rows["dead"])

    assert bell.rung == [rows["dead"]]
    assert acts() == 1


def test_who_lost_the_lease_loses_the_whole_unit(
    bell: RecordingBell, job: Callable[..., None]
) -> None:
    def acts_while_another_takes_over() -> None:
        act()
        session.flush()
        session.execute(sa.update(OutboxRow).values(lease="another worker"))

    job(acts_while_another_takes_over)
    row_id = ask()

    outbox.run(row_id)

    assert acts() == 0
    assert row().state == OutboxState.RUNNING


def test_a_failure_is_put_back_with_growing_pauses_and_dies_in_the_end(
    bell: RecordingBell, job: Callable[..., None]
) -> None:
    def fails() -> None:
        raise RuntimeError("no answer")

    job(fails)
    row_id = ask()
    pauses = []
    moment = clock.now()
    for _ in range(outbox.TRIES):
        with time_machine.travel(moment, tick=False):
            outbox.run(row_id)
            pauses.append((row().due_at - moment).total_seconds())
            moment = row().due_at + timedelta(seconds=1)

    assert row().state == OutboxState.DEAD
    assert row().last_error == "RuntimeError: no answer"
    assert pauses[0] < 15 < pauses[2] and max(pauses) <= 3600 * 1.2


def test_staff_give_a_dead_row_another_life(bell: RecordingBell, job: Callable[..., None]) -> None:
    job(act)
    row_id = ask()
    transaction(lambda: session.execute(sa.update(OutboxRow).values(state=OutboxState.DEAD)))

    transaction(lambda: outbox.retry(row_id))
    outbox.run(row_id)

    assert acts() == 1


def test_a_unit_that_returns_a_moment_is_run_again_then(
    bell: RecordingBell, job: Callable[..., None]
) -> None:
    again = clock.now() + timedelta(minutes=5)
    job(lambda: again)
    row_id = ask()

    outbox.run(row_id)

    assert (row().state, row().due_at, row().attempts) == (OutboxState.READY, again, 0)


def test_what_is_called_off_does_not_run(bell: RecordingBell, job: Callable[..., None]) -> None:
    job(act)
    row_id = ask(key="watch", at=clock.now() + timedelta(minutes=1))

    transaction(lambda: outbox.call_off("watch"))
    with time_machine.travel(clock.now() + timedelta(hours=1)):
        assert outbox.relay() == 0
        outbox.run(row_id)

    assert acts() == 0


@pytest.mark.parametrize("name", ["os.system", "app.core.db.transaction", "app.domain.nowhere.x"])
def test_only_jobs_of_the_domain_can_be_named(name: str) -> None:
    with pytest.raises((LookupError, ModuleNotFoundError, AttributeError)):
        outbox.resolve(name)
