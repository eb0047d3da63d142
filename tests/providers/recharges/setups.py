"""Setups of Http for suppliers whose documents are public: what a merchant would type in."""

from app.providers.recharges.http import Http
from app.providers.recharges.http_fields import DEFAULTS
from app.providers.recharges.interface import Configuration

KEY = "supplier-key-0123456789"

# 大猿人 V2: a form, MD5 in capitals over `k=v&…&apikey=KEY`.
DAYUANREN = {
    "merchant": "1001",
    "key": KEY,
    "submit_url": "{base}/yrapi.php/index/recharge",
    "submit_fields": "userid={merchant}\nout_trade_num={number}\nproduct_id={sku}\n"
    "mobile={account}\nnotify_url={notify_url}\nprice={cost_limit}\nparam1=",
    "query_url": "{base}/yrapi.php/index/check",
    "query_fields": "userid={merchant}\nout_trade_nums={number}",
    "balance_url": "{base}/yrapi.php/index/user",
    "balance_fields": "userid={merchant}",
    "sign_kind": "md5-upper",
    "sign_key_name": "apikey",
    "code_path": "errno",
    "refused_codes": "2001,2002",
    "state_path": "data.0.state",
    "delivered_states": "1",
    "pending_states": "0",
    "refused_states": "2,-1",
    "number_path": "data.0.out_trade_num|data.out_trade_num",
    "reference_path": "data.order_number|data.0.order_number",
    "message_path": "errmsg",
    "cost_path": "data.total_price|data.0.total_price",
    "balance_path": "data.balance",
    "callback_format": "form",
    "callback_number": "out_trade_num",
    "callback_state": "state",
    "callback_reference": "order_number",
    "callback_message": "remark",
    "callback_serial": "voucher",
}

# 卡商网: a form, MD5 in small letters over the key and `kvkv`; called back with JSON.
KASHANGWL = {
    "merchant": "1192442",
    "key": KEY,
    "submit_url": "{base}/api/buy",
    "submit_fields": "customer_id={merchant}\ntimestamp={timestamp}\nproduct_id={sku}\n"
    "recharge_account={account}\nquantity={quantity}\nnotify_url={notify_url}\n"
    "outer_order_id={number}\nsafe_cost={cost_limit}",
    "query_url": "{base}/api/outer-order",
    "query_fields": "customer_id={merchant}\ntimestamp={timestamp}\nouter_order_id={number}",
    "sign_joint": "kvkv",
    "sign_key_at": "before",
    "ok_codes": "ok",
    "state_path": "data.state",
    "delivered_states": "200",
    "pending_states": "100，101",
    "refused_states": "500",
    "reference_path": "data.id",
    "cost_path": "data.total_price",
    "callback_format": "json",
    "callback_number": "outer_order_id",
    "callback_state": "state",
    "callback_reference": "order_id",
    "callback_message": "state_info",
    "callback_answer": "ok",
}


def made(
    setup: dict[str, str], url: str = "http://127.0.0.1:9", timeout: float = 5, **changes: str
) -> Http:
    """The adapter of a setup whose addresses begin with `url`."""
    values = DEFAULTS | setup | changes
    values |= {
        name: text.replace("{base}", url) for name, text in values.items() if name.endswith("_url")
    }
    return Http(Configuration(values, allow_private=True, timeout=timeout))
