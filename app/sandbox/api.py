"""The signed API for merchants: ask about a trade, close it, refund it, and a day's statement.

Every request is a POST of JSON with the merchant's number in it; request and answer are signed as
`providers/payments/signing.py` says. Sent again with the same numbers, each does nothing new.
"""

import csv
import io
import json
import threading
from typing import NoReturn

from flask import Blueprint, Response, abort, request

from app.core import clock
from app.outside.record import now
from app.providers.payments import signing
from app.sandbox import refunds, statement, trades
from app.sandbox.channel import here
from app.sandbox.faults import Faults

BODY_LIMIT = 64 * 1024

routes = Blueprint("api", __name__, url_prefix="/api")


@routes.post("/trades/query")
def query_trade() -> Response:
    number = _text(_asked(), "number")
    with here().record.unit() as db:
        wanted = Faults.of(db, number)
        fails = Faults.spend(db, number, "query_fails")
        is_hidden = not fails and Faults.spend(db, number, "not_found")
        trade = trades.find(db, number)
    if fails:
        _fail(wanted)
    if trade is None or is_hidden:
        return _answer({"state": "not_found"})
    if trade.state != "paid":
        return _answer({"state": trade.state})
    return _answer(
        {
            "state": "paid",
            "trade_number": trade.trade_number,
            "amount": trade.paid,
            "currency": trade.currency,
            "payer": "play money",
        }
    )


@routes.post("/trades/close")
def close_trade() -> Response:
    number = _text(_asked(), "number")
    with here().record.unit() as db:
        wanted = Faults.of(db, number)
        fails = Faults.spend(db, number, "close_fails")
        if not fails:
            state = trades.close(db, number, now())
            fails = Faults.spend(db, number, "close_fails_after")
    if fails:
        _fail(wanted)
    return _answer({"state": state})


@routes.post("/refunds")
def create_refund() -> Response:
    asked = _asked()
    number, payment = _text(asked, "number"), _text(asked, "payment_number")
    amount = asked.get("amount")
    if not isinstance(amount, int):
        abort(400)
    with here().record.unit() as db:
        wanted = Faults.of(db, payment)
        fails = Faults.spend(db, payment, "refund_fails")
        if not fails:
            try:
                state, reason = refunds.refund(db, number, payment, amount, now())
            except refunds.Conflicting:
                abort(409)
            fails = Faults.spend(db, payment, "refund_fails_after")
    if fails:
        _fail(wanted)
    return _answer({"state": state, "reason": reason})


@routes.post("/refunds/query")
def query_refund() -> Response:
    number = _text(_asked(), "number")
    with here().record.unit() as db:
        refund = refunds.find(db, number)
        payment = refund.payment_number if refund else ""
        wanted = Faults.of(db, payment)
        fails = Faults.spend(db, payment, "refund_query_fails")
        state, reason = ("", "") if fails else refunds.ask(db, number, now())
    if fails:
        _fail(wanted)
    return _answer({"state": state, "reason": reason})


@routes.post("/statement")
def show_statement() -> Response:
    """What was paid and sent back on a day, as CSV: the day is Shanghai's."""
    try:
        start, end = statement.day(_text(_asked(), "day"))
    except ValueError:
        abort(400)
    text = io.StringIO(newline="")
    with here().record.unit() as db:
        rows = statement.between(db, start, end)
    writer = csv.writer(text)
    writer.writerow(statement.COLUMNS)
    writer.writerows(rows)
    return _signed(text.getvalue().encode(), "text/csv")


def _asked() -> dict[str, object]:
    """The fields of a genuine request; anything else is refused."""
    body = request.get_data()
    if len(body) > BODY_LIMIT or not signing.is_genuine(
        here().keys, request.method, request.path, dict(request.headers), body, clock.now()
    ):
        abort(401)
    try:
        asked = json.loads(body)
    except ValueError:
        abort(400)
    if not isinstance(asked, dict) or asked.get("merchant") != here().merchant:
        abort(401)
    return asked


def _text(asked: dict[str, object], name: str) -> str:
    value = asked.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= 64:
        abort(400)
    return value


def _fail(wanted: Faults) -> NoReturn:
    """Fail as channels do: silence for a while, then 500."""
    threading.Event().wait(wanted.hang)
    abort(500)


def _answer(said: dict[str, object]) -> Response:
    return _signed(json.dumps(said).encode(), "application/json")


def _signed(body: bytes, content_type: str) -> Response:
    response = Response(body, content_type=content_type)
    asked = request.headers[signing.SIGNATURE]
    response.headers.update(signing.headers(here().keys[0], "RESPONSE", asked, body, clock.now()))
    return response
