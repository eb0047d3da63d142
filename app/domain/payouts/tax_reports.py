"""Withheld tax, put together: by month, by year and payee, by quarter for the tax office."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa
from sqlalchemy.orm import lazyload

from app.core.db import session
from app.domain.channels.models import Distributor
from app.domain.payouts import tax_profiles
from app.domain.payouts.models import Withdrawal, WithdrawalState
from app.domain.payouts.paper_models import TaxMode, TaxProfile, Withholding


@dataclass(frozen=True)
class Row:
    """One payee under one method in some months; `count` payouts, minor units."""

    distributor: Distributor
    profile: TaxProfile
    method: TaxMode
    count: int
    income: int
    tax: int


def quarter_months(year: int, quarter: int) -> tuple[date, date]:
    """The first days of a quarter's first and last month."""
    return date(year, quarter * 3 - 2, 1), date(year, quarter * 3, 1)


def rows(first: date, last: date, *, only_paid: bool = False) -> list[Row]:
    """What was withheld in these months, both included, by payee and method; released ones not.

    A report to the tax office counts what was really paid (`only_paid`); the page of a month also
    counts what is on its way.
    """
    select = (
        sa.select(
            Distributor,
            sa.func.max(Withholding.profile_id),
            Withholding.method,
            sa.func.count(Withholding.id),
            sa.func.sum(Withholding.income),
            sa.func.sum(Withholding.tax),
        )
        .join(Distributor, Distributor.id == Withholding.distributor_id)
        .where(Withholding.month.between(first, last), Withholding.released_at.is_(None))
        .group_by(Distributor.id, Withholding.method)
        .order_by(Distributor.id, Withholding.method)
    )
    if only_paid:
        select = select.join(Withdrawal, Withdrawal.id == Withholding.withdrawal_id).where(
            Withdrawal.state == WithdrawalState.PAID
        )
    # What a distributor brings along would stand in no GROUP BY.
    found = session.execute(select.options(lazyload("*"))).unique().all()
    profiles = _profiles([int(row[1]) for row in found])
    return [
        Row(holder, profiles[int(profile)], method, int(count), int(income), int(tax))
        for holder, profile, method, count, income, tax in found
    ]


def months(limit: int = 36) -> list[date]:
    """Months in which something was withheld, the latest first."""
    return list(
        session.scalars(
            sa.select(Withholding.month).distinct().order_by(Withholding.month.desc()).limit(limit)
        )
    )


def identities(found: list[Row]) -> Iterator[tuple[Row, str, str]]:
    """Each row with the payee's name and number in the open: for a report that is audited."""
    for row in found:
        name = tax_profiles.name_of(row.profile).reveal()
        yield row, name, tax_profiles.identity_of(row.profile).reveal()


def _profiles(ids: list[int]) -> dict[int, TaxProfile]:
    if not ids:
        return {}
    found = session.scalars(sa.select(TaxProfile).where(TaxProfile.id.in_(ids)))
    return {profile.id: profile for profile in found}
