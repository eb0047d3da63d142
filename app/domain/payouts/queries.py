"""How payout accounts, withdrawals and batches are found, for whom, and locked."""

from collections.abc import Sequence
from datetime import datetime, time
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.orm import joinedload

from app.core import clock
from app.core.db import session
from app.core.errors import N_, NotFound
from app.domain.accounts import queries as people
from app.domain.catalog import preferences
from app.domain.channels.models import Commission, CommissionState, Distributor
from app.domain.ledger.models import LedgerAccount, LedgerBalance
from app.domain.payouts.models import (
    AccountState,
    PayoutAccount,
    PayoutBatch,
    Withdrawal,
    WithdrawalItem,
    WithdrawalState,
)
from app.domain.payouts.rules import Standing, checks


def lock_distributor(distributor_id: int) -> Distributor:
    """Her row, locked and read afresh: every change of her money begins here."""
    found = session.get(Distributor, distributor_id, with_for_update=True, populate_existing=True)
    if found is None:
        raise NotFound
    return found


def lock(withdrawal_id: int) -> Withdrawal:
    """The withdrawal, locked, after its distributor as everywhere."""
    owner = session.scalar(
        sa.select(Withdrawal.distributor_id).where(Withdrawal.id == withdrawal_id)
    )
    if owner is None:
        raise NotFound(N_("没有找到这笔提现"))
    lock_distributor(owner)
    return session.get_one(Withdrawal, withdrawal_id, with_for_update=True, populate_existing=True)


def find(number: str) -> Withdrawal:
    """For staff; raises NotFound."""
    return _one(sa.select(Withdrawal).where(Withdrawal.number == number))


def find_by_number(number: str) -> Withdrawal | None:
    """For a channel, which may speak of what is not ours."""
    return session.scalar(sa.select(Withdrawal).where(Withdrawal.number == number))


def find_for(distributor_id: int, number: str) -> Withdrawal:
    """Hers alone; somebody else's looks like none at all."""
    return _one(
        sa.select(Withdrawal).where(
            Withdrawal.number == number, Withdrawal.distributor_id == distributor_id
        )
    )


def _one(select: sa.Select[Withdrawal]) -> Withdrawal:
    options = (joinedload(Withdrawal.account), joinedload(Withdrawal.distributor))
    found = session.scalar(select.options(*options))
    if found is None:
        raise NotFound(N_("没有找到这笔提现"))
    return found


def find_by_request_key(distributor_id: int, request_key: bytes) -> Withdrawal | None:
    """The withdrawal this very form has already asked for."""
    return session.scalar(
        sa.select(Withdrawal).where(
            Withdrawal.request_key == request_key, Withdrawal.distributor_id == distributor_id
        )
    )


def list_of(distributor_id: int, limit: int = 100) -> Sequence[Withdrawal]:
    """Her withdrawals, the latest first."""
    return session.scalars(
        sa.select(Withdrawal)
        .where(Withdrawal.distributor_id == distributor_id)
        .options(joinedload(Withdrawal.account))
        .order_by(Withdrawal.id.desc())
        .limit(limit)
    ).all()


def find_account(distributor_id: int, uid: str) -> PayoutAccount:
    """Hers alone; raises NotFound."""
    found = session.scalar(
        sa.select(PayoutAccount).where(
            PayoutAccount.uid == uid, PayoutAccount.distributor_id == distributor_id
        )
    )
    if found is None:
        raise NotFound(N_("没有找到这个收款账户"))
    return found


def accounts_of(distributor_id: int) -> Sequence[PayoutAccount]:
    """All she ever had, the default first, then the latest."""
    return session.scalars(
        sa.select(PayoutAccount)
        .where(PayoutAccount.distributor_id == distributor_id)
        .order_by(PayoutAccount.is_default.desc(), PayoutAccount.id.desc())
    ).all()


def active_accounts(distributor_id: int) -> list[PayoutAccount]:
    """Those that money may go to, the default first."""
    return [one for one in accounts_of(distributor_id) if one.state == AccountState.ACTIVE]


def payable(uid: str) -> int:
    """What she can withdraw, in minor units: negative when a claw-back waits to be earned back."""
    return _balance(f"commission_payable:{uid}")


def pending(uid: str) -> int:
    """What she has asked for and not yet got."""
    return _balance(f"payout_pending:{uid}")


def _balance(code: str) -> int:
    found = session.scalar(
        sa.select(-LedgerBalance.balance)
        .join(LedgerAccount, LedgerAccount.id == LedgerBalance.account_id)
        .where(LedgerAccount.code == code, LedgerAccount.currency == "CNY")
    )
    return int(found or 0)


def asked_today(distributor_id: int) -> tuple[int, int]:
    """How often and for how much she asked on the shop's day, refused ones not counted."""
    zone = ZoneInfo(preferences.get().zone)
    midnight = datetime.combine(clock.today(preferences.get().zone), time(), zone)
    row = session.execute(
        sa.select(
            sa.func.count(Withdrawal.id), sa.func.coalesce(sa.func.sum(Withdrawal.gross), 0)
        ).where(
            Withdrawal.distributor_id == distributor_id,
            Withdrawal.requested_at >= midnight,
            Withdrawal.state != WithdrawalState.REFUSED,
        )
    ).one()
    return int(row[0]), int(row[1])


def reasons_to_check(withdrawal: Withdrawal) -> list[str]:
    """Why two members of staff must look at it; names of `rules.CHECKS`.

    Where nobody else could, one person's look has to do: a shop of one pays its distributors, too.
    """
    if people.count_who_may("payouts.review", but=withdrawal.distributor.person_id) < 2:
        return []
    paid = sa.select(Withdrawal.id).where(
        Withdrawal.distributor_id == withdrawal.distributor_id,
        Withdrawal.state == WithdrawalState.PAID,
    )
    return checks(
        Standing(
            gross=withdrawal.gross,
            check_above=preferences.get().payout_check_above,
            is_first=session.scalar(paid.limit(1)) is None,
            account_age=clock.now() - withdrawal.account.created_at,
            is_doubtful=bool(withdrawal.risk_decision),
        )
    )


def find_batch(number: str) -> PayoutBatch:
    """Raises NotFound."""
    found = session.scalar(sa.select(PayoutBatch).where(PayoutBatch.number == number))
    if found is None:
        raise NotFound(N_("没有找到这个批次"))
    return found


def in_batch(batch_id: int) -> Sequence[Withdrawal]:
    """What goes out with a batch, in the order it was asked for."""
    return session.scalars(
        sa.select(Withdrawal)
        .where(Withdrawal.batch_id == batch_id)
        .options(joinedload(Withdrawal.account), joinedload(Withdrawal.distributor))
        .order_by(Withdrawal.id)
    ).all()


def can_be_gathered() -> sa.ColumnElement[bool]:
    """Approved, in no batch, to an account that is still hers and old enough; joined to it."""
    return sa.and_(
        Withdrawal.state == WithdrawalState.APPROVED,
        Withdrawal.batch_id.is_(None),
        PayoutAccount.state == AccountState.ACTIVE,
        PayoutAccount.usable_at <= clock.now(),
    )


def claimable(distributor_id: int) -> list[tuple[int, int, int]]:
    """(commission, what it keeps, what of it no withdrawal has claimed), the oldest first."""
    claimed = (
        sa.select(WithdrawalItem.commission_id, sa.func.sum(WithdrawalItem.amount).label("amount"))
        .join(Withdrawal, Withdrawal.id == WithdrawalItem.withdrawal_id)
        .where(
            Withdrawal.distributor_id == distributor_id,
            Withdrawal.state != WithdrawalState.REFUSED,
        )
        .group_by(WithdrawalItem.commission_id)
        .subquery()
    )
    kept = Commission.amount - Commission.reversed
    left = kept - sa.func.coalesce(claimed.c.amount, 0)
    rows = session.execute(
        sa.select(Commission.id, kept, left)
        .outerjoin(claimed, claimed.c.commission_id == Commission.id)
        .where(
            Commission.distributor_id == distributor_id,
            Commission.state == CommissionState.PAYABLE,
            left > 0,
        )
        .order_by(Commission.id)
    )
    return [(int(one), int(keeps), int(free)) for one, keeps, free in rows]
