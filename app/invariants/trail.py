"""The audit log: nobody has changed it, and it is being sealed."""

import sqlalchemy as sa

from app.core import audit_chain
from app.core.audit import AuditEntry
from app.core.audit_chain import Misfit
from app.domain.vault.export_models import CodeExport, ExportedCode, ExportState
from app.domain.vault.models import Code, CodeState
from app.invariants.counting import Counted, counted


def chain_is_whole(full: bool) -> tuple[int, int, tuple[Misfit, ...]]:
    """The seals are contiguous, each fits to the one before and to what its entry says now."""
    verdict = audit_chain.verify(full=full)
    return verdict.looked_at, verdict.broken, verdict.first


def entries_are_sealed(_full: bool) -> tuple[int, int, tuple[Misfit, ...]]:
    """No entry waits for its seal for long, as one does that was put in later; while nothing
    seals, all do."""
    count, overdue = audit_chain.count_overdue()
    return count, overdue, audit_chain.first_overdue() if overdue else ()


@counted
def exports_are_recorded() -> Counted:
    """A download has its two people, its entry in the audit log, and the codes that it says."""
    downloaded = sa.select(CodeExport.id).where(CodeExport.state == ExportState.DOWNLOADED)
    entered = sa.exists().where(
        AuditEntry.action == "export.download",
        AuditEntry.subject == CodeExport.__tablename__,
        AuditEntry.subject_id == CodeExport.id,
        AuditEntry.actor == CodeExport.requested_by,
    )
    codes = (
        sa.select(sa.func.count())
        .where(ExportedCode.export_id == CodeExport.id)
        .correlate(CodeExport)
        .scalar_subquery()
    )
    broken = downloaded.where(
        sa.or_(
            ~entered,
            CodeExport.checked_by.is_(None),
            CodeExport.code_count != codes,
            CodeExport.password_sealed.is_not(None),
        )
    )
    return downloaded, broken


@counted
def exported_codes_are_off_the_shelf() -> Counted:
    """What has left with an export is void and was never sold."""
    broken = (
        sa.select(ExportedCode.code_id)
        .outerjoin(Code, Code.id == ExportedCode.code_id)
        .where(
            sa.or_(Code.id.is_(None), Code.state != CodeState.VOID, Code.order_line_id.is_not(None))
        )
    )
    return ExportedCode, broken
