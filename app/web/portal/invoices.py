"""A company's invoices: which withdrawals wait for one, and what became of each."""

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.db import session, transaction
from app.core.errors import Refusal
from app.domain.catalog import preferences
from app.domain.payouts import invoices
from app.web import limits
from app.web.access import signed_in, signed_in_with_document
from app.web.admin.typed import Typed
from app.web.portal.holder import earner
from app.web.render import render

routes = Blueprint("invoices", __name__)


@routes.get("/portal/invoices")
@signed_in
def index() -> Response:
    return _page(Typed({}))


@routes.post("/portal/invoices")
@signed_in_with_document
@limits.per_address("invoice")
def create() -> Response:
    holder_id, typed = earner().id, Typed(request.form)
    sent = request.files.get("file")
    # One byte more than is taken, so that too large a file is known to be one.
    content = sent.read(invoices.MOST_BYTES + 1) if sent else b""
    withdrawal, number = typed.text("withdrawal")[:40], typed.text("number")[:40]
    try:
        transaction(lambda: invoices.upload(holder_id, withdrawal, number, content))
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _page(typed, refusal.status)
    flash(_("发票已上传，核对后打款"), "good")
    return redirect(url_for("portal.invoices.index"), 303)  # type: ignore[return-value]


def _page(typed: Typed, status: int = 200) -> Response:
    holder = earner()
    rules = preferences.get()
    return render(
        "portal/invoices/index.html",
        status=status,
        waiting=invoices.waiting_for(holder.id) if invoices.wants_invoices(holder.id) else [],
        invoices=invoices.list_of(holder.id),
        payer=(rules.payer_name or rules.name, rules.payer_code),
        typed=typed.texts,
        errors=typed.errors,
    )
