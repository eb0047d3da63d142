"""From a link or a typed code to the benefit: one box, one page, one tap.

The code that was opened is kept in the visit (a signed cookie holds its id), so that its page has
an address without any secret, and the back button and a second tab lead to the same.
"""

from flask import Blueprint, Response, redirect, request, url_for
from flask import session as visit
from flask_babel import gettext as _
from flask_login import current_user

from app.core import ids
from app.core.db import session, transaction
from app.core.errors import Refusal
from app.domain.accounts.throttling import TooSoon
from app.domain.catalog.models import ProductKind
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.orders.models import Order
from app.domain.redemptions import answers, guessing, links, service
from app.domain.redemptions.answers import Answer, Unusable
from app.domain.redemptions.models import Way
from app.domain.risk.models import Checkpoint
from app.domain.risk.stopping import CaptchaNeeded
from app.web import captcha, limits, rules_of_use
from app.web.access import public
from app.web.errors import words
from app.web.render import render
from app.web.shop import benefits, in_hand, products

routes = Blueprint("redeem", __name__)

OPENED = "redeeming"
REDEEMED = "redeemed"


@routes.get("/redeem")
@public
def show() -> Response:
    """The box for a typed code."""
    return _box()


@routes.post("/redeem")
@public
@limits.per_address("redeem")
def create() -> Response:
    """Read a typed code: its page, or what is wrong with it."""
    text = request.form.get("code", "")[:200]
    visit = captcha.visit()
    try:
        code_id = guessing.read(text, visit, _person_id())
    except Unusable as no:
        return _box(text, no.answer, no.status)
    except (CaptchaNeeded, TooSoon) as stopped:
        # Whoever has solved it and has to wait keeps it: nothing was used up.
        wants = visit.proof is not None or isinstance(stopped, CaptchaNeeded)
        asked = captcha.ask(Checkpoint.REDEEM, visit.device) if wants else None
        return _box(text, to_prove=asked, error=words(stopped), status=stopped.status)
    except Refusal as refusal:
        return _box(text, error=words(refusal), status=refusal.status)
    return _open(code_id, Way.TYPED)


@routes.get("/r/<token>")
@public
@limits.per_address("redeem")
def open(token: str) -> Response:  # noqa: A001  the endpoint is redeem.open
    """A one-click link: keep its code for this visit and go on without the secret."""
    try:
        code_id = links.code_id_of(token)
    except Unusable as no:
        return _box(answer=no.answer, status=no.status)
    return _open(code_id, Way.LINK)


@routes.get("/redeem/code")
@public
def code() -> Response:
    """The code that this visit has opened: what it is good for, and the one tap."""
    opened = _opened()
    return _code_page(*opened) if opened else _to_box()


@routes.post("/redeem/code")
@public
@limits.per_address("redeem")
def create_redemption() -> Response:
    """Use it: the account is read back once, then it is on its way."""
    opened = _opened()
    if opened is None:
        return _to_box()
    code_id, way = opened
    typed = request.form.get("account", "").strip()[:200]
    key = request.form.get("key", "")
    try:
        account = _account(code_id, typed)
        if account.value != request.form.get("confirmed"):
            return _code_page(code_id, way, typed, to_confirm=account)
        transaction(lambda: service.redeem(code_id, account, way, _key(key)))
        visit[REDEEMED] = code_id
    except Unusable as no:
        session.rollback()
        return _code_page(code_id, way, typed, error="", status=no.status)
    except Refusal as refusal:
        session.rollback()
        return _code_page(code_id, way, typed, error=words(refusal), status=refusal.status)
    return redirect(url_for("redeem.code"), 303)  # type: ignore[return-value]


def _account(code_id: int, typed: str) -> RechargeAccount:
    product = service.standing(code_id).found.product
    if product.account_format is None:
        raise Unusable(answers.WRONG_PRODUCT)
    return RechargeAccount.parse(product.account_format, typed)


def _code_page(
    code_id: int,
    way: Way,
    typed: str = "",
    *,
    to_confirm: RechargeAccount | None = None,
    error: str = "",
    status: int = 200,
) -> Response:
    session.expire_all()
    view = benefits.code_view(code_id)
    found = view.standing.found
    answer = view.standing.answer
    may_know = _may_know(found.order, way, code_id)
    if answer is not None and not may_know:
        answer = answers.for_stranger(answer)
    response = render(
        "redeem/code.html",
        "redeem/_code.html",
        status=status,
        view=view,
        product=found.product,
        account_label=products.account_label(found.product),
        typed=typed,
        to_confirm=to_confirm,
        error=error,
        key=ids.token(),
        recharge=view.recharge if may_know else None,
        why_not=rules_of_use.why_not(answer) if answer else "",
        advice=rules_of_use.advice(answer) if answer else "",
        slug=answer.slug if answer else "",
        is_redeem=found.product.kind == ProductKind.REDEEM,
        is_moving=benefits.is_moving([view]),
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _may_know(order: Order, way: Way, code_id: int) -> bool:
    """Whether this visitor is told all: the owner, and who redeemed it in this very visit.

    A link's holder may do what its owner could, so he is told what its owner is; the account is
    masked for all of them.
    """
    return in_hand.is_in_hand(order) or way == Way.LINK or visit.get(REDEEMED) == code_id


def _open(code_id: int, way: Way) -> Response:
    visit[OPENED] = [code_id, way.value]
    return redirect(url_for("redeem.code"), 303)  # type: ignore[return-value]


def _opened() -> tuple[int, Way] | None:
    found = visit.get(OPENED)
    return (int(found[0]), Way(found[1])) if found else None


def _to_box() -> Response:
    return redirect(url_for("redeem.show"), 303)  # type: ignore[return-value]


def _box(
    typed: str = "",
    answer: Answer | None = None,
    status: int = 200,
    *,
    error: str = "",
    to_prove: captcha.Captcha | None = None,
) -> Response:
    if answer is not None:
        error = rules_of_use.why_not(answer)
    response = render(
        "redeem/box.html",
        status=status,
        typed=typed,
        error=error,
        to_prove=to_prove,
        advice=rules_of_use.advice(answer) if answer else "",
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _person_id() -> int | None:
    return current_user.id if current_user.is_authenticated else None


def _key(key: str) -> str:
    if len(key) < 16:
        raise Refusal(_("这个页面放得太久了，请刷新后重试"))
    return key
