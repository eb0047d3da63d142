"""An order from the tap on "pay" to the code in the buyer's hand."""

from datetime import timedelta

from flask import Blueprint, Response, redirect, request, url_for
from flask_babel import get_locale
from flask_login import current_user

from app.core import clock
from app.core.crypto import Secret
from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.domain.accounts import passwords
from app.domain.accounts.contacts import Contact
from app.domain.catalog import preferences
from app.domain.catalog import queries as catalog
from app.domain.catalog.models import Product, ProductKind
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.channels import attribution
from app.domain.orders import closing, placing, queries, screening, service
from app.domain.orders.models import Order, Payment
from app.domain.risk import arriving, engine, stopping
from app.domain.risk.models import Checkpoint
from app.domain.vault import service as vault
from app.domain.vault.models import Code
from app.domain.vault.rules import split_content
from app.providers import payments
from app.web import captcha, client, limits
from app.web.access import public
from app.web.errors import words
from app.web.shop import channels, in_hand, lookup, products, referral
from app.web.shop.order_page import charge_of, order_page

routes = Blueprint("orders", __name__)


@routes.post("/orders")
@public
@limits.per_address("place_order")
def create() -> Response:
    """Place the order and lead to the channel; a refusal gives the form back as it was."""
    product = catalog.find_public(request.form.get("product", ""))
    form = products.CheckoutForm(
        checkout_key=request.form.get("checkout_key", ""),
        quantity=request.form.get("quantity", type=int) or 0,
        contact=request.form.get("contact", "").strip()[:200],
        channel=request.form.get("channel", ""),
        account=request.form.get("account", "").strip()[:200],
        referral_code=request.form.get("referral_code", "").strip()[:100],
    )
    browser = screening.Browser(captcha.browser(), captcha.brought())
    try:
        account = _account(product, form)
        if account is not None and account.value != request.form.get("confirmed"):
            # A typing slip here is money gone: she reads it once more, large, before she pays.
            form.to_confirm = account
            return products.page(product, form)
        purchase = _purchase(product, form, account, browser)
        placed = _place(purchase)
    except Refusal as refusal:
        session.rollback()
        if isinstance(refusal, stopping.Stopped):
            _keep(refusal.decided)
        if isinstance(refusal, stopping.CaptchaNeeded) or browser.proof is not None:
            form.to_prove = captcha.ask(Checkpoint.CHECKOUT, browser.device)
        form.errors = {refusal.field: words(refusal)}
        return products.page(catalog.find_public(product.slug), form, refusal.status)
    return in_hand.put(to_channel(placed.order, placed.payment), placed.order.number)


@routes.get("/o/<token>")
@public
@limits.per_address("open_link")
def open(token: str) -> Response:  # noqa: A001  the endpoint is shop.orders.open
    """An order's secret link: keep the order in hand and go on without the secret."""
    order = queries.find_by_token(token)
    return in_hand.put(_to_order(order), order.number)


@routes.get("/orders/<number>")
@public
def show(number: str) -> Response:
    """The order; who has it not in hand, as from a message on another phone, is asked whose it is.

    The question is the same for an order that does not exist.
    """
    try:
        order = in_hand.order_in_hand(number)
    except NotFound as no:
        return lookup.ask(number, no)
    if order.balance_of and order.lines[0].kind == ProductKind.RECHARGE:
        # A list of accounts has a page of its own, where there is room for it.
        return redirect(url_for("portal.deliveries.show", number=number), 303)  # type: ignore[return-value]
    return order_page(order)


@routes.post("/orders/<number>/payment")
@public
@limits.per_address("place_order")
def create_payment(number: str) -> Response:
    """Pay, or pay again: the same open payment, or another channel's."""
    order = in_hand.order_in_hand(number)
    wanted = request.form.get("channel") or queries.payments_of(order.id)[0].channel
    try:
        channel = channels.chosen(wanted, order.currency)
        payment = transaction(lambda: placing.payment_to_make(order.id, channel))
    except Refusal as refusal:
        return _as_it_is(order, refusal)
    return to_channel(order, payment)


@routes.post("/orders/<number>/cancellation")
@public
def create_cancellation(number: str) -> Response:
    order = in_hand.order_in_hand(number)
    try:
        transaction(lambda: closing.cancel(order.id))
    except Refusal as refusal:
        return _as_it_is(order, refusal)
    return _to_order(order)


@routes.post("/orders/<number>/reveal")
@public
@limits.per_address("reveal")
def create_reveal(number: str) -> Response:
    """Show the codes, on the tap, on this page and nowhere else."""
    try:
        order, codes = _reveal(number, "page")
    except NotFound:
        raise
    except Refusal as refusal:
        return _as_it_is(in_hand.order_in_hand(number), refusal)
    return order_page(order, codes=codes)


@routes.post("/orders/<number>/download")
@public
@limits.per_address("reveal")
def create_download(number: str) -> Response:
    """The codes as a text file, one a line."""
    try:
        order, revealed = _reveal(number, "download")
    except NotFound:
        raise
    except Refusal as refusal:
        return _as_it_is(in_hand.order_in_hand(number), refusal)
    names = {line.id: line.product_name for line in order.lines}
    text = "".join(
        f"# {names[line_id]}\r\n" + "".join(f"{_as_line(secret)}\r\n" for _, secret in codes)
        for line_id, codes in revealed.items()
    )
    # The mark at the beginning lets every editor on Windows read Chinese.
    response = Response("﻿" + text, mimetype="text/plain")
    response.headers["Content-Disposition"] = f'attachment; filename="{order.number}.txt"'
    return response


@routes.post("/orders/<number>/problems")
@public
@limits.per_address("report_problem")
def create_problem(number: str) -> Response:
    order = in_hand.order_in_hand(number)
    text = request.form.get("text", "")
    try:
        transaction(lambda: service.report_problem(order.id, text))
    except Refusal as refusal:
        return order_page(
            order, problem_text=text, errors={refusal.field: words(refusal)}, status=refusal.status
        )
    return _to_order(order)


def _as_it_is(order: Order, refusal: Refusal) -> Response:
    """What was refused, on the order of now: the page she acted on shows it as it was."""
    return order_page(order, errors={refusal.field: words(refusal)}, status=refusal.status)


def _place(purchase: placing.Purchase) -> placing.Placed:
    """The order, and whose it is, in one unit."""
    terms, seen = _terms(), referral.seen()
    counts = attribution.Terms.of(preferences.get())

    def place() -> placing.Placed:
        placed = placing.place(purchase, terms)
        attribution.freeze(placed.order, seen, counts)
        return placed

    return transaction(place)


def _keep(decided: engine.Decided) -> None:
    """Why an order was stopped outlasts the unit that it was stopped in."""
    transaction(lambda: engine.keep(decided))


def _account(product: Product, form: products.CheckoutForm) -> RechargeAccount | None:
    """Whose account is recharged; raises Refusal for what is none."""
    if product.kind != ProductKind.RECHARGE or product.account_format is None:
        return None
    account = RechargeAccount.parse(product.account_format, form.account)
    if not products.needs_contact(product):
        form.contact = account.value
    return account


def _purchase(
    product: Product,
    form: products.CheckoutForm,
    account: RechargeAccount | None,
    browser: screening.Browser,
) -> placing.Purchase:
    if len(form.checkout_key) < 16:
        raise Refusal(N_("这个页面放得太久了，请刷新后重试"))
    pickup = Secret(request.form.get("pickup", "").strip())
    return placing.Purchase(
        checkout_key=form.checkout_key,
        product_id=product.id,
        quantity=form.quantity,
        shown_price=request.form.get("price", type=int) or 0,
        contact=Contact.parse(form.contact),
        channel=channels.chosen(form.channel, product.currency),
        pickup_hash=passwords.hash_pickup(pickup) if pickup.reveal() else None,
        person_id=current_user.id if current_user.is_authenticated else None,
        ip=client.address(),
        network=client.network(client.address()),
        language=str(get_locale() or "zh"),
        in_hand=tuple(in_hand.numbers()),
        account=account,
        browser=browser,
    )


def _terms() -> placing.Terms:
    shop = preferences.get()
    return placing.Terms(hold=timedelta(minutes=shop.hold_minutes), today=clock.today(shop.zone))


def _to_order(order: Order) -> Response:
    return redirect(url_for("shop.orders.show", number=order.number), 303)  # type: ignore[return-value]


def to_channel(order: Order, payment: Payment | None) -> Response:
    """To the channel's own pay page, when it has one; else the order's page says what to do."""
    if payment is None:
        return _to_order(order)
    start = payments.channel(payment.channel).start(charge_of(order, payment))
    if start.url and start.kind == "redirect":
        return redirect(start.url, 303)  # type: ignore[return-value]
    return _to_order(order)


def _as_line(secret: Secret) -> str:
    content = split_content(secret.reveal())
    return f"{content.code} {content.password}" if content.password else content.code


def _reveal(number: str, channel: str) -> tuple[Order, dict[int, list[tuple[Code, Secret]]]]:
    """The order and its codes by line, read and recorded in one unit; raises Stopped."""
    ip = client.address()
    visit = captcha.visit() if current_user.is_authenticated else None

    def reveal() -> tuple[Order, dict[int, list[tuple[Code, Secret]]]]:
        order = in_hand.order_in_hand(number)
        if visit is not None:
            arriving.reveal(visit, current_user.id)
        lines = [
            line.id
            for line in order.lines
            if line.delivered_at and line.kind != ProductKind.RECHARGE
        ]
        return order, vault.reveal_to_buyer(lines, order.contact_index, channel=channel, ip=ip)

    try:
        return transaction(reveal)
    except stopping.Stopped as stopped:
        session.rollback()
        _keep(stopped.decided)
        raise
