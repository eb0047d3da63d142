"""Orders that wait for a person: the queue, why each is held, let it go or send it back."""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import Conflict, NotFound, Refusal
from app.domain.orders.models import Order
from app.domain.risk import cases, linking
from app.domain.risk.models import Case, Decision, Key, Label
from app.web import risk_words
from app.web.access import staff
from app.web.admin import todo
from app.web.admin.actors import named
from app.web.admin.typed import Typed
from app.web.errors import words
from app.web.render import render

routes = Blueprint("cases", __name__)

# What a form may say that it turned out to be, the likeliest first.
APPROVED_AS = (Label.FALSE_POSITIVE, Label.UNCLEAR)
REJECTED_AS = (Label.FRAUD, Label.ABUSE, Label.UNCLEAR)
# As many as the queue shows.
MOST_AT_ONCE = 200


@dataclass(frozen=True)
class Linked:
    """The other orders that share a key: the newest of them, and how many there are."""

    title: str
    orders: list[Order]
    count: int


@routes.get("/admin/cases")
@staff("risk.view")
def index() -> Response:
    closed = request.args.get("closed") == "1"
    found = cases.queue(closed=closed)
    wanted = sa.select(Order).where(Order.id.in_([case.order_id for case in found]))
    return render(
        "admin/cases/index.html",
        cases=found,
        orders={order.id: order for order in session.scalars(wanted)},
        names=named(case.closed_by if closed else case.assignee for case in found),
        closed=closed,
        now=clock.now(),
        label_words=dict(risk_words.labels(Label)),
        approved_as=risk_words.labels(APPROVED_AS),
        rejected_as=risk_words.labels(REJECTED_AS),
    )


@routes.post("/admin/cases/assignments")
@staff("risk.review")
def create_assignments() -> Response:
    """Take every ticked order, so that nobody else looks at it meanwhile."""
    return _for_ticked(lambda uid, _note: cases.take(uid), lambda n: _("%(n)s 个订单由你来看", n=n))


@routes.post("/admin/cases/returns")
@staff("risk.review")
def create_returns() -> Response:
    """Put every ticked order back."""
    return _for_ticked(
        lambda uid, _note: cases.put_back(uid), lambda n: _("已放回 %(n)s 个订单", n=n)
    )


@routes.post("/admin/cases/approvals")
@staff("risk.review")
def create_approvals() -> Response:
    """Let every ticked order go."""
    trust, label = request.form.get("trust") == "1", _label("approved_as", APPROVED_AS)
    return _for_ticked(
        lambda uid, note: cases.approve(uid, label, note, trust=trust),
        lambda n: _("已放行 %(n)s 个订单，正在发货", n=n),
    )


@routes.post("/admin/cases/rejections")
@staff("risk.review", step_up=True)
def create_rejections() -> Response:
    """Send the money of every ticked order back."""
    block, label = request.form.get("block") == "1", _label("rejected_as", REJECTED_AS)
    return _for_ticked(
        lambda uid, note: cases.reject(uid, label, note, block=block),
        lambda n: _("已拒绝 %(n)s 个订单，款项正在原路退回", n=n),
    )


@routes.get("/admin/cases/<uid>")
@staff("risk.view")
def show(uid: str) -> Response:
    return _page(uid, Typed({}))


@routes.post("/admin/cases/<uid>/assignment")
@staff("risk.review")
def create_assignment(uid: str) -> Response:
    return _in_hand(uid, cases.take, _("由你来看，别人不能同时处理"))


@routes.post("/admin/cases/<uid>/return")
@staff("risk.review")
def create_return(uid: str) -> Response:
    return _in_hand(uid, cases.put_back, _("已放回，别人可以来看了"))


@routes.post("/admin/cases/<uid>/approval")
@staff("risk.review")
def create_approval(uid: str) -> Response:
    trust, label = request.form.get("trust") == "1", _label("label", APPROVED_AS)
    return _close(
        uid,
        lambda note: cases.approve(uid, label, note, trust=trust),
        _("已放行，正在发货"),
    )


@routes.post("/admin/cases/<uid>/rejection")
@staff("risk.review", step_up=True)
def create_rejection(uid: str) -> Response:
    block, label = request.form.get("block") == "1", _label("label", REJECTED_AS)
    return _close(
        uid,
        lambda note: cases.reject(uid, label, note, block=block),
        _("已拒绝，款项正在原路退回"),
    )


def _label(name: str, offered: tuple[Label, ...]) -> Label:
    text = request.form.get(name, "")
    return Label(text) if text in offered else offered[0]


def _in_hand(uid: str, change: Callable[[str], None], done: str) -> Response:
    try:
        transaction(lambda: change(uid))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        typed = Typed({})
        typed.note([refusal])
        return _page(uid, typed, refusal.status)
    flash(done, "good")
    return redirect(url_for("admin.cases.show", uid=uid), 303)  # type: ignore[return-value]


def _close(uid: str, close: Callable[[str], None], done: str) -> Response:
    typed = Typed(request.form)
    try:
        transaction(lambda: close(typed.text("note")))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _page(uid, typed, refusal.status)
    todo.forget()
    flash(done, "good")
    return _to_index()


def _for_ticked(change: Callable[[str, str], None], done: Callable[[int], str]) -> Response:
    """Each in a unit of its own: what somebody else was first with stops none of the others."""
    ticked = request.form.getlist("case")[:MOST_AT_ONCE]
    note = Typed(request.form).text("note")
    count = late = theirs = 0
    for uid in dict.fromkeys(ticked):
        try:
            transaction(lambda uid=uid: change(uid, note))  # type: ignore[misc]
            count += 1
        except cases.InOtherHands:
            session.rollback()
            theirs += 1
        except (NotFound, Conflict):
            session.rollback()
            late += 1
        except Refusal as refusal:
            session.rollback()
            flash(words(refusal), "bad")
            return _to_index()
    todo.forget()
    if not ticked:
        flash(_("请先勾选订单"), "bad")
    if count:
        flash(done(count), "good")
    if late:
        flash(_("%(n)s 个刚刚已经处理过", n=late), "info")
    if theirs:
        flash(_("%(n)s 个正由别人审核", n=theirs), "info")
    return _to_index()


def _to_index() -> Response:
    return redirect(url_for("admin.cases.index"), 303)  # type: ignore[return-value]


def _page(uid: str, typed: Typed, status: int = 200) -> Response:
    case: Case = cases.find(uid)
    decision = session.get_one(Decision, case.decision_id)
    linked, further = _linked(case, decision)
    who = case.closed_by or case.assignee
    return render(
        "admin/cases/show.html",
        status=status,
        case=case,
        order=session.get_one(Order, case.order_id),
        decision=decision,
        fired=[risk_words.trial(one) for one in decision.trials if one["true"]],
        others=[risk_words.trial(one) for one in decision.trials if not one["true"]],
        linked=linked,
        further=further,
        most=linking.MOST,
        is_open=case.state in cases.OPEN,
        may_close=current_user.may("risk.review") and cases.may_close(case),
        reviewer=named([who])[who] if who else "",
        now=clock.now(),
        approved_as=risk_words.labels(APPROVED_AS),
        rejected_as=risk_words.labels(REJECTED_AS),
        typed=typed.texts,
        errors=typed.errors,
    )


def _linked(case: Case, decision: Decision) -> tuple[list[Linked], int]:
    """Other orders that share something with the case's, and how many are one step further."""
    whose = {Key(key): bytes.fromhex(value) for key, value in decision.keys.items()}
    graph = linking.graph(whose, case.order_id)
    wanted = sa.select(Order).where(Order.id.in_(graph.order_ids))
    orders = {order.id: order for order in session.scalars(wanted)}
    linked = [
        Linked(
            _(risk_words.KEYS[link.key]),
            [orders[order_id] for order_id in link.order_ids if order_id in orders],
            link.count,
        )
        for link in graph.links
    ]
    return linked, graph.further
