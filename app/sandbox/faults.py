"""What can go wrong at a payment channel, wanted for one trade or, under the number `*`, for all.

The buyer chooses on the pay page, a test through `/control/faults`.
"""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace

EVERY_TRADE = "*"


@dataclass(frozen=True)
class Faults:
    """All zero: nothing goes wrong. Switches are 1; `…_fails` and `not_found` are so many times,
    each of which uses one up; `…_fails_after` fails although it took effect."""

    # The callback: so many more of the same, so many seconds late, none, signed with a wrong key,
    # followed by an older message that says "unpaid".
    duplicates: int = 0
    delay: int = 0
    no_callback: int = 0
    forged: int = 0
    out_of_order: int = 0
    # Nobody pays, and a callback with a wrong signature says that somebody did.
    forgery: int = 0
    # The buyer pays so many minor units more, or less; or after the deadline or the closing.
    wrong_amount: int = 0
    late: int = 0
    # The API. A call that fails is silent for `hang` seconds before it answers 500.
    not_found: int = 0
    query_fails: int = 0
    close_fails: int = 0
    close_fails_after: int = 0
    refund_fails: int = 0
    refund_fails_after: int = 0
    refund_query_fails: int = 0
    hang: int = 0
    # The refund is pending until it was asked about so often; the bank says no in the end.
    refund_pending: int = 0
    refund_refused: int = 0

    @classmethod
    def read(cls, given: Mapping[str, object]) -> "Faults":
        """Raises ValueError for a fault there is not, or one beyond its limit."""
        if unknown := set(given) - NAMES:
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
        return cls(**{name: _whole(name, value) for name, value in given.items()})


NAMES = {field.name for field in fields(Faults)}
LIMITS = {"delay": 24 * 3600, "hang": 60, "wrong_amount": 10**9}
LIMIT = 100


def want(db: sqlite3.Connection, number: str, faults: Faults) -> None:
    """From now on this goes wrong with that trade."""
    db.execute(
        "INSERT INTO faults (number, wanted) VALUES (?, ?)"
        " ON CONFLICT (number) DO UPDATE SET wanted = excluded.wanted",
        (number, json.dumps(asdict(faults))),
    )


def of(db: sqlite3.Connection, number: str) -> Faults:
    """What goes wrong with a trade: what was wanted for it, else for every trade."""
    row = db.execute(
        "SELECT wanted FROM faults WHERE number IN (?, ?) ORDER BY number = ? DESC LIMIT 1",
        (number, EVERY_TRADE, number),
    ).fetchone()
    return Faults.read(json.loads(row["wanted"])) if row else Faults()


def spend(db: sqlite3.Connection, number: str, name: str) -> bool:
    """Whether this fault is wanted once more for the trade; uses one up."""
    faults = of(db, number)
    left: int = getattr(faults, name)
    if left > 0:
        want(db, number, replace(faults, **{name: left - 1}))
    return left > 0


def _whole(name: str, value: object) -> int:
    if not isinstance(value, int | str):
        raise ValueError(f"{name} must be a whole number")
    number = int(value or 0)
    most = LIMITS.get(name, LIMIT)
    if not (-most if name == "wrong_amount" else 0) <= number <= most:
        raise ValueError(f"{name} must be at most {most}")
    return number
