"""The first page: what today brought, what can be withdrawn, and when the rest can."""

from flask import Blueprint, Response

from app.core import clock
from app.domain.catalog import preferences
from app.domain.channels import figures
from app.web.access import signed_in
from app.web.portal.holder import earner
from app.web.render import render

routes = Blueprint("home", __name__)

FEED = 10


@routes.get("/portal")
@signed_in
def show() -> Response:
    """Asks for itself while somebody looks at it."""
    seller, now, zone = earner(), clock.now(), preferences.get().zone
    return render(
        "portal/home.html",
        "portal/_home.html",
        seller=seller,
        today=figures.earned_since(seller.id, figures.today(zone)),
        day=clock.today(zone),
        payable=figures.payable(seller),
        waiting=figures.waiting(seller.id, now, zone),
        feed=figures.newest(seller.id, FEED),
    )
