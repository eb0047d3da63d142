"""A day's orders: what a merchant's books are checked against."""

import csv
import io
import sqlite3
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from app.simulator.accounts import masked
from app.simulator.order import Order
from app.simulator.plain_messages import plain_yuan

# The provider's days.
ZONE = ZoneInfo("Asia/Shanghai")
COLUMNS = ("number", "reference", "sku", "account", "quantity", "cost", "state", "at")


def day(text: str) -> tuple[float, float]:
    """When a day (2026-11-24) begins and ends; raises ValueError."""
    start = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=ZONE)
    try:
        return start.timestamp(), (start + timedelta(days=1)).timestamp()
    except OverflowError:
        raise ValueError("beyond the calendar") from None


def between(db: sqlite3.Connection, start: float, end: float) -> list[Order]:
    """The orders taken between two moments, in their order."""
    rows = db.execute(
        "SELECT * FROM orders WHERE taken_at >= ? AND taken_at < ? ORDER BY taken_at, number",
        (start, end),
    )
    return [Order(**row) for row in rows]


def text(db: sqlite3.Connection, start: float, end: float) -> str:
    """CSV with COLUMNS: cost in yuan, `at` is when the order was taken, with the zone."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(COLUMNS)
    for order in between(db, start, end):
        at = datetime.fromtimestamp(order.taken_at, ZONE).isoformat(timespec="seconds")
        what = (order.number, order.reference, order.sku, masked(order.account), order.quantity)
        writer.writerow((*what, plain_yuan(order.cost), order.state, at))
    return file.getvalue()
