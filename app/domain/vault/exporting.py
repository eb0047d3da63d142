"""Unsold codes leave the vault as a file: by two people, within half an hour, once.

The maker asks and says why, the checker (somebody else) approves, the maker downloads a ZIP under a
password that was shown to her alone. What is in it is off the shelf for good: from now on others
can know it. In each file is a canary of its own, so that a file that gets about names its export.
"""

import os
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from app.core import audit, clock, keys
from app.core.actors import actor
from app.core.crypto import Secret, data_key_id_of
from app.core.db import session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.outbox import later
from app.core.sealed_zip import sealed_zip
from app.core.states import can_move, move, move_all
from app.domain.catalog.queries import find_product
from app.domain.vault import batches, canaries, own_codes, storing
from app.domain.vault.export_models import CodeExport, ExportedCode, ExportState
from app.domain.vault.models import Batch, BatchState, Code, CodeState, Reveal
from app.domain.vault.rules import join_content, split_content, unsold_context
from app.domain.vault.stock import IS_AVAILABLE

# One statement's worth of codes: they are opened, voided and packed in one unit of work.
MOST = batches.CODES_PER_STEP
# A request that nobody looked at is asked again rather than approved when nobody remembers it.
REQUEST_LASTS = timedelta(hours=24)
APPROVAL_LASTS = timedelta(minutes=30)
# SQLite takes 32766 parameters a statement.
IDS_PER_STATEMENT = 10_000
# Without letters and digits that look alike; 20 of them are 98 bits, because the format of the file
# makes guessing cheap.
ALPHABET = "23456789abcdefghjkmnpqrstuvwxyz"
PASSWORD_LENGTH = 20
# What staff read beside a code that has left.
EXPORTED = N_("已导出，不再出售")


@dataclass(frozen=True)
class File:
    """What the maker gets, sealed under her password."""

    name: str
    content: bytes


def find(export_id: int) -> CodeExport:
    """The export; raises NotFound."""
    export = session.get(CodeExport, export_id)
    if export is None:
        raise NotFound(N_("没有找到这次导出"))
    return export


def ends_at(export: CodeExport) -> datetime | None:
    """When what waits for somebody waits no longer; None when nothing does."""
    if export.state == ExportState.REQUESTED:
        return export.requested_at + REQUEST_LASTS
    if export.state == ExportState.APPROVED and export.checked_at is not None:
        return export.checked_at + APPROVAL_LASTS
    return None


def is_over(export: CodeExport) -> bool:
    """Whether its time went by before it was approved or downloaded."""
    end = ends_at(export)
    return end is not None and clock.now() >= end


def count_waiting() -> int:
    """How many wait for somebody to approve them, and still can be."""
    waiting = sa.select(sa.func.count(CodeExport.id)).where(
        CodeExport.state == ExportState.REQUESTED,
        CodeExport.requested_at > clock.now() - REQUEST_LASTS,
    )
    return int(session.scalar(waiting) or 0)


def request(batch_id: int, quantity: int | None, *, reason: str) -> CodeExport:
    """Ask for so many codes of a batch, or (None) for all that are on its shelf.

    Raises Refusal, Conflict.
    """
    batch = _lock_batch(batch_id)
    why = batches.checked_reason(reason)
    left = _count(batch)
    wanted = left if quantity is None else quantity
    if not left:
        raise Conflict(N_("这一批没有可导出的卡密"))
    if not 1 <= wanted <= min(left, MOST):
        raise Refusal(
            N_("数量要在 1 到 %(most)s 之间"), field="quantity", most=f"{min(left, MOST):,}"
        )
    export = CodeExport(
        uid=os.urandom(16),
        batch_id=batch.id,
        quantity=quantity,
        reason=why,
        requested_by=actor(),
    )
    session.add(export)
    session.flush()
    audit.record("export.request", "code_exports", export.id, reason=why, quantity=quantity)
    later("app.domain.messages.jobs.export_requested", export.id)
    return export


def approve(export_id: int) -> None:
    """The checker agrees: from now on the maker has half an hour. Raises Conflict."""
    export = _lock(export_id)
    if not can_move(export, ExportState.APPROVED):
        raise Conflict(N_("这次导出已经处理过了，请刷新页面查看"))
    if is_over(export):
        raise Conflict(N_("申请已超过 24 小时，请对方重新申请"))
    if export.requested_by == actor():
        raise Conflict(N_("自己申请的导出要由另一个人批准"))
    _lock_batch(export.batch_id)
    move(export, ExportState.APPROVED)
    export.checked_by, export.checked_at = actor(), clock.now()
    audit.record("export.approve", "code_exports", export.id, quantity=export.quantity)
    later("app.domain.messages.jobs.export_approved", export.id)


def refuse(export_id: int, *, reason: str) -> None:
    """Somebody else says no, also to what was approved and not downloaded yet.

    Raises Refusal, Conflict.
    """
    export = _lock(export_id)
    why = batches.checked_reason(reason)
    if not can_move(export, ExportState.REFUSED):
        raise Conflict(N_("这次导出已经处理过了，请刷新页面查看"))
    if export.requested_by == actor():
        raise Conflict(N_("自己申请的导出，请用“撤回申请”"))
    move(export, ExportState.REFUSED, why)
    export.checked_by, export.checked_at = actor(), clock.now()
    export.password_sealed = None
    audit.record("export.refuse", "code_exports", export.id, reason=why)
    later("app.domain.messages.jobs.export_refused", export.id)


def cancel(export_id: int) -> None:
    """The maker does not want it any more; raises Conflict, NotFound."""
    export = _lock_own(export_id)
    if not can_move(export, ExportState.CANCELLED):
        raise Conflict(N_("这次导出已经处理过了，请刷新页面查看"))
    move(export, ExportState.CANCELLED)
    export.password_sealed = None
    audit.record("export.cancel", "code_exports", export.id)


def new_password(export_id: int) -> Secret:
    """The password of the file that is going to be made, for the maker's eyes; the one before, if
    any, is worth nothing any more. Raises Conflict, NotFound."""
    export = _lock_own(export_id)
    _check_approved(export)
    password = "".join(secrets.choice(ALPHABET) for _ in range(PASSWORD_LENGTH))
    export.password_sealed = keys.seal_personal(password, "code_exports", "password", export.uid)
    return Secret(password)


def download(export_id: int, *, ip: str) -> File:
    """The file; what is in it has left the shelf for good with this unit. Raises Conflict."""
    export = _lock_own(export_id)
    _check_approved(export)
    if export.password_sealed is None:
        raise Conflict(N_("请先取得文件密码"))
    password = keys.open_personal(export.password_sealed, "code_exports", "password", export.uid)
    batch = _lock_batch(export.batch_id)
    codes = _take(batch, export)
    texts = [_open(code, batch) for code in codes]
    watermark = _watermark(export, batch, texts)
    if watermark is not None:
        texts.insert(secrets.randbelow(len(texts) + 1), watermark)
    _note(export, len(codes), ip, has_watermark=watermark is not None)
    name = f"codes-{export.id}"
    content = sealed_zip(f"{name}.txt", _file_of(texts), password, clock.now())
    return File(f"{name}.zip", content)


def of_watermark(code: Code) -> CodeExport | None:
    """The export in whose file alone this canary stands."""
    made = session.scalars(
        sa.select(CodeExport).where(
            CodeExport.batch_id == code.batch_id, CodeExport.watermark_sealed.is_not(None)
        )
    )
    return next((export for export in made if _watermark_of(export) == code.id), None)


def _check_approved(export: CodeExport) -> None:
    if export.state != ExportState.APPROVED:
        raise Conflict(N_("这次导出还没有批准，或已经结束"))
    if is_over(export):
        raise Conflict(N_("批准后 30 分钟内没有下载，已失效，请重新申请"))


def _take(batch: Batch, export: CodeExport) -> list[Code]:
    """The codes that leave, off the shelf with this unit; raises Conflict where some are gone."""
    found = (
        sa.select(Code)
        .where(
            Code.batch_id == batch.id,
            IS_AVAILABLE,
            Code.id.not_in(canaries.ids_of(batch.uid, batch.canaries_sealed)),
        )
        .order_by(Code.id)
        .limit(export.quantity or MOST)
        .with_for_update(skip_locked=True)
    )
    codes = list(session.scalars(found))
    if not codes or len(codes) < (export.quantity or 1):
        raise Conflict(N_("这一批只剩 %(left)s 条可导出，请撤回后重新申请"), left=len(codes))
    ids = [code.id for code in codes]
    for start in range(0, len(ids), IDS_PER_STATEMENT):
        some = ids[start : start + IDS_PER_STATEMENT]
        move_all(Code, some, CodeState.AVAILABLE, CodeState.VOID, void_reason=EXPORTED)
        session.execute(
            sa.insert(ExportedCode),
            [{"code_id": code_id, "export_id": export.id} for code_id in some],
        )
    return codes


def _open(code: Code, batch: Batch) -> str:
    key = keys.by_id(data_key_id_of(code.sealed))
    return key.open(code.sealed, unsold_context(batch.uid, code.uid)).decode()


def _watermark(export: CodeExport, batch: Batch, texts: Sequence[str]) -> str | None:
    """Plant a canary that stands in this file alone; None where none can be made that looks like
    the others."""
    text = own_codes.generate(1)[0] if batch.is_generated else canaries.imitation(texts)
    if not text:
        return None
    case_sensitive = batch.is_generated or find_product(batch.product_id).codes_case_sensitive
    new = storing.new_code(split_content(text), case_sensitive=case_sensitive)
    if storing.known([new.lookup]):
        return None
    sealed = storing.seal(batch, [new])
    storing.store(batch.id, sealed)
    batch = session.get_one(Batch, batch.id, with_for_update=True, populate_existing=True)
    code_id = session.scalars(sa.select(Code.id).where(Code.uid == sealed[0].uid)).one()
    canaries.add(batch, [code_id])
    export.watermark_sealed = keys.seal_personal(
        str(code_id), "code_exports", "watermark", export.uid
    )
    return join_content(split_content(text))


def _watermark_of(export: CodeExport) -> int:
    assert export.watermark_sealed is not None
    opened = keys.open_personal(export.watermark_sealed, "code_exports", "watermark", export.uid)
    return int(opened.reveal())


def _note(export: CodeExport, count: int, ip: str, *, has_watermark: bool) -> None:
    move(export, ExportState.DOWNLOADED)
    export.downloaded_at, export.code_count = clock.now(), count
    export.password_sealed = None
    session.add(
        Reveal(
            actor=actor(),
            by_staff=True,
            code_count=count,
            channel="export",
            ip=ip,
            reason=export.reason,
        )
    )
    audit.record(
        "export.download",
        "code_exports",
        export.id,
        reason=export.reason,
        ip=ip,
        count=count,
        checked_by=export.checked_by,
        watermark=has_watermark,
    )
    later("app.domain.messages.jobs.export_downloaded", export.id)


def _file_of(texts: Sequence[str]) -> bytes:
    lines = []
    for text in texts:
        content = split_content(text)
        lines.append(f"{content.code} {content.password}" if content.password else content.code)
    # The mark at the beginning lets every editor on Windows read Chinese.
    return ("\ufeff" + "".join(f"{line}\r\n" for line in lines)).encode()


def _count(batch: Batch) -> int:
    return batches.count_codes([batch.id])[batch.id][CodeState.AVAILABLE]


def _lock_batch(batch_id: int) -> Batch:
    batch = batches.lock_batch(batch_id)
    if batch.state not in (BatchState.OPEN, BatchState.FROZEN):
        raise Conflict(N_("这一批还在导入或已经作废，不能导出"))
    return batch


def _lock(export_id: int) -> CodeExport:
    export = session.get(CodeExport, export_id, with_for_update=True, populate_existing=True)
    if export is None:
        raise NotFound(N_("没有找到这次导出"))
    return export


def _lock_own(export_id: int) -> CodeExport:
    export = _lock(export_id)
    if export.requested_by != actor():
        raise Conflict(N_("只有申请人自己可以这样做"))
    return export
