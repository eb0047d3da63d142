"""The ledger in the console: every number leads to its entries, and closing is published."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask
from time_machine import Traveller

from app.core.audit import AuditEntry
from app.core.db import db, session, transaction
from app.domain.accounts.models import Role
from app.domain.ledger import service as ledger
from app.domain.ledger.models import LedgerPeriod, LedgerTransaction
from app.domain.orders import refunding
from app.domain.orders.models import Order
from tests import factories, people
from tests.web.visitors import Visitor, location, words

OCTOBER = datetime(2026, 10, 15, 4, tzinfo=UTC)

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def finance(app: Flask) -> Visitor:
    return Visitor(app, people.make(Role.FINANCE))


@pytest.fixture
def order(app: Flask) -> Order:
    order = factories.buy(factories.make_product(codes=30, price=3000))
    line = order.lines[0].id
    transaction(lambda: refunding.request_refund(order.id, line, 1000, "坏卡"))
    return factories.fresh(order)


def post(key: str, kind: str, subject: str, subject_id: int, lines: dict[str, int]) -> None:
    transaction(lambda: ledger.post(key, kind, subject, subject_id, lines))


def links(page: str) -> set[str]:
    return set(re.findall(r'href="(/admin/[^"]+)"', page.replace("&amp;", "&")))


def test_every_number_leads_to_its_entries_and_they_to_what_they_are_about(
    finance: Visitor, order: Order
) -> None:
    home = finance.get("/admin/")
    assert "今日收入 ¥ 20.00" in words(home) and "手上的钱 ¥ 30.00" in words(home)
    ledger_page = finance.get("/admin/ledger")
    assert "渠道代收 channel:sandbox 1 ¥ 30.00" in words(ledger_page)
    assert "/admin/ledger/accounts/sales" in links(ledger_page.text)

    sales = finance.get("/admin/ledger/accounts/sales")
    assert "现在的余额 ¥ 20.00" in words(sales)
    assert f"订单 {order.number} − ¥ 10.00 ¥ 20.00" in words(sales)
    assert f"订单 {order.number} ¥ 30.00 ¥ 30.00" in words(sales)
    newest = max(session.scalars(sa.select(LedgerTransaction.id)))
    one = finance.get(f"/admin/ledger/transactions/{newest}")
    assert "借 销售收入 ¥ 10.00 贷 应退买家 ¥ 10.00" in words(one)
    assert f"/admin/orders/{order.number}" in links(one.text)
    assert "同一件事的其他账目" in words(one)

    page = finance.get(f"/admin/orders/{order.number}")
    books = f"/admin/ledger/transactions?q={order.number}"
    assert books in links(page.text)
    assert "共 3 条" in words(finance.get(books))
    support = Visitor(finance.app, people.make(Role.SUPPORT))
    assert books not in links(support.get(f"/admin/orders/{order.number}").text)
    assert "手上的钱" not in words(support.get("/admin/"))


def test_an_account_is_filtered_paged_and_never_breaks(finance: Visitor, order: Order) -> None:
    for n in range(60):
        post(f"x:{n}", "paid", "elsewhere", n, {"channel:sandbox": 1, "deferred": -1})
    path = "/admin/ledger/accounts/deferred"
    first = finance.get(path)
    assert "关于 变动 余额" in words(first) and "elsewhere #59 ¥ 0.01 ¥ 0.60" in words(first)
    [older] = [link for link in links(first.text) if "before=" in link]
    second = finance.get(older)
    assert f"订单 {order.number} ¥ 30.00 ¥ 30.00" in words(second)
    [newer] = [link for link in links(second.text) if "after=" in link]
    assert "elsewhere #59" in words(finance.get(newer))
    assert "elsewhere" not in words(finance.get(f"{path}?kind=delivered"))
    assert "没有符合条件的账目" in words(finance.get(f"{path}?to=2020-01-01"))
    for query in ("before=x", "before=-1", f"after={'9' * 30}", "from=x&to=2026-02-31", "kind=no"):
        assert finance.get(f"{path}?{query}").status_code == 200
    assert finance.get("/admin/ledger/accounts/nothing").status_code == 404


def test_a_page_costs_the_same_however_much_is_booked(finance: Visitor, order: Order) -> None:
    seen: list[str] = []
    sa.event.listen(db.engine, "before_cursor_execute", lambda *given: seen.append(given[2]))
    number = order.number

    def counts() -> list[int]:
        found = []
        for path in (
            *("/admin/ledger", "/admin/ledger/accounts/deferred", "/admin/ledger/entries"),
            *("/admin/ledger/transactions", "/admin/reports", f"/admin/orders/{number}"),
        ):
            finance.get(path)
            seen.clear()
            assert finance.get(path).status_code == 200
            found.append(len(seen))
        return found

    before = counts()
    product = factories.make_product(codes=30)
    for _ in range(15):
        factories.buy(product)
    assert counts() == before


def test_an_accounts_entries_as_a_file_that_no_spreadsheet_computes(
    finance: Visitor, order: Order
) -> None:
    lines = {"channel:sandbox": 5, "deferred": -5}
    memo = "=HYPERLINK(1)"
    transaction(lambda: ledger.post("=1+1", "paid", "orders", 1, lines, memo=memo))
    path = "/admin/ledger/accounts/deferred?kind=paid&format=csv"
    rows = list(csv.reader(io.StringIO(finance.get(path).text.removeprefix("\ufeff"))))
    assert len(rows) == 3 and rows[0][:2] == ["时间", "类型"]
    assert (rows[1][4], rows[1][5]) == ("", "30.00")
    assert rows[2][3] == "'=1+1" and rows[2][6] == f"'{memo}"
    [entry] = session.scalars(
        sa.select(AuditEntry).where(AuditEntry.action == "ledger-entries.export")
    )
    assert entry.detail["filters"] == {"account": "deferred", "kind": "paid"}


def test_the_reports_balance_and_say_when_they_do_not(finance: Visitor, order: Order) -> None:
    report = finance.get("/admin/reports")
    assert "账平" in words(report)
    for part in ("资产合计 ¥ 30.00", "应退买家 ¥ 10.00", "盈余 ¥ 20.00", "负债与权益合计 ¥ 30.00"):
        assert part in words(report)
    [sales] = [link for link in links(report.text) if "accounts/sales" in link]
    assert "from=" in sales and "to=" in sales
    assert order.number in words(finance.get(sales))
    day = finance.get("/admin/reports?day=2020-01-01")
    assert "资产合计 ¥ 0.00" in words(day) and "账平" in words(day)
    for query in ("day=x", "month=2026-13", "month=9999-99", "day=2999-12-31", "month=2000-01"):
        assert finance.get(f"/admin/reports?{query}").status_code == 200
    transaction(lambda: session.execute(sa.text("UPDATE ledger_balances SET balance = 7")))
    assert "账不平" in words(finance.get("/admin/reports"))


def test_a_figure_of_many_accounts_leads_to_their_entries_and_their_sum(
    finance: Visitor,
) -> None:
    for who in ("d1", "d2"):
        lines = {"commission": 30, f"commission_payable:{who}": -30}
        post(f"c:{who}", "commission_earned", "commissions", 1, lines)
    assert "/admin/ledger/accounts?place=commission_payable" in links(
        finance.get("/admin/ledger").text
    )
    assert "应付佣金 · d2" in words(finance.get("/admin/ledger/accounts?place=commission_payable"))
    [figure] = [
        link
        for link in links(finance.get("/admin/reports").text)
        if "place=commission_payable" in link
    ]
    page = words(finance.get(figure))
    assert "合计 ¥ 0.60" in page and "应付佣金 · d1" in page and "共 2 条" in page


def test_a_month_is_closed_by_finance_and_published_without_amounts(app: Flask) -> None:
    with time_machine.travel(OCTOBER, tick=False) as clock:
        finance = _visitor(app, Role.FINANCE, clock, OCTOBER)
        assert "还没有结过账" in words(finance.get("/admin/periods"))
        factories.buy(factories.make_product())
        assert "还没有过完" in words(finance.get("/admin/periods"))
        refused = finance.post("/admin/periods", {"month": "2026-10"})
        assert refused.status_code == 422 and "月底之后" in words(refused)

        finance = _visitor(app, Role.FINANCE, clock, OCTOBER + timedelta(days=30))
        assert "结 2026-10 的账" in words(finance.get("/admin/periods"))
        done = finance.post("/admin/periods", {"month": "2026-10"})
        assert location(done) == "/admin/periods/2026-10"
        session.rollback()
        period = session.scalars(sa.select(LedgerPeriod)).one()
        page = words(finance.get("/admin/periods/2026-10?check=1"))
        assert period.hash in page and "与结账时一致" in page and "http://localhost/books/" in page
        assert "渠道代收 · 沙箱支付 ¥ 0.00 ¥ 30.00 ¥ 0.00 ¥ 30.00" in page

        public = words(Visitor(app).get("/books/2026-10"))
        assert period.hash in public and "账目数 2" in public and "¥" not in public
        assert Visitor(app).get("/books/2026-11").status_code == 404

        auditor = _visitor(app, Role.AUDITOR, clock, OCTOBER + timedelta(days=60))
        assert "结 2026-11 的账" not in words(auditor.get("/admin/periods"))
        assert auditor.post("/admin/periods", {"month": "2026-11"}).status_code == 403
        finance = _visitor(app, Role.FINANCE, clock, OCTOBER + timedelta(days=60))
        clock.shift(timedelta(minutes=6))
        asked = finance.post("/admin/periods", {"month": "2026-11"})
        assert location(asked).startswith("/admin/step-up")
        assert session.scalar(sa.select(sa.func.count(LedgerPeriod.id))) == 1


def _visitor(app: Flask, role: Role, clock: Traveller, at: datetime) -> Visitor:
    """Signed in just now: a session does not last a month."""
    clock.move_to(at)
    return Visitor(app, people.make(role))
