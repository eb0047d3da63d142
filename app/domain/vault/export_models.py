"""Controlled exports: codes that leave the vault for good, by the hands of two people."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, db
from app.domain.vault.models import Batch, Code


class ExportState(StrEnum):
    """That its time is over is computed (`exporting.is_over`), never stored."""

    REQUESTED = "requested"
    APPROVED = "approved"
    DOWNLOADED = "downloaded"
    REFUSED = "refused"
    CANCELLED = "cancelled"


class CodeExport(db.Model):
    """One export: asked for by its maker, approved by its checker, downloaded once."""

    __tablename__ = "code_exports"
    __table_args__ = (
        sa.CheckConstraint("checked_by IS NULL OR checked_by <> requested_by", name="two_people"),
    )

    MOVES = {
        ExportState.REQUESTED: {
            ExportState.APPROVED,
            ExportState.REFUSED,
            ExportState.CANCELLED,
        },
        ExportState.APPROVED: {
            ExportState.DOWNLOADED,
            ExportState.REFUSED,
            ExportState.CANCELLED,
        },
        ExportState.DOWNLOADED: set(),
        ExportState.REFUSED: set(),
        ExportState.CANCELLED: set(),
    }

    id: Mapped[db.PrimaryKey]
    uid: Mapped[bytes] = mapped_column(unique=True)
    state: Mapped[ExportState] = mapped_column(default=ExportState.REQUESTED)
    batch_id: Mapped[int] = mapped_column(sa.ForeignKey(Batch.id), index=True)
    # None: everything that is on the shelf when it is downloaded.
    quantity: Mapped[int | None]
    reason: Mapped[str]
    requested_by: Mapped[str] = mapped_column(index=True)
    requested_at: Mapped[datetime] = mapped_column(default=clock.now)
    # Who approved or refused it.
    checked_by: Mapped[str | None]
    checked_at: Mapped[datetime | None]
    # The file's password until it is downloaded, sealed.
    password_sealed: Mapped[bytes | None]
    # Which of the batch's canaries stands in this file alone, sealed.
    watermark_sealed: Mapped[bytes | None]
    code_count: Mapped[int] = mapped_column(default=0)
    downloaded_at: Mapped[datetime | None]
    # The events that staff were told of; each is written before they are.
    told: Mapped[list[Any]] = mapped_column(default=list)


class ExportedCode(db.Model):
    """A code that has left with an export. Never changed: it is never for sale again."""

    __tablename__ = "exported_codes"

    code_id: Mapped[int] = mapped_column(
        sa.ForeignKey(Code.id), primary_key=True, autoincrement=False
    )
    export_id: Mapped[int] = mapped_column(sa.ForeignKey(CodeExport.id), index=True)
