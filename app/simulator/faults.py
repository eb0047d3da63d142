"""How an order goes, and what goes wrong with it.

The account's last four digits choose from TABLE; what a test wants for a number, or for all of them
under `*`, comes first. Settled when the number is first seen, so that it stays so.
"""

import random
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from app.outside import faults
from app.outside.faults import EVERY
from app.simulator.accounts import last_four
from app.simulator.conditions import Conditions

DAY = 24 * 3600


@dataclass(frozen=True)
class Faults(faults.Faults):
    """At their defaults: delivered at once, with a callback. Switches are 1; `hangs_…`, `fails_…`,
    `cuts_…`, `garbles`, `not_found`, `query_…` and `twice` are so many times, each of which uses
    one up."""

    LIMITS: ClassVar[Mapping[str, int]] = {
        "after": DAY,
        "delay": DAY,
        "hang": 300,
        "drip": 600,
        "wrong_cost": 10**7,
        "callback_cost": 10**7,
    }
    SIGNED: ClassVar[frozenset[str]] = frozenset({"wrong_cost", "callback_cost"})
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "refuses": ("", "bad_account", "no_balance", "no_such_sku"),
        "ends": ("delivered", "failed", "never"),
    }

    # Refused, with nothing done; or taken, and ended so many seconds later.
    refuses: str = ""
    after: int = 0
    ends: str = "delivered"
    # The order's call, before anything took effect: no answer for `hang` seconds, or 500.
    hangs_before: int = 0
    fails_before: int = 0
    # The order's call, after everything took effect: no answer for `hang` seconds, 500, the
    # connection cut, an answer that makes no sense, one that takes `drip` seconds to come in.
    hangs_after: int = 0
    fails_after: int = 0
    cuts_after: int = 0
    garbles: int = 0
    drip: int = 0
    hang: int = 20
    # Asked about it: no such number although it was taken, 500, no answer; always "processing".
    not_found: int = 0
    query_fails: int = 0
    query_hangs: int = 0
    query_stuck: int = 0
    # The callback: none, so many more of the same, so many seconds late, of a cost so many minor
    # units off; one about a number that nobody sent; afterwards one that says "processing", and one
    # that says the opposite. Before it, one with a forged signature that says "delivered".
    no_callback: int = 0
    duplicates: int = 0
    delay: int = 0
    callback_cost: int = 0
    strange_number: int = 0
    stale: int = 0
    contradiction: int = 0
    forged: int = 0
    # It really costs so many minor units more than the goods list says, or less.
    wrong_cost: int = 0
    # Executed again when the number comes again: a provider that breaks its own promise.
    twice: int = 0


# By the account's last four digits. The control page says in words what each of them does.
TABLE: dict[str, Faults] = {
    "0000": Faults(),
    "1001": Faults(after=2),
    "1002": Faults(after=2, query_stuck=1),
    "1003": Faults(after=2, no_callback=1),
    "2001": Faults(refuses="bad_account"),
    "2002": Faults(after=2, ends="failed"),
    "3001": Faults(hangs_before=1),
    "3002": Faults(hangs_after=1),
    "3003": Faults(fails_after=1),
    "3004": Faults(fails_before=1),
    "3005": Faults(cuts_after=1),
    "3006": Faults(drip=60),
    "3007": Faults(garbles=1),
    "4001": Faults(after=2, duplicates=2),
    "4002": Faults(after=2, delay=60),
    "4003": Faults(after=2, stale=1, contradiction=1),
    "4004": Faults(after=5, ends="failed", forged=1),
    "4005": Faults(after=2, strange_number=1, callback_cost=100),
    "5001": Faults(after=2, not_found=2),
    "5002": Faults(wrong_cost=200),
    "5003": Faults(hangs_after=1, not_found=2, no_callback=1),
    "6001": Faults(ends="never"),
    "6002": Faults(refuses="no_balance"),
}


def settle(db: sqlite3.Connection, number: str, account: str, conditions: Conditions) -> Faults:
    """How this number goes from now on: decided once, kept under it."""
    rows = db.execute("SELECT number FROM faults WHERE number IN (?, ?)", (number, EVERY))
    known = {row["number"] for row in rows}
    if number in known:
        return Faults.of(db, number)
    if EVERY in known:
        wanted = Faults.of(db, EVERY)
    elif conditions.mix:
        wanted = TABLE[_drawn(db, account, conditions)]
    else:
        wanted = TABLE.get(last_four(account), Faults())
    wanted.want(db, number)
    return wanted


def forget(db: sqlite3.Connection, number: str) -> None:
    """Nothing is wanted for this number, or for all, any more."""
    db.execute("DELETE FROM faults WHERE number = ?", (number,))


def _drawn(db: sqlite3.Connection, account: str, conditions: Conditions) -> str:
    """A key of TABLE by weight: the same for the same seed, account and how often it was drawn
    for, whatever accounts come first."""
    row = db.execute(
        "INSERT INTO drawn (account, times) VALUES (?, 1)"
        " ON CONFLICT (account) DO UPDATE SET times = times + 1 RETURNING times",
        (account,),
    ).fetchone()
    drawing = random.Random(f"{conditions.seed}:{account}:{row['times']}")  # noqa: S311  no secret
    return drawing.choices(list(conditions.mix), list(conditions.mix.values()))[0]
