"""How codes are found and locked."""

from collections.abc import Sequence
from datetime import date

import sqlalchemy as sa

from app.core.db import session
from app.domain.vault.models import Batch, Code, CodeState
from app.domain.vault.stock import sellable_batches


def reserve(order_line_id: int, product_id: int, quantity: int, today: date) -> int:
    """Give available codes to an order line and return how many there were, at most `quantity`.

    A code is its own stock. One statement a batch picks and takes, passing over rows that another
    buyer is just taking (on SQLite the write lock has already put the buyers in a queue), so
    nobody waits and nobody gets the same one.
    """
    taken = 0
    for batch_id in session.scalars(sellable_batches(product_id, today)).all():
        picked = (
            sa.select(Code.id)
            .where(Code.batch_id == batch_id, Code.state == CodeState.AVAILABLE)
            .order_by(Code.id)
            .limit(quantity - taken)
            .with_for_update(skip_locked=True)
        )
        result = session.execute(
            sa.update(Code)
            .where(Code.id.in_(picked.scalar_subquery()))
            .values(state=CodeState.RESERVED, order_line_id=order_line_id)
            .execution_options(synchronize_session=False)
        )
        taken += result.rowcount  # type: ignore[attr-defined]
        if taken == quantity:
            break
    return taken


def lock_codes_of(order_line_id: int, *states: CodeState) -> list[tuple[Code, Batch]]:
    """An order line's codes in those states with their batches, locked, oldest first."""
    rows = session.execute(
        sa.select(Code, Batch)
        .join(Batch, Batch.id == Code.batch_id)
        .where(Code.order_line_id == order_line_id, Code.state.in_(states))
        .order_by(Code.id)
        .with_for_update(of=Code)
        .execution_options(populate_existing=True)
    )
    return [(code, batch) for code, batch in rows]


def codes_of(order_line_ids: Sequence[int]) -> list[Code]:
    """Every code that is or was these lines', for showing their states and last four symbols."""
    return list(
        session.scalars(
            sa.select(Code).where(Code.order_line_id.in_(order_line_ids)).order_by(Code.id)
        )
    )
