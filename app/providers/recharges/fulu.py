"""福禄开放平台 (Fulu), version 2.0: one address, a signed envelope of JSON that names a method.

After docs.open.fulu.com and the public SDKs, as far as they could be read. What matters of it:

- Code 0 on an order says that it was taken; whether it arrived stands in `order_state`, in a query
  or in the callback. Prices are per piece, in yuan with up to four decimals.
- How answers are signed could not be confirmed (the documents' own sample does not come out), so
  an answer is believed because of TLS; callbacks are verified.
- A callback carries no time that is signed as such. Sending an old one again tells the engine what
  it knows already.
- A refund callback says that money came back, not that nothing was delivered: it makes us ask.
"""

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.core import clock
from app.core.errors import N_
from app.providers import safe_http
from app.providers.callbacks import Callback, Forged, Malformed, Reply
from app.providers.recharges import answers, signing
from app.providers.recharges.answers import Unreadable
from app.providers.recharges.calls import Asked, Heard, call
from app.providers.recharges.exchanges import Legible, Mask, callback_exchange
from app.providers.recharges.interface import (
    BadConfiguration,
    Balance,
    Catalogue,
    Configuration,
    Exchange,
    Field,
    Item,
    Notice,
    Outcome,
    Result,
    Wanted,
)
from app.providers.safe_http import BadAddress, Request

FIELDS = (
    Field(
        "url",
        N_("网关地址"),
        N_("测试环境是 https://pre-openapi.fulu.com/api/getway"),
        default="https://openapi.fulu.com/api/getway",
    ),
    Field("app_key", N_("AppKey")),
    Field("app_secret", N_("AppSecret"), is_secret=True),
)

ZONE = ZoneInfo("Asia/Shanghai")
BODY_LIMIT = 64 * 1024
NUMBER_LENGTH = 50
IS_PRODUCT, IS_COUNT = re.compile(r"[0-9]{1,18}"), re.compile(r"[0-9]{1,6}")
TAKEN, DUPLICATE, NOT_FOUND = "0", "4010", "4011"
# What an order can be answered with that never became one: the request itself was wrong (a sign, a
# time, an address that is not allowed), the merchant may not order, the product cannot be had, the
# account is not good. Any other code, 4008, 4009, 4012 and 5000 by name, is doubt.
REFUSED = frozenset(
    str(code)
    for code in (
        *range(1000, 1020),
        *(2002, 2003),
        *(3000, 3001, 3002, 3003, 3004, 3005, 3008),
        *(4000, 4001, 4002, 4004),
    )
)
STATES = {
    "success": Outcome.DELIVERED,
    "processing": Outcome.PENDING,
    "untreated": Outcome.PENDING,
    "failed": Outcome.REFUSED,
}
LEGIBLE = Legible(
    values=frozenset(
        (
            *("method", "timestamp", "code", "order_id", "customer_order_no", "product_id"),
            *("buy_num", "order_price", "order_state", "create_time", "finish_time", "price"),
            *("order_status", "charge_finish_time", "operator_serial_number", "balance"),
            *("refund_status", "refund_time", "product_name", "purchase_price", "product_type"),
        )
    ),
    words=frozenset(("message", "recharge_description", "refund_description")),
    accounts=frozenset(("charge_account",)),
)


class Fulu:
    """One merchant's account at Fulu."""

    # It documents code 4010 for a number that it has already.
    takes_number_once = True
    # Ten minutes in the older documents, 120 in the newer.
    not_found_is_final_after = timedelta(minutes=120)

    def __init__(self, configuration: Configuration) -> None:
        values = configuration.values
        self._url, self._app_key = values.get("url", ""), values.get("app_key", "")
        self._secret = configuration.secret("app_secret")
        # An empty secret would verify everybody's signature.
        for name, value in (("app_key", self._app_key), ("app_secret", self._secret)):
            if not value:
                raise BadConfiguration(name, N_("请填写"))
        try:
            safe_http.check(self._url, allow_private=configuration.allow_private)
        except BadAddress as fault:
            raise BadConfiguration("url", fault.message) from None
        self._configuration = configuration

    def submit(self, wanted: Wanted) -> Result:
        if not IS_PRODUCT.fullmatch(wanted.sku):
            return Result(Outcome.REFUSED, reason="nothing was sent: a product's number has digits")
        mask = Mask([self._secret], wanted.account)
        asked = {
            "product_id": int(wanted.sku),
            "customer_order_no": wanted.number,
            "charge_account": wanted.account.reveal(),
            "buy_num": wanted.quantity,
        }
        heard = self._call("submit", "fulu.order.direct.add", asked, mask)
        code = answers.text_at(heard.said, "code")
        if code in REFUSED:
            return _said(Outcome.REFUSED, heard, mask)
        if code != TAKEN:
            return _said(Outcome.UNKNOWN, heard, mask)
        if answers.at(heard.said, "result") is None:
            # Taken, and nothing that tells how it stands: asking will.
            return _said(Outcome.PENDING, heard, mask)
        return _standing(heard, wanted.number, mask)

    def query(self, number: str, sent_at: datetime) -> Result:
        mask = Mask([self._secret])
        heard = self._call("query", "fulu.order.info.get", {"customer_order_no": number}, mask)
        code = answers.text_at(heard.said, "code")
        if code == TAKEN:
            return _standing(heard, number, mask)
        # Any other code refuses the question, not the order.
        return _said(Outcome.NOT_FOUND if code == NOT_FOUND else Outcome.UNKNOWN, heard, mask)

    def parse_callback(self, message: Callback) -> Notice:
        fields = _fields_of(message)
        signature = fields.pop("sign", "")
        expected = signing.sorted_characters(fields, self._secret)
        if not signing.are_equal(expected, signature):
            raise Forged
        number = fields.get("customer_order_no", "")
        if not 0 < len(number) <= NUMBER_LENGTH or not number.isprintable():
            raise Malformed
        mask = Mask([self._secret])
        exchange = callback_exchange(message, fields, LEGIBLE, mask)
        if "order_status" in fields:
            return Notice(number, _ended(fields, mask, exchange))
        if "refund_status" not in fields:
            raise Malformed
        words = answers.tidy(mask.words(fields.get("refund_description", "")))
        return Notice(
            number,
            Result(
                Outcome.UNKNOWN,
                reference=answers.words_at(fields, "order_id"),
                reason=f"refund {answers.words_at(fields, 'refund_status')}: {words}",
                exchange=exchange,
            ),
        )

    def acknowledge(self, accepted: bool) -> Reply:
        return Reply(200 if accepted else 400, "text/plain", "success" if accepted else "fail")

    def balance(self) -> Balance:
        heard = self._call("balance", "fulu.user.info.get", {}, Mask([self._secret]))
        is_said = answers.text_at(heard.said, "code") == TAKEN
        text = answers.text_at(heard.said, "result.balance") if is_said else None
        return Balance(answers.minor(text), heard.exchange)

    def catalogue(self) -> Catalogue:
        """What may be ordered as a direct recharge. None also when the list is over 1 MB."""
        heard = self._call("catalogue", "fulu.goods.list.get", {}, Mask([self._secret]))
        rows = answers.at(heard.said, "result")
        if answers.text_at(heard.said, "code") != TAKEN or not isinstance(rows, list):
            return Catalogue(None, heard.exchange)
        items = (_item(row) for row in rows if answers.text_at(row, "product_type") == "直充")
        return Catalogue(tuple(item for item in items if item is not None), heard.exchange)

    def _call(self, what: str, method: str, asked: Mapping[str, object], mask: Mask) -> Heard:
        envelope = {
            "app_key": self._app_key,
            "method": method,
            "timestamp": f"{clock.now().astimezone(ZONE):%Y-%m-%d %H:%M:%S}",
            "version": "2.0",
            "format": "json",
            "charset": "utf-8",
            "sign_type": "md5",
            "app_auth_token": "",
            "biz_content": json.dumps(asked, ensure_ascii=False, separators=(",", ":")),
        }
        signature = signing.sorted_characters(envelope, self._secret)
        request = Request(
            "POST",
            self._url,
            {"Content-Type": "application/json; charset=utf-8"},
            json.dumps(envelope | {"sign": signature}, ensure_ascii=False).encode(),
        )
        shown = {name: envelope[name] for name in ("method", "timestamp")}
        shown |= {name: str(value) for name, value in asked.items()}
        return call(Asked(what, request, shown), self._configuration, _read, LEGIBLE, mask)


def make(configuration: Configuration) -> Fulu:
    """Raises BadConfiguration."""
    return Fulu(configuration)


def _read(body: bytes) -> object:
    """The answer with its result read, which is JSON within a text; raises Unreadable."""
    said = answers.parse(body)
    if not isinstance(said, dict):
        raise Unreadable
    result = said.get("result")
    if isinstance(result, str):
        result = answers.parse(result) if result else None
    return said | {"result": result}


def _standing(heard: Heard, number: str, mask: Mask) -> Result:
    """How an order stands, if the answer is about ours."""
    result = answers.at(heard.said, "result")
    if answers.text_at(result, "customer_order_no") != number:
        reason = "the answer is not about our number"
        return Result(Outcome.UNKNOWN, reason=reason, exchange=heard.exchange)
    return Result(
        STATES.get(answers.text_at(result, "order_state") or "", Outcome.UNKNOWN),
        reference=answers.words_at(result, "order_id"),
        reason=_reason(heard, mask),
        cost=_cost(result, "order_price"),
        serial=answers.words_at(result, "operator_serial_number"),
        exchange=heard.exchange,
    )


def _ended(fields: Mapping[str, str], mask: Mask, exchange: Exchange) -> Result:
    """What the callback of an order says."""
    return Result(
        STATES.get(fields["order_status"], Outcome.UNKNOWN),
        reference=answers.words_at(fields, "order_id"),
        reason=answers.tidy(mask.words(fields.get("recharge_description", ""))),
        cost=_cost(fields, "price"),
        serial=answers.words_at(fields, "operator_serial_number"),
        exchange=exchange,
    )


def _said(outcome: Outcome, heard: Heard, mask: Mask) -> Result:
    return Result(outcome, reason=_reason(heard, mask), exchange=heard.exchange)


def _reason(heard: Heard, mask: Mask) -> str:
    """What it said of it; nothing when all is well."""
    code, message = (answers.text_at(heard.said, name) or "" for name in ("code", "message"))
    if code == TAKEN:
        return ""
    return heard.doubt or answers.tidy(mask.words(f"{code} {message}"))


def _cost(said: object, name: str) -> int | None:
    """The price of one piece, times how many; None without either."""
    pieces = answers.text_at(said, "buy_num") or ""
    if not IS_COUNT.fullmatch(pieces):
        return None
    return answers.cost(answers.text_at(said, name), times=int(pieces))


def _item(row: object) -> Item | None:
    sku = answers.words_at(row, "product_id")
    cost = answers.cost(answers.text_at(row, "purchase_price"))
    if not sku or cost is None:
        return None
    is_available = (
        answers.text_at(row, "sales_status") == "上架"
        and answers.text_at(row, "stock_status") != "断货"
    )
    return Item(sku, answers.words_at(row, "product_name"), cost, is_available)


def _fields_of(message: Callback) -> dict[str, str]:
    """The callback's fields, of which it is not settled whether they stand in the query or in a
    form; raises Forged for what cannot have been signed."""
    if len(message.body) > BODY_LIMIT:
        raise Forged
    try:
        return answers.once([*message.query, *answers.form(message.body)])
    except Unreadable:
        raise Forged from None
