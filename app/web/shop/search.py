"""Finding a product by a word of its name."""

from flask import Blueprint, Response, request

from app.domain.catalog import queries as catalog
from app.web.access import public
from app.web.render import render
from app.web.shop import shelf

routes = Blueprint("search", __name__)

QUERY_LIMIT = 60


@routes.get("/search")
@public
def index() -> Response:
    query = request.args.get("q", "").strip()[:QUERY_LIMIT]
    found = shelf.cards(catalog.on_sale(text=query)) if query else []
    return render("shop/search.html", "shop/_products.html", query=query, products=found)
