"""Booked once, balanced, never below zero, and never changed."""

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.db import savepoint, session, transaction
from app.domain.ledger import service as ledger
from app.domain.ledger.models import LedgerAccount, LedgerBalance, LedgerEntry


def post(key: str, lines: dict[str, int]) -> None:
    transaction(lambda: ledger.post(key, "test", "orders", 1, lines))


def balance(code: str) -> int:
    session.rollback()
    found = session.scalar(
        sa.select(LedgerBalance.balance).join(LedgerAccount).where(LedgerAccount.code == code)
    )
    return found or 0


def test_a_posting_moves_the_balances_of_its_accounts(app: Flask) -> None:
    post("pay:1", {"channel:sandbox": 3000, "deferred": -3000})

    assert (balance("channel:sandbox"), balance("deferred")) == (3000, -3000)


def test_the_same_key_is_booked_once(app: Flask) -> None:
    post("pay:1", {"channel:sandbox": 3000, "deferred": -3000})
    post("pay:1", {"channel:sandbox": 3000, "deferred": -3000})

    assert balance("deferred") == -3000


@pytest.mark.parametrize(
    "lines",
    [{"deferred": 1}, {"channel:a": 1, "deferred": -2}, {"channel:a": 0, "deferred": 0}, {}],
)
def test_what_does_not_balance_is_refused(app: Flask, lines: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="not a balanced posting"):
        post("bad", lines)


def test_an_account_that_may_not_go_below_zero_does_not(app: Flask) -> None:
    post("pay:1", {"channel:sandbox": 100, "deferred": -100})

    with pytest.raises(ledger.Insufficient):
        post("deliver:1", {"deferred": 101, "sales": -101})

    assert (balance("deferred"), balance("sales")) == (-100, 0)


def test_an_account_refuses_at_once_not_at_the_end_of_the_unit(app: Flask) -> None:
    def work() -> None:
        with pytest.raises(ledger.Insufficient), savepoint():
            ledger.post("deliver:1", "test", "orders", 1, {"deferred": 1, "sales": -1})
        ledger.post("pay:1", "test", "orders", 1, {"channel:sandbox": 100, "deferred": -100})

    transaction(work)

    assert (balance("channel:sandbox"), balance("deferred"), balance("sales")) == (100, -100, 0)


def test_a_unit_may_take_what_it_has_brought(app: Flask) -> None:
    def work() -> None:
        ledger.post("pay:1", "test", "orders", 1, {"channel:sandbox": 100, "deferred": -100})
        ledger.post("deliver:1", "test", "orders", 1, {"deferred": 70, "sales": -70})
        with pytest.raises(ledger.Insufficient), savepoint():
            ledger.post("deliver:2", "test", "orders", 1, {"deferred": 31, "sales": -31})
        ledger.post("deliver:3", "test", "orders", 1, {"deferred": 30, "sales": -30})

    transaction(work)

    assert (balance("channel:sandbox"), balance("deferred"), balance("sales")) == (100, 0, -100)


def test_an_account_outside_the_chart_does_not_exist(app: Flask) -> None:
    with pytest.raises(KeyError):
        post("odd", {"petty_cash": 1, "deferred": -1})


@pytest.mark.parametrize(
    "statement", [sa.update(LedgerEntry).values(amount=1), sa.delete(LedgerEntry)]
)
def test_the_database_refuses_to_change_an_entry(app: Flask, statement: sa.Executable) -> None:
    post("pay:1", {"channel:sandbox": 100, "deferred": -100})

    with pytest.raises(sa.exc.DBAPIError, match="append-only"):
        transaction(lambda: session.execute(statement))
