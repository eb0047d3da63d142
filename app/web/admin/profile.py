"""A member of staff's own account: sessions, password, second factor."""

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.core import audit
from app.core.db import transaction
from app.core.errors import Refusal
from app.domain.accounts import queries, rules, second_factor, sessions
from app.web import limits, visitor
from app.web.access import staff
from app.web.account.profile import change_password
from app.web.errors import words
from app.web.render import render
from app.web.requests import row_id

routes = Blueprint("profile", __name__)


@routes.get("/admin/profile")
@staff("console.view")
def show() -> Response:
    return _page()


@routes.post("/admin/profile/password")
@staff("console.view")
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


@routes.post("/admin/profile/sessions/deletion")
@staff("console.view")
def delete_sessions() -> Response:
    """Sign one of one's browsers out (`session`), or all of them but this."""
    person_id, mine = current_user.id, current_user.session_id
    one = request.form.get("session", type=row_id)
    if one is None:
        transaction(lambda: sessions.end_all(person_id, but=mine))
    else:
        transaction(lambda: sessions.end_of(person_id, one))
    flash(_("已退出登录"), "good")
    return _to_profile()


@routes.post("/admin/profile/recovery-codes")
@staff("console.view", step_up=True)
def create_recovery_codes() -> Response:
    """New recovery codes in place of the old; shown once."""
    person_id = current_user.id

    def renew() -> list[str]:
        codes = second_factor.new_recovery_codes(queries.lock(person_id))
        audit.record("person.recovery_codes", "people", person_id)
        return [code.reveal() for code in codes]

    codes = transaction(renew)
    return render("admin/recovery_codes.html", codes=codes, next=url_for("admin.profile.show"))


@routes.post("/admin/profile/second-factor")
@staff("console.view", step_up=True)
def create_second_factor() -> Response:
    """Begin to move to another authenticator; the old one works until the new one is confirmed."""
    session_id = current_user.session_id
    transaction(lambda: second_factor.offer(sessions.lock(session_id)))
    here = url_for("admin.profile.show")
    return redirect(url_for("admin.second_factor.show", next=here), 303)  # type: ignore[return-value]


def _to_profile() -> Response:
    return redirect(url_for("admin.profile.show"), 303)  # type: ignore[return-value]


def _page(errors: dict[str, str] | None = None, status: int = 200) -> Response:
    return render(
        "admin/profile.html",
        status=status,
        person=queries.find(current_user.uid),
        sessions=sessions.living(current_user.id),
        recovery_codes_left=second_factor.recovery_codes_left(current_user.id),
        errors=errors or {},
        least=rules.PASSWORD_LEAST,
    )
