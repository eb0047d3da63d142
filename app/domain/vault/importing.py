"""A file of codes on its way to the shelf: uploaded, looked at, started, undone.

The bytes of the file never touch a disk: they are cut into chunks of whole lines, which wait in
the database, sealed. `taking.py` takes them into the batch, one chunk after the other.
"""

import re
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import islice
from typing import BinaryIO

import sqlalchemy as sa

from app.core import audit, clock, ids, keys
from app.core.actors import actor
from app.core.crypto import context
from app.core.db import session, transaction
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.keys import KeyPurpose
from app.core.outbox import later
from app.core.states import StateChange, move
from app.domain.catalog.queries import find_product
from app.domain.vault import batches, reading
from app.domain.vault.batches import BatchDetails
from app.domain.vault.models import Import, ImportChunk, ImportState
from app.domain.vault.reading import Format

HEAD = 64 * 1024
CHUNKS_PER_UNIT = 8
# An upload that nobody starts is thrown away.
WAITS_FOR = timedelta(days=1)
ENCODINGS = ("utf-8", "gb18030", "utf-16")


@dataclass(frozen=True)
class Upload:
    """A file as it was sent. `encoding` is empty to have it guessed."""

    file_name: str
    content: BinaryIO
    encoding: str = ""


@dataclass(frozen=True)
class Preview:
    """How a file is read, what it calls its columns, and its first rows, masked."""

    format: Format
    columns: list[str]
    rows: list[list[str]]


def upload(product_id: int, sent: Upload) -> str:
    """Cut and seal a file, in several units of its own, and return the import's uid.

    Raises Refusal when it is no file of codes, and nothing of it is kept then.
    """
    layout = _detect(sent)
    import_id, uid = transaction(lambda: _create(product_id, sent.file_name))
    try:
        chunks = reading.cut(sent.content, layout)
        while some := list(islice(chunks, CHUNKS_PER_UNIT)):
            transaction(lambda: _keep(import_id, some))
        transaction(lambda: _complete(import_id, layout))
    except Refusal:
        transaction(lambda: discard(import_id))
        raise
    return uid


def find_import(uid: str) -> Import:
    """The import; raises NotFound."""
    found = session.scalar(sa.select(Import).where(Import.uid == uid))
    if found is None:
        raise NotFound(N_("没有找到这次导入"))
    return found


def lock_import(import_id: int) -> Import:
    """The import as it is now, locked until the unit ends."""
    return session.get_one(Import, import_id, with_for_update=True, populate_existing=True)


def chunk_context(import_: Import, position: int) -> bytes:
    """What a chunk is sealed to: its import and its place in it."""
    return context(b"import_chunks", import_.uid, position)


def open_chunk(import_: Import, chunk: ImportChunk) -> bytes:
    """The lines of a chunk; raises Tampered."""
    return keys.of(chunk.sealed).open(chunk.sealed, chunk_context(import_, chunk.position))


def preview(import_: Import) -> Preview:
    """What the file's first rows would be read as; raises NotFound when none waits any more."""
    first = session.get(ImportChunk, (import_.id, 0))
    if first is None:
        raise NotFound(N_("文件已经不在了，请重新上传"))
    text, layout = open_chunk(import_, first), Format.from_json(import_.format)
    return Preview(layout, reading.columns(text, layout), reading.preview(text, layout))


def change_format(import_id: int, wanted: Format) -> None:
    """Read the file by other columns than were guessed; raises Refusal, Conflict."""
    import_ = lock_import(import_id)
    _require_waiting(import_)
    if wanted.password_column == wanted.code_column:
        raise Refusal(N_("卡号和密码不能是同一列"), field="password_column")
    for column in (wanted.code_column, wanted.password_column or 0):
        if not 0 <= column < wanted.column_count:
            raise Refusal(N_("没有这一列，请重新选择"), field="code_column")
    import_.format = wanted.as_json()


def start(import_id: int, details: BatchDetails, today: date) -> None:
    """Make the batch and let a worker take the file into it; raises Refusal, Conflict."""
    import_ = lock_import(import_id)
    _require_waiting(import_)
    for fault in batches.faults(details, today):
        raise fault
    batch = batches.create(import_.product_id, details, import_.data_key_id)
    import_.batch_id = batch.id
    move(import_, ImportState.RUNNING)
    later("app.domain.vault.jobs.add_codes", import_.id, key=f"import:{import_.id}")
    audit.record(
        "import.start",
        "imports",
        import_.id,
        batch=batch.id,
        file=import_.file_name,
        lines=import_.line_count,
    )


def resume(import_id: int) -> None:
    """Go on with a failed import where it stopped; raises Conflict."""
    import_ = lock_import(import_id)
    if import_.state != ImportState.FAILED:
        raise Conflict(N_("这次导入没有中断，不需要继续"))
    move(import_, ImportState.RUNNING)
    later("app.domain.vault.jobs.add_codes", import_.id)
    audit.record("import.resume", "imports", import_.id)


def failure_of(import_: Import) -> str:
    """Why it failed, as a marked sentence; empty while it has not."""
    if import_.state != ImportState.FAILED:
        return ""
    steps = (
        sa.select(StateChange.note)
        .where(
            StateChange.subject == Import.__tablename__,
            StateChange.subject_id == import_.id,
            StateChange.to_state == ImportState.FAILED,
        )
        .order_by(StateChange.id.desc())
    )
    return session.scalars(steps).first() or ""


def discard(import_id: int) -> None:
    """Throw away an upload that was not started; nothing happens to another."""
    import_ = lock_import(import_id)
    if import_.state == ImportState.UPLOADED:
        move(import_, ImportState.UNDONE)
        import_.finished_at = clock.now()
        drop_chunks(import_id)


def imports(*, product_id: int | None = None) -> sa.Select[Import]:
    """Every import, newest first."""
    found = sa.select(Import).order_by(Import.id.desc())
    return found if product_id is None else found.where(Import.product_id == product_id)


def _detect(sent: Upload) -> Format:
    head = sent.content.read(HEAD)
    sent.content.seek(0)
    guessed = reading.detect(head, sent.file_name)
    if sent.encoding not in ("", *ENCODINGS):
        raise Refusal(N_("没有这种编码，请重新选择"), field="encoding")
    if guessed.kind is reading.Kind.XLSX or not sent.encoding:
        return guessed
    return replace(guessed, encoding=sent.encoding)


def _create(product_id: int, file_name: str) -> tuple[int, str]:
    import_ = Import(
        uid=ids.token(),
        product_id=find_product(product_id).id,
        data_key_id=keys.create(KeyPurpose.BATCH).id,
        file_name=_plain_name(file_name),
        # Empty until the whole file is here: so a half-sent one cannot be started.
        format={},
        created_by=actor(),
    )
    session.add(import_)
    session.flush()
    later(
        "app.domain.vault.jobs.discard_upload",
        import_.id,
        at=clock.now() + WAITS_FOR,
        key=f"import:{import_.id}:discard",
    )
    return import_.id, import_.uid


def _keep(import_id: int, chunks: list[reading.Chunk]) -> None:
    import_ = lock_import(import_id)
    key = keys.by_id(import_.data_key_id)
    for chunk in chunks:
        position = import_.chunk_count
        sealed = key.seal(chunk.text, chunk_context(import_, position))
        session.add(
            ImportChunk(
                import_id=import_id,
                position=position,
                first_line=chunk.first_line,
                line_count=chunk.line_count,
                sealed=sealed,
            )
        )
        import_.chunk_count += 1
        import_.line_count += chunk.line_count


def _complete(import_id: int, known: Format) -> None:
    """All is here: find the columns in what was read; raises Refusal when there is nothing."""
    import_ = lock_import(import_id)
    first = session.get(ImportChunk, (import_id, 0))
    if first is None or not open_chunk(import_, first).strip():
        raise Refusal(N_("文件里没有内容"), field="file")
    import_.format = reading.with_layout(known, open_chunk(import_, first)).as_json()


def _require_waiting(import_: Import) -> None:
    if import_.state != ImportState.UPLOADED or not import_.format:
        raise Conflict(N_("这次导入已经开始或撤销，请刷新页面查看"))


def drop_chunks(import_id: int) -> None:
    """Delete what waits of the file."""
    session.execute(sa.delete(ImportChunk).where(ImportChunk.import_id == import_id))


def _plain_name(file_name: str) -> str:
    """The last part of the name without what a terminal or a header would take for a command."""
    last = re.split(r"[/\\]", file_name)[-1]
    return "".join(char for char in last if char.isprintable())[:100]
