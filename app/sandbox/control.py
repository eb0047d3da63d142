"""For tests on this machine: make a trade misbehave, and read what really happened."""

from dataclasses import asdict

from flask import Blueprint, Response, abort, jsonify, request

from app.outside.machine import only_this_machine
from app.outside.record import now
from app.sandbox import callbacks, payouts, refunds, remittances, statement, trades
from app.sandbox.channel import here
from app.sandbox.faults import Faults
from app.sandbox.payouts import PayoutFaults

routes = Blueprint("control", __name__, url_prefix="/control")
routes.before_request(only_this_machine)


@routes.post("/faults")
def create_faults() -> Response:
    """{"number": …, "faults": {…}}: the number of a trade, seen or not, or `*` for every trade."""
    return _want(Faults)


@routes.post("/payout-faults")
def create_payout_faults() -> Response:
    """The same for payouts."""
    return _want(PayoutFaults)


@routes.get("/payouts")
def index_payouts() -> Response:
    """Each time money really went to somebody."""
    with here().record.unit() as db:
        return jsonify(effects=payouts.effects(db))


def _want(kind: type[Faults] | type[PayoutFaults]) -> Response:
    asked = request.get_json()
    try:
        wanted = kind.read(asked["faults"])
    except (ValueError, KeyError, TypeError) as error:
        abort(400, str(error))
    with here().record.unit() as db:
        wanted.want(db, str(asked["number"]))
    return jsonify(asdict(wanted))


@routes.get("/trades")
def index_trades() -> Response:
    """Every trade, with what of it was sent back."""
    with here().record.unit() as db:
        rows = db.execute("SELECT * FROM trades ORDER BY opened_at").fetchall()
        found = [dict(row) | {"refunded": refunds.sent_back(db, row["number"])} for row in rows]
    return jsonify(trades=found)


@routes.get("/trades/<number>")
def show_trade(number: str) -> Response:
    with here().record.unit() as db:
        trade = trades.find(db, number)
        if trade is None:
            abort(404)
        said = asdict(trade) | {
            "refunded": refunds.sent_back(db, number),
            "faults": asdict(Faults.of(db, number)),
            "callbacks": _rows(
                db.execute(
                    "SELECT * FROM callbacks WHERE number = ? ORDER BY id", (number,)
                ).fetchall()
            ),
            "refunds": _rows(
                db.execute(
                    "SELECT * FROM refunds WHERE payment_number = ? ORDER BY asked_at", (number,)
                ).fetchall()
            ),
        }
    return jsonify(said)


@routes.post("/trades/<number>/callbacks")
def create_callback(number: str) -> Response:
    """Tell the merchant about the trade once more."""
    with here().record.unit() as db:
        if trades.find(db, number) is None:
            abort(404)
        callbacks.repeat(db, number, now())
    for sent in here().caller.send_due(number):
        sent.result()
    return show_trade(number)


@routes.get("/refunds")
def index_refunds() -> Response:
    with here().record.unit() as db:
        rows = db.execute("SELECT * FROM refunds ORDER BY asked_at").fetchall()
    return jsonify(refunds=_rows(rows))


@routes.post("/remittances")
def create_remittance() -> Response:
    """Send all that is held to the merchant's bank."""
    with here().record.unit() as db:
        try:
            sent = remittances.remit(db, now())
        except remittances.Nothing:
            abort(409, "nothing is held")
    return jsonify(asdict(sent))


@routes.get("/statement")
def show_statement() -> Response:
    """A day's statement as a merchant downloads it: `?day=2026-11-24`, which is Shanghai's."""
    day = request.args.get("day", "")
    try:
        start, end = statement.day(day)
    except ValueError:
        abort(400, "day: 2026-11-24")
    with here().record.unit() as db:
        text = statement.text(db, start, end)
    response = Response(text, content_type="text/csv; charset=utf-8")
    response.headers["Content-Disposition"] = f'attachment; filename="sandbox-{day}.csv"'
    return response


def _rows(rows: list[object]) -> list[dict[str, object]]:
    return [dict(row) for row in rows]  # type: ignore[call-overload]
