"""Fulu's protocol at one address: a signed envelope of JSON names the method.

Codes as the public documents list them. 2003 (not enough money) and what `order.record.get` gives
back are our reading of them: the real one sends a file.
"""

import hmac
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from flask import Blueprint, Response, jsonify, request

from app.core import clock
from app.outside.record import now
from app.simulator import door, orders, signing, statement
from app.simulator.accounts import masked
from app.simulator.conditions import Conditions
from app.simulator.fulu_messages import STATES, TIME, ZONE, answer, standing, time_text
from app.simulator.goods import GOODS, Item
from app.simulator.orders import Asked, Verdict
from app.simulator.provider import here
from app.simulator.troubles import NONE, Trouble, spoil

WINDOW = timedelta(minutes=10)
LONGEST_RECORD = timedelta(days=31)
MOST = 100
MESSAGES = {
    0: "接口调用成功",
    1000: "必须传入API接口名称",
    1001: "无效的API接口名称",
    1002: "必须传入时间戳",
    1003: "时间戳格式错误",
    1004: "时间戳已超过有效期",
    1005: "必须传入app_key",
    1006: "无效的app_key",
    1007: "必须传入版本号",
    1008: "版本号错误",
    1009: "必须传入format格式",
    1010: "format格式错误",
    1011: "必须传入编码格式",
    1012: "编码格式错误",
    1013: "必须传入签名加密类型",
    1014: "签名加密类型错误",
    1015: "必须传入签名",
    1016: "签名错误",
    1017: "必须传入请求参数集合",
    1018: "缺少必要参数",
    2003: "商户余额不足",
    2120: "必须传入开始时间和结束时间",
    2121: "开始时间或结束时间错误",
    3000: "商品不存在",
    4000: "订单参数错误",
    4004: "充值账号错误",
    4010: "外部订单号已存在",
    4011: "订单不存在",
    5000: "系统异常",
}
REFUSALS = {
    "duplicate": 4010,
    "bad_account": 4004,
    "no_balance": 2003,
    "no_such_sku": 3000,
    "not_found": 4011,
}
# The fields of the envelope in the order they are looked at: its code when it is missing, the one
# value it may have, and its code when it has another.
ENVELOPE = (
    ("method", 1000, "", 0),
    ("timestamp", 1002, "", 0),
    ("app_key", 1005, "", 0),
    ("version", 1007, "2.0", 1008),
    ("format", 1009, "json", 1010),
    ("charset", 1011, "utf-8", 1012),
    ("sign_type", 1013, "md5", 1014),
    ("sign", 1015, "", 0),
    ("biz_content", 1017, "", 0),
)
IS_NUMBER = re.compile(r"[A-Za-z0-9_-]{1,50}")
IS_WHOLE = re.compile(r"[0-9]{1,12}")

routes = Blueprint("fulu", __name__, url_prefix="/fulu")
routes.before_request(door.pass_through)

Asking = Mapping[str, object]


class Said(NamedTuple):
    """What a method says, and what goes wrong with saying so."""

    result: object
    trouble: Trouble = NONE


class Refused(Exception):
    """A code of MESSAGES; `trouble` is what goes wrong with saying so."""

    def __init__(self, code: int, trouble: Trouble = NONE) -> None:
        super().__init__(code)
        self.code = code
        self.trouble = trouble


@routes.post("/api/getway")
def call() -> Response:
    """One call of a method, as its envelope says."""
    try:
        method, asking = _genuine()
        said = METHODS[method](asking)
    except Refused as refused:
        return _answer(refused.code, None, refused.trouble)
    return _answer(0, said.result, said.trouble)


def add_order(asking: Asking) -> Said:
    number, account = _text(asking, "customer_order_no"), _text(asking, "charge_account").strip()
    quantity = _whole(asking, "buy_num")
    sku = str(_whole(asking, "product_id"))
    is_account = bool(account) and account.isprintable()
    if not IS_NUMBER.fullmatch(number) or not is_account or not 0 < quantity <= MOST:
        raise Refused(4000)
    with here().record.unit() as db:
        url = Conditions.now(db).fulu_notify_url
        verdict = orders.place(db, Asked("fulu", number, sku, account, quantity, url), now())
    here().caller.look_soon()
    return _said(verdict)


def show_order(asking: Asking) -> Said:
    number = _text(asking, "customer_order_no")
    if not IS_NUMBER.fullmatch(number):
        raise Refused(4011)
    with here().record.unit() as db:
        verdict = orders.ask(db, number)
    return _said(verdict)


def show_user(_asking: Asking) -> Said:
    with here().record.unit() as db:
        balance = orders.deposit(db)
    return Said({"name": here().merchant, "balance": balance / 100, "is_open": 1})


def index_goods(asking: Asking) -> Said:
    """All goods, or those whose id or part of the name is asked for."""
    wanted_id, wanted_name = str(asking.get("product_id") or ""), asking.get("product_name") or ""
    found = [
        item
        for item in GOODS.values()
        if wanted_id in ("", item.sku) and str(wanted_name) in item.name
    ]
    return Said([_item(item) for item in found])


def show_goods(asking: Asking) -> Said:
    item = GOODS.get(str(_whole(asking, "product_id")))
    if item is None:
        raise Refused(3000)
    return Said(_item(item))


def show_record(asking: Asking) -> Said:
    """The orders taken from the first day to the last, in Fulu's own column names."""
    first, last = asking.get("begin_create_time"), asking.get("end_create_time")
    if not first or not last:
        raise Refused(2120)
    try:
        start, end = statement.day(str(first))[0], statement.day(str(last))[1]
    except ValueError:
        raise Refused(2121) from None
    if not 0 < end - start <= LONGEST_RECORD.total_seconds():
        raise Refused(2121)
    with here().record.unit() as db:
        taken = statement.between(db, start, end)
    records = [
        {
            "OrderId": order.reference,
            "CustomerOrderNo": order.number,
            "ChargeAccount": masked(order.account),
            "OrderouterStatus": STATES[order.state],
            "ProductId": int(order.sku),
            "Buynum": order.quantity,
            "PayAmount": order.cost / 100,
            "Createtime": time_text(order.taken_at),
            "Finishtime": time_text(order.ended_at),
        }
        for order in taken
    ]
    return Said({"order_record_get_no": asking.get("order_record_get_no", ""), "records": records})


METHODS: dict[str, Callable[[Asking], Said]] = {
    "fulu.order.direct.add": add_order,
    "fulu.order.info.get": show_order,
    "fulu.order.record.get": show_record,
    "fulu.user.info.get": show_user,
    "fulu.goods.list.get": index_goods,
    "fulu.goods.info.get": show_goods,
}


def _genuine() -> tuple[str, Asking]:
    """The method and its parameters, of an envelope that the merchant signed just now."""
    envelope = request.get_json(force=True, silent=True)
    if not isinstance(envelope, dict):
        raise Refused(5000)
    for name, missing, only, wrong in ENVELOPE:
        value = envelope.get(name)
        if not isinstance(value, str) or not value:
            raise Refused(missing)
        if only and value.lower() != only:
            raise Refused(wrong)
    if envelope["method"] not in METHODS:
        raise Refused(1001)
    _check_time(envelope["timestamp"])
    if envelope["app_key"] != here().merchant:
        raise Refused(1006)
    expected = signing.fulu(signing.fulu_secret(here().key), envelope)
    if not hmac.compare_digest(
        expected.encode(), envelope["sign"].encode("utf-8", "surrogatepass")
    ):
        raise Refused(1016)
    return envelope["method"], _read(envelope["biz_content"])


def _check_time(text: str) -> None:
    try:
        at = datetime.strptime(text, TIME).replace(tzinfo=ZONE)
    except ValueError:
        raise Refused(1003) from None
    if abs(clock.now() - at) > WINDOW:
        raise Refused(1004)


def _read(content: str) -> Asking:
    try:
        asking = json.loads(content)
    except ValueError:
        raise Refused(5000) from None
    if not isinstance(asking, dict):
        raise Refused(5000)
    return asking


def _text(asking: Asking, name: str) -> str:
    value = asking.get(name)
    if not isinstance(value, str) or not value:
        raise Refused(1018)
    return value


def _whole(asking: Asking, name: str) -> int:
    value = asking.get(name)
    if isinstance(value, bool) or not IS_WHOLE.fullmatch(str(value)):
        raise Refused(1018)
    return int(str(value))


def _said(verdict: Verdict) -> Said:
    if verdict.order is None:
        # A call that came to nothing has no refusal either: its answer never arrives.
        raise Refused(REFUSALS.get(verdict.refusal, 5000), verdict.trouble)
    return Said(standing(verdict.order), verdict.trouble)


def _item(item: Item) -> dict[str, object]:
    return {
        "product_id": int(item.sku),
        "product_name": item.name,
        "product_type": "直充",
        "face_value": item.face_value / 100,
        "purchase_price": item.cost / 100,
        "sales_status": "上架" if item.is_available else "下架",
        "stock_status": "充足" if item.is_available else "断货",
        "template_id": "",
        "details": "",
    }


def _answer(code: int, result: object, trouble: Trouble) -> Response:
    return spoil(
        trouble, jsonify(answer(signing.fulu_secret(here().key), code, MESSAGES[code], result))
    )
