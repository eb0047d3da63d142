"""Who did what to what, and why: rows that the database refuses to change or delete."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, db
from app.core.actors import actor
from app.core.db import session


class AuditEntry(db.Model):
    """One act of a person. `detail` holds ids and before → after, never a secret."""

    __tablename__ = "audit_log"
    __table_args__ = (sa.Index("ix_audit_log_subject", "subject", "subject_id"),)

    id: Mapped[db.PrimaryKey]
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(index=True)
    action: Mapped[str]
    subject: Mapped[str]
    subject_id: Mapped[int | None]
    reason: Mapped[str]
    ip: Mapped[str]
    detail: Mapped[dict[str, Any]]


def record(
    action: str,
    subject: str,
    subject_id: int | None,
    *,
    reason: str = "",
    ip: str = "",
    **detail: object,
) -> None:
    """Add an entry to the unit of work that does the deed: no deed without its entry."""
    db.require_transaction()
    session.add(
        AuditEntry(
            at=clock.now(),
            actor=actor(),
            action=action,
            subject=subject,
            subject_id=subject_id,
            reason=reason,
            ip=ip,
            detail=detail,
        )
    )
