"""One event tells the buyer once; what certainly did not go out is tried again, doubt is not."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy import event
from structlog.testing import capture_logs

from app.core import clock
from app.core.db import Model, db, session, transaction
from app.core.outbox import OutboxRow, OutboxState
from app.core.states import StateChange
from app.domain.catalog import preferences
from app.domain.catalog.models import AccountFormat
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.messages.models import Kind, MessageRow, MessageState
from app.domain.messages.rules import GIVE_UP_AFTER
from app.domain.orders import queries, refunding
from app.domain.orders.models import Order, OrderState
from app.domain.vault import rules
from app.domain.vault import service as vault
from app.providers import messages
from app.providers.recharges.interface import Outcome as Answer
from tests import factories
from tests.domain.messages.conftest import MEI, Post
from tests.domain.recharges.conftest import Market


def keep_waiting(post: Post, market: Market, **values: object) -> Order:
    """An order that is paid and whose recharge has not been begun."""
    placed = factories.place(
        market.product,
        account=RechargeAccount.parse(AccountFormat.PHONE, "13912345678"),
        **({"phone": MEI} | values),
    )
    assert placed.payment is not None
    factories.settle(placed.payment)
    return factories.fresh(placed.order)


def test_delivered_at_once_the_buyer_hears_of_it_once(post: Post) -> None:
    order = post.buy(factories.make_product(name="月卡"), quantity=2)

    post.work()
    post.work(after=timedelta(days=2))

    assert post.subjects == [f"订单 {order.number} 已到货"]
    assert post.server.mailbox.recipients == [MEI]
    said = post.server.mailbox.text()
    assert "月卡 × 2" in said
    assert f"http://localhost/orders/{order.number}\n" in said
    (row,) = post.rows()
    assert (row.kind, row.state, row.channel) == (Kind.ARRIVED, MessageState.SENT, "smtp")
    assert (row.recipient_masked, row.attempts, row.reason) == ("m***@example.com", 1, "")
    assert row.sent_at is not None


def test_each_step_is_in_the_trail(post: Post) -> None:
    post.buy(factories.make_product())
    post.work()
    steps = session.execute(
        sa.select(StateChange.from_state, StateChange.to_state)
        .where(StateChange.subject == "messages")
        .order_by(StateChange.id)
    )
    assert [tuple(step) for step in steps] == [("queued", "sending"), ("sending", "sent")]


def test_it_speaks_the_orders_language(post: Post) -> None:
    transaction(lambda: preferences.change({"name": "A & B", "support": "WeChat <mei>"}))
    order = post.buy(factories.make_product(name="<b>Card</b>"), language="en")
    post.work()
    assert post.subjects == [f"Order {order.number} has arrived"]
    assert "What you bought has arrived." in post.server.mailbox.text()
    assert "A & B\nWeChat <mei>" in post.server.mailbox.text()
    page = post.server.mailbox.text(subtype="html")
    assert '<html lang="en">' in page
    assert "&lt;b&gt;Card&lt;/b&gt; × 1" in page
    assert "A &amp; B" in page
    # Nothing is loaded and nothing is counted: the one address is the order's.
    assert page.count("http") == 1
    assert "<img" not in page


def test_paid_is_told_when_it_takes_a_while(post: Post, market: Market) -> None:
    market.first.submits = [Answer.PENDING]
    order = keep_waiting(post, market)

    post.work()
    assert post.subjects == []
    post.work(after=timedelta(seconds=90))
    assert post.subjects == [f"订单 {order.number} 已付款"]
    assert "已收到你的付款 ¥30.00" in post.server.mailbox.text()

    market.first.queries = [Answer.DELIVERED]
    post.work(after=timedelta(minutes=10))
    assert post.subjects[1:] == [f"订单 {order.number} 已到货"]


def test_paid_is_not_told_when_it_arrives_within_seconds(post: Post, market: Market) -> None:
    keep_waiting(post, market)
    post.work(after=timedelta(seconds=90))
    assert post.states() == [("arrived", "sent")]


def test_what_cannot_be_had_and_the_money_that_went_back(post: Post, market: Market) -> None:
    market.first.submits = market.second.submits = [Answer.REFUSED]
    order = keep_waiting(post, market)

    post.work()
    post.work(after=timedelta(seconds=90))

    assert factories.fresh(order).state == OrderState.REFUNDED
    assert post.states() == [("failed", "sent"), ("refunded", "sent")]
    assert "¥30.00 已退回你付款的账户" in post.server.mailbox.text()


def test_each_refund_is_told(post: Post) -> None:
    order = post.buy(factories.make_product())
    post.work()
    for amount in (1000, 500):
        line_id = factories.fresh(order).lines[0].id
        transaction(
            lambda: refunding.request_refund(order.id, line_id, amount, "买家要求")  # noqa: B023
        )
        post.work()
    assert post.states() == [("arrived", "sent"), ("refunded", "sent"), ("refunded", "sent")]
    assert [row.subject_id for row in post.rows()][1:] == [
        refund.id for refund in queries.refunds_of(order.id)
    ]
    assert "¥5.00" in post.server.mailbox.text()


def test_money_that_no_order_could_take_is_told_when_it_went_back(post: Post) -> None:
    placed = factories.place(factories.make_product(), phone=MEI)
    assert placed.payment is not None
    factories.settle(placed.payment, amount=1)
    post.work()
    assert post.states() == [("refunded", "sent")]
    assert "¥0.01" in post.server.mailbox.text()


def test_a_recipient_that_is_refused_is_not_tried_again(post: Post) -> None:
    post.server.mailbox.on_recipient = ["550 5.1.1 <{address}>: no such user"]
    post.buy(factories.make_product())
    post.work()
    post.work(after=timedelta(days=2))
    (row,) = post.rows()
    assert row.state == MessageState.REFUSED
    assert row.reason == "550 5.1.1 ***: no such user"
    assert post.subjects == []


def test_a_server_that_is_down_is_tried_later(post: Post) -> None:
    post.server.stop()
    post.buy(factories.make_product())
    post.work()
    assert post.states() == [("arrived", "queued")]
    post.work(after=timedelta(minutes=2))
    post.server.start()

    post.work(after=timedelta(minutes=20))

    (row,) = post.rows()
    assert (row.state, row.attempts) == (MessageState.SENT, 3)
    assert len(post.subjects) == 1


def test_news_of_yesterday_are_none(post: Post) -> None:
    post.server.mailbox.on_recipient = ["450 4.2.0 greylisted"] * 100
    post.buy(factories.make_product())
    for hour in range(26):
        post.work(after=timedelta(hours=hour))
    (row,) = post.rows()
    assert (row.state, row.reason) == (MessageState.REFUSED, "450 4.2.0 greylisted")
    assert 20 <= row.attempts <= 30
    live = sa.select(OutboxRow.key).where(
        OutboxRow.state != OutboxState.DONE, OutboxRow.key.like("message:%")
    )
    assert session.scalars(live).all() == []
    assert row.created_at + GIVE_UP_AFTER < clock.now() + timedelta(hours=26)


def test_doubt_is_not_sent_again(post: Post) -> None:
    """The server took the message and hung up without a word."""
    post.server.mailbox.cuts_after_data = True
    post.buy(factories.make_product())
    post.work()
    post.work(after=timedelta(days=2))
    assert post.states() == [("arrived", "unknown")]
    assert len(post.subjects) == 1


def test_switched_off_nothing_is_sent_and_nothing_written(post: Post) -> None:
    transaction(lambda: preferences.change({"messages": False}))
    post.buy(factories.make_product())
    post.work()
    assert post.rows() == []
    assert post.subjects == []


def test_switched_off_while_one_waits(post: Post) -> None:
    post.server.mailbox.on_recipient = ["450 4.2.0 greylisted"]
    post.buy(factories.make_product())
    post.work()
    transaction(lambda: preferences.change({"messages": False}))
    post.work(after=timedelta(minutes=2))
    assert [(row.state, row.reason) for row in post.rows()] == [
        (MessageState.REFUSED, "switched off")
    ]


def test_what_is_no_longer_so_is_not_told(post: Post) -> None:
    post.server.mailbox.on_recipient = ["450 4.2.0 greylisted"]
    order = post.buy(factories.make_product())
    post.work()
    line_id = factories.fresh(order).lines[0].id
    transaction(lambda: refunding.request_refund(order.id, line_id, 3000, "买家要求"))
    post.work(after=timedelta(minutes=2))
    assert post.states() == [("arrived", "refused"), ("refunded", "sent")]


def test_a_phone_gets_one_line(post: Post) -> None:
    """By the console here: what it would have been sent is made all the same."""
    with capture_logs() as lines:
        order = factories.buy(factories.make_product(), phone="13812345678")
        factories.work()
    (line,) = [line for line in lines if line["event"] == "message.sent"]
    (row,) = post.rows()
    assert line["to"] == row.recipient_masked == "138****5678"
    assert line["reference"] == f"{order.number}-arrived-{row.id}"
    assert (row.channel, row.state) == ("console", MessageState.SENT)
    assert post.subjects == []


def test_a_shop_without_a_way_asks_for_nothing(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(messages._senders, messages.PHONE)
    factories.buy(factories.make_product(), phone="13812345678")
    asked = sa.select(OutboxRow.id).where(OutboxRow.key.like("message:%"))
    assert session.scalars(asked).all() == []


def test_an_order_pays_for_it_with_one_statement(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = factories.make_product(codes=5)
    for _ in range(2):
        post.buy(product)
    with_messages = statements(lambda: post.buy(product))
    monkeypatch.delitem(messages._senders, messages.EMAIL)
    without = statements(lambda: post.buy(product))
    assert [text.split()[:3] for text in surplus(with_messages, without)] == [
        ["INSERT", "INTO", "outbox"]
    ]


def statements(deed: object) -> list[str]:
    found: list[str] = []

    def note(*args: object) -> None:
        found.append(str(args[2]))

    event.listen(db.engine, "before_cursor_execute", note)
    deed()  # type: ignore[operator]
    event.remove(db.engine, "before_cursor_execute", note)
    return found


def surplus(more: list[str], fewer: list[str]) -> list[str]:
    left = list(fewer)
    return [text for text in more if text not in left or left.remove(text)]  # type: ignore[func-returns-value]


def test_the_database_refuses_to_tell_twice(post: Post) -> None:
    post.buy(factories.make_product())
    post.work()
    (row,) = post.rows()
    again = {
        column.name: getattr(row, column.name)
        for column in MessageRow.__table__.columns
        if column.name != "id"
    }
    with pytest.raises(sa.exc.IntegrityError):
        transaction(lambda: session.execute(sa.insert(MessageRow).values(again)))


def test_nothing_secret_is_said_logged_or_kept(post: Post, app: Flask) -> None:
    product = factories.make_product()
    with capture_logs() as lines:
        placed = factories.place(product, phone=MEI)
        assert placed.payment is not None
        factories.settle(placed.payment)
        post.work()
    order = factories.fresh(placed.order)
    line = order.lines[0]
    shown = transaction(
        lambda: vault.reveal_to_buyer([line.id], order.contact_index, channel="page", ip="")
    )
    code = shown[line.id][0][1].reveal()
    secrets = {code, rules.normalise(code, case_sensitive=False), str(placed.token)}
    mail = post.server.mailbox
    said = mail.text() + mail.text(subtype="html") + mail.raw[0].decode()
    assert [secret for secret in secrets if secret in said] == []
    assert [secret for secret in {*secrets, MEI} if secret in str(lines)] == []
    assert [secret for secret in {*secrets, MEI} if secret in everything()] == []


def everything() -> str:
    """Every row of every table that messages write, as text."""
    session.rollback()
    names = ("messages", "outbox", "state_changes", "audit_log")
    tables = [table for table in Model.metadata.sorted_tables if table.name in names]
    assert len(tables) == len(names)
    return "\n".join(str(tuple(row)) for t in tables for row in session.execute(sa.select(t)))
