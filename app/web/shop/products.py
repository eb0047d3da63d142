"""A product's page, which is also its checkout."""

from dataclasses import dataclass, field

from flask import Blueprint, Response

from app.core import clock
from app.domain.catalog import preferences
from app.domain.catalog import queries as catalog
from app.domain.catalog.models import Product
from app.domain.vault import stock
from app.web.access import public
from app.web.render import render
from app.web.shop import channels, page_cache

routes = Blueprint("products", __name__)

# Beyond this the page says "in stock" and not how many.
STOCK_CAP = 100


@dataclass
class CheckoutForm:
    """What the form shows: empty at first, what was sent when a rule said no."""

    checkout_key: str
    quantity: int = 1
    contact: str = ""
    channel: str = ""
    errors: dict[str, str] = field(default_factory=dict)


@routes.get("/products/<slug>")
@public
@page_cache.for_strangers
def show(slug: str) -> Response:
    product = catalog.find_public(slug)
    return page(product, CheckoutForm(page_cache.checkout_key(), quantity=product.min_per_order))


def page(product: Product, form: CheckoutForm, status: int = 200) -> Response:
    """The product's page with this form in it."""
    today = clock.today(preferences.get().zone)
    offered = channels.choices(product.currency)
    form.channel = form.channel or (offered[0].name if offered else "")
    return render(
        "shop/product.html",
        status=status,
        product=product,
        picture=catalog.picture_digests([product]).get(product.id),
        left=stock.stock_of([product.id], today, STOCK_CAP)[product.id],
        stock_cap=STOCK_CAP,
        channels=offered,
        form=form,
    )
