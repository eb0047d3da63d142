"""The one-time link by which a person chooses a password."""

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.crypto import Secret
from app.core.db import transaction
from app.core.errors import Refusal
from app.domain.accounts import passwords, queries, rules, service
from app.web import limits
from app.web.access import public
from app.web.errors import words
from app.web.render import render

routes = Blueprint("invitation", __name__)


@routes.get("/account/invitation/<token>")
@public
@limits.per_address("open_link")
def show(token: str) -> Response:
    queries.find_invited(token)
    return _page(token)


@routes.post("/account/invitation/<token>")
@public
@limits.per_address("sign_in")
def create(token: str) -> Response:
    """Take the password; the link is used up, and signing in is the next step."""
    person = queries.find_invited(token)
    password = request.form.get("password", "")
    try:
        rules.check_password(password, person.name)
    except Refusal as refusal:
        return _page(token, {refusal.field: words(refusal)}, refusal.status)
    is_staff = person.role is not None
    password_hash = passwords.hash(Secret(password))
    transaction(lambda: service.accept_invitation(token, password_hash))
    flash(_("密码已设置，请登录"), "good")
    door = "admin.sign_in.show" if is_staff else "account.sessions.new"
    return redirect(url_for(door), 303)  # type: ignore[return-value]


def _page(token: str, errors: dict[str, str] | None = None, status: int = 200) -> Response:
    person = queries.find_invited(token)
    return render(
        "account/invitation.html",
        status=status,
        person=person,
        token=token,
        errors=errors or {},
        least=rules.PASSWORD_LEAST,
    )
