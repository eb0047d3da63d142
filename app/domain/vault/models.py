"""Codes and the batches they come in; imports; and who saw which code."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, db
from app.core.keys import DataKeyRow
from app.domain.catalog.models import Product


class BatchState(StrEnum):
    """Only an open batch sells: freezing one stops all its codes at once, without touching them."""

    IMPORTING = "importing"
    OPEN = "open"
    FROZEN = "frozen"
    VOID = "void"


class Batch(db.Model):
    """Codes that came together: one supplier, one cost, one data key, one fate."""

    __tablename__ = "batches"
    __table_args__ = (sa.Index("ix_batches_selling", "product_id", "state"),)

    MOVES = {
        BatchState.IMPORTING: {BatchState.OPEN, BatchState.VOID},
        BatchState.OPEN: {BatchState.FROZEN, BatchState.VOID},
        BatchState.FROZEN: {BatchState.OPEN, BatchState.VOID},
        BatchState.VOID: set(),
    }

    id: Mapped[db.PrimaryKey]
    uid: Mapped[bytes] = mapped_column(unique=True)
    product_id: Mapped[int] = mapped_column(sa.ForeignKey(Product.id))
    data_key_id: Mapped[int] = mapped_column(sa.ForeignKey(DataKeyRow.id))
    state: Mapped[BatchState]
    name: Mapped[str]
    supplier: Mapped[str] = mapped_column(default="")
    note: Mapped[str] = mapped_column(default="")
    # What one code cost, in minor units.
    unit_cost: Mapped[int] = mapped_column(default=0)
    # The last day on which a code of the batch may be sold, in the shop's zone.
    expires_on: Mapped[date | None] = mapped_column(sa.Date)
    # How many codes were ever put in: the audit compares this with the codes that are there.
    code_count: Mapped[int] = mapped_column(default=0)
    is_generated: Mapped[bool] = mapped_column(default=False)
    # Which of its codes are canaries, sealed: see canaries.py. They are not among `code_count`.
    canaries_sealed: Mapped[bytes | None]
    # When its keys were destroyed: since then none of its codes opens, for anybody.
    shredded_at: Mapped[datetime | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class CodeState(StrEnum):
    AVAILABLE = "available"
    RESERVED = "reserved"
    SOLD = "sold"
    EXHAUSTED = "exhausted"
    FROZEN = "frozen"
    VOID = "void"


class Code(db.Model):
    """One code, sealed. Unsold it is bound to its batch; sold, to its order line and buyer too.

    `lookup` is the blind index: it finds a code and keeps duplicates out without opening any.
    """

    __tablename__ = "codes"
    __table_args__ = (
        sa.Index(
            "ix_codes_available",
            "batch_id",
            "id",
            postgresql_where=sa.text("state = 'available'"),
            sqlite_where=sa.text("state = 'available'"),
        ),
        sa.Index(
            "ix_codes_order_line_id",
            "order_line_id",
            postgresql_where=sa.text("order_line_id IS NOT NULL"),
            sqlite_where=sa.text("order_line_id IS NOT NULL"),
        ),
        sa.Index(
            "ix_codes_sold_last_four",
            "last_four",
            postgresql_where=sa.text("order_line_id IS NOT NULL"),
            sqlite_where=sa.text("order_line_id IS NOT NULL"),
        ),
        sa.CheckConstraint(
            "(state IN ('available')) = (order_line_id IS NULL) OR state IN ('frozen', 'void')",
            name="bound_when_taken",
        ),
    )

    MOVES = {
        CodeState.AVAILABLE: {CodeState.RESERVED, CodeState.FROZEN, CodeState.VOID},
        CodeState.RESERVED: {CodeState.AVAILABLE, CodeState.SOLD},
        CodeState.SOLD: {CodeState.EXHAUSTED, CodeState.FROZEN, CodeState.VOID},
        # Back when a use was given back.
        CodeState.EXHAUSTED: {CodeState.SOLD, CodeState.VOID},
        CodeState.FROZEN: {CodeState.AVAILABLE, CodeState.SOLD, CodeState.VOID},
        CodeState.VOID: set(),
    }

    id: Mapped[db.PrimaryKey]
    uid: Mapped[bytes]
    # No foreign key: it would be checked for each of a million codes, for a third of an import.
    # `storing.store` finds the batch once, in the same unit, and no batch is ever deleted.
    batch_id: Mapped[int]
    state: Mapped[CodeState]
    sealed: Mapped[bytes]
    lookup: Mapped[bytes] = mapped_column(unique=True)
    last_four: Mapped[str]
    # The order line it is held for or was sold to. Orders are a package below: no foreign key.
    order_line_id: Mapped[int | None]
    sold_at: Mapped[datetime | None]
    void_reason: Mapped[str | None]


class ImportState(StrEnum):
    UPLOADED = "uploaded"
    RUNNING = "running"
    DONE = "done"
    UNDONE = "undone"
    FAILED = "failed"


class Import(db.Model):
    """One file on its way into a batch: what was read, what was taken, what was refused."""

    __tablename__ = "imports"

    MOVES = {
        ImportState.UPLOADED: {ImportState.RUNNING, ImportState.UNDONE},
        ImportState.RUNNING: {ImportState.DONE, ImportState.FAILED, ImportState.UNDONE},
        ImportState.DONE: {ImportState.UNDONE},
        ImportState.FAILED: {ImportState.UNDONE, ImportState.RUNNING},
        ImportState.UNDONE: set(),
    }

    id: Mapped[db.PrimaryKey]
    uid: Mapped[str] = mapped_column(unique=True)
    state: Mapped[ImportState] = mapped_column(default=ImportState.UPLOADED)
    product_id: Mapped[int] = mapped_column(sa.ForeignKey(Product.id), index=True)
    batch_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Batch.id))
    data_key_id: Mapped[int] = mapped_column(sa.ForeignKey(DataKeyRow.id))
    file_name: Mapped[str]
    # How the file is read (reading.Format as JSON) and which columns were chosen.
    # Named otherwise in the table: to PostgreSQL `format json` is a clause.
    format: Mapped[dict[str, Any]] = mapped_column("file_format")
    chunk_count: Mapped[int] = mapped_column(default=0)
    chunks_done: Mapped[int] = mapped_column(default=0)
    line_count: Mapped[int] = mapped_column(default=0)
    lines_done: Mapped[int] = mapped_column(default=0)
    taken: Mapped[int] = mapped_column(default=0)
    duplicates: Mapped[int] = mapped_column(default=0)
    refused: Mapped[int] = mapped_column(default=0)
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    finished_at: Mapped[datetime | None]


class ImportChunk(db.Model):
    """About a megabyte of whole lines, sealed: the file waits here and nowhere on disk."""

    __tablename__ = "import_chunks"

    import_id: Mapped[int] = mapped_column(sa.ForeignKey(Import.id), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    first_line: Mapped[int]
    line_count: Mapped[int]
    sealed: Mapped[bytes]


class RefusedLine(db.Model):
    """One line that was not taken, and why; it names the line, never its content."""

    __tablename__ = "import_refused_lines"
    __table_args__ = (sa.Index("ix_import_refused_lines_line", "import_id", "line"),)

    id: Mapped[db.PrimaryKey]
    import_id: Mapped[int] = mapped_column(sa.ForeignKey(Import.id))
    line: Mapped[int]
    message: Mapped[str]
    params: Mapped[dict[str, Any]]


class Reveal(db.Model):
    """Somebody saw codes in plain text: who, when, from where, and if staff, why."""

    __tablename__ = "reveals"

    id: Mapped[db.PrimaryKey]
    at: Mapped[datetime] = mapped_column(default=clock.now, index=True)
    actor: Mapped[str] = mapped_column(index=True)
    by_staff: Mapped[bool]
    order_line_id: Mapped[int | None] = mapped_column(index=True)
    code_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Code.id), index=True)
    code_count: Mapped[int]
    channel: Mapped[str]
    ip: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
