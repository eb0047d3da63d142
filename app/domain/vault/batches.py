"""What staff do to a whole batch: freeze, unfreeze, void, change its expiry. Each with a reason."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta

import sqlalchemy as sa

from app.core import audit, clock
from app.core.actors import actor
from app.core.db import once, session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.outbox import later
from app.core.states import StateChange, can_move, move
from app.domain.catalog.models import Product
from app.domain.vault import canaries
from app.domain.vault.models import Batch, BatchState, Code, CodeState
from app.domain.vault.stock import IS_AVAILABLE

# One statement's worth: some seconds on PostgreSQL, and other writers get their turn in between.
CODES_PER_STEP = 50_000
NAME_LENGTH = 60
NOTE_LENGTH = 500
MAX_COST = 100_000_000
LOOK_AGAIN = timedelta(minutes=10)


@dataclass(frozen=True)
class BatchDetails:
    """What staff say about codes that come together; the cost of one in minor units."""

    name: str
    supplier: str = ""
    unit_cost: int = 0
    expires_on: date | None = None
    note: str = ""


def faults(details: BatchDetails, today: date) -> Iterator[Refusal]:
    """All that is wrong with the details, each fault naming its field."""
    if not 1 <= len(details.name) <= NAME_LENGTH:
        yield Refusal(N_("批次名称要有 1 到 %(most)s 个字"), field="name", most=NAME_LENGTH)
    if len(details.supplier) > NAME_LENGTH:
        yield Refusal(N_("最多 %(most)s 个字"), field="supplier", most=NAME_LENGTH)
    if len(details.note) > NOTE_LENGTH:
        yield Refusal(N_("最多 %(most)s 个字"), field="note", most=NOTE_LENGTH)
    if not 0 <= details.unit_cost <= MAX_COST:
        yield Refusal(N_("成本要在 0 到 100 万元之间"), field="unit_cost")
    if details.expires_on is not None and details.expires_on < today:
        yield Refusal(N_("到期日已经过了，请检查年份"), field="expires_on")


def create(
    product_id: int, details: BatchDetails, data_key_id: int, *, is_generated: bool = False
) -> Batch:
    """An empty batch that takes codes in; it does not sell before it is moved to open."""
    batch = Batch(
        uid=os.urandom(16),
        product_id=product_id,
        data_key_id=data_key_id,
        state=BatchState.IMPORTING,
        is_generated=is_generated,
        created_by=actor(),
        **asdict(details),
    )
    session.add(batch)
    session.flush()
    return batch


def batches(
    *, text: str = "", product_id: int | None = None, state: BatchState | None = None
) -> sa.Select[Batch, Product]:
    """Batches with their products for the console, newest first."""
    found = (
        sa.select(Batch, Product)
        .join(Product, Product.id == Batch.product_id)
        .order_by(Batch.id.desc())
    )
    if text:
        words = (Batch.name, Batch.supplier, Product.name)
        found = found.where(sa.or_(*(word.icontains(text, autoescape=True) for word in words)))
    if product_id is not None:
        found = found.where(Batch.product_id == product_id)
    if state is not None:
        found = found.where(Batch.state == state)
    return found


def find_batch(batch_id: int) -> Batch:
    """The batch; raises NotFound."""
    batch = session.get(Batch, batch_id)
    if batch is None:
        raise NotFound(N_("没有找到这个批次"))
    return batch


def lock_batch(batch_id: int) -> Batch:
    """The batch as it is now, locked until the unit ends; raises NotFound."""
    batch = session.get(Batch, batch_id, with_for_update=True, populate_existing=True)
    if batch is None:
        raise NotFound(N_("没有找到这个批次"))
    return batch


def count_codes(batch_ids: Sequence[int]) -> dict[int, dict[CodeState, int]]:
    """How many codes of each batch are in each state; every state is there, 0 or not. Canaries are
    not counted."""
    counts = {batch_id: dict.fromkeys(CodeState, 0) for batch_id in batch_ids}
    decoys = canaries.of_batches(Batch.id.in_(batch_ids))
    rows = session.execute(
        sa.select(Code.batch_id, Code.state, sa.func.count())
        .where(Code.batch_id.in_(batch_ids), Code.id.not_in(decoys))
        .group_by(Code.batch_id, Code.state)
    )
    for batch_id, state, count in rows:
        counts[batch_id][state] = count
    return counts


def freeze(batch_id: int, *, reason: str) -> None:
    """Stop selling its codes at once; orders that are paid get codes of other batches."""
    _change_state(batch_id, BatchState.FROZEN, "batch.freeze", reason)


def unfreeze(batch_id: int, *, reason: str) -> None:
    """Sell it again."""
    _change_state(batch_id, BatchState.OPEN, "batch.unfreeze", reason)


def void(batch_id: int, *, reason: str) -> None:
    """Never sell it again. Sold codes stay their buyers'; the others are made void by a job."""
    _change_state(batch_id, BatchState.VOID, "batch.void", reason)
    later("app.domain.vault.jobs.void_codes", batch_id, key=f"void:batch:{batch_id}")


def change_expiry(batch_id: int, expires_on: date | None, *, reason: str) -> None:
    """Set the last day on which its codes may be sold; None is no such day, a past one ends it."""
    batch = lock_batch(batch_id)
    if batch.state == BatchState.VOID:
        raise Conflict(N_("批次已经作废，不能再改"))
    why = checked_reason(reason)
    before, batch.expires_on = batch.expires_on, expires_on
    audit.record(
        "batch.expiry", "batches", batch.id, reason=why, expires_on=[_iso(before), _iso(expires_on)]
    )


def void_some_codes(batch_id: int) -> datetime | None:
    """One step of voiding a batch: when to take the next, or None when nothing is left to void.

    A code that an unpaid order holds comes back when that order ends, and is looked for until then;
    so is one that was locked just now.
    """
    reason = _reason_of_void(lock_batch(batch_id))
    some = (
        sa.select(Code.id)
        .where(Code.batch_id == batch_id, IS_AVAILABLE)
        .limit(CODES_PER_STEP)
        .with_for_update(skip_locked=True)
    )
    changed = session.execute(
        sa.update(Code)
        .where(Code.id.in_(once(some)))
        .values(state=CodeState.VOID, void_reason=reason)
        .execution_options(synchronize_session=False)
    )
    if changed.rowcount:  # type: ignore[attr-defined]
        return clock.now()
    is_left = has_codes(batch_id, CodeState.RESERVED, CodeState.AVAILABLE)
    return clock.now() + LOOK_AGAIN if is_left else None


def has_codes(batch_id: int, *states: CodeState) -> bool:
    """Whether any code of the batch is in one of these states."""
    some = sa.select(Code.id).where(Code.batch_id == batch_id, Code.state.in_(states)).limit(1)
    return session.scalar(some) is not None


def checked_reason(reason: str) -> str:
    """The reason without its margins; raises Refusal when it says nothing."""
    why = reason.strip()
    if len(why) < 4:
        raise Refusal(N_("请写明原因，至少 4 个字"), field="reason")
    return why[:500]


def _change_state(batch_id: int, to: BatchState, action: str, reason: str) -> None:
    batch = lock_batch(batch_id)
    why = checked_reason(reason)
    if not can_move(batch, to) or batch.state == BatchState.IMPORTING:
        raise Conflict(N_("批次现在的状态不能这样操作，请刷新页面查看"))
    before = batch.state
    move(batch, to, why)
    audit.record(action, "batches", batch.id, reason=why, state=[before, to])


def _reason_of_void(batch: Batch) -> str | None:
    return session.scalar(
        sa.select(StateChange.note).where(
            StateChange.subject == Batch.__tablename__,
            StateChange.subject_id == batch.id,
            StateChange.to_state == BatchState.VOID,
        )
    )


def _iso(day: date | None) -> str | None:
    return day.isoformat() if day else None
