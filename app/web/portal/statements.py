"""Her settlement statements: read, saved as PDF or spreadsheet, confirmed or disputed."""

from collections.abc import Callable

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.db import session, transaction
from app.core.errors import NotFound, Refusal
from app.domain.payouts import invoices, statements, tax_profiles
from app.web import client, limits, papers
from app.web.access import signed_in
from app.web.errors import words
from app.web.portal.holder import earner
from app.web.render import render
from app.web.tax_words import steps_of

routes = Blueprint("statements", __name__)


@routes.get("/portal/statements")
@signed_in
def index() -> Response:
    holder = earner()
    return render(
        "portal/statements/index.html",
        statements=statements.list_of(holder.id),
        profile=tax_profiles.current(holder.id),
        wants_invoices=invoices.wants_invoices(holder.id),
    )


@routes.get("/portal/statements/<number>")
@signed_in
def show(number: str) -> Response:
    issued = statements.find_for(earner().id, number)
    content = statements.content_of(issued.statement)
    return render(
        "portal/statements/show.html",
        issued=issued,
        statement=issued.statement,
        content=content,
        steps=steps_of(content["settlement"]["trace"]),
    )


@routes.get("/portal/statements/<number>/pdf")
@signed_in
@limits.per_address("paper")
def show_pdf(number: str) -> Response:
    return papers.pdf_file(statements.find_for(earner().id, number))


@routes.get("/portal/statements/<number>/xlsx")
@signed_in
@limits.per_address("paper")
def show_xlsx(number: str) -> Response:
    return papers.xlsx_file(statements.find_for(earner().id, number))


@routes.post("/portal/statements/<number>/confirmation")
@signed_in
def create_confirmation(number: str) -> Response:
    ip = client.address()
    return _answer(
        number, lambda holder_id: statements.confirm(holder_id, number, ip), _("已确认，谢谢")
    )


@routes.post("/portal/statements/<number>/dispute")
@signed_in
def create_dispute(number: str) -> Response:
    reason = request.form.get("reason", "")[:200]
    return _answer(
        number,
        lambda holder_id: statements.dispute(holder_id, number, reason),
        _("异议已提交，店家会在这里答复"),
    )


def _answer(number: str, act: Callable[[int], None], done: str) -> Response:
    holder_id = earner().id
    try:
        transaction(lambda: act(holder_id))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        flash(done, "good")
    return redirect(url_for("portal.statements.show", number=number), 303)  # type: ignore[return-value]
