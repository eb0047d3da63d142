"""The audit log is sealed: each entry in a chain of hashes that only the shop's keys can make.

The database refuses to change an entry; whoever administers it can make it willing. So a sealer
takes the entries that are committed, some seconds later, and writes a seal for each: an HMAC, under
the shop's index key, over the seal before and all that the entry says. An entry that is changed,
removed, put in later or moved no longer fits. Who writes an entry knows nothing of it: no unit of
work waits for a row that all of them would write to.

A chain cannot show that its end was cut off, or that somebody who has the keys made all of it anew.
An *anchor* can: one line that names the last seal, kept where neither database nor keys are.
"""

import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, db, keys
from app.core.audit import AuditEntry
from app.core.db import session, transaction

# A unit of work ends within minutes, so an entry that is older than those before it by more than
# this was not written when it says; it is never sealed, and that is found.
LATEST = timedelta(minutes=5)
# The sealer looks every few seconds; what waits for longer than this says that it does not run.
UNSEALED_AT_MOST = timedelta(minutes=10)
PER_UNIT = 5_000
ROWS_AT_ONCE = 1_000
# Where nothing happens, a seal of nothing says so: what is put in later and dated back then comes
# too late.
QUIET_FOR = timedelta(hours=1)
# Of what does not fit: enough to see where it begins.
NAMED = 5
# A second or two; `flask audit --full` reads all there are.
MOST_READ = 50_000
VERSION = "v1"
MAC_LENGTH = 16


class AuditSeal(db.Model):
    """The seal of one entry, or (None) of there being none. `seq` counts from 1 without a gap; the
    database refuses any change."""

    __tablename__ = "audit_seals"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    entry_id: Mapped[int | None] = mapped_column(sa.ForeignKey(AuditEntry.id), unique=True)
    hash: Mapped[bytes]
    sealed_at: Mapped[datetime]
    # The latest moment that is covered: of any entry up to here, or of the quiet.
    reached_at: Mapped[datetime]


@dataclass(frozen=True)
class Anchor:
    """One seal, named outside: `text` is the line to keep."""

    seq: int
    sealed_at: datetime
    hash: str

    @property
    def text(self) -> str:
        return f"{self._named}:{_mac(self._named)}"

    @property
    def _named(self) -> str:
        return f"{VERSION}:{self.seq}:{self.sealed_at:%Y%m%dT%H%M%S.%fZ}:{self.hash}"


class BadAnchor(ValueError):
    """The line is no anchor of this shop: cut, mistyped, or of another shop."""


class Flaw(StrEnum):
    """What is wrong at one place of the log."""

    # No seal has this number; others after it have theirs.
    MISSING = "seal_missing"
    # The entry that was sealed is not in the log any more.
    GONE = "entry_gone"
    # The seal is not that of what the entry says now, after the seal that stands before it.
    UNFIT = "does_not_fit"
    UNSEALED = "not_sealed"
    # The seal is not as it was when its anchor was written down.
    REPLACED = "not_as_anchored"


@dataclass(frozen=True)
class Misfit:
    """A place where to look: a seal by its number, an entry by its id, as far as they are known,
    and when the one was sealed or the other written."""

    flaw: Flaw
    seq: int | None
    entry_id: int | None
    at: datetime | None


@dataclass(frozen=True)
class Verdict:
    """What became of the chain: how many seals were looked at, how many of them do not fit, and
    the first few of those."""

    looked_at: int
    broken: int
    first: tuple[Misfit, ...] = ()


_ENTRIES, _SEALS = db.table_of(AuditEntry), db.table_of(AuditSeal)
_ADD = sa.insert(_SEALS)
# Not by NOT IN, to which the seals of no entry would answer NULL.
_HAS_NO_SEAL = ~sa.exists().where(_SEALS.c.entry_id == _ENTRIES.c.id).correlate(_ENTRIES)
SAID = tuple(column.name for column in _ENTRIES.c)
# What the seal of no entry says.
NOTHING = ""


def seal() -> int:
    """Seal some of what is committed and has no seal yet, at most PER_UNIT; how many that were.

    Any number may run side by side: two that come at once want the same number, and one of them
    is told by the database that it was too late.
    """
    last = _head()
    is_quiet = last is not None and clock.now() - last.sealed_at >= QUIET_FOR
    waits = session.execute(_unsealed(last, limit=1)).first() is not None
    session.rollback()
    if not (waits or is_quiet):
        return 0
    try:
        return transaction(_seal_some)
    except sa.exc.IntegrityError:
        # Others were first, again and again: they have sealed it.
        return 0


def seal_all() -> None:
    """Seal everything that waits."""
    while seal() == PER_UNIT:
        pass


def head() -> Anchor | None:
    """The last seal; None before there is any."""
    last = _head()
    return Anchor(last.seq, last.sealed_at, last.hash.hex()) if last is not None else None


def count_overdue() -> tuple[int, int]:
    """How many entries there are, and how many have waited for their seal for too long."""
    overdue = (
        sa.select(sa.func.count())
        .select_from(_ENTRIES)
        .where(_ENTRIES.c.at < clock.now() - UNSEALED_AT_MOST, _HAS_NO_SEAL)
    )
    everything = sa.select(sa.func.count()).select_from(_ENTRIES)
    return int(session.scalar(everything) or 0), int(session.scalar(overdue) or 0)


def first_overdue() -> tuple[Misfit, ...]:
    """The oldest few of the entries that have waited for too long."""
    overdue = (
        sa.select(_ENTRIES.c.id, _ENTRIES.c.at)
        .where(_ENTRIES.c.at < clock.now() - UNSEALED_AT_MOST, _HAS_NO_SEAL)
        .order_by(_ENTRIES.c.at, _ENTRIES.c.id)
        .limit(NAMED)
    )
    return tuple(Misfit(Flaw.UNSEALED, None, row.id, row.at) for row in session.execute(overdue))


def verify(*, full: bool) -> Verdict:
    """Compare every seal with the one before it and with what its entry says now; or, unless
    `full`, the newest of them, and of all whether they and their entries are there."""
    count, last = session.execute(
        sa.select(sa.func.count(), sa.func.coalesce(sa.func.max(_SEALS.c.seq), 0))
    ).one()
    first = 1 if full else max(1, last - MOST_READ + 1)
    missing, lost = last - count, _without_entry(before=first)
    found = list(_gaps()) if missing else []
    found += list(_first_without_entry(before=first)) if lost else []
    misfits: list[Misfit] = []
    broken = missing + lost
    before = _hash_before(first)
    for row, said in _with_entries(first):
        fits = before is not None and said is not None
        fits = fits and hmac.compare_digest(
            _hash(row.seq, before or b"", (row.sealed_at, row.reached_at), said or ""), row.hash
        )
        broken += not fits
        if not fits and len(misfits) < NAMED:
            flaw = Flaw.GONE if said is None else Flaw.UNFIT
            misfits.append(Misfit(flaw, row.seq, row.entry_id, row.sealed_at))
        before = row.hash
    in_order = sorted(found + misfits, key=lambda misfit: misfit.seq or 0)
    return Verdict(count, broken, tuple(in_order[:NAMED]))


def parse(line: str) -> Anchor:
    """The anchor that a line names; raises BadAnchor unless this shop made it."""
    try:
        version, seq, at, hash_, _rest = line.strip().split(":")
        moment = datetime.strptime(at, "%Y%m%dT%H%M%S.%fZ").replace(tzinfo=UTC)
        anchor = Anchor(int(seq), moment, hash_)
    except ValueError:
        raise BadAnchor(line) from None
    if version != VERSION or not hmac.compare_digest(anchor.text.encode(), line.strip().encode()):
        raise BadAnchor(line)
    return anchor


def leads_through(anchor: Anchor) -> bool:
    """Whether the chain still has the seal that the anchor names, as it was then."""
    found = session.execute(
        sa.select(_SEALS.c.hash, _SEALS.c.sealed_at).where(_SEALS.c.seq == anchor.seq)
    ).first()
    return found is not None and (found.hash.hex(), found.sealed_at) == (
        anchor.hash,
        anchor.sealed_at,
    )


def _seal_some() -> int:
    """Seal what waits, in the order of its time, or that nothing does; how many entries."""
    last = _head()
    now = clock.now()
    entries = session.execute(_unsealed(last, limit=PER_UNIT)).all()
    rows = list(_seals(last, entries, now))
    if not rows and last is not None and now - last.sealed_at >= QUIET_FOR:
        rows = [_row(last.seq + 1, last.hash, now, max(last.reached_at, now), None)]
    if rows:
        db.execute(_ADD, rows)
    return len(entries)


def _seals(last: Any, entries: Sequence[Any], now: datetime) -> Iterator[dict[str, object]]:
    seq, before, reached = (last.seq, last.hash, last.reached_at) if last else (0, b"", None)
    for entry in entries:
        seq += 1
        reached = max(reached, entry.at) if reached else entry.at
        row = _row(seq, before, now, reached, entry)
        before = row["hash"]
        yield row


def _row(
    seq: int, before: bytes, sealed_at: datetime, reached_at: datetime, entry: Any
) -> dict[str, Any]:
    said = _canonical(entry) if entry is not None else NOTHING
    return {
        "seq": seq,
        "entry_id": entry.id if entry is not None else None,
        "hash": _hash(seq, before, (sealed_at, reached_at), said),
        "sealed_at": sealed_at,
        "reached_at": reached_at,
    }


def _head() -> Any:
    return session.execute(sa.select(*_SEALS.c).order_by(_SEALS.c.seq.desc()).limit(1)).first()


def _unsealed(last: Any, limit: int) -> sa.Select[Any]:
    """Entries without a seal, the oldest first; none that is far older than what is sealed."""
    found = sa.select(*_ENTRIES.c).where(_HAS_NO_SEAL)
    if last is not None:
        # Entries are committed in another order than they are numbered, but never much later than
        # they say: so it is enough to look among the newest, by the index of their time.
        found = found.where(_ENTRIES.c.at >= last.reached_at - LATEST)
    return found.order_by(_ENTRIES.c.at, _ENTRIES.c.id).limit(limit)


def _without_entry(before: int) -> int:
    """How many of the seals that are not read have lost their entry."""
    return int(session.scalar(_lost(before).with_only_columns(sa.func.count())) or 0)


def _first_without_entry(before: int) -> Iterator[Misfit]:
    rows = session.execute(_lost(before).order_by(_SEALS.c.seq).limit(NAMED))
    return (Misfit(Flaw.GONE, row.seq, row.entry_id, row.sealed_at) for row in rows)


def _lost(before: int) -> sa.Select[Any]:
    return (
        sa.select(_SEALS.c.seq, _SEALS.c.entry_id, _SEALS.c.sealed_at)
        .select_from(_SEALS.outerjoin(_ENTRIES, _ENTRIES.c.id == _SEALS.c.entry_id))
        .where(_SEALS.c.seq < before, _SEALS.c.entry_id.is_not(None), _ENTRIES.c.id.is_(None))
    )


def _gaps() -> Iterator[Misfit]:
    """The first number that is missing in each of the first few gaps."""
    before = sa.func.lag(_SEALS.c.seq, 1, 0).over(order_by=_SEALS.c.seq)
    seals = sa.select(_SEALS.c.seq, before.label("before")).subquery()
    gaps = sa.select(seals.c.before).where(seals.c.seq > seals.c.before + 1)
    rows = session.scalars(gaps.order_by(seals.c.seq).limit(NAMED))
    return (Misfit(Flaw.MISSING, seq + 1, None, None) for seq in rows)


def _hash_before(seq: int) -> bytes | None:
    if seq == 1:
        return b""
    return session.scalar(sa.select(_SEALS.c.hash).where(_SEALS.c.seq == seq - 1))


def _with_entries(first: int) -> Iterator[tuple[Any, str | None]]:
    """The seals from `first` on, each with what its entry says now; None for one that is gone."""
    found = session.execute(
        sa.select(
            *_ENTRIES.c,
            *(_SEALS.c[name] for name in ("seq", "entry_id", "hash", "sealed_at", "reached_at")),
        )
        .select_from(_SEALS.outerjoin(_ENTRIES, _ENTRIES.c.id == _SEALS.c.entry_id))
        .where(_SEALS.c.seq >= first)
        .order_by(_SEALS.c.seq)
        .execution_options(yield_per=ROWS_AT_ONCE)
    )
    for row in found:
        if row.entry_id is None:
            yield row, NOTHING
        else:
            yield row, _canonical(row) if row.id is not None else None


def _canonical(entry: Any) -> str:
    """All that an entry says, in one way of writing."""
    said = {name: getattr(entry, name) for name in SAID}
    said["at"] = entry.at.astimezone(UTC).isoformat(timespec="microseconds")
    return json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _hash(seq: int, before: bytes, times: tuple[datetime, datetime], said: str) -> bytes:
    when = " ".join(moment.isoformat(timespec="microseconds") for moment in times)
    return keys.index("audit-chain", f"{before.hex()} {seq} {when} {said}")


def _mac(named: str) -> str:
    return keys.index("audit-anchor", named).hex()[:MAC_LENGTH]
