"""The one door to the books: `post`. Nothing is edited; a mistake is posted back."""

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from app.core import clock, db
from app.core.actors import actor
from app.core.db import session
from app.domain.ledger.models import (
    AccountKind,
    LedgerAccount,
    LedgerBalance,
    LedgerEntry,
    LedgerTransaction,
)
from app.domain.ledger.rules import check_lines, kind_of, would_go_negative

_ENTRIES = db.table_of(LedgerEntry)
# With RETURNING many rows are one statement.
_ADD_ENTRIES = sa.insert(_ENTRIES).returning(_ENTRIES.c.id)
_BALANCES = db.table_of(LedgerBalance)
_AFTER = _BALANCES.c.balance + sa.bindparam("amount")
# `side` is 1 when the balance must stay a debit, -1 when a credit, 0 when it may be either.
_CHANGE = (
    sa.update(_BALANCES)
    .where(_BALANCES.c.account_id == sa.bindparam("account"), sa.bindparam("side") * _AFTER >= 0)
    .values(balance=_AFTER)
)

# What the trigger of migration 0011 says.
CLOSED = "the period is closed"

# An account's id, its code, and by how much its balance changes.
Change = tuple[int, str, int]


class Insufficient(Exception):
    """An account that may not go below zero would; nothing was posted."""


class PeriodClosed(Exception):
    """The clock says a time in a month that is closed; nothing was posted, the unit is lost.

    It is a fault of this machine's clock, which went backwards, and of nobody's input: a callback
    is answered with an error and sent again, a job is tried again, until the clock is right.
    """


def post(
    key: str,
    kind: str,
    subject: str,
    subject_id: int,
    lines: Mapping[str, int],
    *,
    currency: str = "CNY",
    memo: str = "",
) -> None:
    """Book one event: account code → amount in minor units, debit positive, credit negative.

    Posting the same `key` again does nothing, which makes the caller's repetition harmless.
    Raises ValueError when the lines do not sum to zero, Insufficient when an account would pass
    below zero that may not, PeriodClosed when the clock has gone back into a closed month. It is
    always posted now: there is no other way to give it a time.
    """
    check_lines(lines)
    transaction_id = _insert(
        key=key,
        kind=kind,
        subject=subject,
        subject_id=subject_id,
        actor=actor(),
        memo=memo,
        posted_at=clock.now(),
    )
    if transaction_id is None:
        return
    changes = [(account_id(code, currency), code, amount) for code, amount in lines.items()]
    db.execute(
        _ADD_ENTRIES,
        [
            {"transaction_id": transaction_id, "account_id": account, "amount": amount}
            for account, _, amount in changes
        ],
    )
    for change in changes:
        db.at_the_end(_change_balances, change)
    # Every sale changes the same few balances. They wait for the end, but for one that says no.
    if any(_side(code, amount) for _, code, amount in _sums(db.still_to_write(_change_balances))):
        db.write_now(_change_balances)


def _insert(**values: object) -> int | None:
    """The transaction's row, or None when its key is known. That no month is closed which it
    belongs to is for the database to say: it costs no statement, and nobody comes in between."""
    try:
        return db.insert_once(LedgerTransaction, "key", **values)
    except DBAPIError as error:
        if CLOSED in str(error.orig):
            raise PeriodClosed(f"{CLOSED} at {values['posted_at']}: is the clock right?") from error
        raise


def account_id(code: str, currency: str) -> int:
    """The id of an account, opened at its first use."""
    known = _ids().get((code, currency))
    if known is not None:
        return known
    account = session.scalar(
        sa.select(LedgerAccount).where(
            LedgerAccount.code == code, LedgerAccount.currency == currency
        )
    )
    if account is None:
        return _open(code, currency)
    db.after_commit(lambda: _remember(code, currency, account.id))
    return account.id


@cache
def _ids() -> dict[tuple[str, str], int]:
    """Accounts never change or go, so a process may remember their ids once they are committed."""
    return {}


def _remember(code: str, currency: str, account: int) -> None:
    _ids()[(code, currency)] = account


def forget() -> None:
    """Drop what was remembered: another database is opened."""
    _ids.cache_clear()


def _open(code: str, currency: str) -> int:
    kind, may_go_negative = kind_of(code)
    account = LedgerAccount(
        code=code, kind=kind, currency=currency, may_go_negative=may_go_negative
    )
    session.add(account)
    session.flush()
    session.add(LedgerBalance(account_id=account.id, balance=0))
    session.flush()
    return account.id


def _change_balances(changes: list[Change]) -> None:
    sums = _sums(changes)
    if not sums:
        return
    changed = db.execute(
        _CHANGE,
        [
            {"account": account, "amount": amount, "side": _side(code, amount)}
            for account, code, amount in sums
        ],
    )
    if changed.rowcount != len(sums):
        codes = ", ".join(code for _, code, _ in sums)
        raise Insufficient(f"one of {codes} would pass below zero")


def _sums(changes: Iterable[Change]) -> list[Change]:
    """One change an account, in the order of ids: two units that share accounts must lock them in
    the same order."""
    sums: Counter[tuple[int, str]] = Counter()
    for account, code, amount in changes:
        sums[account, code] += amount
    return sorted((account, code, amount) for (account, code), amount in sums.items() if amount)


def _side(code: str, amount: int) -> int:
    """On which side of zero the balance must stay, if this change can bring it across."""
    kind, may_go_negative = kind_of(code)
    if may_go_negative or not would_go_negative(kind, amount):
        return 0
    return -1 if kind in (AccountKind.LIABILITY, AccountKind.INCOME) else 1
