"""Codes of our own, made on the spot: one form; its progress is that of an import."""

from flask import Blueprint, Response, redirect, request, url_for

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import N_, Refusal
from app.domain.catalog import preferences
from app.domain.vault import generating
from app.web.access import staff
from app.web.admin import batch_form
from app.web.admin.typed import Typed
from app.web.render import render

routes = Blueprint("generations", __name__)


@routes.get("/admin/generations/new")
@staff("codes.add")
def new() -> Response:
    blank = batch_form.blank()
    blank.texts["product"] = request.args.get("product", "")
    return _page(blank)


@routes.post("/admin/generations")
@staff("codes.add")
def create() -> Response:
    typed = Typed(request.form)
    product_id = batch_form.product_id(typed)
    details, count = batch_form.details(typed), typed.whole("count")
    if count is None:
        typed.note([Refusal(N_("请填写数量"), field="count")])
    if typed.errors or count is None:
        return _page(typed, 422)
    today = clock.today(preferences.get().zone)
    try:
        uid = transaction(lambda: generating.start(product_id, count, details, today))
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _page(typed, refusal.status)
    return redirect(url_for("admin.imports.show", uid=uid), 303)  # type: ignore[return-value]


def _page(typed: Typed, status: int = 200) -> Response:
    return render(
        "admin/generations/new.html",
        status=status,
        form=typed,
        products=batch_form.product_options(),
        most=generating.MOST,
    )
