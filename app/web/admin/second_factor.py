"""The second half of the staff's door: the code, and on the first day setting it up."""

import segno
from flask import Blueprint, Response, redirect, request, url_for

from app.core.errors import Refusal
from app.domain.accounts import queries, second_factor, signing_in
from app.domain.accounts.sessions import SignedIn
from app.domain.catalog import preferences
from app.web import limits, visitor
from app.web.access import public
from app.web.admin.sign_in import target
from app.web.errors import words
from app.web.render import render

routes = Blueprint("second_factor", __name__)


@routes.get("/admin/second-factor")
@public
def show() -> Response:
    """Ask for the code, or show the secret that is being set up."""
    holder = visitor.holder()
    if holder is None:
        return _to_sign_in()
    if second_factor.offered(holder.session_id) is not None:
        return _enrolment_page(holder)
    if not holder.owes_second_factor:
        return redirect(target(), 303)  # type: ignore[return-value]
    return _code_page()


@routes.post("/admin/second-factor")
@public
@limits.per_address("sign_in")
def create() -> Response:
    """Six digits or a recovery code: the session may from now on do what its role may."""
    holder = visitor.holder()
    if holder is None or not holder.owes_second_factor:
        return _to_sign_in()
    code = request.form.get("totp", "") or request.form.get("recovery_code", "")
    try:
        opened = signing_in.give_second_factor(holder, code.strip()[:20], visitor.origin())
    except Refusal as refusal:
        return _code_page({refusal.field: words(refusal)}, refusal.status)
    response: Response = redirect(target(), 303)  # type: ignore[assignment]
    return visitor.sign_in(response, opened.secret, opened.role)


@routes.post("/admin/second-factor/enrolment")
@public
@limits.per_address("sign_in")
def create_enrolment() -> Response:
    """Take the new secret into use; shows the recovery codes, once."""
    holder = visitor.holder()
    if holder is None or second_factor.offered(holder.session_id) is None:
        return _to_sign_in()
    code = request.form.get("totp", "").strip()[:20]
    try:
        opened, codes = signing_in.enrol_second_factor(holder, code, visitor.origin())
    except Refusal as refusal:
        return _enrolment_page(holder, {refusal.field: words(refusal)}, refusal.status)
    visitor.begin_anew()
    page = render(
        "admin/recovery_codes.html", codes=[code.reveal() for code in codes], next=target()
    )
    return visitor.give(page, opened.secret, opened.role)


def _code_page(errors: dict[str, str] | None = None, status: int = 200) -> Response:
    return render("admin/second_factor.html", status=status, errors=errors or {}, next=target())


def _enrolment_page(
    holder: SignedIn, errors: dict[str, str] | None = None, status: int = 200
) -> Response:
    secret = second_factor.offered(holder.session_id)
    if secret is None:
        return _to_sign_in()
    account = holder.name or queries.find(holder.uid).contact_masked
    uri = second_factor.uri(secret, account, preferences.get().name)
    text = secret.reveal()
    return render(
        "admin/enrolment.html",
        status=status,
        qr=segno.make(uri.reveal(), error="m").svg_data_uri(border=2, scale=4),
        secret=" ".join(text[start : start + 4] for start in range(0, len(text), 4)),
        errors=errors or {},
        next=target(),
    )


def _to_sign_in() -> Response:
    return redirect(url_for("admin.sign_in.show", next=target()), 303)  # type: ignore[return-value]
