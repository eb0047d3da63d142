"""The counter: scan a pass or type its code, see what it is good for, take a use, undo a slip."""

from functools import partial

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask import session as visit
from flask_babel import gettext as _

from app.core import clock, ids
from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.domain.redemptions import guessing, passes, queries, service
from app.domain.redemptions.answers import Unusable
from app.domain.vault.alarms import Touch
from app.web import client, rules_of_use
from app.web.access import staff
from app.web.errors import words
from app.web.render import render
from app.web.shop import benefits

routes = Blueprint("counter", __name__)

SCANNED = "counter"


@routes.get("/admin/counter")
@staff("passes.use")
def show() -> Response:
    return _box()


@routes.post("/admin/counter")
@staff("passes.use")
def create() -> Response:
    """What was scanned or typed: the pass it is, or what is wrong with it."""
    text = request.form.get("code", "")[:300]
    try:
        code_id, step = passes.read(text) if passes.is_showing(text) else (service.read(text), None)
        service.standing(code_id)
    except Unusable as no:
        session.rollback()
        guessing.watch(text, Touch("counter", client.address()))
        return _box(text, rules_of_use.said(no.answer), no.status)
    except Refusal as refusal:
        return _box("", words(refusal), refusal.status)
    visit[SCANNED] = [code_id, step]
    return redirect(url_for("admin.counter.show_pass"), 303)  # type: ignore[return-value]


@routes.get("/admin/counter/pass")
@staff("passes.use")
def show_pass() -> Response:
    scanned = visit.get(SCANNED)
    if not scanned:
        return redirect(url_for("admin.counter.show"), 303)  # type: ignore[return-value]
    view = benefits.code_view(int(scanned[0]))
    found = view.standing.found
    return render(
        "admin/counter/pass.html",
        view=view,
        product=found.product,
        order=found.order,
        key=ids.token(),
        history=queries.history_of(view.code_id),
        may_undo={
            use.id
            for use in found.uses
            if clock.now() - use.at <= found.policy.undo_within and use.way == "counter"
        },
    )


@routes.post("/admin/counter/uses")
@staff("passes.use")
def create_use() -> Response:
    """Take a use off the pass that was scanned; a double tap takes one."""
    scanned = visit.get(SCANNED)
    key = request.form.get("key", "")
    if not scanned or len(key) < 16:
        flash(_("请重新扫码"), "bad")
        return redirect(url_for("admin.counter.show"), 303)  # type: ignore[return-value]
    code_id, step = scanned
    if step is not None and not passes.is_recent(step):
        flash(_("扫码后过了太久，请让顾客重新出示"), "bad")
        return redirect(url_for("admin.counter.show"), 303)  # type: ignore[return-value]
    try:
        use = transaction(partial(service.take_use, code_id, key, shown_step=step))
        flash(_("已核销第 %(n)s 次", n=use.use_number), "good")
    except Unusable as no:
        session.rollback()
        flash(rules_of_use.said(no.answer), "bad")
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    return _to_pass()


@routes.post("/admin/counter/uses/<int:redemption_id>/undo")
@staff("passes.use")
def create_undo(redemption_id: int) -> Response:
    """Give a use back that was taken by mistake."""
    scanned = visit.get(SCANNED)
    use = queries.find_redemption(redemption_id)
    if not scanned or use.code_id != scanned[0]:
        raise NotFound(N_("没有找到这次使用"))
    reason = request.form.get("reason", "")
    try:
        transaction(lambda: service.undo(redemption_id, reason))
        flash(_("已撤销，次数已还给顾客"), "good")
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    return _to_pass()


def _to_pass() -> Response:
    return redirect(url_for("admin.counter.show_pass"), 303)  # type: ignore[return-value]


def _box(typed: str = "", error: str = "", status: int = 200) -> Response:
    return render("admin/counter/show.html", status=status, typed=typed, error=error)
