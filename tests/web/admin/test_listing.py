"""Every list: real totals, pages, filters in the URL, and a file that no spreadsheet computes."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from flask import Flask
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy.orm import selectinload
from werkzeug.datastructures import MultiDict

from app.core import audit, clock
from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.core.spreadsheets import FORMULA_SIGNS
from app.domain.accounts.models import Role, Session
from app.domain.orders.models import Order, OrderLine
from app.web.admin import export
from app.web.admin.audit import LIST
from app.web.admin.export import Column, cell, yuan
from app.web.admin.listing import Choice, Days, Listing, Search, Sort
from tests import factories, people
from tests.web.visitors import Visitor, location, words


def fill(count: int, **values: str) -> None:
    def add() -> None:
        for n in range(count):
            audit.record("product.change", "products", n + 1, **({"reason": f"原因 {n}"} | values))  # type: ignore[arg-type]

    transaction(add)


def rows_of(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text.removeprefix("\ufeff"))))


@pytest.fixture
def owner(app: Flask) -> Visitor:
    return Visitor(app, people.make(Role.OWNER))


def test_pages_with_their_true_total(owner: Visitor) -> None:
    fill(45)
    page = words(owner.get("/admin/audit"))
    assert "第 1–20 条" in page
    assert "共 45 条" in page
    assert "1 / 3 页" in page
    assert "第 41–45 条" in words(owner.get("/admin/audit?page=3"))
    assert "第 1–45 条" in words(owner.get("/admin/audit?size=50"))


BROKEN = [
    "page=0", "page=-1", "page=x", "page=999999999999999999999999", "size=7", "size=x",
    "sort=drop", "action=nothing", "from=yesterday", "to=2026-02-31", "q=%00", "q=%27%3B--",
    "page=", "%FF=%FE", "q=%FF", "action=product.change&action=x", "from=0001-01-01",
    "to=9999-12-31",
]  # fmt: skip


def test_a_broken_url_is_a_page_all_the_same(owner: Visitor) -> None:
    fill(3)
    statuses = {query: owner.get(f"/admin/audit?{query}").status_code for query in BROKEN}
    assert statuses == dict.fromkeys(BROKEN, 200)


def test_past_the_end_is_the_last_page(owner: Visitor) -> None:
    fill(21)
    assert "第 21–21 条" in words(owner.get("/admin/audit?page=50"))


def test_filters_search_and_sort_go_together_and_stay_in_links(owner: Visitor) -> None:
    fill(30, reason="换价")
    fill(5, reason="别的")
    page = owner.get("/admin/audit?q=%E6%8D%A2%E4%BB%B7&action=product.change&sort=oldest&size=20")
    assert "共 30 条" in words(page)
    link = "q=%E6%8D%A2%E4%BB%B7&amp;sort=oldest&amp;page=2"
    assert f"/admin/audit?action=product.change&amp;{link}" in page.text
    assert 'value="换价"' in page.text
    assert "清除筛选" in words(page)


def test_a_percent_sign_is_searched_for_as_itself(owner: Visitor) -> None:
    fill(2, reason="九折 90%")
    fill(3, reason="九折")
    assert "共 2 条" in words(owner.get("/admin/audit?q=90%25"))
    assert "共 2 条" in words(owner.get("/admin/audit?q=%25"))
    assert "共 0 条" in words(owner.get("/admin/audit?q=_"))


def test_days_are_the_shops(app: Flask, owner: Visitor) -> None:
    """15:59 UTC is still the third in Shanghai, 16:00 is the fourth."""

    def add() -> None:
        fill_at(datetime(2026, 7, 3, 15, 59, tzinfo=UTC), "third")
        fill_at(datetime(2026, 7, 3, 16, 0, tzinfo=UTC), "fourth")

    def fill_at(at: datetime, reason: str) -> None:
        session.add(
            AuditEntry(at=at, actor="system", action="product.change", subject="products",
                       subject_id=1, reason=reason, ip="", detail={})
        )  # fmt: skip

    transaction(add)
    third = words(owner.get("/admin/audit?from=2026-07-03&to=2026-07-03"))
    assert "third" in third
    assert "fourth" not in third
    fourth = words(owner.get("/admin/audit?from=2026-07-04&to=2026-07-04"))
    assert "fourth" in fourth
    assert "third" not in fourth


def test_no_row_stands_on_two_pages(app: Flask) -> None:
    """Equal in what they are sorted by, told apart by their id."""
    fill(50, reason="same")
    by_reason = Listing("x", AuditEntry, (Sort("reason", "", (AuditEntry.reason,)),))
    seen = [
        entry.id
        for page in range(1, 4)
        for entry in by_reason.show(
            sa.select(AuditEntry), by_reason.ask(MultiDict({"page": str(page)}))
        ).rows
    ]
    assert len(seen) == len(set(seen)) == 50


def test_loader_options_and_joins_count_right(app: Flask) -> None:
    product = factories.make_product(codes=5)
    for _ in range(3):
        factories.place(product)
    listing = Listing(
        "orders",
        Order,
        (Sort("total", "", (Order.total.desc(),)),),
        search=Search(lambda text: Order.number == text),
        choices=(Choice("state", "", lambda: [("pending", "")], lambda v: Order.state == v),),
        days=Days(Order.created_at),
    )
    today = f"{clock.now() + timedelta(hours=8):%Y-%m-%d}"
    asked = listing.ask(MultiDict({"state": "pending", "from": today, "to": today}))
    shown = listing.show(sa.select(Order).options(selectinload(Order.lines)), asked)
    assert shown.total == 3
    assert [len(order.lines) for order in shown.rows] == [1, 1, 1]
    both = sa.select(Order, OrderLine.product_name).join(OrderLine)
    shown = listing.show(both, listing.ask(MultiDict({"q": shown.rows[0].number})))
    assert shown.total == 1
    assert shown.rows[0].product_name == "测试卡"


def test_the_file_is_the_whole_of_the_filter_in_its_order(owner: Visitor) -> None:
    fill(export.CHUNK + 30, reason="换价")
    fill(5, reason="别的")
    response = owner.get("/admin/audit?q=%E6%8D%A2%E4%BB%B7&sort=oldest&page=2&format=csv")
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in response.headers["Content-Disposition"]
    assert response.headers["Cache-Control"] == "no-store"
    assert response.text.startswith("\ufeff时间,")
    rows = rows_of(response.text)[1:]
    assert [int(row[4]) for row in rows] == list(range(1, export.CHUNK + 31))


def test_the_file_leaves_an_audit_row_without_what_was_searched_for(owner: Visitor) -> None:
    fill(2, reason="13812345678")
    owner.get("/admin/audit?q=13812345678&action=product.change&format=csv").close()
    session.rollback()
    entry = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.action, entry.detail) == (
        "audit.export", {"rows": 2, "filters": {"action": "product.change"}},
    )  # fmt: skip


def test_the_file_wants_a_fresh_proof_and_comes_back_to_the_list(owner: Visitor) -> None:
    transaction(lambda: session.execute(sa.update(Session).values(stepped_up_at=None)))
    target = location(owner.get("/admin/audit?action=product.change&format=csv"))
    assert target == "/admin/step-up?next=/admin/audit?action%3Dproduct.change"


def test_the_file_is_not_for_everybody(app: Flask) -> None:
    auditor = Visitor(app, people.make(Role.AUDITOR))
    assert "导出 CSV" not in words(auditor.get("/admin/people"))
    assert auditor.get("/admin/people?format=csv").status_code == 403


def test_no_transaction_stays_open_while_a_slow_reader_reads(app: Flask, owner: Visitor) -> None:
    fill(export.CHUNK * 2)
    with app.test_request_context("/admin/audit"):
        ids = list(session.scalars(sa.select(AuditEntry.id).order_by(AuditEntry.id)))
        lines = export._lines(sa.select(AuditEntry), AuditEntry, LIST.columns, ids)
        next(lines)
        next(lines)
        session.rollback()
        assert not session().in_transaction()
        next(lines)


@pytest.mark.parametrize(
    "value",
    [
        "=1+1", "+86138", "-2+3", "@SUM(A1)", "\t=1", "\r=1", "\0=1", "＝1+1", "＋1", "－1", "＠x",
        "  =1", "\u3000=1", "\ufeff=1", "=cmd|' /C calc'!A0", '=HYPERLINK("http://x","y")',
    ],
)  # fmt: skip
def test_a_formula_becomes_text(value: str) -> None:
    assert cell(value) == f"'{value}"


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ("王小明", "王小明"), ("a=b", "a=b"), ("", ""), (None, ""), (0, "0"), (-5, "-5"),
        (yuan(-1234), "-12.34"), (yuan(100), "1.00"), (Decimal("0.10"), "0.10"), (True, "True"),
    ],
)  # fmt: skip
def test_the_rest_stays_as_it_is(value: object, written: str) -> None:
    assert cell(value) == written


@given(st.lists(st.text(), min_size=1, max_size=5))
@example(['"', ",", "\n", "\r\n", '",="'])
def test_what_was_written_is_read_again(values: list[str]) -> None:
    line = export.line([cell(value) for value in values])
    read = next(csv.reader(io.StringIO(line, newline="")))
    for value, back in zip(values, read, strict=True):
        assert back in (value, f"'{value}")
        assert not back.lstrip(" \u3000\ufeff").startswith(FORMULA_SIGNS)


def test_a_hostile_reason_is_harmless_in_the_file(owner: Visitor) -> None:
    fill(1, reason='=HYPERLINK("http://evil.example";"click")')
    row = rows_of(owner.get("/admin/audit?action=product.change&format=csv").text)[1]
    assert row[5].startswith("'=HYPERLINK")


def test_columns_are_titled_in_the_readers_language(app: Flask, owner: Visitor) -> None:
    columns = (Column("金额", lambda row: yuan(row.subject_id)),)
    fill(1)
    with app.test_request_context("/"):
        ids = list(session.scalars(sa.select(AuditEntry.id)))
        text = "".join(export._lines(sa.select(AuditEntry), AuditEntry, columns, ids))
    assert text == "\ufeff金额\r\n0.01\r\n"
