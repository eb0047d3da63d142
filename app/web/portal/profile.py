"""Her own account as a distributor: tier, code, second factor, signed-in devices."""

from flask import Blueprint, Response
from flask_login import current_user

from app.core import clock
from app.domain.accounts import queries, second_factor, sessions
from app.domain.channels import figures
from app.web.access import signed_in
from app.web.portal.holder import earner
from app.web.render import render

routes = Blueprint("profile", __name__)


@routes.get("/portal/profile")
@signed_in
def show() -> Response:
    return page()


def page(errors: dict[str, str] | None = None, status: int = 200) -> Response:
    """The profile; `errors` belong to the forms of the second factor."""
    seller = earner()
    return render(
        "portal/profile.html",
        status=status,
        seller=seller,
        person=queries.find(current_user.uid),
        progress=figures.progress(seller, clock.now()),
        sessions=sessions.living(current_user.id),
        recovery_codes_left=second_factor.recovery_codes_left(current_user.id),
        errors=errors or {},
    )
