"""What she buys from her balance: some codes, or a list of accounts to recharge."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flask import Blueprint, Response, redirect, request, url_for

from app.core import clock, ids
from app.core.db import session, transaction
from app.core.errors import N_, Refusal
from app.domain.catalog import preferences
from app.domain.catalog import queries as catalog
from app.domain.catalog.models import Product, ProductKind
from app.domain.channels import balance, purchasing, recipients
from app.domain.channels.recipients import Line
from app.domain.orders.balances import MOST, Recipient
from app.domain.orders.models import Order
from app.web import limits
from app.web.access import signed_in
from app.web.admin.listing import Listing, Sort
from app.web.errors import words
from app.web.portal import holder
from app.web.portal.buying import purchase_of
from app.web.render import render
from app.web.shop import products, shelf

routes = Blueprint("purchases", __name__)

LISTING = Listing(
    name="purchases", model=Order, sorts=(Sort("newest", N_("最新的在前"), (Order.id.desc(),)),)
)


@dataclass
class Form:
    """What the form of a product shows: empty at first, what was sent when a rule said no.

    `lines` are the accounts as they were judged, `None` before the preview.
    """

    key: str
    quantity: int = 1
    accounts: str = ""
    lines: Sequence[Line] | None = None
    errors: Mapping[str, str] = field(default_factory=dict)


@routes.get("/portal/purchases")
@signed_in
def index() -> Response:
    found = purchasing.purchases_of(holder.earner().uid)
    return LISTING.answer(found, "portal/purchases/index.html")


@routes.get("/portal/purchases/new")
@signed_in
def new() -> Response:
    slug = request.args.get("product", "")
    if not slug:
        return redirect(url_for("portal.prices.index"), 303)  # type: ignore[return-value]
    product = catalog.find_public(slug)
    return _form(product, Form(ids.token(), quantity=product.min_per_order))


@routes.post("/portal/purchases/preview")
@signed_in
@limits.per_address("place_order")
def create_preview() -> Response:
    """Judge the accounts, pasted or in a file, before anything is bought."""
    holder.distributor()
    product = catalog.find_public(request.form.get("product", ""))
    form = Form(_key(), accounts=request.form.get("accounts", ""))
    try:
        form.accounts = _uploaded() or form.accounts
        form.lines = recipients.read(form.accounts, product)
    except Refusal as refusal:
        form.errors = {refusal.field: words(refusal)}
        return _form(product, form, refusal.status)
    return _form(product, form)


@routes.post("/portal/purchases")
@signed_in
@limits.per_address("place_order")
def create() -> Response:
    """Buy, in one unit; a refusal gives the form back as it was."""
    seller = holder.distributor()
    product = catalog.find_public(request.form.get("product", ""))
    form = Form(
        _key(),
        quantity=request.form.get("quantity", 0, type=int),
        accounts=request.form.get("accounts", ""),
    )
    seller_id, today = seller.id, clock.today(preferences.get().zone)
    try:
        wanted = _recipients(product, form)
        purchase = purchase_of(
            seller,
            form.key,
            product_id=product.id,
            quantity=sum(one.quantity for one in wanted) or form.quantity,
            shown_price=request.form.get("price", 0, type=int),
        )
        order = transaction(lambda: purchasing.buy(seller_id, purchase, wanted, today))
    except Refusal as refusal:
        session.rollback()
        form.errors = {refusal.field: words(refusal)}
        return _form(catalog.find_public(product.slug), form, refusal.status)
    return redirect(url_for("portal.deliveries.show", number=order.number), 303)  # type: ignore[return-value]


def _recipients(product: Product, form: Form) -> list[Recipient]:
    """Of the list only what the preview found good is sent on; a list that is not is judged anew,
    and raises Refusal."""
    if product.kind != ProductKind.RECHARGE:
        return []
    form.lines = recipients.read(form.accounts, product)
    found = recipients.good(form.lines)
    if len(found) < len(form.lines):
        raise Refusal(N_("有的行不对，请先预览，改好再买"), field="accounts")
    return found


def _uploaded() -> str:
    """The text of the file that was chosen, if one was."""
    file = request.files.get("file")
    return recipients.decoded(file.read()) if file is not None and file.filename else ""


def _key() -> str:
    return request.form.get("key", "")


def _form(product: Product, form: Form, status: int = 200) -> Response:
    seller = holder.distributor()
    offer = purchasing.offer_of(product, seller)
    good = recipients.good(form.lines or [])
    return render(
        "portal/purchases/new.html",
        status=status,
        product=product,
        offer=offer,
        picture=catalog.picture_digests([product]).get(product.id),
        left=shelf.left_of([product], MOST).get(product.id, 0),
        most=MOST,
        most_lines=recipients.MOST_LINES,
        account_label=products.account_label(product),
        balance=balance.of(seller.uid),
        form=form,
        faults=[(one, words(one.fault)) for one in form.lines or [] if one.fault is not None],
        good=good,
        good_text=recipients.as_text(good),
        good_total=offer.price * sum(one.quantity for one in good),
    )
