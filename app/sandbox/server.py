"""The channel's pages, its signed API, and the controls by which tests make it misbehave."""

import contextlib
import hmac
import json
import os
from collections.abc import Mapping
from concurrent.futures import wait
from datetime import datetime, time, timedelta
from pathlib import Path
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from flask import (
    Flask,
    Response,
    abort,
    current_app,
    jsonify,
    make_response,
    redirect,
    render_template,
    request,
)

from app.core import clock
from app.core.money import yuan
from app.providers.payments import signing
from app.sandbox.caller import Caller
from app.sandbox.record import Record, Refused
from app.sandbox.words import words

ROOT = Path(__file__).parent.parent.parent
FIELDS = (
    "merchant", "number", "amount", "currency", "subject", "expires_at", "return_url",
    "notify_url", "lang",
)
NUMBERS = ("duplicates", "delay", "wrong_amount")
SWITCHES = ("no_callback", "forged", "late")
# A buyer who comes back to the shop finds her code if the shop answered by then.
WAIT_FOR_SHOP = 1.5
LOOPBACK = ("127.0.0.1", "::1")


class Sandbox:
    """One merchant's channel: what it knows, and who calls back."""

    def __init__(self, path: str, merchant: str, key: str) -> None:
        if not key:
            raise ValueError("SANDBOX_KEY is missing")
        self.merchant = merchant
        self.key = key
        self.record = Record(path)
        self.caller = Caller(self.record, merchant, key)

    def is_signed(self, fields: Mapping[str, str], signature: str) -> bool:
        """Whether the merchant made this pay link."""
        expected = signing.sign_fields(self.key, fields)
        return hmac.compare_digest(expected.encode(), signature.encode())


def create() -> Flask:
    """The channel's own web application."""
    app = Flask(
        "sandbox", template_folder=str(ROOT / "templates"), static_folder=str(ROOT / "static")
    )
    app.config["SANDBOX"] = Sandbox(
        os.environ["SANDBOX_DATA"], os.environ["SANDBOX_MERCHANT"], os.environ["SANDBOX_KEY"]
    )
    app.jinja_env.filters["yuan"] = yuan
    for rule, view, methods in (
        ("/pay", show_pay, ["GET"]),
        ("/pay", create_pay, ["POST"]),
        ("/sandbox.css", show_style, ["GET"]),
        ("/api/trades/query", query_trade, ["POST"]),
        ("/api/trades/close", close_trade, ["POST"]),
        ("/api/refunds", create_refund, ["POST"]),
        ("/api/refunds/query", query_refund, ["POST"]),
        ("/api/statement", show_statement, ["POST"]),
        ("/control/faults", set_faults, ["POST"]),
        ("/control/trades/<number>", show_trade, ["GET"]),
        ("/control/callbacks/<number>", send_callback, ["POST"]),
        ("/control/refunds/<number>", show_refunds, ["GET"]),
    ):
        app.add_url_rule(rule, f"{methods[0]} {rule}", view, methods=methods)
    return app


def sandbox() -> Sandbox:
    found: Sandbox = current_app.config["SANDBOX"]
    return found


def show_pay() -> Response:
    """The pay page, for whoever has a link the merchant signed."""
    return pay_page(request.args)


def create_pay() -> Response:
    """Take the money, tell the merchant, and send the buyer back."""
    fields = {name: request.form.get(name, "") for name in FIELDS}
    here = sandbox()
    if not here.is_signed(fields, request.form.get("sign", "")):
        return pay_page(request.form)
    faults = {name: request.form.get(name, 0, type=int) for name in NUMBERS}
    faults |= {name: int(request.form.get(name) == "1") for name in SWITCHES}
    if any(faults.values()):
        here.record.set_faults(fields["number"], faults)
    try:
        here.record.pay(
            fields["number"], int(fields["amount"]), fields["currency"], fields["notify_url"],
            is_expired=_is_expired(fields),
        )
    except Refused as refusal:
        return pay_page(request.form, str(refusal))
    wait(here.caller.send_due(fields["number"]), WAIT_FOR_SHOP)
    return make_response(redirect(fields["return_url"], 303))


def pay_page(given: Mapping[str, str], problem: str = "") -> Response:
    fields = {name: given.get(name, "") for name in FIELDS}
    text = words(fields["lang"])
    status = 200
    if not sandbox().is_signed(fields, given.get("sign", "")):
        problem, status = "forged", 400
    else:
        trade = sandbox().record.trade(fields["number"])
        faults = sandbox().record.faults(fields["number"])
        if trade and trade["state"] != "unpaid" and not (
            trade["state"] == "closed" and faults.get("late")
        ):
            problem = trade["state"]
        elif _is_expired(fields) and not faults.get("late"):
            problem = "expired"
        status = 200 if problem in ("", "paid") else 410
    response = make_response(
        render_template(
            "sandbox/pay.html", words=text, fields=fields, sign=given.get("sign", ""),
            problem=problem, expires=_expires(fields), is_genuine=status != 400,
        ),
        status,
    )
    back = urlsplit(fields["return_url"])
    origin = f" {back.scheme}://{back.netloc}" if status != 400 and back.netloc else ""
    response.headers["Content-Security-Policy"] = (
        "default-src 'none'; style-src 'self'; base-uri 'none'; frame-ancestors 'none';"
        f" form-action 'self'{origin}"
    )
    response.headers["Cache-Control"] = "no-store"
    # The page's own address is signed and long; where it leads needs none of it.
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


def show_style() -> Response:
    return Response((ROOT / "static" / "css" / "sandbox.css").read_bytes(), mimetype="text/css")


def query_trade() -> Response:
    said = _genuine()
    number = str(said.get("number", ""))
    record = sandbox().record
    trade = record.trade(number)
    if trade is None or record.spend_fault(number, "not_found"):
        return _signed({"state": "not_found"})
    if record.spend_fault(number, "query_fails"):
        abort(500)
    if trade["state"] != "paid":
        return _signed({"state": trade["state"]})
    return _signed({
        "state": "paid", "trade_number": trade["trade_number"], "amount": trade["paid"],
        "currency": trade["currency"], "payer": "sandbox",
    })


def close_trade() -> Response:
    number = str(_genuine().get("number", ""))
    record = sandbox().record
    if record.spend_fault(number, "close_fails"):
        abort(500)
    state = record.close(number)
    if record.spend_fault(number, "close_fails_after"):
        abort(500)
    return _signed({"state": state})


def create_refund() -> Response:
    said = _genuine()
    payment = str(said.get("payment_number", ""))
    record = sandbox().record
    if record.spend_fault(payment, "refund_fails"):
        abort(500)
    try:
        refund = record.refund(str(said.get("number", "")), payment, int(said.get("amount", 0)))
    except Refused as refusal:
        return _signed({"state": "refused", "reason": str(refusal)})
    if record.spend_fault(payment, "refund_fails_after"):
        abort(500)
    return _signed({"state": refund["state"]})


def query_refund() -> Response:
    refund = sandbox().record.refund_standing(str(_genuine().get("number", "")))
    return _signed({"state": refund["state"] if refund else "not_found"})


def show_statement() -> Response:
    """A day's trades and refunds as CSV, for reconciliation; the day is Shanghai's."""
    day = datetime.fromisoformat(str(_genuine().get("day", ""))).date()
    start = datetime.combine(day, time(), ZoneInfo("Asia/Shanghai"))
    rows = sandbox().record.of_day(start.timestamp(), (start + timedelta(days=1)).timestamp())
    lines = ["kind,number,trade_number,amount", *(",".join(map(str, row)) for row in rows)]
    return _signed({"csv": "\n".join(lines) + "\n"})


def set_faults() -> Response:
    _only_loopback()
    said = request.get_json()
    sandbox().record.set_faults(str(said["number"]), dict(said["faults"]))
    return jsonify(ok=True)


def show_trade(number: str) -> Response:
    _only_loopback()
    trade = sandbox().record.trade(number) or {}
    return jsonify(trade | {"callbacks": sandbox().record.callbacks(number)})


def send_callback(number: str) -> Response:
    _only_loopback()
    sandbox().record.call_back_now(number)
    wait(sandbox().caller.send_due(number), 10)
    return jsonify(callbacks=sandbox().record.callbacks(number))


def show_refunds(number: str) -> Response:
    _only_loopback()
    return jsonify(refunds=sandbox().record.refunds(number))


def _genuine() -> dict[str, object]:
    """The signed request's fields; anything else is refused."""
    here = sandbox()
    body = request.get_data()
    with contextlib.suppress(ValueError):
        if signing.is_genuine(
            [here.key], request.method, request.path, request.headers, body, clock.now()
        ):
            said = json.loads(body)
            if isinstance(said, dict) and said.get("merchant") == here.merchant:
                return said
    abort(401)


def _signed(said: dict[str, object]) -> Response:
    body = json.dumps(said).encode()
    response = make_response(body)
    head = signing.headers(sandbox().key, "RESPONSE", request.path, body, clock.now())
    response.headers.update(head)
    response.headers["Content-Type"] = "application/json"
    return response


def _only_loopback() -> None:
    if request.remote_addr not in LOOPBACK:
        abort(404)


def _expires(fields: Mapping[str, str]) -> str:
    if not fields["expires_at"].isdigit():
        return ""
    at = datetime.fromtimestamp(int(fields["expires_at"]), ZoneInfo("Asia/Shanghai"))
    return f"{at:%H:%M:%S}"


def _is_expired(fields: Mapping[str, str]) -> bool:
    return clock.now().timestamp() > int(fields["expires_at"] or 0)
