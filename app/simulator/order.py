"""An order as the provider keeps it."""

import sqlite3
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Order:
    """A row of `orders`: `ends_at` is when it will end, `ended_at` when it did."""

    number: str
    protocol: str
    reference: str
    sku: str
    account: str
    quantity: int
    cost: int
    notify_url: str
    taken_at: float
    ends_at: float | None = None
    ended_at: float | None = None
    state: str = "processing"
    serial: str = ""
    message: str = ""


def find(db: sqlite3.Connection, number: str) -> Order | None:
    row = db.execute("SELECT * FROM orders WHERE number = ?", (number,)).fetchone()
    return Order(**row) if row else None


def add(db: sqlite3.Connection, order: Order) -> Order:
    db.execute(
        "INSERT INTO orders (number, protocol, reference, sku, account, quantity, cost, notify_url,"
        " taken_at, ends_at, ended_at, state, serial, message) VALUES (:number, :protocol,"
        " :reference, :sku, :account, :quantity, :cost, :notify_url, :taken_at, :ends_at,"
        " :ended_at, :state, :serial, :message)",
        asdict(order),
    )
    return order
