"""The balance to buy from: what there is, each entry with what it is about, and when to be told."""

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.db import session, transaction
from app.core.errors import N_, Refusal
from app.core.money import yuan
from app.domain.channels import balance
from app.domain.ledger.queries import Line, Wanted
from app.domain.orders.models import Order
from app.web.access import signed_in
from app.web.admin.typed import Typed
from app.web.portal.holder import earner
from app.web.render import render
from app.web.requests import MOST

routes = Blueprint("balance", __name__)

PAGE = 20
KINDS = {
    "delivered": N_("充余额"),
    "refund_requested": N_("余额退回"),
    "paid": N_("进货"),
    "refunded": N_("进货退款"),
}
OF_PURCHASES = ("paid", "refunded")


@routes.get("/portal/balance")
@signed_in
def show() -> Response:
    return _page(Typed({}))


@routes.post("/portal/balance/limit")
@signed_in
def update() -> Response:
    """Below what she wants to be told; empty or 0 is never."""
    holder_id, typed = earner().id, Typed(request.form)
    limit = typed.money("limit") or 0
    if typed.errors:
        return _page(typed, 422)
    try:
        transaction(lambda: balance.change_limit(holder_id, limit))
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _page(typed, refusal.status)
    flash(_("已保存"), "good")
    return redirect(url_for("portal.balance.show"), 303)  # type: ignore[return-value]


def _page(typed: Typed, status: int = 200) -> Response:
    holder = earner()
    wanted = Wanted(before=_entry("before"), after=_entry("after"))
    account = balance.account_of(holder.uid, wanted, PAGE)
    limit = yuan(holder.low_balance_at).replace(",", "") if holder.low_balance_at else ""
    return render(
        "portal/balance/show.html",
        status=status,
        holder=holder,
        balance=balance.of(holder.uid),
        entries=account.entries,
        rows=[_row(line, account.orders[line.transaction.id]) for line in account.entries.lines],
        limit=typed.texts.get("limit", limit),
        errors=typed.errors,
    )


def _row(line: Line, order: Order) -> tuple[Line, str, str]:
    """An entry, what it is in a word, and where: a purchase has its page here, a top-up is an order
    like any other."""
    kind = line.transaction.kind
    page = "portal.deliveries.show" if kind in OF_PURCHASES else "shop.orders.show"
    return line, _(KINDS[kind]), url_for(page, number=order.number)


def _entry(name: str) -> int | None:
    found = request.args.get(name, type=int)
    return found if found is not None and 0 <= found <= MOST else None
