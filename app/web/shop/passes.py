"""A pass, large enough to be scanned: what a buyer holds up at the counter."""

from flask import Blueprint, Response

from app.core.errors import NotFound
from app.domain.catalog.models import PASSES
from app.domain.orders.models import Order, OrderLine
from app.domain.vault import queries as vault
from app.web.access import public
from app.web.render import render
from app.web.shop import benefits
from app.web.shop.in_hand import order_in_hand

routes = Blueprint("passes", __name__)


@routes.get("/orders/<number>/passes/<int:code_id>")
@public
def show(number: str, code_id: int) -> Response:
    """The pass with its QR code of now; only for who has its order in hand."""
    order = order_in_hand(number)
    line = _line_of(order, code_id)
    response = render(
        "shop/showing.html",
        "shop/_showing.html",
        order=order,
        line=line,
        view=benefits.code_view(code_id),
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _line_of(order: Order, code_id: int) -> OrderLine:
    for line in order.lines:
        is_pass = line.kind in PASSES and line.delivered_at is not None
        if is_pass and code_id in {code.id for code, _ in vault.sold_codes_of(line.id)}:
            return line
    raise NotFound
