"""What was paid and sent back between two moments: what a merchant's books are checked against."""

import sqlite3

COLUMNS = ("kind", "number", "payment_number", "trade_number", "amount", "currency", "at")


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
