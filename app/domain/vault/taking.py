"""Codes are taken into a batch in steps: a chunk of a file, or some of our own.

A step is one transaction: its codes, its refused lines, the counts, and the chunk itself goes. So
whoever stops in the middle, or does a step twice, goes on where it was.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.core import clock
from app.core.crypto import Tampered
from app.core.db import session, transaction
from app.core.errors import N_
from app.core.keys import KeysMissing
from app.core.states import move
from app.domain.catalog.models import Product
from app.domain.vault import batches, generating, reading, storing
from app.domain.vault.importing import lock_import, open_chunk
from app.domain.vault.models import (
    Batch,
    BatchState,
    Import,
    ImportChunk,
    ImportState,
    RefusedLine,
)
from app.domain.vault.reading import Format
from app.domain.vault.storing import NewCode, SealedCode

SAME_CHUNK = N_("与第 %(line)s 行重复")
SAME_FILE = N_("与文件前面的一行重复")
IN_STORE = N_("库里已有,在批次“%(batch)s”")
UNREADABLE = N_("等待导入的内容打不开:被改动过,或主密钥不对")
NOTHING_NEW = N_("没有新卡密")

Reason = tuple[int, str, dict[str, Any]]


@dataclass
class Lines:
    """What was read of some lines. `numbers` are the line numbers of `codes`."""

    line_count: int
    codes: list[NewCode] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    faulty: list[Reason] = field(default_factory=list)
    doubles: list[Reason] = field(default_factory=list)


@dataclass(frozen=True)
class Trial:
    """What the beginning of a file would bring; `is_whole` when that is all of it."""

    fresh: int
    doubles: int
    faulty: int
    line_count: int
    is_whole: bool


def try_out(import_: Import) -> Trial:
    """Read the first chunk as an import would, and take nothing."""
    lines = _read(import_)
    known = storing.known([code.lookup for code in lines.codes])
    return Trial(
        fresh=len(lines.codes) - len(known),
        doubles=len(lines.doubles) + len(known),
        faulty=len(lines.faulty),
        line_count=lines.line_count,
        is_whole=import_.chunk_count == 1,
    )


def advance(import_id: int) -> bool:
    """Take the next step in a unit of its own; False when there is none to take."""
    import_ = session.get_one(Import, import_id, populate_existing=True)
    if import_.state != ImportState.RUNNING or _is_complete(import_):
        return False
    position = import_.chunks_done
    batch = session.get_one(Batch, import_.batch_id)
    try:
        lines = _make(import_) if batch.is_generated else _read(import_)
        sealed = storing.seal(batch, lines.codes)
    except (Tampered, KeysMissing):
        transaction(lambda: _fail(import_id))
        return False
    transaction(lambda: _take(import_id, position, lines, sealed))
    return True


def finish(import_id: int) -> datetime | None:
    """Open the batch once everything is in it; before that, when to go on."""
    import_ = lock_import(import_id)
    if import_.state != ImportState.RUNNING:
        return None
    if not _is_complete(import_):
        return clock.now()
    batch = batches.lock_batch(import_.batch_id or 0)
    move(import_, ImportState.DONE)
    import_.finished_at = clock.now()
    move(
        batch,
        BatchState.OPEN if import_.taken else BatchState.VOID,
        "" if import_.taken else NOTHING_NEW,
    )
    return None


def _is_complete(import_: Import) -> bool:
    if import_.chunk_count:
        return import_.chunks_done >= import_.chunk_count
    return import_.taken >= import_.line_count


def _make(import_: Import) -> Lines:
    codes = generating.make(import_.line_count - import_.taken)
    return Lines(len(codes), codes, list(range(len(codes))))


def _read(import_: Import) -> Lines:
    """The next chunk's lines, each code once."""
    chunk = session.get_one(ImportChunk, (import_.id, import_.chunks_done))
    case_sensitive = session.get_one(Product, import_.product_id).codes_case_sensitive
    text = open_chunk(import_, chunk)
    lines = Lines(chunk.line_count)
    seen: dict[bytes, int] = {}
    for line in reading.read(text, chunk.first_line, Format.from_json(import_.format)):
        if line.content is None:
            lines.faulty.append((line.number, line.message or "", line.params))
            continue
        code = storing.new_code(line.content, case_sensitive=case_sensitive)
        first = seen.setdefault(code.lookup, line.number)
        if first == line.number:
            lines.codes.append(code)
            lines.numbers.append(line.number)
        else:
            lines.doubles.append((line.number, SAME_CHUNK, {"line": first}))
    return lines


def _take(import_id: int, position: int, lines: Lines, sealed: list[SealedCode]) -> None:
    import_ = lock_import(import_id)
    if import_.state != ImportState.RUNNING or import_.chunks_done != position:
        # Undone meanwhile, or another worker took this step.
        return
    assert import_.batch_id is not None
    known = _store_new(import_.batch_id, sealed)
    doubles = lines.doubles + list(_doubles(import_.batch_id, lines, known))
    _write_down(import_id, lines.faulty + doubles)
    import_.chunks_done += 1
    import_.lines_done += lines.line_count
    import_.taken += len(sealed) - len(known)
    import_.duplicates += len(doubles)
    import_.refused += len(lines.faulty)
    session.execute(
        sa.delete(ImportChunk).where(
            ImportChunk.import_id == import_id, ImportChunk.position == position
        )
    )


def _store_new(batch_id: int, sealed: list[SealedCode]) -> dict[bytes, int]:
    """Store what is not in the store yet; what is, comes back with the batch it is in.

    Most files bring nothing that is known, so it is asked only after the database has refused:
    asking for every code first would cost a third of the import.
    """
    try:
        with session.begin_nested():
            storing.store(batch_id, sealed)
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
