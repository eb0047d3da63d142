"""What the pages of the ledger say: balances, entries with the balance after each, reports."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app.core.db import db, session, transaction
from app.core.errors import NotFound
from app.domain.ledger import queries, reports
from app.domain.ledger import service as ledger
from app.domain.ledger.models import AccountKind
from app.domain.ledger.queries import Wanted

DAY = datetime(2026, 10, 15, tzinfo=UTC)


def post(key: str, kind: str, lines: dict[str, int]) -> None:
    transaction(lambda: ledger.post(key, kind, "orders", 1, lines))


@pytest.fixture
def books(app: Flask) -> Iterator[None]:
    """Three days of sales: 100 a payment, of which half are delivered."""
    with time_machine.travel(DAY, tick=False) as clock:
        for n in range(6):
            clock.move_to(DAY + timedelta(days=n // 2, hours=n % 2))
            post(f"pay:{n}", "paid", {"channel:sandbox": 100, "deferred": -100})
            if n % 2:
                post(f"deliver:{n}", "delivered", {"deferred": 100, "sales": -100})
        post("b:1", "commission_earned", {"commission": 30, "commission_payable:d1": -30})
        post("b:2", "commission_earned", {"commission": 12, "commission_payable:d2": -12})
        yield


def test_accounts_are_grouped_by_their_place_in_the_chart(books: None) -> None:
    found = {group.prefix: group for group in queries.groups()}
    assert list(found) == ["channel", "deferred", "sales", "commission", "commission_payable"]
    assert (found["channel"].code, found["channel"].balance) == ("channel:sandbox", 600)
    assert (found["deferred"].balance, found["sales"].balance) == (300, 300)
    payable = found["commission_payable"]
    assert (payable.accounts, payable.code, payable.balance) == (2, "", 42)
    with pytest.raises(NotFound):
        queries.find_account("deferred:x")


def test_every_entry_has_the_balance_after_it_whatever_is_left_out(books: None) -> None:
    account = queries.find_account("deferred")
    everything = queries.entries_of(account, Wanted())
    assert [line.amount for line in everything.lines] == [-100, 100, 100] * 3
    balances = [line.balance for line in everything.lines]
    assert balances == [300, 400, 300, 200, 300, 200, 100, 200, 100]
    assert (everything.newer, everything.older, everything.balance) == (None, None, 300)

    paid = queries.entries_of(account, Wanted(kind="paid"), size=2)
    assert [line.balance for line in paid.lines] == [400, 300]
    of_day = Wanted(since=DAY + timedelta(days=1), until=DAY + timedelta(days=2))
    assert [line.balance for line in queries.entries_of(account, of_day).lines] == [200, 300, 200]


def test_pages_go_there_and_back(books: None) -> None:
    account = queries.find_account("deferred")
    ids = [line.entry.id for line in queries.entries_of(account, Wanted()).lines]
    first = queries.entries_of(account, Wanted(), size=4)
    second = queries.entries_of(account, Wanted(before=first.older), size=4)
    third = queries.entries_of(account, Wanted(before=second.older), size=4)
    pages = [[line.entry.id for line in page.lines] for page in (first, second, third)]
    assert pages == [ids[:4], ids[4:8], ids[8:]]
    assert (first.newer, third.older) == (None, None)
    back = queries.entries_of(account, Wanted(after=third.newer), size=4)
    assert [line.entry.id for line in back.lines] == ids[4:8]
    front = queries.entries_of(account, Wanted(after=back.newer), size=4)
    assert [line.entry.id for line in front.lines] == ids[:4] and front.newer is None
    past = queries.entries_of(account, Wanted(before=0))
    assert (list(past.lines), past.older) == ([], None)


def test_a_page_costs_the_same_number_of_statements_however_long_the_account(books: None) -> None:
    seen: list[str] = []
    sa.event.listen(db.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    counts = []
    for size in (1, 9):
        account = queries.find_account("deferred")
        seen.clear()
        page = queries.entries_of(account, Wanted(), size=size)
        assert all(line.transaction.memo == "" for line in page.lines)
        counts.append(len([one for one in seen if one.startswith("SELECT")]))
    assert counts[0] == counts[1] <= 3


def test_the_report_balances_at_every_moment(books: None) -> None:
    for hours in range(0, 72, 7):
        at = DAY + timedelta(hours=hours)
        assert reports.report(DAY, at).balances
    day = DAY + timedelta(days=2)
    found = reports.report(day, day + timedelta(days=1))
    assert found.total(AccountKind.ASSET) == 600
    assert found.total(AccountKind.LIABILITY) == 300 + 42
    assert (found.result, found.result_of_time) == (300 - 42, 100 - 42)
    [sales] = found.of(AccountKind.INCOME)
    assert (sales.balance, sales.movement, sales.code) == (300, 100, "sales")
    before = reports.report(DAY - timedelta(days=1), DAY)
    assert (list(before.figures), before.balances) == ([], True)


def test_a_transaction_with_its_lines_and_what_else_is_about_the_same(books: None) -> None:
    everything = queries.entries_of(queries.find_account("sales"), Wanted())
    one = queries.find_transaction(everything.lines[0].transaction.id)
    lines = queries.lines_of([one.id])[one.id]
    assert [(account.code, entry.amount) for account, entry in lines] == [
        ("deferred", 100),
        ("sales", -100),
    ]
    assert len(queries.about_the_same(one)) == 11
    with pytest.raises(NotFound):
        queries.find_transaction(10**9)
    session.rollback()
