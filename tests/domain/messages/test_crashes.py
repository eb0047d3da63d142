"""A worker that dies half-way through a message: whatever it left, the buyer hears of it once at
most, and staff see what is not known."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app.core import clock, outbox
from app.core.crashpoints import KILLED
from app.core.db import session
from app.core.outbox import OutboxRow, OutboxState
from app.core.processes import die_with_parent
from tests import factories, servers
from tests.conftest import MASTER_KEY
from tests.domain.messages.conftest import MEI, Post

RUN = """
import sys
from app import create_app
from app.core import outbox
with create_app().app_context():
    outbox.run(int(sys.argv[1]))
"""


def die_at(point: str, row_id: int, post: Post, environment: dict[str, str]) -> None:
    """Run the job in a process of its own that ends there as by a power cut."""
    mail = {"SMTP_URL": post.server.url, "MAIL_FROM": "shop@example.com", "CRASH_AT": point}
    ended = subprocess.run(
        [sys.executable, "-c", RUN, str(row_id)],
        cwd=servers.ROOT,
        env=os.environ | environment | mail,
        preexec_fn=die_with_parent,
        timeout=60,
        check=False,
    )
    assert ended.returncode == KILLED


def environment_of(data_dir: Path, database_url: str) -> dict[str, str]:
    """The settings of a process that works for the shop of a test."""
    return {
        "DATA_DIR": str(data_dir),
        "DATABASE_URL": database_url,
        "REDIS_URL": "unix:///nowhere",
        "SECRET_KEY": "test" * 16,
        "MASTER_KEYS": MASTER_KEY,
        "SHOP_ENV": "test",
        "BASE_URL": "http://localhost",
    }


@pytest.mark.parametrize(("point", "mails"), [("message.intended", 0), ("message.called", 1)])
def test_killed_half_way_it_is_doubt_and_not_sent_again(
    app: Flask, post: Post, database_url: str, tmp_path: Path, point: str, mails: int
) -> None:
    factories.buy(factories.make_product(), phone=MEI)
    session.rollback()
    row_id = session.scalars(sa.select(OutboxRow.id).where(OutboxRow.key.like("message:%"))).one()
    session.rollback()

    die_at(point, row_id, post, environment_of(tmp_path, database_url))
    assert post.states() == [("arrived", "sending")]
    session.rollback()
    with time_machine.travel(clock.now() + outbox.LEASE + timedelta(seconds=1), tick=True):
        outbox.run(row_id)

    (row,) = post.rows()
    assert (row.state.value, row.reason, row.attempts) == ("unknown", "interrupted", 1)
    assert len(post.subjects) == mails
    done = session.get_one(OutboxRow, row_id, populate_existing=True)
    assert done.state == OutboxState.DONE
