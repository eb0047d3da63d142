"""Money onto the balance: an amount and a channel, then the order's page like any other."""

from flask import Blueprint, Response, request
from flask_babel import gettext as _

from app.core import ids
from app.core.db import session, transaction
from app.core.errors import Refusal
from app.domain.channels import balance
from app.web import limits
from app.web.access import signed_in
from app.web.admin.typed import Typed
from app.web.errors import words
from app.web.portal import holder
from app.web.portal.buying import purchase_of
from app.web.render import render
from app.web.shop import channels
from app.web.shop.orders import to_channel

routes = Blueprint("top_ups", __name__)


@routes.get("/portal/top-ups/new")
@signed_in
def new() -> Response:
    return _form(Typed({}))


@routes.post("/portal/top-ups")
@signed_in
@limits.per_address("place_order")
def create() -> Response:
    """The order, and to the channel's pay page; the same form twice is one order."""
    seller, typed = holder.distributor(), Typed(request.form)
    # What stands in the field counts; with nothing in it, the amount that was tapped.
    amount = typed.money("amount" if typed.text("amount") else "quick")
    if amount is None:
        typed.errors.setdefault("amount", _("请填写金额，例如 500"))
    if typed.errors or amount is None:
        return _form(typed, 422)
    try:
        channel = channels.chosen(typed.text("channel"), "CNY")
        purchase = purchase_of(seller, typed.text("key"), channel=channel)
        wanted, name = amount, _("余额充值")
        placed = transaction(lambda: balance.top_up(purchase, wanted, name))
    except Refusal as refusal:
        session.rollback()
        typed.errors = {refusal.field: words(refusal)}
        return _form(typed, refusal.status)
    return to_channel(placed.order, placed.payment)


def _form(typed: Typed, status: int = 200) -> Response:
    seller = holder.distributor()
    offered = channels.choices("CNY")
    return render(
        "portal/top_ups/new.html",
        status=status,
        balance=balance.of(seller.uid),
        quick=balance.QUICK,
        least=balance.LEAST_TOP_UP,
        most=balance.MOST_TOP_UP,
        channels=offered,
        channel=typed.text("channel") or (offered[0].name if offered else ""),
        amount=typed.text("amount"),
        chosen=typed.text("quick"),
        key=typed.text("key") or ids.token(),
        errors=typed.errors,
    )
