"""Which commissions a withdrawal takes out, and what becomes of them when it ends.

A commission that is claimed whole is SETTLING; one of which a part is claimed stays PAYABLE, and
the rest goes out with a later withdrawal. What her balance has besides commissions needs no claim.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from app.core.db import session
from app.core.states import move_all
from app.domain.channels.models import Commission, CommissionState
from app.domain.payouts import queries
from app.domain.payouts.models import Withdrawal, WithdrawalItem, WithdrawalState

# A statement takes a limited number of values.
CHUNK = 500


def claim(withdrawal: Withdrawal) -> None:
    """Claim the oldest payable commissions up to its gross; its distributor is locked."""
    items, whole, wanted = [], [], withdrawal.gross
    for commission_id, _kept, free in queries.claimable(withdrawal.distributor_id):
        if not wanted:
            break
        amount = min(free, wanted)
        wanted -= amount
        items.append(
            {"withdrawal_id": withdrawal.id, "commission_id": commission_id, "amount": amount}
        )
        if amount == free:
            whole.append(commission_id)
    if items:
        session.execute(sa.insert(WithdrawalItem), items)
    _move(whole, CommissionState.PAYABLE, CommissionState.SETTLING)


def paid(withdrawal: Withdrawal) -> None:
    """Its commissions are paid, but for those of which another withdrawal still holds a part."""
    other = aliased(WithdrawalItem)
    held_elsewhere = (
        sa.select(other.id)
        .join(Withdrawal, Withdrawal.id == other.withdrawal_id)
        .where(
            other.commission_id == Commission.id,
            other.withdrawal_id != withdrawal.id,
            Withdrawal.state.not_in([WithdrawalState.PAID, WithdrawalState.REFUSED]),
        )
        .exists()
    )
    ids = _of(withdrawal, CommissionState.SETTLING, ~held_elsewhere)
    _move(ids, CommissionState.SETTLING, CommissionState.PAID)


def came_back(withdrawal: Withdrawal) -> None:
    """It was paid and is not any more: what it took out is under way again."""
    _move(_of(withdrawal, CommissionState.PAID), CommissionState.PAID, CommissionState.SETTLING)


def release(withdrawal: Withdrawal) -> None:
    """It ends without payment: what it claimed can be withdrawn again."""
    ids = _of(withdrawal, CommissionState.SETTLING)
    _move(ids, CommissionState.SETTLING, CommissionState.PAYABLE)


def _of(
    withdrawal: Withdrawal, state: CommissionState, *conditions: sa.ColumnElement[bool]
) -> list[int]:
    session.flush()
    return list(
        session.scalars(
            sa.select(Commission.id)
            .join(WithdrawalItem, WithdrawalItem.commission_id == Commission.id)
            .where(
                WithdrawalItem.withdrawal_id == withdrawal.id,
                Commission.state == state,
                *conditions,
            )
            .order_by(Commission.id)
            .with_for_update(of=Commission)
        )
    )


def _move(ids: Sequence[int], from_: CommissionState, to: CommissionState) -> None:
    for start in range(0, len(ids), CHUNK):
        move_all(Commission, ids[start : start + CHUNK], from_, to)
