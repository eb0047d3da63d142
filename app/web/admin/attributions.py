"""Whose an order is: why, and how staff put it right."""

from collections.abc import Callable

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.db import session, transaction
from app.core.errors import N_, Refusal
from app.domain.channels import attribution, correcting
from app.domain.channels.correcting import Correction
from app.domain.channels.models import Distributor
from app.domain.orders import queries
from app.domain.orders.models import Order
from app.web import attribution_words, client
from app.web.access import staff
from app.web.errors import words
from app.web.render import render

routes = Blueprint("attributions", __name__)


@routes.get("/admin/orders/<number>/attribution")
@staff("channels.view")
def show(number: str) -> Response:
    return _page(queries.find(number))


@routes.post("/admin/orders/<number>/attribution")
@staff("channels.manage", step_up=True)
def update(number: str) -> Response:
    """It is another distributor's, named by her code."""
    code = request.form.get("code", "").strip()[:100]

    def other() -> Distributor:
        found = attribution.find_by_code(code)
        if found is None:
            raise Refusal(N_("没有使用这个推广码的分销商，或者她没有启用"), field="code")
        return found

    return _correct(number, other, _("已更正归属，佣金稍后重新计算"))


@routes.post("/admin/orders/<number>/attribution/deletion")
@staff("channels.manage", step_up=True)
def delete(number: str) -> Response:
    """It is nobody's."""
    return _correct(number, lambda: None, _("这个订单不再归任何分销商，佣金稍后重新计算"))


def _correct(number: str, whose: Callable[[], Distributor | None], done: str) -> Response:
    order = queries.find(number)
    reason = request.form.get("reason", "")
    ip = client.address()
    try:
        transaction(lambda: correcting.correct(order.id, Correction(whose(), reason), ip))
    except Refusal as refusal:
        session.rollback()
        return _page(queries.find(number), {refusal.field: words(refusal)}, refusal.status)
    flash(done, "good")
    return redirect(url_for("admin.attributions.show", number=number), 303)  # type: ignore[return-value]


def _page(order: Order, errors: dict[str, str] | None = None, status: int = 200) -> Response:
    found = attribution.of_order(order.id)
    return render(
        "admin/attributions/show.html",
        status=status,
        order=order,
        attribution=found,
        rule=attribution_words.rule_words(found.rule) if found is not None else "",
        why=attribution_words.sentences(found) if found is not None else [],
        typed={name: request.form.get(name, "") for name in ("code", "reason")},
        errors=errors or {},
    )
