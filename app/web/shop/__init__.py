"""The shop: what a buyer sees, drawn for a phone first."""

from flask import Blueprint

from app.web.shop import (
    books,
    categories,
    home,
    lookup,
    orders,
    passes,
    pictures,
    preferences,
    products,
    recharge_accounts,
    referral,
    search,
    verification,
    wallet,
)

shop = Blueprint("shop", __name__)
for part in (
    home,
    categories,
    search,
    products,
    orders,
    referral,
    recharge_accounts,
    passes,
    lookup,
    wallet,
    preferences,
    pictures,
    verification,
    books,
):
    shop.register_blueprint(part.routes)
