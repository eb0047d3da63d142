"""A distributor's first page with a long history behind it, against a bare Flask view."""

import time
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import sqlalchemy as sa

from app import create_app
from app.core import clock
from app.core.db import db, session, transaction
from app.domain.accounts.models import Person
from app.domain.channels.models import Commission, CommissionState, Distributor
from app.domain.ledger import service as ledger
from app.domain.orders.models import Order, OrderLine
from app.settings import Settings
from bench import shop
from bench.buyer import Connection
from bench.table import Figure, percentile
from tests import earning, factories, people, sellers, servers

FEW, MANY = 100, 100_000
ASKED = 300
PER_STEP = 10_000
BARE = """
from flask import Flask
page = open({path!r}).read()
app = Flask(__name__)
@app.get("/")
def show():
    return page
"""
# Nearly all are long paid out; a few are on their way.
STATES = (CommissionState.PAID,) * 96 + (
    CommissionState.PAYABLE,
    CommissionState.PAYABLE,
    CommissionState.HOLDING,
    CommissionState.PENDING,
)


def run(scale: float) -> list[Figure]:
    with shop.database() as url, TemporaryDirectory() as folder:
        environment = shop.settings(url, Path(folder), "unix:///nowhere", servers.free_port())
        with shop.opened(url, environment):
            seller, sid = _somebody()
            _earn(seller, FEW)
            few = _statements(environment, sid)
            _earn(seller, int(MANY * scale) - FEW)
            many = _statements(environment, sid)
            db.engine.dispose()
        mine, page = _measure(environment, sid)
        (Path(folder) / "page.html").write_bytes(page)
        bare = _bare(Path(folder))
    p95, limit = percentile(mine, 0.95), percentile(bare, 0.95)
    return [
        Figure(
            f"portal home, {int(MANY * scale):,} commissions",
            f"p50 {percentile(mine, 0.5):.1f} ms, p95 {p95:.1f} ms, {p95 / limit:.1f} of bare",
            "p95 < 200 ms",
            f"p95 {limit:.1f} ms (bare Flask, {len(page) / 1000:.0f} kB)",
        ),
        Figure("statements of that page", f"{many}, with {FEW} commissions {few}", "does not grow"),
    ]


def _somebody() -> tuple[Distributor, str]:
    person: Person = people.make()
    return sellers.make(person), people.sign_in(person)


def _earn(seller: Distributor, count: int) -> None:
    """So many orders of hers, over two years until now: rows as delivery would leave them."""
    product = factories.make_product(codes=1)
    pattern = factories.buy(product)
    earned = earning.earn(pattern, seller)
    for start in range(0, count, PER_STEP):
        numbers = range(start, min(start + PER_STEP, count))
        transaction(lambda numbers=numbers: _add(seller, pattern, earned, numbers, count))  # type: ignore[misc]
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("ANALYZE")


def _add(
    seller: Distributor, pattern: Order, earned: Commission, numbers: range, count: int
) -> None:
    moments = [_moment(number, count) for number in numbers]
    orders = [
        _like(pattern, number, count, at) for number, at in zip(numbers, moments, strict=True)
    ]
    add = sa.insert(Order).returning(Order.id, sort_by_parameter_order=True)
    order_ids = list(session.scalars(add, orders))
    line = _values(pattern.lines[0])
    lines = [line | {"order_id": order_id} for order_id in order_ids]
    found = session.execute(
        sa.insert(OrderLine).returning(OrderLine.id, OrderLine.order_id), lines
    ).all()
    at = dict(zip(order_ids, moments, strict=True))
    session.execute(
        sa.insert(Commission),
        [
            {
                "order_id": order_id,
                "order_line_id": line_id,
                "distributor_id": seller.id,
                "level": 1,
                "state": state,
                "rule_id": earned.rule_id,
                "trace": earned.trace,
                "base": 3000,
                "amount": 300,
                "earned_at": None if state == CommissionState.PENDING else at[order_id],
                "eligible_at": at[order_id] + timedelta(days=7),
            }
            for (line_id, order_id), state in zip(
                found, (STATES[number % len(STATES)] for number in numbers), strict=True
            )
        ],
    )
    key = f"bench:{order_ids[0]}"
    lines_of = {"commission": 300 * len(found)}
    lines_of[f"commission_payable:{seller.uid}"] = -300 * len(found)
    ledger.post(key, "commission_earned", "bench", order_ids[0], lines_of)


def _moment(number: int, count: int) -> datetime:
    return clock.now() - timedelta(days=730) * (count - number - 1) / count


def _like(pattern: Order, number: int, count: int, delivered_at: datetime) -> dict[str, object]:
    return _values(pattern) | {
        "number": f"B{count}-{number}",
        "token_hash": f"token {count}-{number}".encode(),
        "checkout_key": f"key {count}-{number}".encode(),
        "delivered_at": delivered_at,
    }


def _values(row: Order | OrderLine) -> dict[str, object]:
    columns = type(row).__table__.columns.keys()
    return {name: getattr(row, name) for name in columns if name != "id"}


def _statements(environment: dict[str, str], sid: str) -> int:
    app = create_app(Settings.from_environment(environment))
    seen: list[str] = []
    client = app.test_client()
    client.set_cookie("sid", sid)
    with app.app_context():
        assert client.get("/portal").status_code == 200
        listen = ("before_cursor_execute", lambda *args: seen.append(args[2]))
        sa.event.listen(db.engine, *listen)
        assert client.get("/portal").status_code == 200
        sa.event.remove(db.engine, *listen)
        db.engine.dispose()
    return len(seen)


def _measure(environment: dict[str, str], sid: str) -> tuple[list[float], bytes]:
    port = servers.free_port()
    with shop.gunicorn(["wsgi:app", "--workers", "1"], port, environment):
        return _ask(port, "/portal", {"Cookie": f"sid={sid}"})


def _bare(folder: Path) -> list[float]:
    (folder / "bare.py").write_text(BARE.format(path=str(folder / "page.html")))
    port = servers.free_port()
    arguments = ["bare:app", "--pythonpath", str(folder), "--workers", "1"]
    with shop.gunicorn(arguments, port, {}):
        return _ask(port, "/", {})[0]


def _ask(port: int, path: str, headers: dict[str, str]) -> tuple[list[float], bytes]:
    """Seconds of each of some questions, one after the other, and the page."""
    connection, seconds, page = Connection(port), [], b""
    for _ in range(ASKED):
        begin = time.perf_counter()
        status, _head, page = connection.ask("GET", path, headers)
        seconds.append(time.perf_counter() - begin)
        assert status == 200
    return seconds[ASKED // 10 :], page
