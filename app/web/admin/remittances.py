"""What payment channels remitted to the bank: the list, a new one by hand, and a slip reversed."""

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.domain.orders import remittances
from app.domain.orders.statement_models import Remittance, RemittanceState
from app.web import state_words
from app.web.access import staff
from app.web.admin.actors import named
from app.web.admin.channel_statements import options
from app.web.admin.listing import Choice, Days, Listing, Search, Sort
from app.web.admin.typed import Typed
from app.web.errors import words
from app.web.shop import channels

routes = Blueprint("remittances", __name__)

LIST = Listing(
    name="remittances",
    model=Remittance,
    search=Search(lambda text: Remittance.number == text, N_("流水号")),
    choices=(
        Choice(
            "state",
            N_("状态"),
            lambda: state_words.options("remittance"),
            lambda value: Remittance.state == RemittanceState(value),
        ),
        Choice("channel", N_("渠道"), options, lambda value: Remittance.channel == value),
    ),
    days=Days(Remittance.created_at),
    sorts=(Sort("newest", N_("最新在前"), (Remittance.id.desc(),)),),
)


@routes.get("/admin/remittances")
@staff("statements.view")
def index() -> Response:
    return _page(Typed({}))


@routes.post("/admin/remittances")
@staff("statements.settle", step_up=True)
def create() -> Response:
    """Staff saw the money on the bank statement."""
    typed = Typed(request.form)
    channel, number = typed.text("channel"), typed.text("number")
    net, fee = typed.money("net"), typed.money("fee")
    if channel not in dict(options()):
        typed.errors["channel"] = _("请选择渠道")
    if typed.errors:
        return _page(typed, 422)
    try:
        transaction(lambda: remittances.book(channel, number, net or 0, fee or 0))
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _page(typed, refusal.status)
    flash(_("渠道结算已入账"), "good")
    return redirect(url_for("admin.remittances.index"), 303)  # type: ignore[return-value]


@routes.post("/admin/remittances/<int:remittance_id>/reversal")
@staff("statements.settle", step_up=True)
def create_reversal(remittance_id: int) -> Response:
    reason = request.form.get("reason", "")
    try:
        transaction(lambda: remittances.reverse(remittance_id, reason))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        flash(_("已撤销，账上记了一笔相反的账"), "good")
    return redirect(url_for("admin.remittances.index"), 303)  # type: ignore[return-value]


def _page(form: Typed, status: int = 200) -> Response:
    response = LIST.answer(
        sa.select(Remittance),
        "admin/remittances/index.html",
        beside=lambda rows: {"actors": named(one.created_by for one in rows)},
        form=form,
        channels=options(),
        channel_title=channels.title,
        held=[(name, title, remittances.held_by(name)) for name, title in options()],
    )
    response.status_code = status
    return response
