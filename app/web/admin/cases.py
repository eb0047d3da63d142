"""Orders that wait for a person: the queue, why each is held, let it go or send it back."""

from collections.abc import Callable

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import NotFound, Refusal
from app.domain.orders.models import Order
from app.domain.risk import cases
from app.domain.risk.models import Case, Decision, Label
from app.web import risk_words
from app.web.access import staff
from app.web.admin.typed import Typed
from app.web.render import render

routes = Blueprint("cases", __name__)

# What a form may say that it turned out to be, the likeliest first.
APPROVED_AS = (Label.FALSE_POSITIVE, Label.UNCLEAR)
REJECTED_AS = (Label.FRAUD, Label.ABUSE, Label.UNCLEAR)


@routes.get("/admin/cases")
@staff("risk.view")
def index() -> Response:
    closed = request.args.get("closed") == "1"
    found = cases.queue(closed=closed)
    orders = {case.order_id: session.get_one(Order, case.order_id) for case in found}
    return render(
        "admin/cases/index.html", cases=found, orders=orders, closed=closed, now=clock.now()
    )


@routes.get("/admin/cases/<uid>")
@staff("risk.view")
def show(uid: str) -> Response:
    return _page(uid, Typed({}))


@routes.post("/admin/cases/<uid>/approval")
@staff("risk.review")
def create_approval(uid: str) -> Response:
    trust = request.form.get("trust") == "1"
    return _close(
        uid,
        APPROVED_AS,
        lambda label, note: cases.approve(uid, label, note, trust=trust),
        _("已放行，正在发货"),
    )


@routes.post("/admin/cases/<uid>/rejection")
@staff("risk.review", step_up=True)
def create_rejection(uid: str) -> Response:
    block = request.form.get("block") == "1"
    return _close(
        uid,
        REJECTED_AS,
        lambda label, note: cases.reject(uid, label, note, block=block),
        _("已拒绝，款项正在原路退回"),
    )


def _close(
    uid: str, labels: tuple[Label, ...], close: Callable[[Label, str], None], done: str
) -> Response:
    typed = Typed(request.form)
    text = typed.text("label")
    label = Label(text) if text in labels else labels[0]
    note = typed.text("note")
    try:
        transaction(lambda: close(label, note))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _page(uid, typed, refusal.status)
    flash(done, "good")
    return redirect(url_for("admin.cases.index"), 303)  # type: ignore[return-value]


def _page(uid: str, typed: Typed, status: int = 200) -> Response:
    case: Case = cases.find(uid)
    decision = session.get_one(Decision, case.decision_id)
    return render(
        "admin/cases/show.html",
        status=status,
        case=case,
        order=session.get_one(Order, case.order_id),
        decision=decision,
        fired=[risk_words.trial(one) for one in decision.trials if one["true"]],
        others=[risk_words.trial(one) for one in decision.trials if not one["true"]],
        is_open=case.state in cases.OPEN,
        now=clock.now(),
        approved_as=risk_words.labels(APPROVED_AS),
        rejected_as=risk_words.labels(REJECTED_AS),
        typed=typed.texts,
        errors=typed.errors,
    )
