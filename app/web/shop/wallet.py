"""The wallet 卡包: what this buyer, or this phone, has bought."""

from flask import Blueprint, Response, redirect, url_for
from flask_login import current_user

from app.domain.orders import queries
from app.web.access import public
from app.web.render import render
from app.web.shop import benefits, in_hand

routes = Blueprint("wallet", __name__)


@routes.get("/wallet")
@public
def index() -> Response:
    """A signed-in buyer's orders; a guest's orders that this phone has in hand."""
    if current_user.is_authenticated:
        orders = queries.orders_of(current_user.id)
    else:
        orders = queries.orders_by_numbers(in_hand.numbers())
    return render("shop/wallet.html", orders=orders, uses_left=benefits.uses_left(orders))


@routes.post("/wallet/deletion")
@public
def create_deletion() -> Response:
    """Forget this phone's orders: it is not hers, or not hers alone."""
    return in_hand.forget(redirect(url_for("shop.wallet.index"), 303))  # type: ignore[arg-type]
