"""Work for later: a row now, in the same transaction as the change that wants it; RQ after it.

The row decides, RQ only carries: Redis may lose everything, ring twice, or ring late. A job is

    def expire(order_id: int) -> Callable[[], object] | None:

It may first do what must stand outside a transaction (call a channel), opening `transaction()`
for steps of its own, and returns its last unit of work. The executor commits that unit together
with the row's `done`, fenced by the lease: whoever lost the lease loses the whole unit, so a job
that ran twice acted once. A last unit that returns a moment asks to be run again then.
"""

import importlib
import os
import random
import secrets
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol, cast

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, db
from app.core.actors import acting_as
from app.core.db import require_transaction, session, transaction

log = structlog.get_logger()

Unit = Callable[[], object]

JOB_TIMEOUT = timedelta(seconds=120)
# A worker whose job did not end at its time-out is ended itself.
HUNG_AFTER = JOB_TIMEOUT + timedelta(seconds=60)
# Shorter than that, a lease would let two workers run one job.
LEASE = HUNG_AFTER + timedelta(seconds=60)
RING_AGAIN = timedelta(seconds=30)
TRIES = 12
# Forks of one process, which starts them again when they die, know each other by this.
FAMILY = secrets.token_hex(8)
BATCH = 200


class OutboxState(StrEnum):
    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"


class OutboxRow(db.Model):
    """A job that is wanted. `args` holds ids only: a row is read by people and lies in backups."""

    __tablename__ = "outbox"
    __table_args__ = (
        sa.Index(
            "ix_outbox_due",
            "due_at",
            postgresql_where=sa.text("state IN ('ready', 'running')"),
            sqlite_where=sa.text("state IN ('ready', 'running')"),
        ),
    )

    id: Mapped[db.PrimaryKey]
    key: Mapped[str | None] = mapped_column(unique=True)
    name: Mapped[str]
    args: Mapped[list[Any]]
    state: Mapped[OutboxState] = mapped_column(default=OutboxState.READY)
    due_at: Mapped[datetime]
    rung_at: Mapped[datetime | None]
    lease: Mapped[str | None]
    lease_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    done_at: Mapped[datetime | None]


_TABLE = db.table_of(OutboxRow)
_CALL_OFF = (
    sa.update(_TABLE)
    .where(_TABLE.c.key == sa.bindparam("called_off"), _TABLE.c.state == OutboxState.READY)
    .values(state=OutboxState.DONE, done_at=sa.bindparam("now"))
)
_CLAIM = (
    sa.update(_TABLE)
    .where(
        _TABLE.c.id == sa.bindparam("row_id"),
        sa.or_(
            sa.and_(_TABLE.c.state == OutboxState.READY, _TABLE.c.due_at <= sa.bindparam("now")),
            sa.and_(
                _TABLE.c.state == OutboxState.RUNNING, _TABLE.c.lease_until < sa.bindparam("now")
            ),
        ),
    )
    .values(
        state=OutboxState.RUNNING,
        lease=sa.bindparam("by"),
        lease_until=sa.bindparam("until"),
        attempts=_TABLE.c.attempts + 1,
    )
    .returning(_TABLE.c.name, _TABLE.c.args)
)
_HELD = sa.update(_TABLE).where(
    _TABLE.c.id == sa.bindparam("row_id"),
    _TABLE.c.lease == sa.bindparam("by"),
    _TABLE.c.state == OutboxState.RUNNING,
)
_DONE = _HELD.values(state=OutboxState.DONE, done_at=sa.bindparam("now"), last_error="")
_AGAIN = _HELD.values(
    state=OutboxState.READY, due_at=sa.bindparam("at"), rung_at=None, attempts=0, last_error=""
)


class Bell(Protocol):
    """What carries a row's id to a worker."""

    def ring(self, ids: Sequence[int]) -> None: ...


class NoBell:
    """Without a queue the relay rings later; nothing is lost, only slower."""

    def ring(self, ids: Sequence[int]) -> None:
        pass


_bell: Bell = NoBell()


def connect(bell: Bell) -> None:
    """Choose what carries the ids; called once by create_app()."""
    global _bell  # noqa: PLW0603  one bell a process, as there is one database
    _bell = bell


class LeaseLost(Exception):
    """Another worker took the row over: what this one did is rolled back."""


def later(name: str, *ids: int, key: str | None = None, at: datetime | None = None) -> None:
    """Ask for job `name` with `ids`, once this unit is committed and not before `at`.

    A `key` names an effect that may be asked for once only; asking again is then harmless.
    """
    now = clock.now()
    is_due = at is None or at <= now
    row_id = db.insert_once(
        OutboxRow,
        "key",
        key=key,
        name=name,
        args=list(ids),
        state=OutboxState.READY,
        due_at=at or now,
        rung_at=now if is_due else None,
        attempts=0,
        last_error="",
        created_at=now,
    )
    if row_id is not None and is_due:
        db.after_commit(lambda: _ring_softly([row_id]))


def call_off(key: str) -> None:
    """Drop what was asked for under `key` and has not begun."""
    db.execute(_CALL_OFF, {"called_off": key, "now": clock.now()})


def hasten(key: str) -> None:
    """Let what was asked for under `key` run now: it waits, or ended and is wanted once more.

    A row that is running is left alone: it looks at everything again before it ends.
    """
    now = clock.now()
    row_id = session.scalar(
        sa.update(OutboxRow)
        .where(OutboxRow.key == key, OutboxRow.state != OutboxState.RUNNING)
        .values(state=OutboxState.READY, due_at=now, rung_at=now, attempts=0, done_at=None)
        .returning(OutboxRow.id)
        .execution_options(synchronize_session=False)
    )
    if row_id is not None:
        db.after_commit(lambda: _ring_softly([row_id]))


def resolve(name: str) -> Callable[..., Unit | None]:
    """The job behind a dotted name; a test holds that every name in the code has one."""
    module, _, function = name.rpartition(".")
    if not module.startswith("app.domain."):
        raise LookupError(f"no such job: {name}")
    return cast("Callable[..., Unit | None]", getattr(importlib.import_module(module), function))


def relay() -> int:
    """Ring for every row that is due: new, swept up after a loss, or scheduled. Returns how many.

    This one query is relay, sweeper and scheduler. Any number may run side by side.
    """
    ids = list(session.scalars(due().limit(BATCH)))
    session.rollback()
    if not ids:
        return 0
    _bell.ring(ids)
    transaction(lambda: session.execute(_rung(ids)))
    return len(ids)


def due() -> sa.Select[int]:
    """Ids of rows that wait for a worker: ready and due, or running with a lease run out."""
    now = clock.now()
    waiting = sa.or_(
        sa.and_(OutboxRow.state == OutboxState.READY, OutboxRow.due_at <= now),
        sa.and_(OutboxRow.state == OutboxState.RUNNING, OutboxRow.lease_until < now),
    )
    silent = sa.or_(OutboxRow.rung_at.is_(None), OutboxRow.rung_at < now - RING_AGAIN)
    return sa.select(OutboxRow.id).where(waiting, silent).order_by(OutboxRow.due_at)


def run(row_id: int) -> None:
    """Execute one row: what an RQ worker calls. A second ring for the same row returns at once."""
    lease = f"{FAMILY}.{os.getpid()}.{secrets.token_hex(8)}"
    claimed = transaction(lambda: _claim(row_id, lease))
    if claimed is None:
        return
    name, ids = claimed
    with acting_as(f"job:{name.rpartition('.')[2]}:{row_id}"):
        try:
            last = resolve(name)(*ids)
            transaction(lambda: _finish(row_id, lease, last))
        except LeaseLost:
            log.warning("outbox.lease_lost", row=row_id, job=name)
        except Exception as error:
            log.exception("outbox.failed", row=row_id, job=name)
            message = f"{type(error).__name__}: {error}"[:300]
            transaction(lambda: _put_back(row_id, lease, message))


def free_orphans() -> int:
    """Let go what processes of this one's family had in hand when they died; how many that was.

    Their successors need not wait for leases to run out: whoever paid waits for them, too.
    """
    require_transaction()
    of_family = OutboxRow.lease.startswith(f"{FAMILY}.")
    held = sa.select(OutboxRow).where(OutboxRow.state == OutboxState.RUNNING, of_family)
    orphans = [row for row in session.scalars(held) if not _is_alive(_holder(row))]
    for row in orphans:
        row.lease_until = clock.now()
        row.rung_at = None
    return len(orphans)


def retry(row_id: int) -> None:
    """Staff give a dead row another life."""
    session.execute(
        sa.update(OutboxRow)
        .where(OutboxRow.id == row_id, OutboxRow.state == OutboxState.DEAD)
        .values(state=OutboxState.READY, attempts=0, due_at=clock.now(), rung_at=None)
    )


def _holder(row: OutboxRow) -> int:
    """The process that has it in hand."""
    return int((row.lease or "").split(".")[1])


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _rung(ids: Sequence[int]) -> sa.Update:
    return (
        sa.update(OutboxRow)
        .where(OutboxRow.id.in_(ids))
        .values(rung_at=clock.now())
        .execution_options(synchronize_session=False)
    )


def _ring_softly(ids: Sequence[int]) -> None:
    try:
        _bell.ring(ids)
    except OSError as error:
        # The row is committed; the relay rings again when the queue is back.
        log.warning("outbox.bell_silent", rows=list(ids), error=type(error).__name__)


def _claim(row_id: int, lease: str) -> tuple[str, list[int]] | None:
    """The name and the ids of the job, which is this worker's from now on; None for a duplicate."""
    now = clock.now()
    values = {"row_id": row_id, "by": lease, "now": now, "until": now + LEASE}
    row = db.execute(_CLAIM, values).first()
    return (row.name, row.args) if row is not None else None


def _finish(row_id: int, lease: str, last: Unit | None) -> None:
    again_at = last() if last is not None else None
    session.flush()
    values = {"row_id": row_id, "by": lease}
    if isinstance(again_at, datetime):
        held = db.execute(_AGAIN, values | {"at": again_at})
    else:
        held = db.execute(_DONE, values | {"now": clock.now()})
    if held.rowcount != 1:
        raise LeaseLost


def _put_back(row_id: int, lease: str, message: str) -> None:
    row = session.get(OutboxRow, row_id, populate_existing=True)
    if row is None or row.lease != lease or row.state != OutboxState.RUNNING:
        return
    pause = min(timedelta(seconds=5) * 2**row.attempts, timedelta(hours=1))
    row.state = OutboxState.DEAD if row.attempts >= TRIES else OutboxState.READY
    row.due_at = clock.now() + pause * random.uniform(0.8, 1.2)  # noqa: S311  jitter
    row.last_error = message
    row.lease = None
    row.lease_until = None
    row.rung_at = None
