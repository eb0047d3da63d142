"""What holds for the whole provider: whether it is up, how slow, what mix of faults it has."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields

from app.outside.urls import is_web

WAYS_DOWN = ("", "refuses", "cuts")
LONGEST_LATENCY = 60_000


@dataclass(frozen=True)
class Conditions:
    """`down`: every call is answered with 503 (`refuses`) or its connection is cut (`cuts`), and
    nobody is called back. `latency`: milliseconds that every call takes before anything is done.
    `mix`: weights by the keys of the table of faults, drawn with `seed`; empty: the account's
    digits decide. `fulu_notify_url`: where Fulu's callbacks go, for its orders do not say."""

    down: str = ""
    latency: int = 0
    seed: str = ""
    mix: Mapping[str, int] = field(default_factory=dict)
    fulu_notify_url: str = ""

    @classmethod
    def read(cls, given: Mapping[str, object], known: "Conditions") -> "Conditions":
        """What is known, but for what is given; raises ValueError, TypeError."""
        if unknown := set(given) - {field.name for field in fields(cls)}:
            raise ValueError(f"no such condition: {', '.join(sorted(unknown))}")
        new = cls(**asdict(known) | dict(given))
        if new.down not in WAYS_DOWN:
            raise ValueError(f"down must be one of {', '.join(map(repr, WAYS_DOWN))}")
        if not isinstance(new.latency, int) or not 0 <= new.latency <= LONGEST_LATENCY:
            raise ValueError(f"latency must be from 0 to {LONGEST_LATENCY}")
        if not all(isinstance(weight, int) and weight > 0 for weight in new.mix.values()):
            raise ValueError("mix must be weights above 0")
        if new.fulu_notify_url and not is_web(new.fulu_notify_url):
            raise ValueError("fulu_notify_url must be an address")
        return new

    @classmethod
    def now(cls, db: sqlite3.Connection) -> "Conditions":
        row = db.execute("SELECT wanted FROM conditions").fetchone()
        return cls(**json.loads(row["wanted"])) if row else cls()

    def hold(self, db: sqlite3.Connection) -> None:
        """These hold from now on, restarts included."""
        db.execute(
            "INSERT OR REPLACE INTO conditions (id, wanted) VALUES (1, ?)",
            (json.dumps(asdict(self)),),
        )
