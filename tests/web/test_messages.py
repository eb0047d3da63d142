"""What messages say: every kind in every language, and how the shop's own pages speak of them."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from flask import Flask

from app.domain.accounts.models import Role
from app.domain.messages.models import Kind
from app.domain.messages.rules import Facts, Words
from app.providers import messages
from app.providers.messages.interface import Message, Outcome, Result
from app.web.messages import writer
from tests import factories, people
from tests.web.visitors import Visitor, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

FACTS = Facts(
    kind=Kind.PAID,
    language="zh",
    shop="小店",
    support="微信 mei",
    zone="Asia/Shanghai",
    number="250101ABCDEFGHJ",
    items=(("月卡 & <年卡>", 2), ("季卡", 1)),
    amount=123456,
    currency="CNY",
    ends_at=datetime(2025, 1, 31, 16, 0, tzinfo=UTC),
)
SAID = {
    ("zh", Kind.PAID): "已收到你的付款 ¥1,234.56",
    ("zh", Kind.ARRIVED): "已经到货",
    ("zh", Kind.FAILED): "没能送达",
    ("zh", Kind.REFUNDED): "¥1,234.56 已退回",
    ("zh", Kind.EXPIRING): "有效期到 2025-02-01 00:00 为止",
    ("zh", Kind.GIVEN_BACK): "这一次使用已经退回",
    ("zh", Kind.LOW_BALANCE): "余额还剩 ¥1,234.56",
    ("zh", Kind.REPLACED): "我们免费为你换了新的",
    ("en", Kind.PAID): "received your payment of ¥1,234.56",
    ("en", Kind.ARRIVED): "has arrived",
    ("en", Kind.FAILED): "could not be delivered",
    ("en", Kind.REFUNDED): "¥1,234.56 has been sent back",
    ("en", Kind.EXPIRING): "valid until 2025-02-01 00:00",
    ("en", Kind.GIVEN_BACK): "this use has been given back",
    ("en", Kind.LOW_BALANCE): "balance is ¥1,234.56",
    ("en", Kind.REPLACED): "we have replaced them at no cost",
}


def write(app: Flask, facts: Facts, *, is_short: bool = False) -> Words:
    return writer(app, "https://shop.example.com")(facts, is_short)


@pytest.mark.parametrize(("language", "kind"), list(SAID))
def test_each_kind_says_what_happened_and_where_to_look(
    app: Flask, language: str, kind: Kind
) -> None:
    said = write(app, replace(FACTS, kind=kind, language=language))
    assert SAID[language, kind] in said.text
    assert SAID[language, kind] in said.html
    assert FACTS.number in said.subject
    assert said.text.startswith(said.subject + "\n")
    for text in (said.text, said.html):
        assert "https://shop.example.com/orders/250101ABCDEFGHJ" in text
        assert "微信 mei" in text
    assert "月卡 & <年卡> × 2\n季卡 × 1" in said.text
    assert "月卡 &amp; &lt;年卡&gt; × 2" in said.html
    assert "\n\n\n" not in said.text
    assert "%(" not in said.text + said.html + said.subject


def test_every_kind_is_among_them(app: Flask) -> None:
    assert {kind for _, kind in SAID} == set(Kind)


def test_a_phone_gets_one_short_line(app: Flask) -> None:
    said = write(app, FACTS, is_short=True)
    url = "https://shop.example.com/orders/250101ABCDEFGHJ"
    assert said.text == f"【小店】订单 250101ABCDEFGHJ 已付款。{url}"
    english = write(app, replace(FACTS, language="en"), is_short=True)
    assert english.text == f"[小店] Order 250101ABCDEFGHJ is paid. {url}"
    assert said.html == ""


def test_a_language_that_is_not_spoken_here_is_chinese(app: Flask) -> None:
    assert write(app, replace(FACTS, language="fr")).subject == "订单 250101ABCDEFGHJ 已付款"


class _Doubtful:
    """A way that never knows."""

    name = "smtp"

    def send(self, message: Message) -> Result:
        return Result(Outcome.UNKNOWN, "TimeoutError")

    def check(self) -> str:
        return ""


def test_staff_see_what_the_buyer_was_told(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(messages._senders, messages.EMAIL, _Doubtful())
    product = factories.make_product()
    orders = [
        factories.buy(product, phone=contact) for contact in ("13812345678", "mei@example.com")
    ]
    factories.work()
    support = Visitor(app, people.make(Role.SUPPORT))

    by_phone, by_mail = (words(support.get(f"/admin/orders/{one.number}")) for one in orders)

    assert "告诉买家：已到货" in by_phone
    assert "已发出 · 写入日志 · 138****5678" in by_phone
    assert "不确定是否发出 · 邮件 · m***@example.com · TimeoutError" in by_mail


def test_the_link_leads_whoever_is_not_known_to_the_question_whose_it_is(app: Flask) -> None:
    """A message is read on another phone: its page asks for the contact, and then is the order's.
    For an order that does not exist it asks the same."""
    order = factories.buy(factories.make_product(), phone="mei@example.com")
    stranger = Visitor(app)
    page = stranger.get(f"/orders/{order.number}")
    other = stranger.get("/orders/250101NOTHING")

    assert page.status_code == other.status_code == 404
    assert f'value="{order.number}"' in page.text
    assert "请填写下单用的手机号或邮箱" in words(page)
    assert words(page) == words(other)

    form = {"number": order.number, "contact": "mei@example.com"}
    assert stranger.post("/lookup", form).headers["Location"] == f"/orders/{order.number}"
    assert stranger.get(f"/orders/{order.number}").status_code == 200
