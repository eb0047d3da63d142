"""The orders this browser may open: a signed cookie that its link, or its purchase, filled.

An order's link carries a secret; opening it puts the order's number into this cookie and leads to
an address without the secret, so that none is left in the history or sent on as a referrer.
"""

from collections.abc import Sequence

from flask import Response, current_app, request
from flask_login import current_user
from itsdangerous import BadSignature, URLSafeSerializer

from app.core.errors import N_, NotFound
from app.domain.orders import queries
from app.domain.orders.models import Order

COOKIE = "orders"
KEEP = 30
MAX_AGE = 400 * 24 * 3600


def numbers() -> list[str]:
    """Order numbers, the newest first."""
    try:
        found = _signer().loads(request.cookies.get(COOKIE, ""))
    except BadSignature:
        return []
    return [number for number in found if isinstance(number, str)]


def order_in_hand(number: str) -> Order:
    """The order, if this browser has it in hand or its buyer is signed in; else there is none."""
    order = queries.find(number)
    if not is_in_hand(order):
        raise NotFound(N_("没有找到这个订单"))
    return order


def is_in_hand(order: Order) -> bool:
    """Whether this browser may open the order."""
    is_buyers = current_user.is_authenticated and order.person_id == current_user.id
    return is_buyers or order.number in numbers()


def put(response: Response, number: str) -> Response:
    """Let this browser open the order from now on."""
    return _set(response, [number, *(other for other in numbers() if other != number)][:KEEP])


def forget(response: Response) -> Response:
    """Take every order out of this browser's hand: somebody else's phone, an internet café."""
    response.delete_cookie(COOKIE)
    return response


def _set(response: Response, found: Sequence[str]) -> Response:
    response.set_cookie(
        COOKIE,
        _signer().dumps(list(found)),
        max_age=MAX_AGE,
        httponly=True,
        samesite="Lax",
        secure=current_app.config["SESSION_COOKIE_SECURE"],
    )
    return response


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(current_app.config["SECRET_KEY"], salt="orders-in-hand")
