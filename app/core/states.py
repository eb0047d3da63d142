"""The one door through which anything changes its state, and the record of each change."""

import enum
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import sqlalchemy as sa
from sqlalchemy.orm import Mapped

from app.core import clock, db
from app.core.actors import actor
from app.core.db import session


class StateChange(db.Model):
    """One step of one thing: what an order's timeline is made of. Never updated."""

    __tablename__ = "state_changes"
    __table_args__ = (sa.Index("ix_state_changes_subject", "subject", "subject_id"),)

    id: Mapped[db.PrimaryKey]
    subject: Mapped[str]
    subject_id: Mapped[int]
    from_state: Mapped[str]
    to_state: Mapped[str]
    actor: Mapped[str]
    note: Mapped[str]
    at: Mapped[datetime]


_STEPS = db.table_of(StateChange)
# With RETURNING many rows are one statement.
_ADD_STEPS = sa.insert(_STEPS).returning(_STEPS.c.id)


class Stateful(Protocol):
    """A row with a state and the table of its allowed moves."""

    @property
    def MOVES(self) -> Mapping[Any, set[Any]]: ...  # noqa: N802  a constant of the class
    @property
    def __tablename__(self) -> str: ...
    @property
    def id(self) -> Any: ...
    @property
    def state(self) -> Any: ...
    @state.setter
    def state(self, to: Any) -> None: ...


class NotAllowed(Exception):
    """A move its table does not know: a fault in the caller, who should have looked first."""


def can_move(thing: Stateful, to: enum.StrEnum) -> bool:
    return to in thing.MOVES[thing.state]


def move(thing: Stateful, to: enum.StrEnum, note: str = "") -> None:
    """Change the state of a row that the caller has locked; raises NotAllowed."""
    if not can_move(thing, to):
        raise NotAllowed(f"{thing.__tablename__} {thing.id}: {thing.state} → {to}")
    record(thing.__tablename__, thing.id, str(thing.state), str(to), note)
    thing.state = to


def move_all(
    model: type[Any], ids: Sequence[int], from_: enum.StrEnum, to: enum.StrEnum, **values: object
) -> None:
    """Move many rows in one statement, all of them or (NotAllowed) none.

    For rows whose own columns tell their story (a code knows when and to whom it was sold), so
    no timeline row is written for each.
    """
    if to not in model.MOVES[from_]:
        raise NotAllowed(f"{model.__tablename__}: {from_} → {to}")
    changed = session.execute(
        sa.update(model)
        .where(model.id.in_(ids), model.state == from_)
        .values(state=to, **values)
        .execution_options(synchronize_session=False)
    )
    if changed.rowcount != len(ids):  # type: ignore[attr-defined]
        raise NotAllowed(f"{model.__tablename__}: {changed.rowcount} of {len(ids)} were {from_}")  # type: ignore[attr-defined]


def record(subject: str, subject_id: int, from_state: str, to_state: str, note: str = "") -> None:
    """Write the timeline row of one step, at the end of the unit."""
    db.at_the_end(
        _write_down,
        {
            "subject": subject,
            "subject_id": subject_id,
            "from_state": from_state,
            "to_state": to_state,
            "actor": actor(),
            "note": note,
            "at": clock.now(),
        },
    )


def _write_down(steps: list[dict[str, Any]]) -> None:
    db.execute(_ADD_STEPS, steps)
