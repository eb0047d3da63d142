"""What is to go wrong, wanted for one number or, under the number `*`, for all of them."""

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import ClassVar, Self

EVERY = "*"
LIMIT = 100


@dataclass(frozen=True)
class Faults:
    """The base of each house's own: its fields are whole numbers, or words of CHOICES.

    All at their defaults: nothing goes wrong. Kept under a number in the table `faults`.
    """

    # The most that a number may be, where it is not LIMIT; SIGNED ones may be negative too.
    LIMITS: ClassVar[Mapping[str, int]] = {}
    SIGNED: ClassVar[frozenset[str]] = frozenset()
    CHOICES: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    @classmethod
    def names(cls) -> set[str]:
        return {field.name for field in fields(cls)}

    @classmethod
    def read(cls, given: Mapping[str, object]) -> Self:
        """Raises ValueError for a fault there is not, or one beyond its limit."""
        if unknown := set(given) - cls.names():
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
        return cls(**{name: cls._value(name, value) for name, value in given.items()})

    @classmethod
    def of(cls, db: sqlite3.Connection, number: str) -> Self:
        """What goes wrong with a number: what was wanted for it, else for all."""
        row = db.execute(
            "SELECT wanted FROM faults WHERE number IN (?, ?) ORDER BY number = ? DESC LIMIT 1",
            (number, EVERY, number),
        ).fetchone()
        return cls.read(json.loads(row["wanted"])) if row else cls()

    def want(self, db: sqlite3.Connection, number: str) -> None:
        """From now on this goes wrong with that number."""
        db.execute(
            "INSERT INTO faults (number, wanted) VALUES (?, ?)"
            " ON CONFLICT (number) DO UPDATE SET wanted = excluded.wanted",
            (number, json.dumps(asdict(self))),
        )

    @classmethod
    def spend(cls, db: sqlite3.Connection, number: str, name: str) -> bool:
        """Whether this fault is wanted once more for the number; uses one up."""
        faults = cls.of(db, number)
        left: int = getattr(faults, name)
        if left > 0:
            replace(faults, **{name: left - 1}).want(db, number)
        return left > 0

    @classmethod
    def _value(cls, name: str, value: object) -> int | str:
        if name in cls.CHOICES:
            if value not in cls.CHOICES[name]:
                raise ValueError(f"{name} must be one of {', '.join(cls.CHOICES[name])}")
            return str(value)
        if not isinstance(value, int | str):
            raise ValueError(f"{name} must be a whole number")
        number = int(value or 0)
        most = cls.LIMITS.get(name, LIMIT)
        if not (-most if name in cls.SIGNED else 0) <= number <= most:
            raise ValueError(f"{name} must be at most {most}")
        return number
