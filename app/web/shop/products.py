"""A product's page, which is also its checkout."""

from dataclasses import dataclass, field

from flask import Blueprint, Response, request
from flask_babel import gettext as _

from app.domain.catalog import queries as catalog
from app.domain.catalog.models import REDEEMABLE, AccountFormat, Product, ProductKind
from app.domain.catalog.recharge_accounts import LABELS, RechargeAccount
from app.domain.channels import attribution
from app.domain.redemptions import policies
from app.web.access import public
from app.web.captcha import Captcha
from app.web.render import render
from app.web.rules_of_use import sentences
from app.web.shop import channels, page_cache, shelf

routes = Blueprint("products", __name__)

REACHABLE = (AccountFormat.PHONE, AccountFormat.EMAIL)
# Beyond this the page says "in stock" and not how many.
STOCK_CAP = 100


@dataclass
class CheckoutForm:
    """What the form shows: empty at first, what was sent when a rule said no."""

    checkout_key: str
    quantity: int = 1
    contact: str = ""
    channel: str = ""
    account: str = ""
    referral_code: str = ""
    # What she is asked to read once more before it is paid for.
    to_confirm: RechargeAccount | None = None
    # What her browser has to do first, when risk asks for it.
    to_prove: Captcha | None = None
    errors: dict[str, str] = field(default_factory=dict)


@routes.get("/products/<slug>")
@public
@page_cache.for_strangers
def show(slug: str) -> Response:
    product = catalog.find_public(slug)
    form = CheckoutForm(
        page_cache.checkout_key(), quantity=product.min_per_order, referral_code=_referral_code()
    )
    return page(product, form)


def page(product: Product, form: CheckoutForm, status: int = 200) -> Response:
    """The product's page with this form in it."""
    offered = channels.choices(product.currency)
    form.channel = form.channel or (offered[0].name if offered else "")
    return render(
        "shop/product.html",
        status=status,
        product=product,
        picture=catalog.picture_digests([product]).get(product.id),
        left=shelf.left_of([product], STOCK_CAP).get(product.id, 0),
        stock_cap=STOCK_CAP,
        channels=offered,
        account_label=account_label(product),
        needs_contact=needs_contact(product),
        rules=_rules(product),
        form=form,
    )


def account_label(product: Product) -> str:
    """What the account that is recharged is called; empty for products that recharge none."""
    if product.account_format is None:
        return ""
    return product.account_label or _(LABELS[product.account_format])


def needs_contact(product: Product) -> bool:
    """Whether the buyer has to say how she is reached: not where the account itself says it."""
    return product.kind != ProductKind.RECHARGE or product.account_format not in REACHABLE


def _referral_code() -> str:
    """The code in the address, if it is a distributor's: another would only be in the way."""
    given = request.args.get("code", "")[:100]
    found = attribution.find_by_code(given) if given else None
    return found.code if found is not None else ""


def _rules(product: Product) -> list[str]:
    if product.kind not in REDEEMABLE:
        return []
    return sentences(policies.current(product.id))
