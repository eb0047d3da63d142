"""Settlement statements: the ledger line by line, never changed, answered by the payee."""

import io
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import openpyxl
import pypdf
import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app import invariants
from app.core import clock
from app.core.actors import acting_as
from app.core.db import session, transaction
from app.core.errors import Conflict, NotFound, Refusal
from app.domain.catalog import preferences
from app.domain.channels.models import Commission, Distributor
from app.domain.ledger.models import LedgerEntry
from app.domain.orders import refunding
from app.domain.payouts import queries, statements, tax, withdrawals
from app.domain.payouts.models import Withdrawal
from app.domain.payouts.paper_models import (
    IdentityKind,
    SettlementStatement,
    StatementAnswer,
    StatementEntry,
    Withholding,
)
from app.domain.payouts.papers import package, pdf, xlsx
from app.domain.payouts.papers.document import Paper
from app.domain.payouts.statements import Standing, standing
from app.domain.payouts.tax_profiles import ProfileFields
from app.providers.payouts.interface import Outcome, Result
from tests import earning, factories, paying_out
from tests.fake_channel import ObedientChannel
from tests.paying_out import ObedientPayer

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def payer(app: Flask) -> Iterator[ObedientPayer]:
    rules = {
        "payer_name": "上海硬架科技有限公司",
        "payer_code": "91110108551385082Q",
        "payout_fee": 100,
        "payout_daily_amount": 10**10,
    }
    transaction(lambda: preferences.change(rules))
    payer = ObedientPayer()
    with paying_out.paying_through(payer):
        yield payer


def paid(holder: Distributor, gross: int) -> Withdrawal:
    made = paying_out.submitted(holder, gross)
    factories.work()
    return paying_out.fresh(made)


def commission(holder: Distributor, amount: int, name: str = "视频会员 月卡") -> Commission:
    """All that was paid for an order, booked as commissions are."""
    order = factories.buy(factories.make_product(codes=1, name=name, price=amount))
    return earning.earn(order, holder, amount=amount)


def of(holder: Distributor) -> list[statements.Issued]:
    session.rollback()
    session.expire_all()
    return list(statements.list_of(holder.id))


def paper_of(statement: SettlementStatement) -> Paper:
    number = statement.number
    return Paper(
        statements.content_of(statements.find(number).statement),
        statement.sha256,
        f"https://shop.example.com/verify/{number}",
        statement.issued_at,
    )


def breaches() -> list[invariants.Finding]:
    return [one for one in invariants.run(full=True) if not one.holds]


def test_statement_follows_statement_and_together_they_are_the_ledger(
    payer: ObedientPayer, channel: ObedientChannel
) -> None:
    holder = paying_out.make_distributor()
    sold = commission(holder, 400_001)
    paid(holder, 300_000)
    paying_out.credit(holder, 50_000)
    # A claw-back after the payment: below zero, carried forward, never debited.
    order_id, line_id, uid = sold.order_id, sold.order_line_id, holder.uid
    transaction(lambda: refunding.request_refund(order_id, line_id, 190_000, "坏卡"))
    earning.take_back(sold, holder, 190_000)
    factories.work()
    with pytest.raises(Refusal):
        paying_out.ask(holder, 1000, queries.active_accounts(holder.id)[0])
    paying_out.credit(holder, 90_001)
    second = paid(holder, 50_002)

    later, first = of(holder)

    content = statements.content_of(statements.find(first.statement.number).statement)
    assert [(line["kind"], line["amount"]) for line in content["lines"]] == [
        ("earning", 400_001),
        ("withdrawn", -300_000),
    ]
    sale = content["lines"][0]
    assert (sale["product"], sale["base"], sale["level"]) == ("视频会员 月卡", 400_001, 1)
    assert (content["opening"], content["closing"]) == (0, 100_001)
    settled = content["settlement"]
    assert (settled["gross"], settled["tax"], settled["fee"]) == (300_000, 44_000, 100)
    assert settled["words"] == "人民币贰仟伍佰伍拾玖元整"
    assert content["payer"] == {"name": "上海硬架科技有限公司", "credit_code": "91110108551385082Q"}
    assert content["payee"]["name"] == "李小岚"
    text = statements.canonical_of(statements.find(first.statement.number).statement)
    assert statements.hash_of(text) == first.statement.sha256
    assert "李小岚".encode() not in first.statement.content_sealed

    content = statements.content_of(statements.find(later.statement.number).statement)
    assert (content["opening"], content["closing"]) == (100_001, 0)
    assert content["subtotals"] == {
        "earning": 140_001,
        "reversal": -190_000,
        "withdrawn": -50_002,
        "given_back": 0,
        "adjustment": 0,
    }
    assert content["period"]["from"] == statements.statement_content.local(
        first.statement.issued_at
    )
    withdrawal_id = second.id
    assert transaction(lambda: statements.issue(withdrawal_id)).number == later.statement.number
    assert len(of(holder)) == 2, "asked for again, it is the same one"
    assert queries.payable(uid) == later.statement.closing
    assert breaches() == []

    # What the audit is for: an entry of somebody else's account gets onto her statement.
    paying_out.credit(paying_out.make_distributor(), 777)
    strange = session.scalars(sa.select(LedgerEntry.id).where(LedgerEntry.amount == -777)).one()
    statement_id = later.statement.id
    transaction(lambda: session.add(StatementEntry(entry_id=strange, statement_id=statement_id)))
    assert [one.name for one in breaches()] == ["statements equal postings"]
    transaction(lambda: session.execute(sa.update(Withholding).values(tax=Withholding.tax + 1)))
    assert "each withdrawal keeps the tax it was to" in [one.name for one in breaches()]


def test_a_statement_is_corrected_by_another_and_never_changed(payer: ObedientPayer) -> None:
    holder = paying_out.make_distributor(payable=100_000)
    withdrawal = paid(holder, 60_000)
    (issued,) = of(holder)
    number, first_id = issued.statement.number, issued.statement.id
    for change in (
        sa.update(SettlementStatement).values(net=1, gross=1),
        sa.delete(StatementEntry),
        sa.update(StatementEntry).values(statement_id=first_id),
        sa.delete(SettlementStatement),
    ):
        with pytest.raises(sa.exc.DBAPIError):
            transaction(lambda change=change: session.execute(change))

    paying_out.enter_profile(
        holder, ProfileFields(IdentityKind.RESIDENT_ID, "李晓岚", "11010519491231002X")
    )
    with pytest.raises(Refusal):
        transaction(lambda: statements.correct(number, " "))
    with acting_as("person:900001"):
        second = transaction(lambda: statements.correct(number, "姓名更正")).number
    with pytest.raises(Conflict):
        transaction(lambda: statements.correct(number, "再来一次"))
    assert statements.find(number).standing == Standing.SUPERSEDED
    content = statements.content_of(statements.find(second).statement)
    assert (content["corrects"], content["reason"]) == (number, "姓名更正")
    assert content["payee"]["name"] == "李晓岚"
    assert content["lines"] == statements.content_of(statements.find(number).statement)["lines"]

    # The payee's bank sends it back, and it is given back to her balance.
    payer.answers = [Result(Outcome.RETURNED, reason="户名不符")]
    with time_machine.travel(clock.now() + timedelta(days=1, hours=1), tick=True):
        session.rollback()
        factories.take_over()
        factories.work()
        withdrawal_id = withdrawal.id
        transaction(lambda: withdrawals.refuse(withdrawal_id, "户名不符"))
    third, *rest = of(holder)
    assert [one.statement.number for one in rest] == [second, number]
    assert (third.statement.gross, third.statement.net, third.statement.closing) == (0, 0, 40_000)
    content = statements.content_of(statements.find(third.statement.number).statement)
    assert (content["settlement"]["state"], content["settlement"]["tax"]) == ("returned", 0)
    kept = tax.find(withdrawal_id)
    assert kept is not None
    assert kept.released_at is not None

    paid(holder, 100_000)
    latest = of(holder)[0].statement
    assert (latest.opening, latest.closing) == (40_000, 0)
    assert latest.root_id is None
    assert breaches() == []


def test_the_payee_confirms_or_disputes_in_time(payer: ObedientPayer) -> None:
    holder = paying_out.make_distributor(payable=100_000)
    other = paying_out.make_distributor()
    for gross in (20_000, 20_000, 20_000):
        paid(holder, gross)
    one, two, three = (issued.statement.number for issued in of(holder))
    holder_id, stranger = holder.id, other.id

    def in_days(days: int, act: Any) -> None:
        with time_machine.travel(clock.now() + timedelta(days=days), tick=False):
            transaction(act)

    with pytest.raises(NotFound):
        transaction(lambda: statements.confirm(stranger, one, "203.0.113.7"))
    transaction(lambda: statements.confirm(holder_id, one, "203.0.113.7"))
    with pytest.raises(Conflict):
        transaction(lambda: statements.dispute(holder_id, one, "金额不对"))
    with pytest.raises(Conflict):
        in_days(16, lambda: statements.dispute(holder_id, two, "太晚了"))
    in_days(14, lambda: statements.dispute(holder_id, two, "少了一单"))
    with pytest.raises(Conflict):
        transaction(lambda: statements.confirm(holder_id, two, "203.0.113.7"))
    with pytest.raises(Conflict):
        transaction(lambda: statements.settle_dispute(three, "没有异议"))
    assert statements.find(two).standing == Standing.DISPUTED
    transaction(lambda: statements.settle_dispute(two, "那一单已退款"))
    assert statements.find(two).standing == Standing.ANSWERED
    transaction(lambda: statements.confirm(holder_id, two, "203.0.113.7"))
    assert [issued.standing for issued in of(holder)] == [
        *(Standing.CONFIRMED, Standing.CONFIRMED),
        Standing.WAITING,
    ]
    answer = statements.find(two).answer
    assert answer is not None
    assert (answer.confirmed_ip, answer.settled_because) == ("203.0.113.7", "那一单已退款")


def test_silence_is_consent_after_seven_days() -> None:
    now = clock.now()
    for days, is_superseded, expected in (
        (6, False, Standing.WAITING),
        (7, False, Standing.AUTO_CONFIRMED),
        (7, True, Standing.SUPERSEDED),
    ):
        issued_at = now - timedelta(days=days)
        assert standing(issued_at, None, now, is_superseded=is_superseded) == expected
    disputed = StatementAnswer(disputed_at=now)
    assert standing(now, disputed, now, is_superseded=False) == Standing.DISPUTED


@on_sqlite
def test_what_stands_on_paper(payer: ObedientPayer) -> None:
    """The PDF's text, the spreadsheet's cells and the package, against the content."""
    holder = paying_out.make_distributor()
    hostile = '=HYPERLINK("http://x")'
    commission(holder, 7_000_000, hostile)
    paying_out.enter_profile(
        holder, ProfileFields(IdentityKind.RESIDENT_ID, "李喆𠮷", "11010519491231002X")
    )
    paid(holder, 7_000_000)
    (issued,) = of(holder)
    statement = issued.statement
    paper = paper_of(statement)

    made = pdf.render(paper)

    assert made == pdf.render(paper), "the same statement is the same file"
    read = pypdf.PdfReader(io.BytesIO(made))
    text = "\n".join(page.extract_text() for page in read.pages)
    for words in (
        *("结算单", statement.number, "上海硬架科技有限公司", "91110108551385082Q"),
        *("李喆〓", "U+20BB7", "110*************2X", "139****5678", "¥70,000.00"),
        *("-¥15,400.00", "¥54,599.00", "人民币伍万肆仟伍佰玖拾玖元整", "40%"),
        *("国家税务总局公告2018年第61号", "劳务报酬，按月预扣", statement.sha256),
        *("第 1 页 / 共 1 页", f"https://shop.example.com/verify/{statement.number}"),
    ):
        assert words in text, words
    assert read.metadata is not None
    assert read.metadata.title == f"结算单 {statement.number}"

    book = openpyxl.load_workbook(io.BytesIO(xlsx.render(paper)))
    facts = {row[0].value: row[1].value for row in book["结算单"].iter_rows()}
    assert facts["结算单"] == statement.number
    assert (facts["实付金额"], facts["大写"]) == (54_599, "人民币伍万肆仟伍佰玖拾玖元整")
    assert facts["收款方"] == "李喆𠮷"
    cells = [cell for row in book["明细"].iter_rows(min_row=2) for cell in row]
    assert [cell.data_type for cell in cells if cell.value == hostile] == ["s"]
    assert not [cell for cell in cells if cell.data_type == "f"]
    amounts = [row[-1].value for row in book["明细"].iter_rows(min_row=2)]
    assert amounts == [70_000, -70_000]

    assert package.is_needed(paper)
    with zipfile.ZipFile(io.BytesIO(package.render(paper, lambda: made))) as archive:
        assert archive.read(f"{statement.number}.pdf") == made
        orders = archive.read("orders.csv").decode("utf-8-sig")
        assert f'"\'{hostile.replace(chr(34), chr(34) * 2)}"' in orders
        basis = archive.read("basis.txt").decode()
    assert "李喆𠮷（居民身份证 110*************2X）" in basis
    assert "已依法代扣个人所得税 ¥15,400.00" in basis


def test_many_lines_fill_pages_and_the_rest_is_summed_up() -> None:
    """No session and no database: content in, bytes out."""
    at = "2026-11-27T10:05:33+08:00"
    line = {"entry": 1, "at": at, "kind": "adjustment", "amount": 101, "withdrawal": ""}
    content = {
        "number": "JS261127ABCDEFGH",
        "issued_at": at,
        "corrects": "JS261126ABCDEFGH",
        "reason": "付款结果有变",
        "period": {"from": "", "to": at},
        "payer": {"name": "硬架小店", "credit_code": ""},
        "payee": {
            "name": "Jane Doe",
            "name_masked": "Ja***oe",
            "identity_kind": "passport",
            "identity_masked": "E12****78",
            "tax_mode": "non_resident",
            "account_kind": "company",
            "account_masked": "****2345",
            "bank": "",
        },
        "currency": "CNY",
        "opening": 0,
        "lines": [line] * (pdf.MOST_LINES + 50),
        "subtotals": {"adjustment": 101 * (pdf.MOST_LINES + 50), "earning": 0},
        "closing": 101 * (pdf.MOST_LINES + 50),
        "settlement": {
            "withdrawal": "W1",
            "state": "returned",
            "words": "人民币零元整",
            "method": "",
            **dict.fromkeys(("gross", "income", "tax", "fee", "net"), 0),
            **dict.fromkeys(("channel", "voucher", "paid_at", "prepared_by", "approved_by"), ""),
            "trace": [],
        },
    }
    paper = Paper(content, "0" * 64, "https://shop.example.com/verify/JS1", clock.now())
    read = pypdf.PdfReader(io.BytesIO(pdf.render(paper)))
    pages = [page.extract_text() for page in read.pages]
    assert len(pages) >= 4
    for number, text in enumerate(pages, 1):
        assert f"第 {number} 页 / 共 {len(pages)} 页" in text
    whole = "".join(pages)
    assert "更正 JS261126ABCDEFGH：付款结果有变" in whole
    assert "款项已退回" in whole
    assert "另有 50 笔，合计 ¥50.50" in whole
    assert not package.is_needed(paper)
