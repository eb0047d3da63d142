"""Signing in and out."""

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.core.crypto import Secret
from app.core.db import transaction
from app.core.errors import Refusal
from app.domain.accounts import sessions
from app.domain.accounts.contacts import Contact
from app.domain.accounts.signing_in import Attempt
from app.domain.risk.models import Checkpoint
from app.web import captcha, limits, visitor
from app.web.access import public, safe_next, signed_in
from app.web.account import entering
from app.web.captcha import Captcha
from app.web.errors import words
from app.web.render import render
from app.web.requests import row_id

routes = Blueprint("sessions", __name__)


@routes.get("/account/sign-in")
@public
def new() -> Response:
    if current_user.is_authenticated:
        return redirect(_next(), 303)  # type: ignore[return-value]
    return _page()


@routes.post("/account/sign-in")
@public
@limits.per_address("sign_in")
def create() -> Response:
    """Sign in; staff who come through this door still owe their second factor."""
    typed, visit = request.form.get("contact", "").strip()[:200], captcha.visit()
    try:
        opened = entering.sign_in(_attempt(typed), visit)
    except Refusal as refusal:
        asked = entering.to_prove(refusal, Checkpoint.SIGN_IN, visit)
        return _page(typed, {refusal.field: words(refusal)}, refusal.status, asked)
    if opened.owes_second_factor:
        target = url_for("admin.second_factor.show", next=_next())
    else:
        target = _next()
    response: Response = redirect(target, 303)  # type: ignore[assignment]
    return visitor.sign_in(response, opened.secret, opened.role)


@routes.post("/account/session/deletion")
@public
def delete() -> Response:
    """Sign out; with `session`, sign another of one's own browsers out."""
    holder = visitor.holder()
    other = request.form.get("session", type=row_id)
    if holder is not None and other not in (None, holder.session_id):
        transaction(lambda: sessions.end_of(holder.id, other or 0))
        flash(_("已退出那台设备"), "good")
        return redirect(url_for("account.profile.show"), 303)  # type: ignore[return-value]
    if holder is not None:
        transaction(lambda: sessions.end(holder.session_id))
    return visitor.sign_out(redirect(url_for("shop.home.index"), 303))  # type: ignore[arg-type]


@routes.post("/account/sessions/deletion")
@signed_in
def delete_others() -> Response:
    """Sign every other of one's browsers out."""
    person_id, mine = current_user.id, current_user.session_id
    transaction(lambda: sessions.end_all(person_id, but=mine))
    flash(_("其他设备都已退出登录"), "good")
    return redirect(url_for("account.profile.show"), 303)  # type: ignore[return-value]


def _attempt(contact: str) -> Attempt:
    holder = visitor.holder()
    return Attempt(
        Contact.parse(contact),
        Secret(request.form.get("password", "")),
        visitor.origin(),
        instead_of=holder.session_id if holder else None,
    )


def _next() -> str:
    return safe_next(request.values.get("next", ""), url_for("account.profile.show"))


def _page(
    contact: str = "",
    errors: dict[str, str] | None = None,
    status: int = 200,
    to_prove: Captcha | None = None,
) -> Response:
    return render(
        "account/sign_in.html",
        status=status,
        contact=contact,
        errors=errors or {},
        next=_next(),
        to_prove=to_prove,
    )
