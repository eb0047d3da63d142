"""A void batch is shredded: its keys are destroyed, and none of its codes opens ever again."""

import sqlalchemy as sa

from app.core import audit, clock, keys
from app.core.db import session
from app.core.errors import N_, Conflict
from app.domain.vault import batches
from app.domain.vault.models import Batch, BatchState, Import


def can_be_shredded(batch: Batch) -> bool:
    """Whether `shred` would be allowed now."""
    return batch.state == BatchState.VOID and batch.shredded_at is None


def shred(batch_id: int, *, reason: str) -> None:
    """Destroy the batch's keys, those of its imports and all in whose place they came.

    Sold codes do not open for their buyers either. Raises Refusal without a reason, Conflict for a
    batch that is not void.
    """
    batch = batches.lock_batch(batch_id)
    why = batches.checked_reason(reason)
    if batch.shredded_at is not None:
        raise Conflict(N_("这个批次的密钥已经销毁"))
    if not can_be_shredded(batch):
        raise Conflict(N_("只有已作废的批次才能销毁密钥。请先作废这个批次"))
    of_imports = session.scalars(
        sa.select(Import.data_key_id).where(Import.batch_id == batch.id)
    ).all()
    destroyed = keys.destroy(keys.with_older([batch.data_key_id, *of_imports]))
    batch.shredded_at = clock.now()
    audit.record(
        "batch.shred", "batches", batch.id, reason=why, keys=destroyed, codes=batch.code_count
    )
