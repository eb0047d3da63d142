"""The life of a code after it is in the vault: reserve, sell, reveal, replace."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from app.core import audit, clock, db, keys
from app.core.actors import actor
from app.core.crypto import Secret
from app.core.db import require_transaction, session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.states import move, move_all
from app.domain.vault import queries
from app.domain.vault.models import Batch, BatchState, Code, CodeState, Reveal
from app.domain.vault.rules import context_of, sold_context, unsold_context

_ADD_REVEAL = sa.insert(db.table_of(Reveal))


class SoldOut(Conflict):
    """There are fewer codes left than were asked for."""

    def __init__(self, left: int) -> None:
        if left:
            super().__init__(N_("库存不足，现在还剩 %(left)s 件"), field="quantity", left=left)
        else:
            super().__init__(N_("已经售罄。到货后会重新上架"), field="quantity")
        self.left = left


class Shortfall(Exception):
    """A paid line cannot be delivered now: its codes were frozen and no others are left."""


@dataclass(frozen=True)
class Holding:
    """Whose codes they are: the order line and the buyer that sold codes are sealed to."""

    order_line_id: int
    product_id: int
    quantity: int
    buyer: bytes


def reserve(order_line_id: int, product_id: int, quantity: int, today: date) -> None:
    """Hold codes for an order line; raises SoldOut, and then the unit of work must roll back."""
    left = queries.reserve(order_line_id, product_id, quantity, today)
    if left < quantity:
        raise SoldOut(left)


def release(order_line_ids: Sequence[int]) -> None:
    """Put the codes held for these lines back on the shelf."""
    require_transaction()
    session.execute(
        sa.update(Code)
        .where(Code.order_line_id.in_(order_line_ids), Code.state == CodeState.RESERVED)
        .values(state=CodeState.AVAILABLE, order_line_id=None)
        .execution_options(synchronize_session=False)
    )


def sell(holding: Holding, today: date) -> None:
    """Seal the line's reserved codes to the line and its buyer: from now on they are hers.

    Codes whose batch was frozen meanwhile are exchanged for others. Raises Shortfall when there
    are too few.
    """
    held = queries.lock_codes_of(holding.order_line_id, CodeState.RESERVED)
    if any(batch.state != BatchState.OPEN for _, batch in held) or len(held) < holding.quantity:
        release([holding.order_line_id])
        queries.reserve(holding.order_line_id, holding.product_id, holding.quantity, today)
        held = queries.lock_codes_of(holding.order_line_id, CodeState.RESERVED)
    if len(held) != holding.quantity:
        raise Shortfall(f"order line {holding.order_line_id}: {len(held)} of {holding.quantity}")
    for code, batch in held:
        code.sealed = _seal_to_buyer(code, batch, holding)
        code.state = CodeState.SOLD
        code.sold_at = clock.now()


def reveal_to_buyer(
    order_line_ids: Sequence[int], buyer: bytes, *, channel: str, ip: str
) -> dict[int, list[tuple[Code, Secret]]]:
    """The codes of these lines in plain text, by line. No reveal without its row in the trail.
    Raises Conflict when their batch was shredded.

    `channel` says how they left: `page` or `download`.
    """
    require_transaction()
    found: dict[int, list[tuple[Code, Secret]]] = {}
    for line_id in order_line_ids:
        sold = queries.sold_codes_of(line_id)
        found[line_id] = [(code, _open(code, batch, buyer)) for code, batch in sold]
        _record_reveal(order_line_id=line_id, code_count=len(sold), channel=channel, ip=ip)
    return found


def reveal_to_staff(code: Code, buyer: bytes | None, *, reason: str, ip: str) -> Secret:
    """One code in plain text for a member of staff, who must say why; raises Refusal without."""
    if len(reason.strip()) < 4:
        raise Refusal(N_("请写明查看原因，至少 4 个字"), field="reason")
    batch = session.get_one(Batch, code.batch_id)
    _record_reveal(
        order_line_id=code.order_line_id,
        code_id=code.id,
        code_count=1,
        channel="staff",
        ip=ip,
        by_staff=True,
        reason=reason.strip(),
    )
    audit.record("code.reveal", "codes", code.id, reason=reason.strip(), ip=ip)
    return _open(code, batch, buyer)


def replace(code_id: int, holding: Holding, today: date, *, reason: str) -> None:
    """Void a bad code that was sold and sell the line another; raises SoldOut, Conflict."""
    code = session.get(Code, code_id, with_for_update=True, populate_existing=True)
    if code is None or code.order_line_id != holding.order_line_id:
        raise NotFound
    if code.state != CodeState.SOLD:
        raise Conflict(N_("这条卡密现在不能更换"))
    move(code, CodeState.VOID, reason)
    code.void_reason = reason
    session.flush()
    if queries.reserve(holding.order_line_id, holding.product_id, 1, today) != 1:
        raise SoldOut(0)
    sell(Holding(holding.order_line_id, holding.product_id, 1, holding.buyer), today)
    audit.record("code.replace", "codes", code.id, reason=reason)


def void_sold(order_line_id: int, *, reason: str) -> None:
    """The line was refunded: what it bought is worth nothing any more."""
    for state in queries.LIVE:
        ids = [code.id for code, _ in queries.lock_codes_of(order_line_id, state)]
        if ids:
            move_all(Code, ids, state, CodeState.VOID, void_reason=reason)


def _seal_to_buyer(code: Code, batch: Batch, holding: Holding) -> bytes:
    plain = keys.of(code.sealed).open(code.sealed, unsold_context(batch.uid, code.uid))
    context = sold_context(batch.uid, code.uid, holding.order_line_id, holding.buyer)
    return keys.by_id(batch.data_key_id).seal(plain, context)


def _open(code: Code, batch: Batch, buyer: bytes | None) -> Secret:
    if batch.shredded_at is not None:
        raise Conflict(N_("这批卡密已被彻底销毁，谁都无法再查看。如有疑问请联系商家"))
    context = context_of(batch.uid, code.uid, code.order_line_id, code.sold_at, buyer)
    return Secret(keys.of(code.sealed).open(code.sealed, context).decode())


def _record_reveal(
    *,
    order_line_id: int | None,
    code_count: int,
    channel: str,
    ip: str,
    code_id: int | None = None,
    by_staff: bool = False,
    reason: str = "",
) -> None:
    db.execute(
        _ADD_REVEAL,
        {
            "at": clock.now(),
            "actor": actor(),
            "by_staff": by_staff,
            "order_line_id": order_line_id,
            "code_id": code_id,
            "code_count": code_count,
            "channel": channel,
            "ip": ip,
            "reason": reason,
        },
    )
