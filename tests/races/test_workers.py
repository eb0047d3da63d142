"""Real Redis, real RQ workers in processes of their own, and kill -9 at whatever runs."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from flask import Flask

from app import create_app, invariants
from app.core import bell, keys, outbox
from app.core.db import db, session, transaction
from app.core.outbox import OutboxRow, OutboxState
from app.core.processes import die_with_parent
from app.domain.orders import closing
from app.domain.orders.models import Order, OrderState
from tests import factories, servers
from tests.conftest import MASTER_KEY, settings

ORDERS = 6
# A worker whose every job sleeps; with whatever is to come before that.
SLEEPER = """
import signal, time
from datetime import timedelta
import worker
from app.core import outbox
outbox.JOB_TIMEOUT, outbox.HUNG_AFTER = timedelta(seconds=1), timedelta(seconds=3)
def sleep(*ids):
    {before}
    time.sleep(60)
outbox.resolve = lambda name: sleep
worker.work()
"""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[servers.RedisServer]:
    server = servers.RedisServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def shop(
    database_url: str, redis: servers.RedisServer, tmp_path: Path
) -> Iterator[tuple[Flask, dict[str, str]]]:
    """The app in this process, and the environment that workers share with it."""
    made = create_app(settings(tmp_path, database_url, redis.url))
    environment = os.environ | {
        "DATA_DIR": str(tmp_path),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis.url,
        "SECRET_KEY": "test" * 16,
        "MASTER_KEYS": MASTER_KEY,
        "SHOP_ENV": "test",
        "BASE_URL": "http://localhost",
    }
    with made.app_context():
        transaction(keys.ensure_shop_keys)
        yield made, environment
        session.remove()
        db.engine.dispose()


def start_workers(environment: dict[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, str(servers.ROOT / "worker.py"), "--workers", "2"],
        cwd=servers.ROOT,
        env=environment,
        preexec_fn=die_with_parent,
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def cancelled_orders() -> int:
    """Orders that a bank transfer was to pay, each waiting for a job that closes it."""
    product = factories.make_product(codes=ORDERS)
    for _ in range(ORDERS):
        placed = factories.place(product, channel="transfer")
        order_id = placed.order.id
        transaction(lambda: closing.cancel(order_id))  # noqa: B023  called at once
    return product.id


def later_once() -> None:
    transaction(lambda: outbox.later("app.domain.orders.jobs.deliver", 1))


def closed() -> int:
    session.rollback()
    count = session.scalar(
        sa.select(sa.func.count(Order.id)).where(Order.state == OrderState.CANCELLED)
    )
    return count or 0


def children_of(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in found]


def check_the_books() -> None:
    session.rollback()
    assert [finding for finding in invariants.run(full=True) if not finding.holds] == []
    dead = sa.select(sa.func.count()).where(OutboxRow.state == OutboxState.DEAD)
    assert session.scalar(dead) == 0


def test_workers_do_what_was_rung_for(shop: tuple[Flask, dict[str, str]]) -> None:
    cancelled_orders()
    workers = start_workers(shop[1])

    servers.wait_until(lambda: closed() == ORDERS, "all orders closed", within=60)

    workers.terminate()
    assert workers.wait(30) == 0
    check_the_books()


def test_what_redis_lost_the_relay_rings_for_again(
    shop: tuple[Flask, dict[str, str]], redis: servers.RedisServer
) -> None:
    cancelled_orders()
    redis.kill()
    redis.start()
    transaction(lambda: session.execute(sa.update(OutboxRow).values(rung_at=None)))
    workers = start_workers(shop[1])

    servers.wait_until(lambda: closed() == ORDERS, "all orders closed", within=60)

    workers.terminate()
    workers.wait(30)
    check_the_books()


def test_killed_workers_and_relay_are_followed_by_others(
    shop: tuple[Flask, dict[str, str]],
) -> None:
    workers = start_workers(shop[1])
    servers.wait_until(lambda: len(children_of(workers.pid)) == 3, "relay and two workers")
    first = children_of(workers.pid)
    cancelled_orders()

    for pid in first:
        os.kill(pid, signal.SIGKILL)
    servers.wait_until(lambda: len(children_of(workers.pid)) == 3, "their successors")
    # What a killed worker had in hand its successor frees; what it was only rung for would be rung
    # for again after a while.
    transaction(lambda: session.execute(sa.update(OutboxRow).values(rung_at=None)))
    servers.wait_until(lambda: closed() == ORDERS, "all orders closed", within=90)

    workers.terminate()
    workers.wait(30)
    check_the_books()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_nothing_outlives_a_killed_supervisor(shop: tuple[Flask, dict[str, str]]) -> None:
    workers = start_workers(shop[1])
    servers.wait_until(lambda: len(children_of(workers.pid)) == 3, "relay and two workers")
    children = children_of(workers.pid)

    workers.kill()
    workers.wait()

    servers.wait_until(
        lambda: not any(Path(f"/proc/{pid}/exe").exists() for pid in children), "their end"
    )


def sleeps(environment: dict[str, str], before: str) -> "subprocess.CompletedProcess[str]":
    """A worker that a sleeping job ends."""
    return subprocess.run(
        [sys.executable, "-c", SLEEPER.format(before=before)],
        cwd=servers.ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
    )


def state_of_the_only_row() -> tuple[OutboxState, str]:
    session.rollback()
    row = session.scalars(sa.select(OutboxRow).where(OutboxRow.attempts > 0)).one()
    return row.state, row.last_error


def test_a_job_whose_time_is_up_is_put_back_and_its_worker_ends(
    shop: tuple[Flask, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "JOB_TIMEOUT", timedelta(seconds=1))
    later_once()

    ended = sleeps(shop[1], "pass")

    assert ended.returncode == 0
    state, error = state_of_the_only_row()
    assert state == OutboxState.READY
    assert error.startswith("JobTimeoutException")


def test_a_job_that_does_not_hear_the_alarm_is_ended_with_its_worker(
    shop: tuple[Flask, dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bell, "JOB_TIMEOUT", timedelta(seconds=1))
    later_once()

    ended = sleeps(shop[1], "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])")

    assert ended.returncode == 1
    assert "in sleep" in ended.stderr
    # As a killed one's: whoever comes next finds it when its lease has run out.
    assert state_of_the_only_row() == (OutboxState.RUNNING, "")
