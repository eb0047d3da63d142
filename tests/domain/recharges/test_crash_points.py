"""Killed at each named point of the engine and carried on by another process: arrived once.

The provider is the real simulator, and its own record is the judge.
"""

import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import time_machine

from app import invariants
from app.core import clock
from app.core.crashpoints import KILLED
from app.core.db import session
from app.core.outbox import OutboxRow
from app.domain.orders.models import Order, OrderState
from tests import factories
from tests.recharging import Works, working
from tests.servers import ROOT, wait_until

RUN = """
import sys
from app import create_app
from app.core import outbox
with create_app().app_context():
    outbox.run(int(sys.argv[1]))
"""


@pytest.fixture
def works(database_url: str, tmp_path: Path) -> Iterator[Works]:
    with working(tmp_path, database_url) as made:
        yield made


def run_and_die(works: Works, row_id: int, point: str) -> int:
    """Another process runs the job and is killed at the point; its exit code."""
    return subprocess.run(
        [sys.executable, "-c", RUN, str(row_id)],
        cwd=ROOT,
        env=works.environment | {"CRASH_AT": point},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    ).returncode


def job_of(works: Works, account: str) -> tuple[int, int]:
    """A paid order and the row of its job."""
    order = works.buy(account)
    session.rollback()
    name = "app.domain.recharges.jobs.recharge_line"
    row_id = session.scalars(sa.select(OutboxRow.id).where(OutboxRow.name == name)).one()
    session.rollback()
    return order.id, row_id


def carry_on(works: Works) -> None:
    """Later, when the dead one's lease has run out, others do what is left, and ask again when the
    provider, whose clock is the real one, has had its time."""
    _work_in(minutes=5)
    wait_until(works.counterpart.executed, "the provider to execute it")
    for minutes in (6, 7):
        _work_in(minutes)


def _work_in(minutes: int) -> None:
    with time_machine.travel(clock.now() + timedelta(minutes=minutes), tick=True):
        session.rollback()
        factories.take_over()
        factories.work()


def arrived(order_id: int) -> OrderState:
    session.rollback()
    session.expire_all()
    return session.get_one(Order, order_id).state


@pytest.mark.parametrize(
    ("database_url", "account"),
    [("sqlite", "13900000000"), ("postgres", "13900001001")],
    ids=["at once", "later"],
    indirect=["database_url"],
)
@pytest.mark.parametrize("point", ["recharge.intended", "recharge.called", "recharge.taken"])
def test_killed_and_carried_on(works: Works, point: str, account: str) -> None:
    order_id, row_id = job_of(works, account)

    assert run_and_die(works, row_id, point) == KILLED
    carry_on(works)

    assert arrived(order_id) == OrderState.DELIVERED
    assert list(works.counterpart.executed().values()) == [1]
    assert [finding for finding in invariants.run(full=True) if not finding.holds] == []
