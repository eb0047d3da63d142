"""Codes are taken into a batch in steps: a chunk of a file, or some of our own.

A step is one transaction: its codes, its refused lines, the counts, and the chunk itself goes. So
whoever stops in the middle, or does a step twice, goes on where it was.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import sqlalchemy as sa

from app.core import clock, db, keys
from app.core.crypto import Tampered
from app.core.db import session, transaction
from app.core.errors import N_
from app.core.keys import KeysMissing
from app.core.states import move
from app.domain.catalog.models import Product
from app.domain.vault import batches, canaries, generating, storing
from app.domain.vault.importing import chunk_context, lock_import
from app.domain.vault.models import (
    Batch,
    BatchState,
    Import,
    ImportChunk,
    ImportState,
    RefusedLine,
)
from app.domain.vault.preparing import Lines, Preparation, Reason, SealedLines, Step
from app.domain.vault.reading import Format
from app.domain.vault.storing import SealedCode

# A last line without a line feed is a chunk of its own.
TRIED_CHUNKS = 2

SAME_FILE = N_("与文件前面的一行重复")
IN_STORE = N_("库里已有，在批次“%(batch)s”")
UNREADABLE = N_("等待导入的内容打不开：被改动过，或主密钥不对")
NOTHING_NEW = N_("没有新卡密")


@dataclass(frozen=True)
class Trial:
    """What the beginning of a file would bring; `is_whole` when that is all of it."""

    fresh: int
    doubles: int
    faulty: int
    line_count: int
    is_whole: bool


def try_out(import_: Import) -> Trial:
    """Read the beginning as an import would, and take nothing."""
    tried = min(import_.chunk_count, TRIED_CHUNKS)
    parts = [list(_chunk(import_, position).read())[-1] for position in range(tried)]
    lookups = [code.lookup for lines in parts for code in lines.codes]
    unique = list(set(lookups))
    fresh = len(unique) - len(storing.known(unique))
    return Trial(
        fresh=fresh,
        doubles=sum(len(lines.doubles) for lines in parts) + len(lookups) - fresh,
        faulty=sum(len(lines.faulty) for lines in parts),
        line_count=sum(lines.line_count for lines in parts),
        is_whole=import_.chunk_count == tried,
    )


def take_steps(import_id: int, until: float) -> None:
    """Take step after step, each in a unit of its own, until all is in or the time is up.

    `until` is of time.monotonic(). While the database stores one step, the next is prepared. What
    cannot be opened fails the import, which can be resumed.
    """
    # What is prepared between two writes must not ask the database for this key.
    storing.warm_up()
    try:
        coming = _begin(import_id, None)
        while coming is not None:
            step = coming.finish()
            coming = _begin(import_id, step) if time.monotonic() < until else None
            transaction(partial(_take, import_id, step, coming))
    except (Tampered, KeysMissing):
        transaction(lambda: _fail(import_id))


def finish(import_id: int) -> datetime | None:
    """Open the batch once everything is in it; before that, when to go on."""
    import_ = lock_import(import_id)
    if import_.state != ImportState.RUNNING:
        return None
    if _next(import_, None) is not None:
        return clock.now()
    batch = batches.lock_batch(import_.batch_id or 0)
    move(import_, ImportState.DONE)
    import_.finished_at = clock.now()
    if import_.taken:
        move(batch, BatchState.OPEN)
    else:
        move(batch, BatchState.VOID, NOTHING_NEW)
    return None


def _begin(import_id: int, before: Step | None) -> Preparation | None:
    """Begin with the step after `before`, which is not stored yet; None at the end."""
    import_ = session.get_one(Import, import_id, populate_existing=True)
    growing = _next(import_, before)
    if growing is None or import_.state != ImportState.RUNNING:
        return None
    batch = session.get_one(Batch, import_.batch_id)
    position = import_.chunks_done + (before is not None)
    return Preparation(position, growing, keys.by_id(batch.data_key_id), batch.uid)


def _next(import_: Import, before: Step | None) -> Iterator[Lines] | None:
    """The lines of the next step; None when there is none."""
    if import_.chunk_count:
        position = import_.chunks_done + (before is not None)
        return _chunk(import_, position).read() if position < import_.chunk_count else None
    left = import_.line_count - import_.taken - (len(before.sealed) if before else 0)
    return generating.make(left) if left > 0 else None


def _chunk(import_: Import, position: int) -> SealedLines:
    chunk = session.get_one(ImportChunk, (import_.id, position))
    return SealedLines(
        sealed=chunk.sealed,
        bound_to=chunk_context(import_, position),
        key=keys.of(chunk.sealed),
        first_line=chunk.first_line,
        line_count=chunk.line_count,
        format=Format.from_json(import_.format),
        case_sensitive=session.get_one(Product, import_.product_id).codes_case_sensitive,
    )


def _take(import_id: int, step: Step, coming: Preparation | None) -> None:
    import_ = lock_import(import_id)
    if import_.state != ImportState.RUNNING or import_.chunks_done != step.position:
        # Undone meanwhile, or another worker took this step.
        return
    assert import_.batch_id is not None
    lines = step.lines
    planted = _canaries(import_, step)
    known = _store_new(import_.batch_id, step.sealed + planted, coming)
    canaries.enlist(import_.batch_id, planted)
    known = {code.lookup: known[code.lookup] for code in lines.codes if code.lookup in known}
    doubles = lines.doubles + list(_doubles(import_.batch_id, lines, known))
    _write_down(import_id, lines.faulty + doubles)
    import_.chunks_done += 1
    import_.lines_done += lines.line_count
    import_.taken += len(step.sealed) - len(known)
    import_.duplicates += len(doubles)
    import_.refused += len(lines.faulty)
    session.execute(
        sa.delete(ImportChunk).where(
            ImportChunk.import_id == import_id, ImportChunk.position == step.position
        )
    )


def _canaries(import_: Import, step: Step) -> list[SealedCode]:
    steps = import_.chunk_count or -(-import_.line_count // generating.PER_STEP)
    product = session.get_one(Product, import_.product_id)
    is_own = import_.chunk_count == 0
    like = canaries.Likeness(is_own, is_own or product.codes_case_sensitive)
    made = canaries.make(import_.uid, (step.position, steps), step.lines.codes, like)
    return storing.seal(session.get_one(Batch, import_.batch_id), made) if made else []


def _store_new(
    batch_id: int, sealed: list[SealedCode], coming: Preparation | None
) -> dict[bytes, int]:
    """Store what is not in the store yet; what is, comes back with the batch it is in.

    Most files bring nothing that is known, so it is asked only after the database has refused:
    asking for every code first would cost a third of the import.
    """
    try:
        with db.savepoint():
            storing.store(batch_id, sealed, meanwhile=coming.advance if coming else None)
    except sa.exc.IntegrityError:
        known = storing.known([code.lookup for code in sealed])
        storing.store(batch_id, [code for code in sealed if code.lookup not in known])
        return known
    return {}


def _doubles(batch_id: int, lines: Lines, known: dict[bytes, int]) -> Iterator[Reason]:
    rows = session.execute(sa.select(Batch.id, Batch.name).where(Batch.id.in_(set(known.values()))))
    names = dict(rows.all())
    for number, code in zip(lines.numbers, lines.codes, strict=True):
        where = known.get(code.lookup)
        if where == batch_id:
            yield number, SAME_FILE, {}
        elif where is not None:
            yield number, IN_STORE, {"batch": names[where]}


def _write_down(import_id: int, reasons: list[Reason]) -> None:
    if reasons:
        session.execute(
            sa.insert(RefusedLine),
            [
                {"import_id": import_id, "line": line, "message": message, "params": params}
                for line, message, params in reasons
            ],
        )


def _fail(import_id: int) -> None:
    import_ = lock_import(import_id)
    if import_.state == ImportState.RUNNING:
        move(import_, ImportState.FAILED, UNREADABLE)
