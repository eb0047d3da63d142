"""`flask doctor`: what an operator should look at, each with what to do about it."""

import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import sqlalchemy as sa
from redis import Redis
from redis.exceptions import RedisError
from sqlalchemy.exc import SQLAlchemyError

from app import backup
from app.core import clock, keys, migrations
from app.core.db import is_postgres, session
from app.core.outbox import OutboxRow, OutboxState
from app.domain.vault import key_queries
from app.providers import messages
from app.settings import LOOPBACK, Settings

BACKUP_TOO_OLD = timedelta(hours=26)
CLOCK_SKEW = 5.0
# The values of PostgreSQL's `sslmode` that never go on without TLS.
ENCRYPTED = ("require", "verify-ca", "verify-full")


@dataclass(frozen=True)
class Symptom:
    name: str
    is_well: bool
    words: str


def examine(settings: Settings) -> list[Symptom]:
    """Everything worth a look, the well and the ill."""
    return [
        *_database(),
        *_keys(settings),
        _queue(settings),
        *_work(),
        _backup(settings),
        *_messages(),
        *_exposure(settings),
    ]


def _database() -> Iterator[Symptom]:
    try:
        session.execute(sa.text("SELECT 1"))
    except SQLAlchemyError as error:
        session.rollback()
        yield Symptom("database", False, f"does not answer ({type(error).__name__})")
        return
    at_head = migrations.is_at_head()
    yield Symptom("database", True, "answers")
    yield Symptom("schema", at_head, "up to date" if at_head else "run `flask init` to migrate")
    if is_postgres() and at_head:
        theirs = session.execute(sa.text("SELECT extract(epoch FROM clock_timestamp())")).scalar()
        skew = abs(float(theirs or 0) - time.time())
        yield Symptom("clock", skew < CLOCK_SKEW, f"{skew:.1f} s apart from the database's")
        yield _rights()


def _rights() -> Symptom:
    """Whether the shop could do more to the server than it needs to."""
    mine = sa.text("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    is_super = bool(session.scalar(mine))
    words = "may do anything to the server: give the shop a role of its own that is no superuser"
    return Symptom("database role", not is_super, words if is_super else "is no superuser")


def _keys(settings: Settings) -> Iterator[Symptom]:
    if not migrations.is_at_head():
        return
    counted = keys.check()
    words = f"{counted.opened} data keys open"
    if counted.closed:
        words = f"{counted.closed} data keys do not open: this is not the master key that made them"
    yield Symptom("keys", counted.closed == 0 and counted.opened > 0, words)
    if counted.opened:
        strays = key_queries.count_under_others()
        words = f"{strays} data keys are under an older one: run `flask keys rotate`"
        yield Symptom("master key", not strays, words if strays else "wraps every data key")
    if settings.master_key_file.exists():
        mode = stat.S_IMODE(settings.master_key_file.stat().st_mode)
        yield Symptom("master key file", mode & 0o077 == 0, f"mode {mode:o}")


def _queue(settings: Settings) -> Symptom:
    try:
        Redis.from_url(settings.redis_url, socket_connect_timeout=1, socket_timeout=1).ping()
    except RedisError:
        return Symptom("queue", False, "cannot be reached: work waits, nothing is lost")
    return Symptom("queue", True, "answers")


def _work() -> Iterator[Symptom]:
    if not migrations.is_at_head():
        return
    oldest = session.scalar(
        sa.select(sa.func.min(OutboxRow.due_at)).where(OutboxRow.state == OutboxState.READY)
    )
    late = oldest is not None and clock.now() - oldest > timedelta(minutes=15)
    yield Symptom(
        "work",
        not late,
        f"oldest since {oldest:%F %T} UTC: is a worker running?" if late else "nothing overdue",
    )
    dead = session.scalar(
        sa.select(sa.func.count()).select_from(OutboxRow).where(OutboxRow.state == OutboxState.DEAD)
    )
    yield Symptom("dead jobs", not dead, f"{dead}: see the console's health page")


def _backup(settings: Settings) -> Symptom:
    newest = backup.newest(settings.data_dir / "backups")
    if newest is None:
        return Symptom("backup", not settings.is_production, "none yet: run `flask backup`")
    age = clock.now() - datetime.fromtimestamp(newest.stat().st_mtime, UTC)
    hours = age.total_seconds() / 3600
    return Symptom("backup", age < BACKUP_TOO_OLD, f"{hours:.1f} h old")


def _messages() -> Iterator[Symptom]:
    """Whether buyers can be written to: the server is really spoken to, and nothing is sent."""
    for name, kind in (("mail", messages.EMAIL), ("text messages", messages.PHONE)):
        sender = messages.sender_for(kind)
        if sender is None:
            yield Symptom(name, True, "not configured: these buyers are not written to")
            continue
        wrong = sender.check()
        well = "written to the log only" if sender.name == "console" else "answers"
        yield Symptom(name, not wrong, f"does not answer as it should: {wrong}" if wrong else well)


def _exposure(settings: Settings) -> Iterator[Symptom]:
    if settings.is_production:
        yield Symptom(
            "https",
            settings.is_https,
            "on" if settings.is_https else "BASE_URL is not https: codes would cross open networks",
        )
    yield _line("line to the database", settings.database_url, "DATABASE_URL with ?sslmode=require")
    yield _line("line to the queue", settings.redis_url, "REDIS_URL with rediss://")
    yield Symptom("proxies", True, f"{settings.trusted_proxies} trusted hops")


def _line(name: str, url: str, cure: str) -> Symptom:
    """Whether what goes there can be heard on the way."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    host = query.get("host", [parts.hostname or ""])[0]
    if not host or host.startswith("/") or host in LOOPBACK:
        return Symptom(name, True, "stays on this machine")
    is_encrypted = parts.scheme == "rediss" or query.get("sslmode", [""])[0] in ENCRYPTED
    words = "encrypted" if is_encrypted else f"open to whoever listens between: use {cure}"
    return Symptom(name, is_encrypted, words)
