"""Where the shop stands with its keys: which master key wraps what, and how far a rotation is."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from app.core import keys
from app.core.db import session
from app.core.keys import DataKeyRow
from app.domain.vault.models import Batch
from app.domain.vault.rotation_models import KeyRotation


@dataclass(frozen=True)
class MasterKey:
    """One master key: since when it wraps, how many data keys, and how many codes those seal.

    `is_here` says that this process has it: what it wrapped opens.
    """

    id: str
    since: datetime | None
    data_keys: int
    codes: int
    is_active: bool
    is_here: bool


def master_keys() -> list[MasterKey]:
    """Every master key that is here or wraps anything, the active one first."""
    counts = {name: (count, since) for name, count, since in session.execute(_COUNTS)}
    codes = dict(session.execute(_CODES).all())
    begun = dict(session.execute(_BEGUN).all())
    ring = keys.ring()
    found = []
    for name in dict.fromkeys((*ring.ids, *counts)):
        count, first = counts.get(name, (0, None))
        found.append(
            MasterKey(
                id=name,
                since=begun.get(name, first),
                data_keys=count,
                codes=int(codes.get(name, 0)),
                is_active=name == ring.active,
                is_here=name in ring,
            )
        )
    return found


def count_under_others() -> int:
    """How many data keys are wrapped by another master key than the active one."""
    others = sa.select(sa.func.count()).where(
        DataKeyRow.wrapped.is_not(None), DataKeyRow.master_key_id != keys.ring().active
    )
    return session.scalar(others) or 0


def is_waiting() -> bool:
    """Whether a master key was put in front and no rotation has begun to wrap by it."""
    begun = sa.select(KeyRotation.id).where(KeyRotation.master_key_id == keys.ring().active)
    return count_under_others() > 0 and session.scalar(begun.limit(1)) is None


def known_ids() -> set[str]:
    """The ids of all master keys that this database ever heard of."""
    wrapping = session.scalars(sa.select(DataKeyRow.master_key_id).distinct())
    return {*wrapping, *session.scalars(sa.select(KeyRotation.master_key_id).distinct())}


def latest_rotation() -> KeyRotation | None:
    """The rotation that began last."""
    newest = sa.select(KeyRotation).order_by(KeyRotation.id.desc()).limit(1)
    return session.scalars(newest.execution_options(populate_existing=True)).first()


_COUNTS = (
    sa.select(DataKeyRow.master_key_id, sa.func.count(), sa.func.min(DataKeyRow.created_at))
    .where(DataKeyRow.wrapped.is_not(None))
    .group_by(DataKeyRow.master_key_id)
)
_CODES = (
    sa.select(DataKeyRow.master_key_id, sa.func.sum(Batch.code_count))
    .join(Batch, Batch.data_key_id == DataKeyRow.id)
    .where(Batch.shredded_at.is_(None))
    .group_by(DataKeyRow.master_key_id)
)
_BEGUN = sa.select(KeyRotation.master_key_id, sa.func.min(KeyRotation.started_at)).group_by(
    KeyRotation.master_key_id
)
