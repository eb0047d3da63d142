"""The account of a recharge, corrected by its buyer while nothing was sent to anybody."""

from flask import Blueprint, Response, redirect, request, url_for

from app.core.db import session, transaction
from app.core.errors import NotFound, Refusal
from app.domain.recharges import queries, service
from app.web import limits
from app.web.access import public
from app.web.errors import words
from app.web.shop.in_hand import order_in_hand
from app.web.shop.order_page import order_page

routes = Blueprint("recharge_accounts", __name__)


@routes.post("/orders/<number>/lines/<int:line_id>/account")
@public
@limits.per_address("correct_account")
def update(number: str, line_id: int) -> Response:
    """Another account for a line; a refusal gives the form back as it was."""
    order = order_in_hand(number)
    recharge = queries.of_lines([line.id for line in order.lines]).get(line_id)
    if recharge is None:
        raise NotFound
    recharge_id = recharge.id
    text = request.form.get("account", "").strip()[:200]
    try:
        transaction(lambda: service.correct_account(recharge_id, text))
    except Refusal as refusal:
        session.rollback()
        errors = {refusal.field or "account": words(refusal)}
        return order_page(
            order_in_hand(number), account_text=text, errors=errors, status=refusal.status
        )
    return redirect(url_for("shop.orders.show", number=number), 303)  # type: ignore[return-value]
