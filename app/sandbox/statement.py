"""What was paid and sent back between two moments: what a merchant's books are checked against."""

import csv
import io
import sqlite3
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

# The channel's days.
ZONE = ZoneInfo("Asia/Shanghai")
COLUMNS = ("kind", "number", "payment_number", "trade_number", "amount", "currency", "at")

# Of the file that a person downloads: amounts in yuan, `at` with the zone.
FILE_COLUMNS = ("kind", "number", "trade_number", "amount", "fee", "currency", "state", "at")


def day(text: str) -> tuple[float, float]:
    """When a day (2026-11-24) begins and ends; raises ValueError."""
    start = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=ZONE)
    try:
        return start.timestamp(), (start + timedelta(days=1)).timestamp()
    except OverflowError:
        raise ValueError("beyond the calendar") from None


def text(db: sqlite3.Connection, start: float, end: float) -> str:
    """CSV with FILE_COLUMNS: payments, refunds (negative), and what was remitted to the bank."""
    file = io.StringIO(newline="")
    writer = csv.writer(file)
    writer.writerow(FILE_COLUMNS)
    for kind, number, _payment, trade, amount, currency, at in between(db, start, end):
        writer.writerow((kind, number, trade, _yuan(amount), "0.00", currency, "success", _at(at)))
    remitted = db.execute(
        "SELECT number, amount, fee, sent_at FROM remittances"
        " WHERE sent_at >= ? AND sent_at < ? ORDER BY sent_at",
        (start, end),
    )
    for number, amount, fee, at in remitted:
        what = ("remittance", number, "", _yuan(amount), _yuan(fee))
        writer.writerow((*what, "CNY", "success", _at(at)))
    return file.getvalue()


def between(db: sqlite3.Connection, start: float, end: float) -> list[tuple[object, ...]]:
    """Rows of COLUMNS in the order of time; refunds are negative, `at` is seconds since 1970."""
    rows = db.execute(
        "SELECT 'payment', number, number, trade_number, paid, currency, paid_at AS at"
        " FROM trades WHERE paid_at >= ? AND paid_at < ?"
        " UNION ALL"
        " SELECT 'refund', refunds.number, payment_number, trade_number, -refunds.amount,"
        " currency, settled_at FROM refunds JOIN trades ON trades.number = payment_number"
        " WHERE refunds.state = 'succeeded' AND settled_at >= ? AND settled_at < ?"
        " ORDER BY at",
        (start, end, start, end),
    )
    return [tuple(row) for row in rows]


def _yuan(amount: object) -> str:
    sign = "-" if int(str(amount)) < 0 else ""
    whole, part = divmod(abs(int(str(amount))), 100)
    return f"{sign}{whole}.{part:02d}"


def _at(at: object) -> str:
    return datetime.fromtimestamp(float(str(at)), ZONE).isoformat(timespec="seconds")
