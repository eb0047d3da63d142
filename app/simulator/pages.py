"""The control page: for people on this machine who try out how the shop copes."""

import sqlite3
from datetime import datetime

from flask import Blueprint, Response, abort, redirect, render_template, request

from app.core import clock
from app.core.money import yuan
from app.outside.assets import Assets
from app.outside.faults import EVERY
from app.outside.machine import only_this_machine
from app.simulator import faults, orders
from app.simulator.accounts import masked
from app.simulator.conditions import WAYS_DOWN, Conditions
from app.simulator.faults import TABLE
from app.simulator.goods import GOODS
from app.simulator.order import Order
from app.simulator.provider import here
from app.simulator.statement import ZONE
from app.simulator.words import words

STYLES = (
    *("tokens", "base", "icon", "button", "field", "surface", "badge", "table"),
    *("sandbox", "simulator"),
)
ASSETS = Assets(STYLES, ("forms",))
LATEST = 20
TONES = {"processing": "wait", "delivered": "good", "failed": "bad"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

routes = Blueprint("pages", __name__, url_prefix="/control")
routes.before_request(only_this_machine)


@routes.before_request
def only_this_page() -> None:
    """Another site's page, open in the same browser, changes nothing here."""
    site = request.headers.get("Sec-Fetch-Site", "same-origin")
    if request.method != "GET" and site != "same-origin":
        abort(403)


@routes.get("")
def show() -> Response:
    language = request.accept_languages.best_match(["zh", "en"]) or "zh"
    with here().record.unit() as db:
        latest = db.execute(
            "SELECT * FROM orders ORDER BY taken_at DESC, number LIMIT ?", (LATEST,)
        ).fetchall()
        rows = [_row(db, Order(**row)) for row in latest]
        executed = db.execute("SELECT count(*) FROM executions").fetchone()[0]
        deposit, conditions = orders.deposit(db), Conditions.now(db)
        is_chosen = db.execute("SELECT 1 FROM faults WHERE number = ?", (EVERY,)).fetchone()
    text = render_template(
        "simulator/control.html",
        language=language,
        words=words(language),
        assets=f"/control/assets/{ASSETS.version}",
        merchant=here().merchant,
        deposit=yuan(deposit),
        executed=executed,
        conditions=conditions,
        ways_down=WAYS_DOWN,
        is_chosen=is_chosen is not None,
        cases=list(TABLE),
        goods=list(GOODS.values()),
        orders=rows,
        today=f"{clock.now().astimezone(ZONE):%Y-%m-%d}",
        yuan=yuan,
    )
    response = Response(text)
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


@routes.post("/page/conditions")
def update_conditions() -> Response:
    latency = request.form.get("latency", "")
    if not latency.isdecimal():
        abort(400)
    given = {"down": request.form.get("down", ""), "latency": int(latency)}
    with here().record.unit() as db:
        try:
            Conditions.read(given, Conditions.now(db)).hold(db)
        except ValueError:
            abort(400)
    return _back()


@routes.post("/page/faults")
def create_faults() -> Response:
    """One of the table's for a number, or for every order; or none any more."""
    number, like = request.form.get("number", "").strip(), request.form.get("like", "")
    if not number or (like and like not in TABLE):
        abort(400)
    with here().record.unit() as db:
        if like:
            TABLE[like].want(db, number)
        else:
            faults.forget(db, number)
    return _back()


@routes.get("/assets/<version>/<name>")
def asset(version: str, name: str) -> Response:
    return ASSETS.answer(version, name)


def _row(db: sqlite3.Connection, order: Order) -> dict[str, object]:
    times = db.execute(
        "SELECT count(*) FROM executions WHERE number = ?", (order.number,)
    ).fetchone()[0]
    return {
        "number": order.number,
        "account": masked(order.account),
        "name": GOODS[order.sku].name,
        "quantity": order.quantity,
        "cost": yuan(order.cost),
        "state": order.state,
        "tone": TONES[order.state],
        "times": times,
        "at": f"{datetime.fromtimestamp(order.taken_at, ZONE):%m-%d %H:%M:%S}",
    }


def _back() -> Response:
    return redirect("/control", 303)  # type: ignore[return-value]
