"""All codes are sealed anew under their batches' new keys, piece by piece, while the shop sells.

It stands here because a sold code is sealed to its buyer, whom the order knows. A piece is read and
sealed with no transaction open; then one short unit puts it in place, together with how far the
rotation has come. So whoever is killed anywhere, and two who do it at once, lose and spoil nothing.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import sqlalchemy as sa
import structlog

from app.core import db, keys
from app.core.crashpoints import crashpoint
from app.core.crypto import Tampered, head_of
from app.core.db import session, transaction
from app.core.keys import KeysMissing
from app.domain.orders.models import Order, OrderLine
from app.domain.vault import rotating
from app.domain.vault.models import Batch, Code
from app.domain.vault.rotating import Resealed
from app.domain.vault.rotation_models import KeyRotation
from app.domain.vault.rules import context_of

log = structlog.get_logger()

# Their rows are locked together, for some hundredths of a second.
CODES_PER_PIECE = 1000

_CODES, _BATCHES = db.table_of(Code), db.table_of(Batch)
_LINES, _ORDERS = db.table_of(OrderLine), db.table_of(Order)
_NEXT = (
    sa.select(
        _CODES.c.id,
        _CODES.c.uid,
        _CODES.c.sealed,
        _CODES.c.sold_at,
        _CODES.c.order_line_id,
        _BATCHES.c.uid.label("batch_uid"),
        _BATCHES.c.data_key_id,
        _BATCHES.c.shredded_at,
        _ORDERS.c.contact_index,
    )
    .join(_BATCHES, _BATCHES.c.id == _CODES.c.batch_id)
    .outerjoin(_LINES, _LINES.c.id == _CODES.c.order_line_id)
    .outerjoin(_ORDERS, _ORDERS.c.id == _LINES.c.order_id)
    .where(_CODES.c.id > sa.bindparam("after"))
    .order_by(_CODES.c.id)
    .limit(sa.bindparam("most"))
)


@dataclass
class Piece:
    """Some codes one after the other, those of them that were sealed anew, and what was wrong."""

    after_id: int
    upto_id: int
    looked_at: int
    resealed: list[Resealed]
    unreadable: int = 0


def work(rotation_id: int, until: float) -> None:
    """Replace keys and seal codes anew until all were looked at or the time is up. `until` is of
    time.monotonic()."""
    rotating.replace_keys(rotation_id)
    rotating.reseal_chunks(rotation_id)
    while (piece := _next(rotation_id)) is not None:
        transaction(partial(_put_in_place, rotation_id, piece))
        crashpoint("rotation.resealed")
        if time.monotonic() >= until:
            return


def _next(rotation_id: int) -> Piece | None:
    session.rollback()
    rotation = session.get_one(KeyRotation, rotation_id, populate_existing=True)
    if not rotating.may_go_on(rotation):
        return None
    after_id = rotation.after_id
    rows = db.execute(_NEXT, {"after": after_id, "most": CODES_PER_PIECE}).all()
    if not rows:
        return None
    piece = Piece(after_id, rows[-1].id, len(rows), [])
    for batch_key, some in _stale(rows).items():
        _reseal(batch_key, some, piece)
    return piece


def _stale(rows: Sequence[sa.Row[Any]]) -> dict[int, list[sa.Row[Any]]]:
    """The codes that are under another key than their batch's, by that."""
    found: dict[int, list[sa.Row[Any]]] = {}
    for row in rows:
        if row.shredded_at is None and not row.sealed.startswith(head_of(row.data_key_id)):
            found.setdefault(row.data_key_id, []).append(row)
    return found


def _reseal(key_id: int, rows: Sequence[sa.Row[Any]], piece: Piece) -> None:
    opened = []
    for row in rows:
        bound_to = context_of(
            row.batch_uid, row.uid, row.order_line_id, row.sold_at, row.contact_index
        )
        try:
            opened.append((row, keys.of(row.sealed).open(row.sealed, bound_to), bound_to))
        except (Tampered, KeysMissing):
            # It opened for nobody before either; its key is kept, for whoever looks into it.
            log.warning("rotation.unreadable_code", code=row.id)
            piece.unreadable += 1
    fresh = keys.by_id(key_id).seal_many((plain, bound_to) for _row, plain, bound_to in opened)
    piece.resealed += [
        Resealed(row.id, row.sealed, sealed)
        for (row, _plain, _bound_to), sealed in zip(opened, fresh, strict=True)
    ]


def _put_in_place(rotation_id: int, piece: Piece) -> None:
    rotation = rotating.lock_rotation(rotation_id)
    if not rotating.may_go_on(rotation) or rotation.after_id != piece.after_id:
        # Another worker has done this piece.
        return
    done = rotating.exchange(sorted(piece.resealed, key=lambda code: code.code_id))
    rotation.after_id = piece.upto_id
    rotation.looked_at += piece.looked_at
    rotation.resealed += done
    rotation.found += done
    rotation.unreadable += piece.unreadable
