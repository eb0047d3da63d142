"""Our own simulator's plain protocol: a setup of Http, and its list of goods."""

from app.core.errors import N_
from app.providers import safe_http
from app.providers.recharges import answers
from app.providers.recharges.exchanges import Mask
from app.providers.recharges.http import Http
from app.providers.recharges.http_fields import DEFAULTS
from app.providers.recharges.http_messages import Line, Message, Template
from app.providers.recharges.interface import (
    BadConfiguration,
    Catalogue,
    Configuration,
    Field,
    Item,
)
from app.providers.safe_http import BadAddress

FIELDS = (
    Field("url", N_("模拟器地址")),
    Field("merchant", N_("商户号")),
    Field("key", N_("密钥"), is_secret=True),
)

COMMON_LINES = "merchant={merchant}\ntimestamp={timestamp}"
PRESET = DEFAULTS | {
    "submit_method": "form",
    "submit_fields": f"{COMMON_LINES}\nnumber={{number}}\nsku={{sku}}\naccount={{account}}\n"
    "quantity={quantity}\nnotify_url={notify_url}",
    "query_method": "get",
    "query_fields": f"{COMMON_LINES}\nnumber={{number}}",
    "balance_method": "get",
    "balance_fields": COMMON_LINES,
    "sign_kind": "hmac-sha256",
    "sign_key_at": "nowhere",
    "ok_codes": "ok",
    # Not `duplicate`: then it has the number already, and is asked what became of it.
    "refused_codes": "no_such_sku,no_balance,bad_account,bad_sign,bad_request",
    "state_path": "state",
    "delivered_states": "delivered",
    "pending_states": "processing",
    "refused_states": "failed",
    "not_found_states": "not_found",
    "reference_path": "reference",
    "message_path": "message",
    "cost_path": "cost",
    "serial_path": "serial",
    "balance_path": "balance",
    "takes_number_once": "yes",
    "not_found_minutes": "10",
    "callback_format": "form",
    "callback_number": "number",
    "callback_state": "state",
    "callback_reference": "reference",
    "callback_message": "message",
    "callback_cost": "cost",
    "callback_serial": "serial",
    "callback_time": "timestamp",
}


class Simulator(Http):
    """A provider to try things out with, or to test against."""

    def __init__(self, configuration: Configuration) -> None:
        """Raises BadConfiguration for one of the three fields."""
        values = configuration.values
        for field in FIELDS:
            if not values.get(field.name, "").strip():
                raise BadConfiguration(field.name, N_("请填写"))
        base = values["url"].strip().rstrip("/")
        try:
            safe_http.check(base, allow_private=configuration.allow_private)
        except BadAddress as fault:
            raise BadConfiguration("url", fault.message) from None
        if set(base) & set("{}?"):
            raise BadConfiguration("url", N_("网址不完整"))
        preset = PRESET | {
            "merchant": values["merchant"],
            "key": values["key"],
            "submit_url": f"{base}/plain/orders",
            "query_url": f"{base}/plain/orders",
            "balance_url": f"{base}/plain/balance",
        }
        super().__init__(Configuration(preset, configuration.allow_private, configuration.timeout))
        names = ("merchant", "timestamp")
        lines = tuple(Line(name, Template((("", name),)), is_number=False) for name in names)
        self._goods = Message("get", Template(((f"{base}/plain/goods", ""),)), lines)

    def catalogue(self) -> Catalogue:
        heard = self._call("catalogue", self._goods, {}, Mask([self._setup.key]))
        rows = answers.at(heard.said, "goods")
        if not self._is_ok(heard) or not isinstance(rows, list):
            return Catalogue(None, heard.exchange)
        items = map(_item, rows)
        return Catalogue(tuple(item for item in items if item is not None), heard.exchange)


def make(configuration: Configuration) -> Simulator:
    """Raises BadConfiguration."""
    return Simulator(configuration)


def _item(row: object) -> Item | None:
    sku, cost = answers.words_at(row, "sku"), answers.cost(answers.text_at(row, "cost"))
    if not sku or cost is None:
        return None
    is_available = answers.text_at(row, "available") == "true"
    return Item(sku, answers.words_at(row, "name"), cost, is_available)
