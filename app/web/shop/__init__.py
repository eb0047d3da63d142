"""The shop: what a buyer sees, drawn for a phone first."""

from flask import Blueprint

from app.web.shop import (
    categories,
    home,
    lookup,
    orders,
    pictures,
    preferences,
    products,
    search,
    wallet,
)

shop = Blueprint("shop", __name__)
for part in (home, categories, search, products, orders, lookup, wallet, preferences, pictures):
    shop.register_blueprint(part.routes)
