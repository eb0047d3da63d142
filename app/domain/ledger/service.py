"""The one door to the books: `post`. Nothing is edited; a mistake is posted back."""

from collections.abc import Mapping
from functools import cache

import sqlalchemy as sa

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

_ADD_ENTRIES = sa.insert(db.table_of(LedgerEntry))
_BALANCES = db.table_of(LedgerBalance)
_AFTER = _BALANCES.c.balance + sa.bindparam("amount")
_CHANGE = (
    sa.update(_BALANCES)
    .where(_BALANCES.c.account_id == sa.bindparam("account"))
    .values(balance=_AFTER)
)
_TAKE_FROM_CREDIT = _CHANGE.where(_AFTER <= 0)
_TAKE_FROM_DEBIT = _CHANGE.where(_AFTER >= 0)


class Insufficient(Exception):
    """An account that may not go below zero would; nothing was posted."""


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
    below zero that may not.
    """
    check_lines(lines)
    transaction_id = db.insert_once(
        LedgerTransaction,
        "key",
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
    # In the order of ids: two postings that share accounts must lock them in the same order.
    amounts = sorted((account_id(code, currency), code, amount) for code, amount in lines.items())
    db.execute(
        _ADD_ENTRIES,
        [
            {"transaction_id": transaction_id, "account_id": account, "amount": amount}
            for account, _, amount in amounts
        ],
    )
    for account, code, amount in amounts:
        _add_to_balance(account, code, amount)


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


def _add_to_balance(account: int, code: str, amount: int) -> None:
    kind, may_go_negative = kind_of(code)
    change = _CHANGE
    if not may_go_negative and would_go_negative(kind, amount):
        credit_side = kind in (AccountKind.LIABILITY, AccountKind.INCOME)
        change = _TAKE_FROM_CREDIT if credit_side else _TAKE_FROM_DEBIT
    if db.execute(change, {"account": account, "amount": amount}).rowcount != 1:
        raise Insufficient(f"{code} would pass below zero")
