"""An import or a generation is taken back, as long as nothing of it is held or sold."""

from datetime import datetime

import sqlalchemy as sa

from app.core import audit, clock
from app.core.db import once, session
from app.core.errors import N_, Conflict
from app.core.outbox import later
from app.core.states import move
from app.domain.vault import batches, canaries
from app.domain.vault.importing import drop_chunks, lock_import
from app.domain.vault.models import Batch, BatchState, Code, CodeState, Import, ImportState, Reveal
from app.domain.vault.stock import IS_AVAILABLE

TAKEN_AWAY = (CodeState.RESERVED, CodeState.SOLD, CodeState.EXHAUSTED)


def can_be_undone(import_: Import) -> bool:
    """Whether `undo` would be allowed now."""
    if import_.state == ImportState.UNDONE:
        return False
    return import_.batch_id is None or not batches.has_codes(import_.batch_id, *TAKEN_AWAY)


def undo(import_id: int, *, reason: str) -> None:
    """Take everything out again; raises Conflict once a code of it is held or sold.

    The batch stops selling with this unit; a job takes the codes out afterwards, so that the same
    codes can be imported again.
    """
    why = batches.checked_reason(reason)
    import_ = lock_import(import_id)
    if import_.state == ImportState.UNDONE:
        raise Conflict(N_("这次导入已经撤销"))
    if import_.batch_id is not None:
        _close(batches.lock_batch(import_.batch_id), why)
        later("app.domain.vault.jobs.remove_codes", import_.id, key=f"import:{import_.id}:undo")
    move(import_, ImportState.UNDONE, why)
    import_.finished_at = clock.now()
    drop_chunks(import_id)
    audit.record("import.undo", "imports", import_.id, reason=why, taken=import_.taken)


def remove_some_codes(import_id: int) -> datetime | None:
    """One step of taking codes out: when to take the next, or None when none is left.

    A code that staff have looked at stays, void: the trail of who saw it must lead somewhere. So
    does one that an order took while the batch was closing, once that order has let go of it, and a
    canary, which may have been stolen before.
    """
    batch = batches.lock_batch(_batch_id(import_id))
    some = (
        sa.select(Code.id)
        .where(
            Code.batch_id == batch.id,
            IS_AVAILABLE,
            Code.id.not_in(canaries.ids_of(batch.uid, batch.canaries_sealed)),
            ~sa.exists().where(Reveal.code_id == Code.id),
        )
        .limit(batches.CODES_PER_STEP)
    )
    picked = once(some.with_for_update(of=Code, skip_locked=True))
    removed = session.execute(
        sa.delete(Code).where(Code.id.in_(picked)).execution_options(synchronize_session=False)
    ).rowcount  # type: ignore[attr-defined]
    if not removed and session.scalar(some.limit(1)) is not None:
        # Locked just now, as by a rotation of the keys.
        return clock.now() + batches.LOOK_AGAIN
    if not removed:
        return batches.void_some_codes(batch.id)
    batch.code_count -= removed
    return clock.now()


def _close(batch: Batch, reason: str) -> None:
    if batches.has_codes(batch.id, *TAKEN_AWAY):
        raise Conflict(N_("已经有卡密被预留或售出，不能整批撤销；可以冻结或作废这个批次"))
    if batch.state != BatchState.VOID:
        move(batch, BatchState.VOID, reason)


def _batch_id(import_id: int) -> int:
    batch_id = session.get_one(Import, import_id).batch_id
    assert batch_id is not None, "only an import that was started is undone by a job"
    return batch_id
