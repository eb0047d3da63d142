"""For tests on this machine: make the provider misbehave, and read what it really executed."""

import hmac
import sqlite3
from dataclasses import asdict

from flask import Blueprint, Response, abort, jsonify, request

from app.outside.machine import only_this_machine
from app.outside.record import now
from app.simulator import callbacks, faults, orders, statement
from app.simulator.accounts import masked
from app.simulator.conditions import Conditions
from app.simulator.faults import TABLE, Faults
from app.simulator.order import Order, find
from app.simulator.provider import here

routes = Blueprint("control", __name__, url_prefix="/control")
routes.before_request(only_this_machine)


@routes.post("/faults")
def create_faults() -> Response:
    """{"number": …, "faults": {…}}: for an order's number, seen or not, or `*` for every order
    from now on. {"number": …, "like": "3002"}: what the table has for those digits."""
    asked = request.get_json()
    try:
        wanted = TABLE[asked["like"]] if "like" in asked else Faults.read(asked["faults"])
    except (ValueError, KeyError, TypeError) as error:
        abort(400, str(error))
    with here().record.unit() as db:
        wanted.want(db, str(asked["number"]))
    return jsonify(asdict(wanted))


@routes.delete("/faults/<number>")
def delete_faults(number: str) -> Response:
    """What was wanted for it is forgotten; under `*`, the accounts' digits decide again."""
    with here().record.unit() as db:
        faults.forget(db, number)
    return jsonify({})


@routes.get("/conditions")
def show_conditions() -> Response:
    with here().record.unit() as db:
        return jsonify(asdict(Conditions.now(db)))


@routes.post("/conditions")
def update_conditions() -> Response:
    """Those that are given change, the others stay."""
    asked = request.get_json()
    with here().record.unit() as db:
        try:
            wanted = Conditions.read(asked, Conditions.now(db))
        except (ValueError, TypeError) as error:
            abort(400, str(error))
        if unknown := set(wanted.mix) - set(TABLE):
            abort(400, f"no such digits: {', '.join(sorted(unknown))}")
        wanted.hold(db)
    return jsonify(asdict(wanted))


@routes.get("/deposit")
def show_deposit() -> Response:
    with here().record.unit() as db:
        return jsonify(amount=orders.deposit(db))


@routes.post("/deposit")
def create_deposit() -> Response:
    """{"amount": …} minor units are paid in, or taken out when negative."""
    amount = request.get_json().get("amount")
    if not isinstance(amount, int):
        abort(400)
    with here().record.unit() as db:
        orders.pay_in(db, amount)
    return show_deposit()


@routes.get("/executions")
def index_executions() -> Response:
    """Everything that was executed, in the order in which it was; of one number with `?number=`.

    Accounts are masked; `account_id` tells two of them apart.
    """
    number = request.args.get("number")
    with here().record.unit() as db:
        return jsonify(executions=_executions(db, number))


@routes.get("/orders")
def index_orders() -> Response:
    with here().record.unit() as db:
        rows = db.execute("SELECT * FROM orders ORDER BY taken_at, number").fetchall()
    return jsonify(orders=[_seen(Order(**row)) for row in rows])


@routes.get("/orders/<number>")
def show_order(number: str) -> Response:
    """An order with its faults, callbacks and executions."""
    with here().record.unit() as db:
        order = _order(db, number)
        told = db.execute("SELECT * FROM callbacks WHERE number = ? ORDER BY id", (number,))
        said = _seen(order) | {
            "faults": asdict(Faults.of(db, number)),
            "callbacks": [dict(row) for row in told.fetchall()],
            "executions": _executions(db, number),
        }
    return jsonify(said)


@routes.post("/orders/<number>/end")
def end_order(number: str) -> Response:
    """{"state": "delivered" | "failed"}: an order that is under way ends so, now."""
    state = request.get_json().get("state")
    if state not in ("delivered", "failed"):
        abort(400)
    with here().record.unit() as db:
        order = _order(db, number)
        if order.state != "processing":
            abort(409)
        orders.end_by_hand(db, order, state, now())
    return _tell(number)


@routes.post("/orders/<number>/callbacks")
def create_callback(number: str) -> Response:
    """Tell the merchant once more how the order stands."""
    with here().record.unit() as db:
        callbacks.repeat(db, _order(db, number), now())
    return _tell(number)


@routes.get("/statement")
def show_statement() -> Response:
    """The orders taken on `?day=2026-11-24`, as CSV: the day is Shanghai's."""
    try:
        start, end = statement.day(request.args.get("day", ""))
    except ValueError:
        abort(400)
    with here().record.unit() as db:
        text = statement.text(db, start, end)
    return Response(text, content_type="text/csv; charset=utf-8")


def _order(db: sqlite3.Connection, number: str) -> Order:
    order = find(db, number)
    if order is None:
        abort(404)
    return order


def _tell(number: str) -> Response:
    for sent in here().caller.send_due(number):
        sent.result()
    return show_order(number)


def _executions(db: sqlite3.Connection, number: str | None) -> list[dict[str, object]]:
    rows = db.execute(
        "SELECT executions.*, orders.account AS whole FROM executions"
        " JOIN orders ON orders.number = executions.number"
        " WHERE executions.number = ? OR ? IS NULL ORDER BY executions.id",
        (number, number),
    ).fetchall()
    return [
        {name: value for name, value in dict(row).items() if name != "whole"}
        | {"account_id": _account_id(row["whole"])}
        for row in rows
    ]


def _seen(order: Order) -> dict[str, object]:
    """An order as it may be shown."""
    return asdict(order) | {
        "account": masked(order.account),
        "account_id": _account_id(order.account),
    }


def _account_id(account: str) -> str:
    """The same for the same account, and nothing to guess it from."""
    return hmac.new(here().key.reveal().encode(), account.encode(), "sha256").hexdigest()[:16]
