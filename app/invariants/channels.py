"""Commissions: what stands in the books is what the rows say."""

import sqlalchemy as sa

from app.domain.channels.models import Commission, CommissionState, Distributor
from app.domain.ledger.models import LedgerAccount, LedgerBalance
from app.invariants.counting import count, total

# Earned and not yet to be had: what `commission_pending` holds.
WAITING = (CommissionState.HOLDING, CommissionState.ON_HOLD)


def waiting_commissions_are_booked(_full: bool) -> tuple[int, int]:
    """Each distributor's `commission_pending` is the sum of what her waiting commissions keep."""
    kept = (
        sa.select(sa.func.coalesce(sa.func.sum(Commission.amount - Commission.reversed), 0))
        .where(Commission.distributor_id == Distributor.id, Commission.state.in_(WAITING))
        .correlate(Distributor)
        .scalar_subquery()
    )
    booked = (
        sa.select(sa.func.coalesce(sa.func.sum(-LedgerBalance.balance), 0))
        .join(LedgerAccount, LedgerAccount.id == LedgerBalance.account_id)
        .where(LedgerAccount.code == "commission_pending:" + Distributor.uid)
        .correlate(Distributor)
        .scalar_subquery()
    )
    return total(Distributor), count(sa.select(Distributor.id).where(kept != booked))
