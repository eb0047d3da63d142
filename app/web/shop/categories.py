"""The categories, and the products of one."""

from flask import Blueprint, Response

from app.domain.catalog import queries as catalog
from app.web.access import public
from app.web.render import render
from app.web.shop import page_cache, shelf

routes = Blueprint("categories", __name__)


@routes.get("/categories")
@public
@page_cache.for_strangers
def index() -> Response:
    """Every category that has something to sell."""
    return render("shop/categories.html", categories=catalog.list_categories_on_sale())


@routes.get("/categories/<slug>")
@public
@page_cache.for_strangers
def show(slug: str) -> Response:
    category = catalog.find_category(slug)
    return render(
        "shop/category.html",
        "shop/_products.html",
        category=category,
        products=shelf.cards(catalog.on_sale(category_id=category.id)),
        categories=catalog.list_categories_on_sale(),
    )
