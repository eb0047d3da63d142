"""What a merchant says about a supplier of her own: one field of the console's form each.

Templates name our values in {braces}; lists are separated by commas; a path is dotted
(`data.0.state`), and `a|b` looks at a first and then at b.
"""

from app.core.errors import N_
from app.providers.recharges.interface import Field

SENDING = ("form", "json", "get")
TIMES = ("seconds", "milliseconds", "yyyy-MM-dd HH:mm:ss", "yyyyMMddHHmmss")
SIGNS = ("none", "md5", "md5-upper", "hmac-sha256", "rsa-sha256")
JOINTS = ("k=v&k=v", "kvkv")
KEY_PLACES = ("as_field", "after", "before", "nowhere")
UNITS = ("yuan", "fen")
YES_NO = ("no", "yes")
CALLBACKS = ("none", "form", "query", "json")

_FIELDS_HINT = N_(
    "每行一个，写成 名称=内容。可以用 {number} {sku} {account} {quantity} {notify_url} "
    "{timestamp} {merchant} {nonce} {cost_limit}；JSON 里要数字的写成 名称:int=内容"
)
_LIST_HINT = N_("几个值用逗号隔开；没有列出的一律当作不明，会继续查询")
_PATH_HINT = N_("用点号写路径，例如 data.state 或 data.0.state；两种可能用 | 隔开")

SUPPLIER = (
    Field("merchant", N_("商户号"), N_("在模板里写成 {merchant}"), is_required=False),
    Field(
        "key",
        N_("密钥"),
        N_("MD5 和 HMAC 填双方约定的密钥，RSA 填自己的私钥"),
        is_secret=True,
        is_required=False,
        is_long=True,
    ),
    Field("time_format", N_("时间格式"), choices=TIMES, default="seconds"),
)
REQUESTS = (
    Field("submit_method", N_("提交方式"), choices=SENDING, default="form"),
    Field("submit_url", N_("提交网址")),
    Field("submit_fields", N_("提交的字段"), _FIELDS_HINT, is_long=True),
    Field("query_method", N_("查询方式"), choices=SENDING, default="form"),
    Field("query_url", N_("查询网址")),
    Field("query_fields", N_("查询的字段"), _FIELDS_HINT, is_long=True),
    Field("balance_method", N_("余额查询方式"), choices=SENDING, default="form"),
    Field("balance_url", N_("余额网址"), N_("没有余额接口就留空"), is_required=False),
    Field("balance_fields", N_("余额查询的字段"), _FIELDS_HINT, is_required=False, is_long=True),
)
SIGNATURE = (
    Field("sign_kind", N_("签名算法"), choices=SIGNS, default="md5"),
    Field(
        "sign_joint", N_("签名怎样拼接"), N_("按名称排序之后"), choices=JOINTS, default="k=v&k=v"
    ),
    Field(
        "sign_key_at",
        N_("密钥放在哪里"),
        N_("as_field 接 &key=密钥，after 直接接在后面，before 放在最前；RSA 选 nowhere"),
        choices=KEY_PLACES,
        default="as_field",
    ),
    Field("sign_key_name", N_("密钥字段名"), is_required=False, default="key"),
    Field("sign_empty", N_("空值参与签名"), choices=YES_NO, default="no"),
    Field("sign_without", N_("不参与签名的字段"), is_required=False),
    Field("sign_field", N_("签名字段名"), is_required=False, default="sign"),
    Field(
        "sign_header", N_("签名请求头"), N_("填了就放在请求头里，不放在字段里"), is_required=False
    ),
)
ANSWER = (
    Field("code_path", N_("结果码的路径"), _PATH_HINT, is_required=False, default="code"),
    Field("ok_codes", N_("表示成功受理的结果码"), _LIST_HINT, is_required=False, default="0"),
    Field(
        "refused_codes",
        N_("表示没有下单的结果码"),
        N_("只填供应商保证没有下单、也不会下单的；重复单号、系统错误不要填"),
        is_required=False,
    ),
    Field("not_found_codes", N_("表示查无此单的结果码"), _LIST_HINT, is_required=False),
    Field("state_path", N_("订单状态的路径"), _PATH_HINT, default="data.state"),
    Field("delivered_states", N_("表示到账的状态"), _LIST_HINT),
    Field("pending_states", N_("表示处理中的状态"), _LIST_HINT, is_required=False),
    Field("refused_states", N_("表示失败的状态"), _LIST_HINT),
    Field("not_found_states", N_("表示查无此单的状态"), _LIST_HINT, is_required=False),
    Field(
        "number_path", N_("我方单号的路径"), N_("填了就核对答复说的是不是这一单"), is_required=False
    ),
    Field("reference_path", N_("供应商单号的路径"), _PATH_HINT, is_required=False),
    Field("message_path", N_("说明的路径"), _PATH_HINT, is_required=False),
    Field("cost_path", N_("成本的路径"), N_("整单的成本"), is_required=False),
    Field("cost_unit", N_("成本的单位"), choices=UNITS, default="yuan"),
    Field("serial_path", N_("运营商流水号的路径"), _PATH_HINT, is_required=False),
    Field("balance_path", N_("余额的路径"), _PATH_HINT, is_required=False),
    Field("balance_unit", N_("余额的单位"), choices=UNITS, default="yuan"),
)
TRUST = (
    Field(
        "takes_number_once",
        N_("同一单号只执行一次"),
        N_("供应商文档写明重复单号不会再充才选 yes：查无此单时会用原单号重发"),
        choices=YES_NO,
        default="no",
    ),
    Field(
        "not_found_minutes",
        N_("查无此单多久后可信（分钟）"),
        N_("到那时转人工处理，不会自动重充"),
        default="30",
    ),
)
CALLBACK = (
    Field("callback_format", N_("回调格式"), choices=CALLBACKS, default="none"),
    Field("callback_number", N_("回调里我方单号的路径"), is_required=False),
    Field("callback_state", N_("回调里状态的路径"), is_required=False),
    Field("callback_reference", N_("回调里供应商单号的路径"), is_required=False),
    Field("callback_message", N_("回调里说明的路径"), is_required=False),
    Field("callback_cost", N_("回调里成本的路径"), is_required=False),
    Field("callback_serial", N_("回调里流水号的路径"), is_required=False),
    Field(
        "callback_time",
        N_("回调里时间的路径"),
        N_("秒或毫秒时间戳；填了就只认前后 5 分钟之内的"),
        is_required=False,
    ),
    Field(
        "callback_key",
        N_("供应商的公钥"),
        N_("RSA 签名的回调要用它核对"),
        is_required=False,
        is_long=True,
    ),
    Field("callback_answer", N_("收到回调后的答复"), default="success"),
)
FIELDS = (*SUPPLIER, *REQUESTS, *SIGNATURE, *ANSWER, *TRUST, *CALLBACK)
DEFAULTS = {field.name: field.default for field in FIELDS}
