"""How the books are read: accounts and their balances, an account's entries, a transaction.

Amounts are minor units on the normal side of their account: what a liability owes is positive.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from app.core import db
from app.core.db import session
from app.core.errors import N_, NotFound
from app.domain.ledger.models import (
    AccountKind,
    LedgerAccount,
    LedgerBalance,
    LedgerEntry,
    LedgerTransaction,
)
from app.domain.ledger.rules import CHART, natural

PAGE = 50


@dataclass(frozen=True)
class Group:
    """The accounts of one prefix. `code` is the account's when there is but one."""

    prefix: str
    kind: AccountKind
    accounts: int
    code: str
    balance: int


def groups(currency: str = "CNY") -> list[Group]:
    """Every prefix that has an account, in the order of the chart."""
    prefix = prefix_column()
    rows = session.execute(
        sa.select(
            prefix,
            sa.func.count(LedgerAccount.id),
            sa.func.min(LedgerAccount.code),
            sa.func.sum(LedgerBalance.balance),
        )
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.currency == currency)
        .group_by(prefix)
    )
    found = {row[0]: row for row in rows}
    return [
        Group(name, kind, row[1], row[2] if row[1] == 1 else "", natural(kind, int(row[3])))
        for name, (kind, _) in CHART.items()
        if (row := found.get(name)) is not None
    ]


def moved_since(since: datetime, kind: AccountKind, currency: str = "CNY") -> int:
    """What the accounts of a kind have moved by since then."""
    moved = session.scalar(
        sa.select(sa.func.coalesce(sa.func.sum(LedgerEntry.amount), 0))
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(
            LedgerTransaction.posted_at >= since,
            LedgerAccount.kind == kind,
            LedgerAccount.currency == currency,
        )
    )
    return natural(kind, int(moved or 0))


def prefix_column() -> sa.ColumnElement[str]:
    """Which prefix of the chart an account has."""
    return sa.case(*((has_prefix(name), name) for name in CHART)).label("prefix")


def has_prefix(prefix: str) -> sa.ColumnElement[bool]:
    """Whether an account has this place in the chart."""
    return sa.or_(
        LedgerAccount.code == prefix, LedgerAccount.code.startswith(f"{prefix}:", autoescape=True)
    )


def find_account(code: str, currency: str = "CNY") -> LedgerAccount:
    """The account of that code; raises NotFound."""
    account = session.scalar(
        sa.select(LedgerAccount).where(
            LedgerAccount.code == code, LedgerAccount.currency == currency
        )
    )
    if account is None:
        raise NotFound(N_("账本里没有这个账户"))
    return account


def has_account(code: str, currency: str = "CNY") -> bool:
    """Whether an account of that code was ever used."""
    found = sa.select(LedgerAccount.id).where(
        LedgerAccount.code == code, LedgerAccount.currency == currency
    )
    return session.scalar(found) is not None


def balance_of(code: str, currency: str = "CNY") -> int:
    """What an account holds on its normal side; nothing when it was never used."""
    row = session.execute(
        sa.select(LedgerAccount.kind, LedgerBalance.balance)
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(LedgerAccount.code == code, LedgerAccount.currency == currency)
    ).first()
    return natural(row[0], int(row[1])) if row else 0


@dataclass(frozen=True)
class Line:
    """An entry of an account, and the balance after it."""

    entry: LedgerEntry
    transaction: LedgerTransaction
    amount: int
    balance: int


@dataclass(frozen=True)
class Wanted:
    """Which entries: of a kind of transaction, from `since` on and before `until`. `before` and
    `after` are ids of entries, at which the page ends or begins."""

    kind: str = ""
    since: datetime | None = None
    until: datetime | None = None
    before: int | None = None
    after: int | None = None


@dataclass(frozen=True)
class Entries:
    """A page of an account's entries, the newest first. `newer` and `older` are what to give as
    `after` and `before` for the next page that way; None when there is none."""

    balance: int
    lines: Sequence[Line] = field(default=())
    newer: int | None = None
    older: int | None = None


def entries_of(account: LedgerAccount, wanted: Wanted, size: int = PAGE) -> Entries:
    """One page; the number of statements is the same for every account and every page.

    The balance after an entry counts every entry before it, those too that a filter leaves out.
    """
    account_id, kind = account.id, account.kind
    db.see_one_moment()
    balance = session.scalar(
        sa.select(LedgerBalance.balance).where(LedgerBalance.account_id == account_id)
    )
    total = int(balance or 0)
    rows = _page(account_id, wanted, size + 1)
    has_more = len(rows) > size
    rows = rows[:size]
    if wanted.after is not None:
        rows.reverse()
    newer_sums = _sums_of_newer(account_id, [entry.id for entry, _ in rows])
    lines = [
        Line(
            entry,
            transaction,
            natural(kind, entry.amount),
            natural(kind, total - newer_sums[entry.id]),
        )
        for entry, transaction in rows
    ]
    is_from_old = wanted.after is not None
    has_newer = has_more if is_from_old else wanted.before is not None
    has_older = True if is_from_old else has_more
    return Entries(
        natural(kind, total),
        lines,
        newer=rows[0][0].id if rows and has_newer else None,
        older=rows[-1][0].id if rows and has_older else None,
    )


def entries_select(account_id: int, wanted: Wanted) -> sa.Select[LedgerEntry, LedgerTransaction]:
    """The entries that are wanted, with their transactions, in no order and of every page."""
    found = (
        sa.select(LedgerEntry, LedgerTransaction)
        .join(LedgerTransaction, LedgerTransaction.id == LedgerEntry.transaction_id)
        .where(LedgerEntry.account_id == account_id)
    )
    if wanted.kind:
        found = found.where(LedgerTransaction.kind == wanted.kind)
    if wanted.since is not None:
        found = found.where(LedgerTransaction.posted_at >= wanted.since)
    if wanted.until is not None:
        found = found.where(LedgerTransaction.posted_at < wanted.until)
    return found


def _page(
    account_id: int, wanted: Wanted, most: int
) -> list[sa.Row[LedgerEntry, LedgerTransaction]]:
    found = entries_select(account_id, wanted)
    if wanted.after is not None:
        found = found.where(LedgerEntry.id > wanted.after).order_by(LedgerEntry.id)
    else:
        found = found.order_by(LedgerEntry.id.desc())
        if wanted.before is not None:
            found = found.where(LedgerEntry.id < wanted.before)
    return list(session.execute(found.limit(most)))


def _sums_of_newer(account_id: int, entry_ids: Sequence[int]) -> dict[int, int]:
    """For each of these entries the sum of all of its account that came after it."""
    if not entry_ids:
        return {}
    from_newest = sa.func.sum(LedgerEntry.amount).over(order_by=LedgerEntry.id.desc())
    running = (
        sa.select(LedgerEntry.id, (from_newest - LedgerEntry.amount).label("newer"))
        .where(LedgerEntry.account_id == account_id, LedgerEntry.id >= min(entry_ids))
        .subquery()
    )
    rows = session.execute(sa.select(running).where(running.c.id.in_(entry_ids)))
    return {row[0]: int(row[1]) for row in rows}


def find_transaction(transaction_id: int) -> LedgerTransaction:
    """The transaction of that number; raises NotFound."""
    found = session.get(LedgerTransaction, transaction_id)
    if found is None:
        raise NotFound(N_("账本里没有这笔账"))
    return found


def lines_of(
    transaction_ids: Sequence[int],
) -> dict[int, list[tuple[LedgerAccount, LedgerEntry]]]:
    """The entries of each of these transactions with their accounts, debits first."""
    found: dict[int, list[tuple[LedgerAccount, LedgerEntry]]] = {one: [] for one in transaction_ids}
    rows = session.execute(
        sa.select(LedgerAccount, LedgerEntry)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(LedgerEntry.transaction_id.in_(transaction_ids))
        .order_by(LedgerEntry.amount < 0, LedgerEntry.id)
    )
    for account, entry in rows:
        found[entry.transaction_id].append((account, entry))
    return found


def about_the_same(transaction: LedgerTransaction) -> list[LedgerTransaction]:
    """Everything that is booked about what this is about, the oldest first."""
    return list(
        session.scalars(
            sa.select(LedgerTransaction)
            .where(
                LedgerTransaction.subject == transaction.subject,
                LedgerTransaction.subject_id == transaction.subject_id,
            )
            .order_by(LedgerTransaction.id)
            .limit(PAGE)
        )
    )
