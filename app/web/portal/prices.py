"""The price list: everything on sale, what it costs in the shop and what it costs her."""

from flask import Blueprint, Response, request

from app.domain.catalog import queries as catalog
from app.domain.channels import balance, purchasing
from app.web.access import signed_in
from app.web.portal import holder
from app.web.render import render
from app.web.shop import shelf
from app.web.shop.products import STOCK_CAP

routes = Blueprint("prices", __name__)


@routes.get("/portal/prices")
@signed_in
def index() -> Response:
    seller = holder.distributor()
    text = request.args.get("q", "").strip()[:100]
    cards = shelf.cards(catalog.on_sale(text=text))
    return render(
        "portal/prices/index.html",
        seller=seller,
        balance=balance.of(seller.uid),
        offers=[(card, purchasing.offer_of(card.product, seller)) for card in cards],
        stock_cap=STOCK_CAP,
        text=text,
    )
