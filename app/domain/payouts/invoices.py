"""Invoices of companies: uploaded for a withdrawal, looked at by staff, sealed at rest."""

import base64
import re
import secrets
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, undefer

from app.core import audit, clock, keys
from app.core.actors import actor
from app.core.db import session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.states import move
from app.domain.payouts import queries, tax_profiles
from app.domain.payouts.models import Withdrawal, WithdrawalState
from app.domain.payouts.paper_models import Invoice, InvoiceState, TaxMode

MOST_BYTES = 5 * 1024 * 1024
REASON_LEAST = 2
# What a file begins with says what it is; its name says nothing.
SIGNATURES = (
    (b"%PDF-", "application/pdf"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
)
EXTENSIONS = {"application/pdf": "pdf", "image/jpeg": "jpg", "image/png": "png"}
# 8 digits on older ones, 20 on fully digital ones (数电票).
NUMBER = re.compile(r"\d{8}|\d{20}")
# Before it is paid; what came back waits for the same invoice.
BEFORE_PAYING = (WithdrawalState.REQUESTED, WithdrawalState.APPROVED, WithdrawalState.RETURNED)


def upload(distributor_id: int, withdrawal_number: str, number: str, content: bytes) -> Invoice:
    """Her invoice for a withdrawal of hers; raises Refusal, Conflict, NotFound."""
    queries.lock_distributor(distributor_id)
    withdrawal = queries.find_for(distributor_id, withdrawal_number)
    if withdrawal.state not in BEFORE_PAYING or not wants_invoices(distributor_id):
        raise Conflict(N_("这笔提现不需要发票"))
    cleaned, media_type = re.sub(r"\s", "", number), media_type_of(content)
    if not cleaned.isascii() or not NUMBER.fullmatch(cleaned):
        raise Refusal(N_("请填写发票号码，8 位或 20 位数字"), field="number")
    live = sa.select(Invoice).where(Invoice.state != InvoiceState.REFUSED)
    if session.scalar(live.where(Invoice.withdrawal_id == withdrawal.id)) is not None:
        raise Conflict(N_("这笔提现已经上传过发票"))
    if session.scalar(live.where(Invoice.number == cleaned)) is not None:
        raise Refusal(N_("这张发票已经用于另一笔提现"), field="number")
    uid = secrets.token_hex(8)
    invoice = Invoice(
        uid=uid,
        withdrawal_id=withdrawal.id,
        number=cleaned,
        media_type=media_type,
        size=len(content),
        content_sealed=keys.seal_personal(
            base64.b64encode(content).decode(), "invoices", "content", uid
        ),
    )
    session.add(invoice)
    session.flush()
    return invoice


def media_type_of(content: bytes) -> str:
    """What the file is by its first bytes; raises Refusal for anything else, or too much of it."""
    if not content:
        raise Refusal(N_("请选择发票文件"), field="file")
    if len(content) > MOST_BYTES:
        raise Refusal(N_("发票文件不能超过 5 MB"), field="file")
    for signature, media_type in SIGNATURES:
        if content.startswith(signature):
            return media_type
    raise Refusal(N_("发票要是 PDF、JPEG 或 PNG 文件"), field="file")


def wants_invoices(distributor_id: int) -> bool:
    """Whether this distributor is paid against invoices."""
    profile = tax_profiles.current(distributor_id)
    return profile is not None and profile.mode == TaxMode.BUSINESS_INVOICE


def waiting_for(distributor_id: int) -> Sequence[Withdrawal]:
    """Her withdrawals that an invoice is still to be sent for, the latest first."""
    has_one = sa.exists().where(
        Invoice.withdrawal_id == Withdrawal.id, Invoice.state != InvoiceState.REFUSED
    )
    return session.scalars(
        sa.select(Withdrawal)
        .where(
            Withdrawal.distributor_id == distributor_id,
            Withdrawal.state.in_(BEFORE_PAYING),
            ~has_one,
        )
        .order_by(Withdrawal.id.desc())
    ).all()


def list_of(distributor_id: int, limit: int = 50) -> Sequence[Invoice]:
    """Hers, the latest first, without the files."""
    return session.scalars(
        sa.select(Invoice)
        .join(Withdrawal, Withdrawal.id == Invoice.withdrawal_id)
        .where(Withdrawal.distributor_id == distributor_id)
        .options(joinedload(Invoice.withdrawal))
        .order_by(Invoice.id.desc())
        .limit(limit)
    ).all()


def find(uid: str) -> Invoice:
    """For staff; raises NotFound."""
    found = session.scalar(
        sa.select(Invoice).where(Invoice.uid == uid).options(undefer(Invoice.content_sealed))
    )
    if found is None:
        raise NotFound(N_("没有找到这张发票"))
    return found


def content_of(invoice: Invoice) -> bytes:
    """The file as it was sent; raises Tampered."""
    sealed = keys.open_personal(invoice.content_sealed, "invoices", "content", invoice.uid)
    return base64.b64decode(sealed.reveal())


def accept(uid: str) -> None:
    """It is right: its withdrawal may be paid. Raises Conflict when it was decided before."""
    invoice = _lock(uid)
    move(invoice, InvoiceState.ACCEPTED)
    _decided(invoice)
    audit.record("invoice.accept", "invoices", invoice.id, number=invoice.number)
    session.flush()


def refuse(uid: str, reason: str) -> None:
    """It is not, and she reads why; raises Refusal, Conflict."""
    if len(reason.strip()) < REASON_LEAST:
        raise Refusal(N_("请写明哪里不对，对方会看到"), field="reason")
    invoice = _lock(uid)
    move(invoice, InvoiceState.REFUSED, reason.strip())
    invoice.reason = reason.strip()
    _decided(invoice)
    audit.record("invoice.refuse", "invoices", invoice.id, reason=reason.strip())
    session.flush()


def _lock(uid: str) -> Invoice:
    queries.lock_distributor(find(uid).withdrawal.distributor_id)
    invoice = session.get_one(Invoice, find(uid).id, with_for_update=True, populate_existing=True)
    if invoice.state != InvoiceState.SUBMITTED:
        raise Conflict(N_("这张发票已经处理过了"))
    return invoice


def _decided(invoice: Invoice) -> None:
    invoice.decided_by, invoice.decided_at = actor(), clock.now()
