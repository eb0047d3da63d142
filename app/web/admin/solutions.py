"""A buyer's problem solved in one tap: the deed and a fitting answer together."""

from collections.abc import Callable

from flask import Blueprint, Response, flash, redirect, url_for
from flask_babel import force_locale
from flask_babel import gettext as _

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.domain.catalog import preferences
from app.domain.orders import queries
from app.domain.orders.models import Order
from app.domain.recharges import solving
from app.web.access import staff
from app.web.admin import todo
from app.web.errors import words
from app.web.translation import LANGUAGES

routes = Blueprint("solutions", __name__)

REPLACED = N_("已为你更换新的卡密，请刷新订单页查看。给你添麻烦了")
REFUNDED = N_("已为你办理退款，款项会原路退回")
ASKED = N_("已向供应商核实，结果会显示在订单页；失败会自动退款")


@routes.post("/admin/orders/<number>/problems/<int:problem_id>/replacement")
@staff("orders.replace", step_up=True)
def create_replacement(number: str, problem_id: int) -> Response:
    """Void the codes and give others."""
    today = clock.today(preferences.get().zone)
    return _solve(
        number,
        problem_id,
        REPLACED,
        lambda answer: solving.replace_codes(problem_id, answer, today),
    )


@routes.post("/admin/orders/<number>/problems/<int:problem_id>/refund")
@staff("orders.refund", step_up=True)
def create_refund(number: str, problem_id: int) -> Response:
    """Give all of the money back."""
    return _solve(
        number, problem_id, REFUNDED, lambda answer: solving.refund_all(problem_id, answer)
    )


@routes.post("/admin/orders/<number>/problems/<int:problem_id>/query")
@staff("recharges.serve")
def create_query(number: str, problem_id: int) -> Response:
    """Ask the providers now."""
    return _solve(
        number, problem_id, ASKED, lambda answer: solving.ask_providers(problem_id, answer)
    )


def _solve(number: str, problem_id: int, sentence: str, deed: Callable[[str], None]) -> Response:
    order = queries.find(number)
    if problem_id not in {problem.id for problem in queries.problems_of(order.id)}:
        raise NotFound
    answer = _in_her_language(order, sentence)
    try:
        transaction(lambda: deed(answer))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        todo.forget()
        flash(_("已处理并回复买家"), "good")
    return redirect(url_for("admin.orders.show", number=number), 303)  # type: ignore[return-value]


def _in_her_language(order: Order, sentence: str) -> str:
    """The buyer reads it, so it is said as she speaks."""
    with force_locale(order.language if order.language in LANGUAGES else LANGUAGES[0]):
        return str(_(sentence))
