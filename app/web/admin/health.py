"""Is the shop well: work, invariants, backup, versions."""

import platform
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, current_app, flash, redirect, url_for
from flask_babel import gettext as _
from redis import Redis
from redis.exceptions import RedisError

from app import backup, doctor, invariants
from app.core import audit, clock, migrations, outbox
from app.core.db import is_postgres, session, transaction
from app.core.outbox import OutboxRow, OutboxState
from app.settings import Settings
from app.web import spans
from app.web.access import staff
from app.web.admin import todo
from app.web.admin.invariant_words import invariant_words, misfit_words
from app.web.render import render

routes = Blueprint("health", __name__)

DEAD_SHOWN = 50
LATE = timedelta(minutes=1)


@dataclass(frozen=True)
class Sign:
    """One thing to look at: how it is, and what to do when it is not well."""

    name: str
    value: str
    tone: str
    advice: str = ""


@routes.get("/admin/health")
@staff("health.view")
def show() -> Response:
    return _page()


@routes.get("/admin/health/invariants")
@staff("health.view")
def show_invariants() -> Response:
    """Run every check of `flask audit` now; on a large shop this takes some seconds."""
    return _page(
        findings=invariants.run(),
        checked_at=clock.now(),
        invariant_words=invariant_words,
        misfit_words=misfit_words,
    )


@routes.post("/admin/health/jobs/<int:row_id>/retry")
@staff("health.retry")
def create_retry(row_id: int) -> Response:
    """Give a job that failed too often another life."""

    def retry() -> None:
        audit.record("job.retry", "outbox", row_id)
        outbox.retry(row_id)

    transaction(retry)
    todo.forget()
    flash(_("任务已重新排队"), "good")
    return redirect(url_for("admin.health.show"), 303)  # type: ignore[return-value]


def _page(**context: Any) -> Response:
    settings: Settings = current_app.config["SETTINGS"]
    dead = session.scalars(
        sa.select(OutboxRow)
        .where(OutboxRow.state == OutboxState.DEAD)
        .order_by(OutboxRow.id.desc())
        .limit(DEAD_SHOWN)
    ).all()
    signs = [_work(), _queue(settings), _schema(), _backup(settings)]
    return render("admin/health.html", signs=signs, dead=dead, versions=_versions(), **context)


def _work() -> Sign:
    """How long the oldest due row has waited: nothing else says so surely that workers work."""
    oldest = session.scalar(
        sa.select(sa.func.min(OutboxRow.due_at)).where(
            OutboxRow.state == OutboxState.READY, OutboxRow.due_at <= clock.now()
        )
    )
    if oldest is None:
        return Sign(_("后台任务"), _("没有积压"), "good")
    waited = clock.now() - oldest
    value = _("最早的一个已等了 %(duration)s", duration=duration(waited))
    if waited < LATE:
        return Sign(_("后台任务"), value, "good")
    return Sign(_("后台任务"), value, "bad", _("请检查 worker 是否在运行"))


def _queue(settings: Settings) -> Sign:
    try:
        Redis.from_url(settings.redis_url, socket_connect_timeout=1, socket_timeout=1).ping()
    except RedisError:
        return Sign(_("队列"), _("连不上"), "bad", _("任务会等它恢复，不会丢失"))
    return Sign(_("队列"), _("运转正常"), "good")


def _schema() -> Sign:
    if migrations.is_at_head():
        return Sign(_("数据库结构"), _("已是最新"), "good")
    return Sign(_("数据库结构"), _("落后于程序"), "bad", _("请在服务器上运行 flask init"))


def _backup(settings: Settings) -> Sign:
    newest = backup.newest(settings.data_dir / "backups")
    advice = _("请在服务器上运行 flask backup,并定时执行")
    if newest is None:
        return Sign(_("备份"), _("还没有"), "wait", advice)
    age = clock.now() - datetime.fromtimestamp(newest.stat().st_mtime, UTC)
    value = _("%(duration)s 前", duration=duration(age))
    if age < doctor.BACKUP_TOO_OLD:
        return Sign(_("备份"), value, "good")
    return Sign(_("备份"), value, "bad", advice)


def _versions() -> list[tuple[str, str]]:
    kind = "PostgreSQL" if is_postgres() else "SQLite"
    asked = "SHOW server_version" if is_postgres() else "SELECT sqlite_version()"
    number = session.execute(sa.text(asked)).scalar()
    return [
        (_("数据库"), f"{kind} {number}"),
        ("Python", platform.python_version()),
        ("Flask", version("flask")),
        ("SQLAlchemy", version("sqlalchemy")),
        ("RQ", version("rq")),
        ("cryptography", version("cryptography")),
    ]


def duration(span: timedelta) -> str:
    """A span in its largest unit: "3 小时", "5 分钟", "12 秒"."""
    seconds = max(int(span.total_seconds()), 0)
    if seconds < 60:
        return str(_("%(n)s 秒", n=seconds))
    if seconds < 3600:
        return spans.words(f"PT{seconds // 60}M")
    if seconds < 2 * 86400:
        return spans.words(f"PT{seconds // 3600}H")
    return spans.words(f"P{seconds // 86400}D")
