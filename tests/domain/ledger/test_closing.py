"""A closed month: hashed, chained, public, and closed to everything, a wrong clock included."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask
from time_machine import Traveller

from app import invariants
from app.core.db import Model, session, transaction
from app.core.errors import Conflict, NotFound, Refusal
from app.domain.ledger import closing
from app.domain.ledger import service as ledger
from app.domain.ledger.models import LedgerEntry, LedgerPeriod, LedgerTransaction
from tests.people import at_once

ZONE = "Asia/Shanghai"
OCTOBER = datetime(2026, 10, 15, 4, 0, 0, 123456, UTC)
# The last moment of October in Shanghai, and the first of November.
LAST = datetime(2026, 10, 31, 15, 59, 59, 999999, UTC)
NOVEMBER = LAST + timedelta(microseconds=1)


@pytest.fixture
def traveller() -> Iterator[Traveller]:
    with time_machine.travel(OCTOBER, tick=False) as found:
        yield found


def post(key: str, amount: int = 3000) -> None:
    lines = {"channel:sandbox": amount, "deferred": -amount}
    transaction(lambda: ledger.post(key, "test", "orders", 7, lines, memo="备注"))


def close(month: str) -> LedgerPeriod:
    session.rollback()
    draft = closing.draw_up(month, ZONE)
    return transaction(lambda: closing.close(draft))


def keeps_its_hash() -> bool:
    [finding] = [one for one in invariants.run(full=True) if "closed period" in one.name]
    return finding.holds


def test_a_month_is_closed_by_what_its_page_says(app: Flask, traveller: Traveller) -> None:
    post("pay:1")
    traveller.move_to(LAST)
    post("pay:2", 500)
    traveller.move_to(NOVEMBER)
    post("pay:3", 7)
    period = close("2026-10")

    first = session.scalars(sa.select(LedgerTransaction.id).order_by(LedgerTransaction.id)).all()
    about = '"test","orders",7,"system","备注",'
    entries = '[["channel:sandbox","CNY",%s],["deferred","CNY",%s]]'
    lines = [
        '["hardshelf-books-1","","2026-10","","2026-10-31T16:00:00.000000Z"]',
        f'[{first[0]},"pay:1",{about}"2026-10-15T04:00:00.123456Z",{entries % (3000, -3000)}]',
        f'[{first[1]},"pay:2",{about}"2026-10-31T15:59:59.999999Z",{entries % (500, -500)}]',
    ]
    assert period.hash == hashlib.sha256("".join(f"{one}\n" for one in lines).encode()).hexdigest()
    assert (period.transactions, period.last_transaction_id) == (2, first[1])
    assert period.totals == [
        ["channel:sandbox", "CNY", 0, 3500, 0, 3500],
        ["deferred", "CNY", 0, 0, 3500, -3500],
    ]
    traveller.move_to(NOVEMBER + timedelta(days=40))
    after = close("2026-11")
    assert after.previous_hash == period.hash and after.transactions == 1
    assert after.totals[0] == ["channel:sandbox", "CNY", 3500, 7, 0, 3507]
    assert keeps_its_hash()


def test_months_are_closed_in_turn_once_and_when_they_are_over(
    app: Flask, traveller: Traveller
) -> None:
    with pytest.raises(Refusal, match="请先结 — 的账"):
        close("2026-10")
    post("pay:1")
    for month, words in (("2026-10", "还没有过完"), ("2026-11", "请先结 2026-10"), ("x", "选择")):
        with pytest.raises(Refusal, match=words):
            close(month)
    traveller.move_to(LAST)
    with pytest.raises(Refusal, match="还没有过完"):
        close("2026-10")
    traveller.move_to(NOVEMBER + timedelta(days=60))
    with pytest.raises(NotFound):
        closing.find_period("2026-10")
    draft = closing.draw_up("2026-10", ZONE)
    assert transaction(lambda: closing.close(draft)).transactions == 1
    with pytest.raises(Conflict):
        transaction(lambda: closing.close(draft))
    with pytest.raises(Refusal, match="请先结 2026-11"):
        close("2026-10")
    # A month in which nothing happened is closed like any other.
    assert close("2026-11").transactions == 0
    assert [period.month for period in closing.periods()] == ["2026-11", "2026-10"]


def test_nothing_is_posted_into_a_closed_month_even_by_a_clock_that_goes_back(
    app: Flask, traveller: Traveller
) -> None:
    post("pay:1")
    traveller.move_to(NOVEMBER)
    close("2026-10")
    traveller.move_to(LAST)
    with pytest.raises(ledger.PeriodClosed, match="is the clock right"):
        post("pay:2")
    session.rollback()
    assert session.scalar(sa.select(sa.func.count(LedgerEntry.id))) == 2
    traveller.move_to(NOVEMBER)
    post("pay:2")
    assert keeps_its_hash()


def test_what_was_posted_after_it_was_drawn_up_is_seen(app: Flask, traveller: Traveller) -> None:
    """A unit that began in October, or a clock that went back, between the two steps."""
    post("pay:1")
    traveller.move_to(NOVEMBER)
    draft = closing.draw_up("2026-10", ZONE)
    traveller.move_to(LAST)
    post("pay:2")
    traveller.move_to(NOVEMBER)
    with pytest.raises(Conflict, match="刚刚有变化"):
        transaction(lambda: closing.close(draft))
    assert close("2026-10").transactions == 2


def test_two_who_close_at_once_close_once(app: Flask, traveller: Traveller) -> None:
    post("pay:1")
    traveller.move_to(NOVEMBER)
    draft = closing.draw_up("2026-10", ZONE)
    answers = at_once(app, [lambda: transaction(lambda: closing.close(draft)).month] * 2)
    assert sorted(map(str, answers)) == ["2026-10", str(Conflict("账本刚刚有变化，请再结一次"))]


def test_a_change_behind_the_shops_back_is_found_and_the_row_itself_stays(
    app: Flask, traveller: Traveller
) -> None:
    post("pay:1")
    traveller.move_to(NOVEMBER)
    period = close("2026-10")
    for statement in (sa.update(LedgerPeriod).values(hash="0"), sa.delete(LedgerPeriod)):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"):
            transaction(lambda statement=statement: session.execute(statement))
    is_postgres = session.get_bind().dialect.name == "postgresql"
    on = " ON ledger_transactions" if is_postgres else ""
    transaction(lambda: session.execute(sa.text(f"DROP TRIGGER ledger_transactions_no_update{on}")))
    transaction(lambda: session.execute(sa.update(LedgerTransaction).values(memo="改过")))
    session.rollback()
    assert not closing.still_holds(closing.find_period(period.month))
    assert not keeps_its_hash()


def test_a_backup_fills_the_books_before_it_closes_them() -> None:
    """It writes the tables in this order: the other way round the trigger would refuse them."""
    order = [table.name for table in Model.metadata.sorted_tables]
    assert order.index("ledger_periods") > order.index("ledger_transactions")
