"""What is withheld from a withdrawal: computed over the month, under the distributor's lock."""

from datetime import date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.core import clock
from app.core.db import session
from app.core.errors import N_, Conflict, Refusal
from app.domain.catalog import preferences
from app.domain.payouts import queries, tax_profiles, tax_rules
from app.domain.payouts.paper_models import (
    Invoice,
    InvoiceState,
    TaxMode,
    TaxProfile,
    Withholding,
)
from app.domain.payouts.tax_rules import Due


class WithdrawalLike(Protocol):
    """What the tax needs to know of a withdrawal; amounts in minor units."""

    @property
    def id(self) -> int: ...
    @property
    def distributor_id(self) -> int: ...
    @property
    def gross(self) -> int: ...
    @property
    def submitted_at(self) -> datetime | None: ...


def may_pay(withdrawal: WithdrawalLike) -> None:
    """Return if nothing about tax stands in the way of paying it; raises Refusal."""
    _payable_profile(withdrawal)


def withhold(withdrawal: WithdrawalLike) -> Withholding:
    """What is kept from it, written down once; raises Refusal when it may not be paid yet.

    Asked again in the same month it gives the same answer. What came back and is paid again in
    another month is that month's income.
    """
    queries.lock_distributor(withdrawal.distributor_id)
    found = find(withdrawal.id)
    month = month_of(withdrawal.submitted_at or clock.now())
    if found is not None and found.released_at is not None:
        raise Conflict(N_("这笔提现已经退回余额，不能再付款"))
    if found is not None and found.month == month:
        return found
    profile = _payable_profile(withdrawal)
    due = _due(withdrawal, profile, month)
    made = found or Withholding(
        withdrawal_id=withdrawal.id, distributor_id=withdrawal.distributor_id
    )
    made.profile_id, made.month, made.method = profile.id, month, profile.mode
    made.income, made.tax, made.trace = withdrawal.gross, due.tax, list(due.trace)
    session.add(made)
    session.flush()
    return made


def release(withdrawal_id: int) -> None:
    """It was given back for good: it is no income, and what was kept from it is kept no more."""
    found = find(withdrawal_id)
    if found is None or found.released_at is not None:
        return
    queries.lock_distributor(found.distributor_id)
    found.released_at = clock.now()
    session.flush()


def find(withdrawal_id: int) -> Withholding | None:
    """What was written down for a withdrawal, read afresh."""
    return session.scalar(
        sa.select(Withholding)
        .where(Withholding.withdrawal_id == withdrawal_id)
        .execution_options(populate_existing=True)
    )


def month_of(at: datetime) -> date:
    """The first day of its month in the shop's zone."""
    return at.astimezone(ZoneInfo(preferences.get().zone)).date().replace(day=1)


def _payable_profile(withdrawal: WithdrawalLike) -> TaxProfile:
    profile = tax_profiles.current(withdrawal.distributor_id)
    if profile is None:
        raise Refusal(N_("收款人还没有填写税务资料，请对方在分销后台补全"))
    if profile.mode == TaxMode.NON_RESIDENT and profile.rate_bp is None:
        raise Refusal(N_("收款人是非居民个人，请先在税务页面填写税率"))
    if profile.mode == TaxMode.BUSINESS_INVOICE and not _has_invoice(withdrawal.id):
        raise Refusal(N_("还没有核对通过的发票，收到发票后才能付款"))
    return profile


def _has_invoice(withdrawal_id: int) -> bool:
    accepted = sa.select(Invoice.id).where(
        Invoice.withdrawal_id == withdrawal_id, Invoice.state == InvoiceState.ACCEPTED
    )
    return session.scalar(accepted) is not None


def _due(withdrawal: WithdrawalLike, profile: TaxProfile, month: date) -> Due:
    mode, income = profile.mode, withdrawal.gross
    if mode == TaxMode.NON_RESIDENT:
        return tax_rules.at_rate(income, profile.rate_bp or 0)
    if mode in (TaxMode.BUSINESS_INVOICE, TaxMode.OUTSOURCED):
        return Due(0, [["income", income], ["tax", 0]])
    _lock_same_person(profile)
    if mode == TaxMode.INDIVIDUAL_PER_MONTH:
        earlier, already, _months = _so_far(withdrawal.id, profile, month, month)
        return tax_rules.withhold_now(tax_rules.per_month(earlier + income, month), already)
    earlier, already, months = _so_far(withdrawal.id, profile, month.replace(month=1), month)
    count = tax_rules.months_of(
        months, month.month, gap_restarts=preferences.get().tax_gap_restarts
    )
    return tax_rules.withhold_now(tax_rules.cumulative(earlier + income, count, month), already)


def _lock_same_person(profile: TaxProfile) -> None:
    """One person behind several distributors has one income, so they wait for each other."""
    for distributor_id in tax_profiles.same_person(profile):
        queries.lock_distributor(distributor_id)


def _so_far(
    withdrawal_id: int, profile: TaxProfile, first: date, last: date
) -> tuple[int, int, list[int]]:
    """Income and tax of the same person under the same method in these months, this withdrawal
    left out, and the months' numbers."""
    rows = session.execute(
        sa.select(Withholding.month, sa.func.sum(Withholding.income), sa.func.sum(Withholding.tax))
        .join(TaxProfile, TaxProfile.id == Withholding.profile_id)
        .where(
            TaxProfile.identity_index == profile.identity_index,
            Withholding.method == profile.mode,
            Withholding.month.between(first, last),
            Withholding.released_at.is_(None),
            Withholding.withdrawal_id != withdrawal_id,
        )
        .group_by(Withholding.month)
    ).all()
    incomes = sum(int(income) for _, income, _ in rows)
    return incomes, sum(int(kept) for _, _, kept in rows), [month.month for month, _, _ in rows]
