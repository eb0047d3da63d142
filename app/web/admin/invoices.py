"""Invoices to check: saved, never shown in the page, then accepted or refused."""

from collections.abc import Callable

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import audit
from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.domain.channels.models import Distributor
from app.domain.payouts import invoices
from app.domain.payouts.models import Withdrawal
from app.domain.payouts.paper_models import Invoice, InvoiceState
from app.web import papers, state_words
from app.web.access import staff
from app.web.admin import todo
from app.web.admin.listing import Choice, Listing, Search, Sort
from app.web.errors import words

routes = Blueprint("invoices", __name__)

LIST = Listing(
    name="invoices",
    model=Invoice,
    search=Search(
        lambda text: sa.or_(
            Invoice.number == text,
            Withdrawal.number == text.upper(),
            Distributor.name.icontains(text, autoescape=True),
        ),
        N_("发票号码、提现单号、分销商"),
    ),
    choices=(
        Choice(
            "state",
            N_("状态"),
            lambda: state_words.options("invoice"),
            lambda value: Invoice.state == InvoiceState(value),
        ),
    ),
    sorts=(Sort("newest", N_("最新在前"), (Invoice.id.desc(),)),),
)


@routes.get("/admin/invoices")
@staff("payouts.view")
def index() -> Response:
    found = (
        sa.select(Invoice, Withdrawal, Distributor)
        .join(Withdrawal, Withdrawal.id == Invoice.withdrawal_id)
        .join(Distributor, Distributor.id == Withdrawal.distributor_id)
    )
    return LIST.answer(found, "admin/invoices/index.html")


@routes.get("/admin/invoices/<uid>/file")
@staff("payouts.review")
def show_file(uid: str) -> Response:
    """What a distributor sent: saved under a name of ours, as what its first bytes say it is."""
    invoice = invoices.find(uid)
    content, invoice_id = invoices.content_of(invoice), invoice.id
    name = f"invoice-{invoice.number}.{invoices.EXTENSIONS[invoice.media_type]}"
    media_type = invoice.media_type
    transaction(lambda: audit.record("invoice.file", "invoices", invoice_id))
    return papers.attachment(name, media_type, content)


@routes.post("/admin/invoices/<uid>/acceptance")
@staff("payouts.review")
def create_acceptance(uid: str) -> Response:
    return _act(lambda: invoices.accept(uid), _("发票已通过，可以打款"))


@routes.post("/admin/invoices/<uid>/refusal")
@staff("payouts.review")
def create_refusal(uid: str) -> Response:
    reason = request.form.get("reason", "")[:200]
    return _act(lambda: invoices.refuse(uid, reason), _("已退回，对方可以重新上传"))


def _act(act: Callable[[], None], done: str) -> Response:
    try:
        transaction(act)
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        todo.forget()
        flash(done, "good")
    return redirect(url_for("admin.invoices.index"), 303)  # type: ignore[return-value]
