"""How a guest on another phone finds her order again, and how nobody finds another's."""

from flask import Blueprint, Response, redirect, request, url_for
from flask_babel import gettext as _

from app.core.crypto import Secret
from app.core.errors import N_, NotFound, Refusal
from app.domain.accounts import passwords
from app.domain.accounts.contacts import Contact
from app.domain.orders import queries
from app.domain.orders.models import Order
from app.web import limits
from app.web.access import public
from app.web.errors import words
from app.web.render import render
from app.web.shop import in_hand

routes = Blueprint("lookup", __name__)

# One sentence for a wrong number, a wrong contact and a wrong password: a guesser learns nothing.
NOT_FOUND = N_(
    "没有找到这个订单。请核对订单号和下单时填写的手机号或邮箱；设置过取货密码的，也要填对"
)


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
        order = _find(number, contact, Secret(request.form.get("pickup", "").strip()))
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


def _find(number: str, contact: str, pickup: Secret) -> Order:
    """The order, after the same work whether it exists or not; raises Refusal."""
    wanted = Contact.parse(contact).index
    try:
        order = queries.find(number)
    except NotFound:
        order = None
    stored = order.pickup_hash if order else None
    is_right = passwords.check_pickup(stored, pickup)
    if order is None or order.contact_index != wanted or not is_right:
        raise Refusal(NOT_FOUND)
    return order
