"""The front of the shop."""

from flask import Blueprint, Response

from app.domain.catalog import queries as catalog
from app.domain.orders import queries as orders
from app.web.access import public
from app.web.render import render
from app.web.shop import in_hand, page_cache, shelf

routes = Blueprint("home", __name__)


@routes.get("/")
@public
@page_cache.for_strangers
def index() -> Response:
    return render(
        "shop/home.html",
        "shop/_products.html",
        products=shelf.cards(catalog.on_sale()),
        categories=catalog.list_categories_on_sale(),
        recent=orders.orders_by_numbers(in_hand.numbers()[:3]),
    )
