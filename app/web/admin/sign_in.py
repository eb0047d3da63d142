"""The staff's door."""

from flask import Blueprint, Response, redirect, request, url_for
from flask_login import current_user

from app.core.crypto import Secret
from app.core.db import transaction
from app.core.errors import Refusal
from app.domain.accounts import sessions
from app.domain.accounts.contacts import Contact
from app.domain.accounts.signing_in import Attempt
from app.domain.risk.models import Checkpoint
from app.web import captcha, limits, visitor
from app.web.access import public, safe_next
from app.web.account import entering
from app.web.captcha import Captcha
from app.web.errors import words
from app.web.render import render

routes = Blueprint("sign_in", __name__)


@routes.get("/admin/sign-in")
@public
def show() -> Response:
    if current_user.is_staff:
        return redirect(target(), 303)  # type: ignore[return-value]
    return _page()


@routes.post("/admin/sign-in")
@public
@limits.per_address("sign_in")
def create() -> Response:
    """Password and, if it is given at once, the code; without it the next page asks for it."""
    login, visit = request.form.get("login", "").strip()[:200], captcha.visit()
    try:
        opened = entering.sign_in(_attempt(login), visit)
    except Refusal as refusal:
        field = "login" if refusal.field == "contact" else refusal.field
        asked = entering.to_prove(refusal, Checkpoint.SIGN_IN, visit)
        return _page(login, {field: words(refusal)}, refusal.status, asked)
    url = target()
    if opened.owes_second_factor:
        url = url_for("admin.second_factor.show", next=url)
    response: Response = redirect(url, 303)  # type: ignore[assignment]
    return visitor.sign_in(response, opened.secret, opened.role)


@routes.post("/admin/session/deletion")
@public
def delete() -> Response:
    """Sign out: the session ends here, not only the cookie."""
    holder = visitor.holder()
    if holder is not None:
        transaction(lambda: sessions.end(holder.session_id))
    return visitor.sign_out(redirect(url_for("admin.sign_in.show"), 303))  # type: ignore[arg-type]


def _attempt(login: str) -> Attempt:
    holder = visitor.holder()
    return Attempt(
        Contact.parse(login),
        Secret(request.form.get("password", "")),
        visitor.origin(),
        code=request.form.get("totp", "").strip()[:20],
        only_staff=True,
        instead_of=holder.session_id if holder else None,
    )


def target() -> str:
    """Where to go on after signing in."""
    return safe_next(request.values.get("next", ""), url_for("admin.home.show"))


def _page(
    login: str = "",
    errors: dict[str, str] | None = None,
    status: int = 200,
    to_prove: Captcha | None = None,
) -> Response:
    return render(
        "admin/sign_in.html",
        status=status,
        login=login,
        errors=errors or {},
        next=target(),
        to_prove=to_prove,
    )
