"""What an account holds: its contact, its sessions, its password, its language."""

from flask import Blueprint, Response, current_app, flash, redirect, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.core.crypto import Secret
from app.core.db import transaction
from app.core.errors import Refusal
from app.domain.accounts import passwords, queries, rules, service, sessions, signing_in
from app.domain.accounts.sessions import SignedIn
from app.domain.channels import figures
from app.domain.risk import arriving
from app.web import limits, translation, visitor
from app.web.access import signed_in
from app.web.errors import words
from app.web.render import render

routes = Blueprint("profile", __name__)


@routes.get("/account")
@signed_in
def show() -> Response:
    return _page()


@routes.post("/account/password")
@signed_in
@limits.per_address("sign_in")
def update_password() -> Response:
    """A new password; every other browser is signed out."""
    try:
        secret = change_password(visitor.signed_in())
    except Refusal as refusal:
        return _page({refusal.field: words(refusal)}, refusal.status)
    response = visitor.sign_in(_to_profile(), secret, current_user.role)
    flash(_("密码已更改，其他设备已退出登录"), "good")
    return response


@routes.post("/account/language")
@signed_in
def update_language() -> Response:
    """Remember the language with the account and on this device."""
    response = _to_profile()
    chosen, person_id = request.form.get("language", ""), current_user.id
    if chosen in translation.LANGUAGES:
        transaction(lambda: service.speak(person_id, chosen))
        response.set_cookie(
            "language",
            chosen,
            max_age=translation.YEAR,
            samesite="Lax",
            secure=current_app.config["SESSION_COOKIE_SECURE"],
        )
    return response


def change_password(person: SignedIn) -> Secret:
    """Change the password as the form says; the session's new secret. Raises Refusal."""
    wanted = request.form.get("password", "")
    rules.check_password(wanted, person.name)
    signing_in.check_own_password(person, Secret(request.form.get("current", "")))
    password_hash = passwords.hash(Secret(wanted))
    return transaction(
        lambda: service.change_password(person.id, password_hash, session_id=person.session_id)
    )


def _to_profile() -> Response:
    return redirect(url_for("account.profile.show"), 303)  # type: ignore[return-value]


def _page(errors: dict[str, str] | None = None, status: int = 200) -> Response:
    return render(
        "account/show.html",
        status=status,
        person=queries.find(current_user.uid),
        sessions=sessions.living(current_user.id),
        frozen=arriving.frozen(current_user.id),
        sells=figures.is_confirmed(current_user.id),
        errors=errors or {},
        least=rules.PASSWORD_LEAST,
    )
