"""A channel's statement taken in, compared, booked and settled in the console."""

import io
import re

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core import clock
from app.core.db import session
from app.domain.accounts.models import Role
from app.domain.ledger import queries as books
from app.domain.orders.models import Order, OrderState
from app.domain.orders.statement_models import ChannelStatementRow, Remittance
from app.providers import payments
from app.providers.payments.interface import Standing, StandingState
from app.web.admin import todo
from tests import factories, people
from tests.fake_channel import ObedientChannel
from tests.web.visitors import Visitor, location, words

PATH = "/admin/channel-statements"

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("audited"),
]


@pytest.fixture
def channel(app: Flask, monkeypatch: pytest.MonkeyPatch) -> ObedientChannel:
    obedient = ObedientChannel(title="沙箱支付")
    monkeypatch.setitem(payments._channels, "sandbox", obedient)
    return obedient


@pytest.fixture
def finance(app: Flask) -> Visitor:
    return Visitor(app, people.make(Role.FINANCE))


def send(visitor: Visitor, *lines: str, **form: str) -> object:
    content = "\n".join(("kind,number,amount,fee,state", *lines)).encode()
    day = clock.today(factories.ZONE).isoformat()
    fields = {"channel": "sandbox", "day": day, "file": (io.BytesIO(content), "day.csv")} | form
    return visitor.post(PATH, fields, content_type="multipart/form-data")


def row_id(number: str) -> int:
    session.rollback()
    return session.scalars(
        sa.select(ChannelStatementRow.id).where(ChannelStatementRow.number == number)
    ).one()


def test_missing_money_is_found_asked_about_and_taken_in(
    finance: Visitor, channel: ObedientChannel
) -> None:
    placed = factories.place(factories.make_product(codes=30))
    payment = placed.payment
    assert payment is not None
    number, order_id = payment.number, placed.order.id
    done = send(finance, f"payment,{number},30.00,0,success", "remittance,SET-1,20.00,0.12,")
    assert location(done).startswith(PATH)
    page = words(finance.get(PATH))
    assert "已导入 2 行，有 2 条差异" in page and "结果不同" in page and "渠道有，账上没有" in page
    todo.forget()
    assert "渠道对账差异 2" in words(finance.get("/admin/"))

    channel.standing = Standing(StandingState.PAID, "T1", 3000, "CNY")
    row = row_id(number)
    query = f"{PATH}/rows/{row}/query"
    finance.post(query)
    assert "稍后再点一次" in words(finance.get(PATH))
    factories.work()
    assert session.get_one(Order, order_id).state == OrderState.DELIVERED
    finance.post(query)
    assert "两边现在一致了" in words(finance.get(PATH))

    finance.post(f"{PATH}/rows/{row_id('SET-1')}/booking")
    session.rollback()
    found = {group.prefix: group.balance for group in books.groups()}
    assert (found["bank"], found["channel_fee"], found["channel"]) == (1988, 12, 1000)
    page = words(finance.get("/admin/remittances"))
    assert "SET-1 已入账 ¥ 19.88 ¥ 0.12" in page and "沙箱支付代收未结 ¥ 10.00" in page


def test_a_file_that_cannot_be_taken_says_why_and_keeps_what_was_typed(
    finance: Visitor, channel: ObedientChannel
) -> None:
    wrong = send(finance, "gift,A1,1,,", day="2026-03-05")
    assert wrong.status_code == 422 and "第 2 行的类型不认识" in words(wrong)
    assert 'value="2026-03-05"' in wrong.text
    empty = finance.post(PATH, {"channel": "nobody", "day": ""})
    for sentence in ("请选择渠道", "请填写日期", "请选择渠道的对账文件"):
        assert sentence in words(empty)
    assert "已导入 0 行" in words(finance.get(location(send(finance))))
    assert send(finance).status_code == 409


def test_a_difference_is_settled_with_words(finance: Visitor, channel: ObedientChannel) -> None:
    send(finance, "payment,NOBODY,1.00,,")
    row = row_id("NOBODY")
    for path, form, said in (
        ("query", {}, "没有可以向渠道查询的"),
        ("booking", {}, "这一条不是渠道结算"),
        ("settlement", {"reason": ""}, "请写明怎么处理的"),
        ("settlement", {"reason": "渠道测试单"}, "已标记为处理过"),
        ("settlement", {"reason": "再来"}, "这条差异已经处理过"),
    ):
        finance.post(f"{PATH}/rows/{row}/{path}", form)
        assert said in words(finance.get(PATH))
    assert "渠道测试单" in words(finance.get(f"{PATH}?state=settled&difference=only_theirs"))
    assert finance.post(f"{PATH}/rows/999999/settlement", {"reason": "没有"}).status_code == 404


def test_money_that_came_into_the_bank_is_entered_and_a_slip_reversed(
    app: Flask, finance: Visitor, channel: ObedientChannel
) -> None:
    factories.buy(factories.make_product())
    form = {"channel": "sandbox", "number": "BANK-77", "net": "29.9", "fee": "0.2"}
    over = finance.post("/admin/remittances", form)
    assert over.status_code == 422 and "只有 30.00 元" in words(over)
    assert 'value="BANK-77"' in over.text
    assert "请填写金额" in words(finance.post("/admin/remittances", form | {"net": "much"}))
    assert location(finance.post("/admin/remittances", form | {"fee": "0.1"}))
    session.rollback()
    one = session.scalars(sa.select(Remittance)).one()
    finance.post(f"/admin/remittances/{one.id}/reversal", {"reason": "填错渠道"})
    page = words(finance.get("/admin/remittances"))
    assert "已撤销" in page and "填错渠道" in page
    books_page = finance.get("/admin/ledger/accounts/bank")
    assert "渠道结算 BANK-77 − ¥ 29.90 ¥ 0.00" in words(books_page)
    assert re.search(r'href="/admin/remittances\?q=BANK-77"', books_page.text)
    auditor = Visitor(app, people.make(Role.AUDITOR))
    assert "登记到账" not in words(auditor.get("/admin/remittances"))
    assert auditor.post("/admin/remittances", form).status_code == 403
