"""The page on which a guest finds her order again on another phone."""

from flask import Blueprint, Response, redirect, request, url_for
from flask_babel import gettext as _

from app.core.crypto import Secret
from app.core.errors import NotFound, Refusal
from app.domain.orders import looking_up
from app.web import limits
from app.web.access import public
from app.web.errors import words
from app.web.render import render
from app.web.shop import in_hand

routes = Blueprint("lookup", __name__)


@routes.get("/lookup")
@public
def show() -> Response:
    return render("shop/lookup.html", number="", contact="", errors={})


def ask(number: str, no: NotFound) -> Response:
    """The form for an order that this browser may not open, with what is known filled in."""
    return render(
        "shop/lookup.html",
        status=no.status,
        number=number[:32],
        contact="",
        errors={"": _("这部手机还不能打开这个订单，请填写下单用的手机号或邮箱")},
    )


@routes.post("/lookup")
@public
@limits.per_address("lookup")
def create() -> Response:
    number = request.form.get("number", "").strip().upper()[:32]
    contact = request.form.get("contact", "").strip()[:200]
    try:
        pickup = Secret(request.form.get("pickup", "").strip())
        order = looking_up.find_for_guest(number, contact, pickup)
    except Refusal as refusal:
        return render(
            "shop/lookup.html",
            status=refusal.status,
            number=number,
            contact=contact,
            errors={refusal.field: words(refusal)},
        )
    to_order = redirect(url_for("shop.orders.show", number=order.number), 303)
    return in_hand.put(to_order, order.number)  # type: ignore[arg-type]
