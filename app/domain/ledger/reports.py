"""The balance sheet and the income statement, computed from the entries, never from a projection.

assets = liabilities + result, where the result is all income less all expenses since the books
began: the shop books no capital, so what it has earned is all its equity.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from app.core.db import session
from app.domain.ledger.models import AccountKind, LedgerAccount, LedgerEntry, LedgerTransaction
from app.domain.ledger.queries import prefix_column
from app.domain.ledger.rules import CHART, natural


@dataclass(frozen=True)
class Figure:
    """One place of the chart, in minor units on its normal side: what it stood at when the time
    was over, and what moved within it. `code` is the account's when there is but one."""

    prefix: str
    kind: AccountKind
    code: str
    balance: int
    movement: int


@dataclass(frozen=True)
class Report:
    """What the books say at `until`, and about the time from `since` to it."""

    since: datetime
    until: datetime
    figures: Sequence[Figure]

    def of(self, kind: AccountKind) -> list[Figure]:
        return [figure for figure in self.figures if figure.kind == kind]

    def total(self, kind: AccountKind) -> int:
        """What all accounts of a kind stood at."""
        return sum(figure.balance for figure in self.of(kind))

    def moved(self, kind: AccountKind) -> int:
        return sum(figure.movement for figure in self.of(kind))

    @property
    def result(self) -> int:
        """Income less expenses since the books began: the shop's equity."""
        return self.total(AccountKind.INCOME) - self.total(AccountKind.EXPENSE)

    @property
    def result_of_time(self) -> int:
        return self.moved(AccountKind.INCOME) - self.moved(AccountKind.EXPENSE)

    @property
    def balances(self) -> bool:
        """Whether assets = liabilities + result."""
        return self.total(AccountKind.ASSET) == self.total(AccountKind.LIABILITY) + self.result


def report(since: datetime, until: datetime, currency: str = "CNY") -> Report:
    """The books at `until` and from `since` (included) to `until` (not included)."""
    prefix = prefix_column()
    within = sa.case((LedgerTransaction.posted_at >= since, LedgerEntry.amount), else_=0)
    rows = session.execute(
        sa.select(
            prefix,
            sa.func.count(sa.distinct(LedgerAccount.id)),
            sa.func.min(LedgerAccount.code),
            sa.func.sum(LedgerEntry.amount),
            sa.func.sum(within),
        )
        .join(LedgerEntry, LedgerEntry.account_id == LedgerAccount.id)
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .where(LedgerTransaction.posted_at < until, LedgerAccount.currency == currency)
        .group_by(prefix)
    )
    found = {row[0]: row for row in rows}
    figures = [
        Figure(
            name,
            kind,
            row[2] if row[1] == 1 else "",
            natural(kind, int(row[3])),
            natural(kind, int(row[4])),
        )
        for name, (kind, _) in CHART.items()
        if (row := found.get(name)) is not None
    ]
    return Report(since, until, figures)
