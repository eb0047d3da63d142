"""A second factor that she sets up for herself: from then on it is asked for at every sign-in."""

import segno
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.core.crypto import Secret
from app.core.db import session, transaction
from app.core.errors import Refusal
from app.domain.accounts import queries, second_factor, sessions, signing_in
from app.domain.catalog import preferences
from app.web import limits, visitor
from app.web.access import signed_in
from app.web.errors import words
from app.web.portal import profile
from app.web.portal.holder import earner
from app.web.render import render

routes = Blueprint("second_factor", __name__)


@routes.get("/portal/second-factor")
@signed_in
def show() -> Response:
    """The secret that is being set up."""
    earner()
    return _page()


@routes.post("/portal/second-factor")
@signed_in
@limits.per_address("sign_in")
def create() -> Response:
    """Begin; the password again, so that nobody at an unlocked phone locks its owner out."""
    earner()
    holder = visitor.signed_in()
    if holder.has_second_factor:
        # It has to be given up first, which takes its code, too.
        return _to_profile()
    try:
        signing_in.check_own_password(holder, _password())
    except Refusal as refusal:
        session.rollback()
        return profile.page({refusal.field: words(refusal)}, refusal.status)
    transaction(lambda: second_factor.offer(sessions.lock(holder.session_id)))
    return redirect(url_for("portal.second_factor.show"), 303)  # type: ignore[return-value]


@routes.post("/portal/second-factor/enrolment")
@signed_in
@limits.per_address("sign_in")
def create_enrolment() -> Response:
    """Take it into use; shows the recovery codes, once."""
    earner()
    holder = visitor.signed_in()
    if second_factor.offered(holder.session_id) is None:
        return _to_profile()
    code = request.form.get("totp", "").strip()[:20]
    try:
        opened, codes = signing_in.enrol_second_factor(holder, code, visitor.origin())
    except Refusal as refusal:
        session.rollback()
        return _page({refusal.field: words(refusal)}, refusal.status)
    visitor.begin_anew()
    page = render("portal/recovery_codes.html", codes=[code.reveal() for code in codes])
    return visitor.give(page, opened.secret, opened.role)


@routes.post("/portal/second-factor/deletion")
@signed_in
@limits.per_address("sign_in")
def delete() -> Response:
    """Do without it again, proved by both factors."""
    earner()
    holder = visitor.signed_in()
    code = request.form.get("totp", "").strip()[:20]
    try:
        opened = signing_in.step_up(holder, _password(), code)
    except Refusal as refusal:
        session.rollback()
        return profile.page({refusal.field: words(refusal)}, refusal.status)
    transaction(lambda: second_factor.drop(queries.lock(holder.id)))
    flash(_("两步验证已关闭"), "good")
    return visitor.give(_to_profile(), opened.secret, opened.role)


def _password() -> Secret:
    return Secret(request.form.get("current", ""))


def _to_profile() -> Response:
    return redirect(url_for("portal.profile.show"), 303)  # type: ignore[return-value]


def _page(errors: dict[str, str] | None = None, status: int = 200) -> Response:
    holder = visitor.signed_in()
    secret = second_factor.offered(holder.session_id)
    if secret is None:
        return _to_profile()
    uri = second_factor.uri(secret, current_user.contact_masked, preferences.get().name)
    text = secret.reveal()
    return render(
        "portal/second_factor.html",
        status=status,
        qr=segno.make(uri.reveal(), error="m").svg_data_uri(border=2, scale=4),
        secret=" ".join(text[start : start + 4] for start in range(0, len(text), 4)),
        errors=errors or {},
    )
