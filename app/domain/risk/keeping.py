"""How a decision, and that it came to pass, is written down: on the way of every order.

The statements are built once; on PostgreSQL both rows go in one way to the database.
"""

import sqlalchemy as sa

from app.core import db
from app.domain.risk import events
from app.domain.risk.models import Decision, EventKind, Key

_DECISIONS = db.table_of(Decision)
_KEPT_AS = {one.name: f"kept_{one.name}" for one in _DECISIONS.columns if one.name != "id"}
_KEEP = (
    sa.insert(_DECISIONS)
    .values({name: sa.bindparam(parameter) for name, parameter in _KEPT_AS.items()})
    .returning(_DECISIONS.c.id)
)
_KEPT = _KEEP.cte("kept")
_KEEP_AND_COUNT = events.RECORD.add_cte(_KEPT).returning(sa.select(_KEPT.c.id).scalar_subquery())
_KEEP_AND_SETTLE = _KEEP_AND_COUNT.add_cte(events.SETTLE.cte("settled"))


def write(row: Decision, happened: EventKind | None, amount: int) -> None:
    """Write a decision down and give it its id; with `happened`, that it came to pass, too.

    Both are of one moment, by which the one is found by the other (invariants/counts.py).
    """
    kept = {parameter: getattr(row, name) for name, parameter in _KEPT_AS.items()}
    if happened is None:
        row.id = int(db.execute(_KEEP, kept).scalar_one())
        return
    whose = {Key(key): bytes.fromhex(value) for key, value in row.keys.items()}
    values = events.values_of(happened, whose, row.at, order_id=row.order_id, amount=amount)
    is_money = happened == EventKind.PAID
    if db.is_postgres():
        statement = _KEEP_AND_SETTLE if is_money else _KEEP_AND_COUNT
        row.id = int(db.execute(statement, kept | values).scalar_one())
        return
    row.id = int(db.execute(_KEEP, kept).scalar_one())
    db.execute(events.RECORD, values)
    if is_money:
        db.execute(events.SETTLE, values)
