"""A month that is over is closed: counted, summed, hashed, and nothing can be posted into it.

The hash is SHA-256 over UTF-8 lines, each ended by a line feed:

1. `hardshelf-books-1`, the hash of the month closed before (empty for the first), the month, its
   first moment (empty for the first month: it begins with the books) and its end;
2. each transaction of the month in the order of its number, with its entries in that of theirs.

A line is JSON without spaces, with no escapes but those JSON demands; a transaction is
`[id,key,kind,subject,subject_id,actor,memo,posted_at,[[code,currency,amount],…]]`; a moment is
`2026-10-31T16:00:00.000000Z`. So whoever has the hash from the public page can tell later whether
anything in that month, or in any before it, was changed. Closing is two steps, because hashing a
month takes a while and must not keep sales waiting: `draw_up` reads, `close` checks under a lock
that nothing came in between, and writes.
"""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.core import audit, clock
from app.core.actors import actor
from app.core.db import is_postgres, require_transaction, session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.domain.ledger.models import LedgerAccount, LedgerEntry, LedgerPeriod, LedgerTransaction

VERSION = "hardshelf-books-1"
CHUNK = 1000


@dataclass(frozen=True)
class Draft:
    """What a month's row will say. `totals` as in LedgerPeriod."""

    month: str
    starts_at: datetime | None
    ends_at: datetime
    transactions: int
    last_transaction_id: int | None
    totals: list[list[Any]]
    previous_hash: str
    hash: str


def periods() -> list[LedgerPeriod]:
    """The closed months, the latest first."""
    return list(session.scalars(sa.select(LedgerPeriod).order_by(LedgerPeriod.ends_at.desc())))


def find_period(month: str) -> LedgerPeriod:
    """A closed month; raises NotFound for one that is open, or none."""
    found = session.scalar(sa.select(LedgerPeriod).where(LedgerPeriod.month == month))
    if found is None:
        raise NotFound(N_("这个月还没有结账"))
    return found


def next_month(zone: str) -> str:
    """The month whose turn it is to be closed, over or not; empty when nothing is booked yet."""
    latest = _latest()
    if latest is not None:
        return _month_of(_days_of(latest.month)[1])
    first = session.scalar(sa.select(sa.func.min(LedgerTransaction.posted_at)))
    return "" if first is None else _month_of(first.astimezone(ZoneInfo(zone)).date())


def is_over(month: str, zone: str) -> bool:
    return clock.now() >= _midnight(_days_of(month)[1], zone)


def draw_up(month: str, zone: str) -> Draft:
    """Count, sum and hash a month; raises Refusal when it is not its turn or not over."""
    if not re.fullmatch(r"\d{4}-(0[1-9]|1[0-2])", month):
        raise Refusal(N_("请选择一个月份"), field="month")
    expected = next_month(zone)
    if month != expected:
        raise Refusal(N_("请先结 %(month)s 的账"), field="month", month=expected or "—")
    if not is_over(month, zone):
        raise Refusal(N_("%(month)s 还没有过完，月底之后才能结账"), field="month", month=month)
    latest = _latest()
    starts_at = latest.ends_at if latest else None
    ends_at = _midnight(_days_of(month)[1], zone)
    return _hashed(month, starts_at, ends_at, latest.hash if latest else "")


def close(draft: Draft) -> LedgerPeriod:
    """Write the month down for good; raises Conflict when it is closed already, or when the books
    have changed since it was drawn up. Audited."""
    require_transaction()
    _wait_for_posters()
    latest = _latest()
    if (latest.hash if latest else "") != draft.previous_hash or _counted(draft) != (
        draft.transactions,
        draft.last_transaction_id,
    ):
        raise Conflict(N_("账本刚刚有变化，请再结一次"))
    period = LedgerPeriod(
        month=draft.month,
        starts_at=draft.starts_at,
        ends_at=draft.ends_at,
        transactions=draft.transactions,
        last_transaction_id=draft.last_transaction_id,
        totals=draft.totals,
        previous_hash=draft.previous_hash,
        hash=draft.hash,
        closed_by=actor(),
        closed_at=clock.now(),
    )
    session.add(period)
    session.flush()
    audit.record("period.close", "ledger_periods", period.id, month=draft.month, hash=draft.hash)
    return period


def still_holds(period: LedgerPeriod) -> bool:
    """Whether the books still say of a closed month what they said when it was closed."""
    now = _hashed(period.month, period.starts_at, period.ends_at, period.previous_hash)
    return (now.hash, now.transactions, now.totals) == (
        period.hash,
        period.transactions,
        period.totals,
    )


def _wait_for_posters() -> None:
    """Let every unit that has posted end first, and none begin before this one has ended.

    On SQLite the unit has the write lock already. What is posted after it is refused by the
    database if its time lies in the month.
    """
    if is_postgres():
        session.execute(sa.text("LOCK TABLE ledger_transactions IN SHARE MODE"))


def _latest() -> LedgerPeriod | None:
    return session.scalar(
        sa.select(LedgerPeriod)
        .order_by(LedgerPeriod.ends_at.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )


def _counted(draft: Draft) -> tuple[int, int | None]:
    row = session.execute(
        sa.select(sa.func.count(), sa.func.max(LedgerTransaction.id)).where(
            *_within(draft.starts_at, draft.ends_at)
        )
    ).one()
    return row[0], row[1]


def _hashed(month: str, starts_at: datetime | None, ends_at: datetime, previous_hash: str) -> Draft:
    digest = hashlib.sha256()
    head = [
        VERSION,
        previous_hash,
        month,
        _moment(starts_at) if starts_at else "",
        _moment(ends_at),
    ]
    digest.update(_line(head))
    count, last = 0, None
    for transaction, entries in _transactions(starts_at, ends_at):
        digest.update(
            _line(
                [
                    transaction.id,
                    transaction.key,
                    transaction.kind,
                    transaction.subject,
                    transaction.subject_id,
                    transaction.actor,
                    transaction.memo,
                    _moment(transaction.posted_at),
                    entries,
                ]
            )
        )
        count, last = count + 1, transaction.id
    totals = _totals(starts_at, ends_at)
    return Draft(month, starts_at, ends_at, count, last, totals, previous_hash, digest.hexdigest())


_COLUMNS = (
    LedgerTransaction.id,
    LedgerTransaction.key,
    LedgerTransaction.kind,
    LedgerTransaction.subject,
    LedgerTransaction.subject_id,
    LedgerTransaction.actor,
    LedgerTransaction.memo,
    LedgerTransaction.posted_at,
)


def _transactions(
    starts_at: datetime | None, ends_at: datetime
) -> Iterator[tuple[Any, list[list[Any]]]]:
    """Each transaction of a time with its entries [code, currency, amount], a chunk at a time."""
    last = 0
    while True:
        chunk = session.execute(
            sa.select(*_COLUMNS)
            .where(*_within(starts_at, ends_at), LedgerTransaction.id > last)
            .order_by(LedgerTransaction.id)
            .limit(CHUNK)
        ).all()
        if not chunk:
            return
        ids = [row.id for row in chunk]
        entries: dict[int, list[list[Any]]] = {one: [] for one in ids}
        for owner, *entry in session.execute(
            sa.select(
                LedgerEntry.transaction_id,
                LedgerAccount.code,
                LedgerAccount.currency,
                LedgerEntry.amount,
            )
            .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
            .where(LedgerEntry.transaction_id.in_(ids))
            .order_by(LedgerEntry.id)
        ):
            entries[owner].append(entry)
        for row in chunk:
            yield row, entries[row.id]
        last = ids[-1]


def _totals(starts_at: datetime | None, ends_at: datetime) -> list[list[Any]]:
    is_within = sa.true() if starts_at is None else LedgerTransaction.posted_at >= starts_at

    def total(*conditions: sa.ColumnElement[bool]) -> sa.ColumnElement[int]:
        return sa.func.sum(sa.case((sa.and_(*conditions), LedgerEntry.amount), else_=0))

    rows = session.execute(
        sa.select(
            LedgerAccount.code,
            LedgerAccount.currency,
            total(sa.not_(is_within)),
            total(is_within, LedgerEntry.amount > 0),
            total(is_within, LedgerEntry.amount < 0),
            sa.func.sum(LedgerEntry.amount),
        )
        .join(LedgerEntry, LedgerEntry.account_id == LedgerAccount.id)
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .where(LedgerTransaction.posted_at < ends_at)
        .group_by(LedgerAccount.code, LedgerAccount.currency)
    )
    found = [
        [code, currency, int(opening), int(debit), -int(credit), int(closing)]
        for code, currency, opening, debit, credit, closing in rows
    ]
    # Here and not in the database: its order of texts is the server's.
    return sorted(found)


def _within(starts_at: datetime | None, ends_at: datetime) -> Iterator[sa.ColumnElement[bool]]:
    yield LedgerTransaction.posted_at < ends_at
    if starts_at is not None:
        yield LedgerTransaction.posted_at >= starts_at


def _line(values: list[Any]) -> bytes:
    return json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"


def _days_of(month: str) -> tuple[date, date]:
    """Its first day, and the first day of the month after."""
    first = date.fromisoformat(f"{month}-01")
    return first, (first + timedelta(days=31)).replace(day=1)


def _month_of(day: date) -> str:
    return day.isoformat()[:7]


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)
