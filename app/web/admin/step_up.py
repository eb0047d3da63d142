"""Both factors again, before a dangerous act: a tab left open is not its owner."""

from flask import Blueprint, Response, flash, redirect, request
from flask_babel import gettext as _

from app.core.crypto import Secret
from app.core.errors import Refusal
from app.domain.accounts import rules, signing_in
from app.web import limits, visitor
from app.web.access import staff
from app.web.admin.sign_in import target
from app.web.errors import words
from app.web.render import render

routes = Blueprint("step_up", __name__)


@routes.get("/admin/step-up")
@staff("console.view")
def show() -> Response:
    return _page()


@routes.post("/admin/step-up")
@staff("console.view")
@limits.per_address("sign_in")
def create() -> Response:
    password = Secret(request.form.get("password", ""))
    code = request.form.get("totp", "").strip()[:20]
    try:
        opened = signing_in.step_up(visitor.signed_in(), password, code)
    except Refusal as refusal:
        return _page({refusal.field: words(refusal)}, refusal.status)
    response = visitor.sign_in(redirect(target(), 303), opened.secret, opened.role)  # type: ignore[arg-type]
    flash(_("已确认是你本人，请继续刚才的操作"), "good")
    return response


def _page(errors: dict[str, str] | None = None, status: int = 200) -> Response:
    minutes = int(rules.STEP_UP_LASTS.total_seconds()) // 60
    return render(
        "admin/step_up.html", status=status, errors=errors or {}, minutes=minutes, next=target()
    )
