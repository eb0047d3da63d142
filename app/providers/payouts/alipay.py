"""Alipay: transfers to an Alipay account (alipay.fund.trans.uni.transfer), signed with RSA2.

`out_biz_no` is our number: sent again with the same content it is paid once. An answer with code
10000 says how it stands; 40004 is a refusal only with one of the codes that say so for certain,
and doubt with any other, SYSTEM_ERROR above all. An answer is verified over its very bytes.

In production this interface wants certificates: their serial numbers go along when they are set.
"""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

import httpx

from app.core import clock, rsa2
from app.core.errors import N_
from app.core.money import yuan
from app.providers.callbacks import Callback, Forged, Malformed, Reply
from app.providers.payouts.interface import (
    ALIPAY_ACCOUNT,
    Notice,
    Outcome,
    Result,
    Transfer,
)
from app.settings import Settings

TIMEOUT = httpx.Timeout(10, connect=3)
# Shorter than a server keeps an idle connection: none is used at the moment it is closed.
KEEP_IDLE = httpx.Limits(keepalive_expiry=2)
BODY_LIMIT = 64 * 1024
# Alipay's clock is China's, whatever the shop's is.
ZONE = ZoneInfo("Asia/Shanghai")

TRANSFER = "alipay.fund.trans.uni.transfer"
QUERY = "alipay.fund.trans.common.query"
CHANGED = "alipay.fund.trans.order.changed"
SCENE = {"product_code": "TRANS_ACCOUNT_NO_PWD", "biz_scene": "DIRECT_TRANSFER"}

STATES = {
    "SUCCESS": Outcome.PAID,
    "DEALING": Outcome.PENDING,
    "WAIT_PAY": Outcome.PENDING,
    # Not Alipay's: the sandbox plays with it a channel whose payee must confirm.
    "WAIT_PAYEE": Outcome.AWAITING_PAYEE,
    "FAIL": Outcome.REFUSED,
    "CLOSED": Outcome.REFUSED,
    "REFUND": Outcome.RETURNED,
}
# What Alipay documents as "not done, and will not be": the transfer may be sent again when the
# cause is mended. What is not listed here is doubt, and is asked about.
REFUSALS = frozenset(
    {
        "PAYEE_NOT_EXIST",
        "PAYEE_USER_INFO_ERROR",
        "PAYEE_ACC_OCUPIED",
        "PAYEE_CARD_INFO_ERROR",
        "PAYEE_CERTIFY_LEVEL_LIMIT",
        "PERMIT_NON_BANK_LIMIT_PAYEE",
        "PAYER_BALANCE_NOT_ENOUGH",
        "BALANCE_IS_NOT_ENOUGH",
        "PAYER_STATUS_ERROR",
        "PAYER_CERT_EXPIRED",
        "PAYER_USER_INFO_ERROR",
        "EXCEED_LIMIT_SM_AMOUNT",
        "EXCEED_LIMIT_DM_AMOUNT",
        "EXCEED_LIMIT_MM_AMOUNT",
        "EXCEED_LIMIT_UNRN_DM_AMOUNT",
        "EXCEED_LIMIT_ENT_SM_AMOUNT",
        "NO_ACCOUNT_RECEIVE_PERMISSION",
        "MEMO_REQUIRED_IN_TRANSFER_ERROR",
    }
)
NOT_FOUND = frozenset({"ORDER_NOT_EXIST"})


class Alipay:
    """One merchant's account at Alipay."""

    name = "alipay"
    title = N_("支付宝转账")
    kinds = frozenset({ALIPAY_ACCOUNT})
    pays_by_itself = True
    has_file = False
    ledger_account = "channel:alipay"

    def __init__(
        self,
        url: str,
        app_id: str,
        private_key: str,
        public_key: str,
        certificates: Mapping[str, str] | None = None,
        timeout: httpx.Timeout = TIMEOUT,
    ) -> None:
        """`private_key` is ours, `public_key` Alipay's; raises ValueError for what is no key."""
        self.url = url
        self.app_id = app_id
        self._private = rsa2.private_key(private_key)
        self._public = rsa2.public_key(public_key)
        self._certificates = {name: sn for name, sn in (certificates or {}).items() if sn}
        self._http = httpx.Client(timeout=timeout, limits=KEEP_IDLE, trust_env=False)

    @classmethod
    def of(cls, settings: Settings) -> "Alipay":
        return cls(
            settings.alipay_url,
            settings.alipay_app_id,
            settings.alipay_private_key,
            settings.alipay_public_key,
            {
                "app_cert_sn": settings.alipay_app_cert_sn,
                "alipay_root_cert_sn": settings.alipay_root_cert_sn,
            },
        )

    def submit(self, transfer: Transfer) -> Result:
        return self._call(
            TRANSFER,
            {
                "out_biz_no": transfer.number,
                "trans_amount": yuan(transfer.amount).replace(",", ""),
                **SCENE,
                "order_title": transfer.subject[:128],
                "payee_info": {
                    "identity": transfer.payee.account.reveal(),
                    "identity_type": "ALIPAY_LOGON_ID",
                    "name": transfer.payee.holder.reveal(),
                },
            },
        )

    def query(self, number: str) -> Result:
        return self._call(QUERY, {"out_biz_no": number, **SCENE})

    def parse_callback(self, message: Callback) -> Notice:
        """alipay.fund.trans.order.changed, a signed form."""
        try:
            if len(message.body) > BODY_LIMIT:
                raise Forged
            said = dict(parse_qsl(message.body.decode(), keep_blank_values=True))
        except ValueError:
            raise Forged from None
        signed = {name: text for name, text in said.items() if name not in ("sign", "sign_type")}
        is_ours = signed.get("app_id") == self.app_id and signed.get("msg_method") == CHANGED
        if not is_ours or not rsa2.is_genuine(self._public, joined(signed), said.get("sign", "")):
            raise Forged
        try:
            content = json.loads(signed["biz_content"])
            return Notice(_short(content["out_biz_no"]), _standing(content))
        except (ValueError, KeyError, TypeError, RecursionError):
            raise Malformed from None

    def acknowledge(self, accepted: bool) -> Reply:
        return Reply(200, "text/plain", "success" if accepted else "fail")

    def _call(self, method: str, content: Mapping[str, object]) -> Result:
        fields = self._signed(method, content, clock.now())
        try:
            answer = self._http.post(self.url, params={"charset": "utf-8"}, data=fields)
        except httpx.HTTPError as error:
            return Result(Outcome.UNKNOWN, reason=type(error).__name__)
        if answer.status_code != 200 or len(answer.content) > BODY_LIMIT:
            return Result(Outcome.UNKNOWN, reason=f"HTTP {answer.status_code}")
        said = self._verified(answer.text, method.replace(".", "_") + "_response")
        if said is None or said.get("out_biz_no", content["out_biz_no"]) != content["out_biz_no"]:
            return Result(Outcome.UNKNOWN, reason="an answer that does not verify")
        return _read(said, is_query=method == QUERY)

    def _signed(self, method: str, content: Mapping[str, object], now: datetime) -> dict[str, str]:
        fields = {
            "app_id": self.app_id,
            "method": method,
            "format": "JSON",
            "charset": "utf-8",
            "sign_type": "RSA2",
            "timestamp": f"{now.astimezone(ZONE):%Y-%m-%d %H:%M:%S}",
            "version": "1.0",
            "biz_content": json.dumps(content, ensure_ascii=False, separators=(",", ":")),
            **self._certificates,
        }
        return fields | {"sign": rsa2.sign(self._private, joined(fields))}

    def _verified(self, text: str, name: str) -> dict[str, Any] | None:
        """The answer's object, if Alipay signed exactly these bytes of it."""
        mark = f'"{name}":'
        start = text.find(mark) + len(mark)
        try:
            whole = json.loads(text)
            said, length = json.JSONDecoder().raw_decode(text[start:].lstrip())
            signature = whole["sign"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        raw = text[start:].lstrip()[:length]
        is_good = isinstance(said, dict) and said == whole.get(name) and isinstance(signature, str)
        return said if is_good and rsa2.is_genuine(self._public, raw, signature) else None


def joined(fields: Mapping[str, str]) -> str:
    """What RSA2 signs of a set of fields: those with a value, sorted, name=value with & between."""
    return "&".join(f"{name}={text}" for name, text in sorted(fields.items()) if text)


def _read(said: Mapping[str, Any], *, is_query: bool) -> Result:
    code, sub_code = said.get("code"), str(said.get("sub_code", ""))
    reason = f"{sub_code} {said.get('sub_msg', '')}".strip()[:200]
    if code == "10000":
        return _standing(said)
    if code == "40004" and is_query and sub_code in NOT_FOUND:
        return Result(Outcome.NOT_FOUND, reason=reason)
    if code == "40004" and not is_query and sub_code in REFUSALS:
        return Result(Outcome.REFUSED, reason=reason)
    return Result(Outcome.UNKNOWN, reason=reason)


def _standing(said: Mapping[str, Any]) -> Result:
    outcome = STATES.get(str(said.get("status")), Outcome.UNKNOWN)
    reference = said.get("order_id") or said.get("pay_fund_order_id") or ""
    reason = said.get("fail_reason") or said.get("error_code") or ""
    return Result(outcome, str(reference)[:64], str(reason)[:200])


def _short(value: object) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= 64 or not value.isprintable():
        raise ValueError("not a number of ours")
    return value
