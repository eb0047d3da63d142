"""Alipay's gateway as far as payouts need it: one address, signed forms, signed answers.

It shares no line with the shop's adapter but RSA2 itself, so that no mistake is made on both sides.
"""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from flask import Blueprint, Response, abort, current_app, request

from app.core import rsa2
from app.outside.record import now
from app.sandbox import payouts
from app.sandbox.channel import here
from app.sandbox.payouts import Payout, PayoutFaults

routes = Blueprint("gateway", __name__)

Said = dict[str, object]


@dataclass(frozen=True)
class Keys:
    """The channel's private key, and the merchant's public one."""

    own: RSAPrivateKey
    merchants: RSAPublicKey

    @classmethod
    def read(cls, own: str, merchants: str) -> "Keys":
        """Raises ValueError for what is no key."""
        return cls(rsa2.private_key(own), rsa2.public_key(merchants))


@routes.post("/gateway.do")
def answer() -> Response:
    keys: Keys | None = current_app.config["GATEWAY"]
    if keys is None:
        abort(404)
    fields = {name: str(text) for name, text in request.form.items()}
    method = fields.get("method", "")
    signed = "&".join(
        f"{name}={fields[name]}" for name in sorted(fields) if name != "sign" and fields[name]
    )
    is_merchant = fields.get("app_id") == here().merchant
    if not is_merchant or not rsa2.is_genuine(keys.merchants, signed, fields.get("sign", "")):
        said: Said = {
            "code": "40002",
            "msg": "Invalid Arguments",
            "sub_code": "isv.invalid-signature",
        }
    else:
        said = METHODS.get(method, _no_such_method)(_content(fields))
    return _signed(keys, method, said)


def _transfer(content: dict[str, Any]) -> Said:
    number = str(content.get("out_biz_no", ""))
    payee = content.get("payee_info")
    try:
        amount = Decimal(content["trans_amount"]) * 100
        identity, name = str(payee["identity"]), str(payee["name"])  # type: ignore[index]
    except (InvalidOperation, KeyError, TypeError):
        return _no("INVALID_PARAMETER")
    if not number or amount != int(amount) or amount < 10 or not identity or not name:
        return _no("INVALID_PARAMETER")
    with here().record.unit() as db:
        wanted = PayoutFaults.of(db, number)
        if PayoutFaults.spend(db, number, "fails"):
            paid = None
        else:
            try:
                paid = payouts.pay(db, number, int(amount), (identity, name), now())
            except payouts.Refused as no:
                return _no(str(no))
            if PayoutFaults.spend(db, number, "fails_after"):
                paid = None
            elif PayoutFaults.spend(db, number, "system_error"):
                return _no("SYSTEM_ERROR")
    if paid is None:
        _fail(wanted)
    return _standing(paid)


def _query(content: dict[str, Any]) -> Said:
    number = str(content.get("out_biz_no", ""))
    with here().record.unit() as db:
        wanted = PayoutFaults.of(db, number)
        fails = PayoutFaults.spend(db, number, "query_fails")
        found = None if fails else payouts.ask(db, number, now())
    if fails:
        _fail(wanted)
    return _no("ORDER_NOT_EXIST") if found is None else _standing(found)


def _no_such_method(_content: dict[str, Any]) -> Said:
    return {"code": "40001", "msg": "Missing Method", "sub_code": "isv.missing-method"}


METHODS: dict[str, Callable[[dict[str, Any]], Said]] = {
    "alipay.fund.trans.uni.transfer": _transfer,
    "alipay.fund.trans.common.query": _query,
}


def _content(fields: dict[str, str]) -> dict[str, Any]:
    try:
        content = json.loads(fields["biz_content"])
    except (ValueError, KeyError):
        abort(400)
    if not isinstance(content, dict):
        abort(400)
    return content


def _standing(found: Payout) -> Said:
    return {
        "code": "10000",
        "msg": "Success",
        "out_biz_no": found.number,
        "order_id": found.order_id,
        "status": found.state,
    }


def _no(sub_code: str) -> Said:
    return {
        "code": "40004",
        "msg": "Business Failed",
        "sub_code": sub_code,
        "sub_msg": "play money",
    }


def _fail(wanted: PayoutFaults) -> NoReturn:
    """Fail as channels do: silence for a while, then 500."""
    threading.Event().wait(wanted.hang)
    abort(500)


def _signed(keys: Keys, method: str, said: Said) -> Response:
    raw = json.dumps(said)
    name = method.replace(".", "_") + "_response"
    body = f'{{{json.dumps(name)}:{raw},"sign":{json.dumps(rsa2.sign(keys.own, raw))}}}'
    return Response(body, content_type="application/json")
