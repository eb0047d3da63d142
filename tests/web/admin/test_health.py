"""The health page tells the truth, and gives dead jobs another life."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from app import backup, invariants
from app.core import audit, audit_chain, clock
from app.core.audit import AuditEntry
from app.core.audit_chain import AuditSeal
from app.core.db import session, transaction
from app.core.outbox import OutboxRow, OutboxState
from app.domain.accounts.models import Role
from app.web.admin.health import duration
from app.web.admin.invariant_words import INVARIANTS
from tests import people
from tests.web.visitors import Visitor, location, words


def add_job(state: OutboxState, *, ago: timedelta = timedelta(0), error: str = "") -> int:
    def add() -> OutboxRow:
        row = OutboxRow(
            key=None, name="app.domain.orders.jobs.send_refund", args=[12], state=state,
            due_at=clock.now() - ago, rung_at=None, lease=None, lease_until=None,
            attempts=12, last_error=error, created_at=clock.now() - ago, done_at=None,
        )  # fmt: skip
        session.add(row)
        session.flush()
        return row

    return transaction(add).id


@pytest.fixture
def owner(app: Flask) -> Visitor:
    return Visitor(app, people.make(Role.OWNER))


def test_a_quiet_shop(app: Flask, owner: Visitor) -> None:
    page = words(owner.get("/admin/health"))
    for part in ("没有积压", "最新", "没有失败的任务", "连不上", "还没有"):
        assert part in page
    assert ("SQLite" in page) != ("PostgreSQL" in page)
    backups = app.config["SETTINGS"].data_dir / "backups"
    backup.backup(backup.default_path(backups.parent))
    assert "0 秒 前" in words(owner.get("/admin/health")) or "秒 前" in words(
        owner.get("/admin/health")
    )


def test_the_oldest_waiting_job_is_named(owner: Visitor) -> None:
    add_job(OutboxState.READY, ago=timedelta(minutes=5))
    add_job(OutboxState.READY, ago=timedelta(minutes=25))
    add_job(OutboxState.READY, ago=timedelta(minutes=-60))
    add_job(OutboxState.DONE, ago=timedelta(days=5))
    page = words(owner.get("/admin/health"))
    assert "最早的一个已等了 25 分钟" in page
    assert "请检查 worker" in page


def test_a_dead_job_is_shown_and_retried(app: Flask, owner: Visitor) -> None:
    row_id = add_job(OutboxState.DEAD, error="ReadTimeout: <slow>")
    page = owner.get("/admin/health")
    assert "ReadTimeout: &lt;slow&gt;" in page.text
    assert location(owner.post(f"/admin/health/jobs/{row_id}/retry")) == "/admin/health"
    session.rollback()
    row = session.get_one(OutboxRow, row_id, populate_existing=True)
    assert (row.state, row.attempts) == (OutboxState.READY, 0)
    assert session.scalars(sa.select(AuditEntry.action)).all() == ["job.retry"]


def test_an_auditor_may_look_and_not_retry(app: Flask) -> None:
    row_id = add_job(OutboxState.DEAD)
    auditor = Visitor(app, people.make(Role.AUDITOR))
    assert "重试" not in words(auditor.get("/admin/health"))
    assert auditor.post(f"/admin/health/jobs/{row_id}/retry").status_code == 403


def test_the_invariants_are_run_and_named(owner: Visitor) -> None:
    page = words(owner.get("/admin/health/invariants"))
    assert "全部通过" in page
    for check in invariants.CHECKS:
        assert INVARIANTS[check.name] in page


def test_a_breach_is_loud(owner: Visitor) -> None:
    add_job(OutboxState.READY, ago=timedelta(hours=1))
    assert "有不变量被破坏" in words(owner.get("/admin/health/invariants"))


def test_what_does_not_fit_in_the_audit_log_is_named(owner: Visitor) -> None:
    transaction(lambda: audit.record("batch.freeze", "batches", 7, reason="怀疑泄漏"))
    audit_chain.seal_all()
    # A seal that somebody made up who has no key.
    transaction(
        lambda: session.execute(
            sa.insert(AuditSeal).values(
                seq=3, entry_id=None, hash=bytes(32), sealed_at=clock.now(), reached_at=clock.now()
            )
        )
    )
    page = words(owner.get("/admin/health/invariants"))
    # What is broken stands first.
    assert 0 < page.find("第 2 号封存不见了") < page.find("每笔账目借贷相等")
    assert "第 3 号封存、第 — 条操作日志：与封存时不符" in page


@pytest.mark.parametrize(
    ("span", "said"),
    [
        (timedelta(seconds=-3), "0 秒"), (timedelta(seconds=59), "59 秒"),
        (timedelta(minutes=5, seconds=59), "5 分钟"), (timedelta(hours=26), "26 小时"),
        (timedelta(days=9, hours=3), "9 天"),
    ],
)  # fmt: skip
def test_a_span_in_words(app: Flask, span: timedelta, said: str) -> None:
    with app.test_request_context("/"):
        assert duration(span) == said
