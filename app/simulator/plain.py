"""The plain protocol: signed forms in, JSON out, always with status 200.

`sign` is HMAC-SHA256 in hexadecimal over the fields that are not empty, sorted by name, `k=v`
joined with `&`; `timestamp` is in seconds since 1970 and may be ten minutes off.
"""

import hmac
import re

from flask import Blueprint, Response, jsonify, request

from app.outside.record import now
from app.outside.urls import is_web
from app.simulator import door, orders, signing
from app.simulator.goods import GOODS
from app.simulator.orders import Asked
from app.simulator.plain_messages import plain_yuan, standing
from app.simulator.provider import here
from app.simulator.troubles import spoil

WINDOW = 600
IS_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,64}")
IS_WHOLE = re.compile(r"[0-9]{1,12}")
MOST = 100
ACCOUNT_LENGTH = 100
MESSAGES = {
    "bad_sign": "签名或时间戳错误",
    "bad_request": "请求参数错误",
    "no_such_sku": "商品不存在或已下架",
    "no_balance": "余额不足",
    "bad_account": "充值账号错误",
    "duplicate": "订单号重复",
}

routes = Blueprint("plain", __name__, url_prefix="/plain")
routes.before_request(door.pass_through)


class Refused(Exception):
    """A code of MESSAGES."""


@routes.errorhandler(Refused)
def refuse(refusal: Refused) -> Response:
    return _refusal(str(refusal))


@routes.post("/orders")
def create_order() -> Response:
    given = _genuine()
    number, account, url = given["number"], given["account"].strip(), given["notify_url"]
    quantity = int(given["quantity"]) if IS_WHOLE.fullmatch(given["quantity"]) else 0
    is_sound = (
        IS_NUMBER.fullmatch(number)
        and 0 < len(account) <= ACCOUNT_LENGTH
        and 0 < quantity <= MOST
        and (not url or is_web(url))
    )
    if not is_sound:
        raise Refused("bad_request")
    with here().record.unit() as db:
        asked = Asked("plain", number, given["sku"], account, quantity, url)
        verdict = orders.place(db, asked, now())
    here().caller.look_soon()
    said = _refusal(verdict.refusal) if verdict.order is None else jsonify(standing(verdict.order))
    return spoil(verdict.trouble, said)


@routes.get("/orders")
def show_order() -> Response:
    given = _genuine()
    if not given["number"]:
        raise Refused("bad_request")
    with here().record.unit() as db:
        verdict = orders.ask(db, given["number"])
    if verdict.order is not None:
        said = jsonify(standing(verdict.order))
    else:
        unknown = {"reference": "", "message": "没有这个订单", "cost": "", "serial": ""}
        said = jsonify({"code": "ok", "state": "not_found"} | unknown)
    return spoil(verdict.trouble, said)


@routes.get("/balance")
def show_balance() -> Response:
    _genuine()
    with here().record.unit() as db:
        return jsonify(code="ok", balance=plain_yuan(orders.deposit(db)))


@routes.get("/goods")
def index_goods() -> Response:
    _genuine()
    goods = [
        {
            "sku": item.sku,
            "name": item.name,
            "cost": plain_yuan(item.cost),
            "available": item.is_available,
        }
        for item in GOODS.values()
    ]
    return jsonify(code="ok", goods=goods)


class Given(dict[str, str]):
    """The fields of a request; one that was not sent is empty."""

    def __missing__(self, name: str) -> str:
        return ""


def _genuine() -> Given:
    """The fields of a request that the merchant signed just now; raises Refused."""
    fields = request.form if request.method == "POST" else request.args
    given = Given(fields.items())
    if any(len(values) > 1 for _, values in fields.lists()):
        raise Refused("bad_request")
    expected = signing.plain(here().key, given)
    if not hmac.compare_digest(expected.encode(), given["sign"].encode()):
        raise Refused("bad_sign")
    at = given["timestamp"]
    is_now = bool(IS_WHOLE.fullmatch(at)) and abs(now() - int(at)) <= WINDOW
    if not is_now or given["merchant"] != here().merchant:
        raise Refused("bad_sign")
    return given


def _refusal(code: str) -> Response:
    return jsonify(code=code, message=MESSAGES.get(code, ""))
