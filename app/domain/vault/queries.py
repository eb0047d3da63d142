"""How codes are found and locked."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import sqlalchemy as sa

from app.core import db
from app.core.db import session
from app.domain.vault import canaries
from app.domain.vault.models import Batch, Code, CodeState
from app.domain.vault.rotation_models import UNDER_WAY, KeyRotation
from app.domain.vault.stock import IS_AVAILABLE, SELLABLE_BATCHES

# What a buyer may see of what she bought.
LIVE = (CodeState.SOLD, CodeState.EXHAUSTED)

_CODES = db.table_of(Code)
_ON_THE_SHELF = (
    sa.select(_CODES.c.id)
    .where(
        _CODES.c.batch_id == sa.bindparam("batch"),
        IS_AVAILABLE,
        _CODES.c.id.not_in(sa.bindparam("canaries", expanding=True)),
    )
    .order_by(_CODES.c.id)
    .limit(sa.bindparam("wanted"))
)
_IS_ROTATING = sa.exists().where(KeyRotation.state.in_(UNDER_WAY))


def _take(picked: sa.Select[int]) -> sa.Update:
    return (
        sa.update(_CODES)
        .where(_CODES.c.id.in_(db.once(picked)))
        .values(state=CodeState.RESERVED, order_line_id=sa.bindparam("line"))
    )


_TAKE = _take(_ON_THE_SHELF.with_for_update(skip_locked=True))
# While keys are rotated it may be no buyer who has a code locked: it is free in a moment.
_TAKE_PATIENTLY = _take(_ON_THE_SHELF.where(_IS_ROTATING).with_for_update())
_CODES_OF_LINE = (
    sa.select(Code, Batch)
    .join(Batch, Batch.id == Code.batch_id)
    .where(
        Code.order_line_id == sa.bindparam("line"),
        Code.state == sa.bindparam("state"),
    )
    .order_by(Code.id)
    .with_for_update(of=Code)
    .execution_options(populate_existing=True)
)


def reserve(order_line_id: int, product_id: int, quantity: int, today: date) -> int:
    """Give available codes to an order line and return how many there were, at most `quantity`.

    A code is its own stock. One statement a batch picks and takes, passing over rows that another
    buyer is just taking (on SQLite the write lock has already put the buyers in a queue), so
    nobody waits and nobody gets the same one.
    """
    batches = db.execute(SELLABLE_BATCHES, {"product": product_id, "today": today}).all()
    taken = _take_of(batches, _TAKE, order_line_id, quantity)
    if taken < quantity and db.is_postgres():
        taken += _take_of(batches, _TAKE_PATIENTLY, order_line_id, quantity - taken)
    return taken


def _take_of(
    batches: Sequence[Any], statement: sa.Update, order_line_id: int, quantity: int
) -> int:
    taken = 0
    for batch_id, uid, sealed in batches:
        wanted = {
            "batch": batch_id,
            "wanted": quantity - taken,
            "line": order_line_id,
            "canaries": canaries.ids_of(uid, sealed),
        }
        taken += db.execute(statement, wanted).rowcount
        if taken == quantity:
            break
    return taken


def lock_codes_of(order_line_id: int, state: CodeState) -> list[tuple[Code, Batch]]:
    """An order line's codes in that state with their batches, locked, oldest first."""
    rows = session.execute(_CODES_OF_LINE, {"line": order_line_id, "state": state})
    return [(code, batch) for code, batch in rows]


_SOLD_CODES_OF_LINE = (
    sa.select(Code, Batch)
    .join(Batch, Batch.id == Code.batch_id)
    .where(Code.order_line_id == sa.bindparam("line"), Code.state.in_(LIVE))
    .order_by(Code.id)
)
_COUNT_LIVE = (
    sa.select(_CODES.c.order_line_id, sa.func.count())
    .where(
        _CODES.c.order_line_id.in_(sa.bindparam("lines", expanding=True)), _CODES.c.state.in_(LIVE)
    )
    .group_by(_CODES.c.order_line_id)
)


def sold_codes_of(order_line_id: int) -> list[tuple[Code, Batch]]:
    """The codes a line bought that are good, with their batches, oldest first."""
    rows = session.execute(_SOLD_CODES_OF_LINE, {"line": order_line_id})
    return [(code, batch) for code, batch in rows]


def count_codes_of(order_line_ids: Sequence[int]) -> dict[int, int]:
    """How many good codes each of these lines has."""
    rows = db.execute(_COUNT_LIVE, {"lines": list(order_line_ids)})
    return {row[0]: row[1] for row in rows}


def codes_of(order_line_ids: Sequence[int]) -> list[Code]:
    """Every code that is or was these lines', for showing their states and last four symbols."""
    return list(
        session.scalars(
            sa.select(Code).where(Code.order_line_id.in_(order_line_ids)).order_by(Code.id)
        )
    )
