"""Orders: taken once under their number, executed or failed in the end, never both."""

import secrets
import sqlite3
from dataclasses import dataclass, replace

from app.simulator import callbacks, faults
from app.simulator.accounts import masked
from app.simulator.conditions import Conditions
from app.simulator.faults import Faults
from app.simulator.goods import GOODS
from app.simulator.order import Order, add, find
from app.simulator.troubles import NONE, Trouble

# For staff of the merchant.
DELIVERED, FAILED = "充值成功", "充值失败：运营商返回失败"


@dataclass(frozen=True)
class Asked:
    """What a merchant orders. `notify_url` may be empty."""

    protocol: str
    number: str
    sku: str
    account: str
    quantity: int
    notify_url: str


@dataclass(frozen=True)
class Verdict:
    """An order, or why there is none; and what goes wrong with saying so."""

    order: Order | None = None
    refusal: str = ""
    trouble: Trouble = NONE


def place(db: sqlite3.Connection, asked: Asked, now: float) -> Verdict:
    """Take an order. Refusals: duplicate, bad_account, no_balance, no_such_sku."""
    wanted = faults.settle(db, asked.number, asked.account, Conditions.now(db))
    if Faults.spend(db, asked.number, "hangs_before"):
        return Verdict(trouble=Trouble("hang", wanted.hang))
    if Faults.spend(db, asked.number, "fails_before"):
        return Verdict(trouble=Trouble("fail"))
    verdict = _take(db, asked, wanted, now)
    return replace(verdict, trouble=_trouble_after(db, asked.number, wanted))


def ask(db: sqlite3.Connection, number: str) -> Verdict:
    """What became of a number; refusal: not_found."""
    wanted, order = Faults.of(db, number), find(db, number)
    if Faults.spend(db, number, "query_hangs"):
        return Verdict(trouble=Trouble("hang", wanted.hang))
    if Faults.spend(db, number, "query_fails"):
        return Verdict(trouble=Trouble("fail"))
    if order is None or Faults.spend(db, number, "not_found"):
        return Verdict(refusal="not_found")
    if wanted.query_stuck:
        return Verdict(replace(order, state="processing", serial="", message="", ended_at=None))
    return Verdict(order)


def end_due(db: sqlite3.Connection, now: float) -> None:
    """End every order whose time has come."""
    due = db.execute(
        "SELECT * FROM orders WHERE ends_at <= ? ORDER BY ends_at, number", (now,)
    ).fetchall()
    for row in due:
        order = Order(**row)
        _end(db, order, Faults.of(db, order.number), now)


def end_by_hand(db: sqlite3.Connection, order: Order, state: str, now: float) -> None:
    """End an order that is under way, `delivered` or `failed`, whatever its faults say."""
    _end(db, order, replace(Faults.of(db, order.number), ends=state), now)


def deposit(db: sqlite3.Connection) -> int:
    """What is left of the merchant's money, in minor units."""
    amount: int = db.execute("SELECT amount FROM deposit").fetchone()["amount"]
    return amount


def pay_in(db: sqlite3.Connection, amount: int) -> None:
    """Add to the deposit, or take from it when negative."""
    db.execute("UPDATE deposit SET amount = amount + ?", (amount,))


def _take(db: sqlite3.Connection, asked: Asked, wanted: Faults, now: float) -> Verdict:
    known = find(db, asked.number)
    if known is not None:
        if not Faults.spend(db, asked.number, "twice"):
            return Verdict(refusal="duplicate")
        _execute(db, known, now)
        return Verdict(known)
    item = GOODS.get(asked.sku)
    if wanted.refuses or item is None or not item.is_available:
        return Verdict(refusal=wanted.refuses or "no_such_sku")
    cost = max(0, item.cost * asked.quantity + wanted.wrong_cost)
    if cost > deposit(db):
        return Verdict(refusal="no_balance")
    pay_in(db, -cost)
    order = add(
        db,
        Order(
            number=asked.number,
            protocol=asked.protocol,
            reference=f"SIM{secrets.token_hex(9).upper()}",
            sku=asked.sku,
            account=asked.account,
            quantity=asked.quantity,
            cost=cost,
            notify_url=asked.notify_url,
            taken_at=now,
            ends_at=None if wanted.ends == "never" else now + wanted.after,
        ),
    )
    if wanted.forged:
        callbacks.forge(db, order, now)
    if wanted.ends != "never" and not wanted.after:
        order = _end(db, order, wanted, now)
    return Verdict(order)


def _end(db: sqlite3.Connection, order: Order, wanted: Faults, now: float) -> Order:
    """Execute it, or give its money back; and have the merchant told, as the faults want it."""
    if wanted.ends == "delivered":
        _execute(db, order, now)
        ended = replace(
            order,
            state="delivered",
            message=DELIVERED,
            serial=f"SN{secrets.randbelow(10**16):016d}",
            ends_at=None,
            ended_at=now,
        )
    else:
        pay_in(db, order.cost)
        ended = replace(order, state="failed", message=FAILED, ends_at=None, ended_at=now)
    db.execute(
        "UPDATE orders SET state = ?, message = ?, serial = ?, ends_at = NULL, ended_at = ?"
        " WHERE number = ?",
        (ended.state, ended.message, ended.serial, ended.ended_at, ended.number),
    )
    callbacks.announce(db, ended, wanted, now)
    return ended


def _execute(db: sqlite3.Connection, order: Order, now: float) -> None:
    """The account gets its benefit: the one place where that happens."""
    db.execute(
        "INSERT INTO executions (number, reference, sku, account, quantity, cost, at)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            order.number,
            order.reference,
            order.sku,
            masked(order.account),
            order.quantity,
            order.cost,
            now,
        ),
    )


def _trouble_after(db: sqlite3.Connection, number: str, wanted: Faults) -> Trouble:
    for name, trouble in (
        ("hangs_after", Trouble("hang", wanted.hang)),
        ("fails_after", Trouble("fail")),
        ("cuts_after", Trouble("cut")),
        ("garbles", Trouble("garble")),
    ):
        if Faults.spend(db, number, name):
            return trouble
    return Trouble("drip", wanted.drip) if wanted.drip else NONE
