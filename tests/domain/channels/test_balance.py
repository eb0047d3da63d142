"""What a distributor pays in she has; what she buys is taken from it, never more than there is."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import Conflict, NotFound, Refusal
from app.domain.accounts.contacts import Contact
from app.domain.catalog.models import ProductKind, ProductState
from app.domain.channels import balance, purchasing, recipients, tiers
from app.domain.channels.models import Attribution, Distributor
from app.domain.ledger import queries as books
from app.domain.ledger.queries import Wanted
from app.domain.orders import balances, queries, refunding
from app.domain.orders.balances import Recipient
from app.domain.orders.models import Order, OrderState, PaymentState, RefundState, Verdict
from app.domain.orders.placing import Purchase
from app.domain.vault.models import Code, CodeState
from app.providers.recharges.interface import Outcome
from tests import factories, people, sellers, trade
from tests.domain.messages.conftest import MEI, Post, post
from tests.domain.recharges.conftest import Market, market
from tests.fake_channel import ObedientChannel

__all__ = ["market", "post"]

pytestmark = pytest.mark.usefixtures("audited")

PHONES = tuple(f"1391234{n:04d}" for n in range(10))


def seller_of_tier(discount_bp: int = 1_000) -> Distributor:
    made = sellers.make()
    tier_id = made.tier_id
    fields = tiers.TierFields("银牌", 0, discount_bp)
    transaction(lambda: tiers.change(tier_id, fields))
    return sellers.fresh(made.id)


def refund(order: Order, amount: int) -> None:
    line_id = factories.fresh(order).lines[0].id
    transaction(lambda: refunding.request_refund(order.id, line_id, amount, "退还"))


def test_a_top_up_is_owed_to_her_once_and_is_no_sale(app: Flask, channel: ObedientChannel) -> None:
    seller = sellers.make()
    placed = trade.ask(seller, 50_000, checkout_key="k" * 20)
    again = trade.ask(seller, 50_000, checkout_key="k" * 20)
    assert placed.payment is not None and again.payment is not None
    assert again.payment.id == placed.payment.id
    payment = placed.payment

    heard = people.at_once(app, [lambda: factories.settle(payment, event_id="e") for _ in range(2)])

    assert sorted(heard) == [Verdict.ALREADY, Verdict.PAID]
    assert factories.settle(payment, event_id="another") == Verdict.ALREADY
    assert trade.has(seller) == 50_000
    assert books.balance_of("sales") == books.balance_of("deferred") == 0
    assert factories.fresh(placed.order).state == OrderState.DELIVERED
    # Its product is in no list, and nobody sells or edits it.
    product = factories.fresh(placed.order).lines[0].product
    assert (product.kind, product.state) == (ProductKind.BALANCE, ProductState.ARCHIVED)
    for amount in (999, 5_000_001):
        with pytest.raises(Refusal):
            trade.ask(seller, amount)


def test_late_money_fills_it_and_what_does_not_fit_goes_back(channel: ObedientChannel) -> None:
    seller = sellers.make()
    late, wrong = trade.ask(seller, 2_000), trade.ask(seller, 3_000)
    assert late.payment is not None and wrong.payment is not None
    with time_machine.travel(clock.now() + timedelta(hours=25), tick=True):
        factories.work()
        assert factories.fresh(late.order).state == OrderState.EXPIRED
        assert factories.settle(late.payment) == Verdict.PAID
        assert factories.settle(wrong.payment, amount=2_999) == Verdict.MISMATCH
        factories.work()
    assert trade.has(seller) == 2_000
    assert [one.state for one in queries.payments_of(wrong.order.id)] == [PaymentState.REFUNDED]


def test_a_top_up_is_refunded_as_far_as_it_is_not_spent(channel: ObedientChannel) -> None:
    seller, product = sellers.make(), factories.make_product(codes=2)
    paid_in = trade.fill(seller, 5_000)
    trade.buy(seller, product)

    with pytest.raises(Refusal) as no:
        refund(paid_in, 2_001)
    assert no.value.params["most"] == "20.00"
    refund(paid_in, 2_000)
    factories.work()

    assert trade.has(seller) == 0
    assert books.balance_of("channel:sandbox") == 3_000
    assert factories.fresh(paid_in).state == OrderState.DELIVERED


def test_she_buys_at_her_tiers_price_and_it_earns_nobody_anything(
    channel: ObedientChannel,
) -> None:
    seller = seller_of_tier(1_250)
    product = factories.make_product(codes=30, price=999)
    trade.fill(seller, 30_000)

    order = trade.buy(seller, product, quantity=20, checkout_key="k" * 20)
    again = trade.buy(seller, product, quantity=20, checkout_key="k" * 20)

    # 999 less 12.5 % is 874.125; above the most of a shop's order, which is 10.
    assert (order.lines[0].unit_price, order.total) == (874, 17_480)
    assert [step["amount"] for step in order.price_steps] == [19_980, -2_500]
    assert again.id == order.id and order.state == OrderState.DELIVERED
    assert trade.has(seller) == 12_520
    assert session.scalars(sa.select(Code.state).where(Code.state == CodeState.SOLD)).all() != []
    factories.work()
    assert not order.is_attributed and session.scalars(sa.select(Attribution)).all() == []
    assert tiers.net_sales(clock.now() - tiers.WINDOW, [seller.id]).get(seller.id, 0) == 0
    # What is refunded is back at once, without anybody being asked.
    refund(order, 874)
    assert trade.has(seller) == 13_394 and channel.calls.count("refund") == 0
    assert [one.state for one in queries.refunds_of(order.id)] == [RefundState.SUCCEEDED]
    assert factories.fresh(order).state == OrderState.DELIVERED
    refund(order, 16_606)
    assert (trade.has(seller), factories.fresh(order).state) == (30_000, OrderState.REFUNDED)
    assert len(session.scalars(sa.select(Code.id).where(Code.state == CodeState.VOID)).all()) == 20


def test_what_may_not_be_bought_changes_nothing(channel: ObedientChannel) -> None:
    seller = sellers.make()
    product = factories.make_product(codes=2, max_per_buyer=3)
    trade.fill(seller, 4_000)
    with pytest.raises(Refusal) as no:
        trade.buy(seller, product, quantity=2)
    assert (no.value.field, no.value.params["missing"]) == ("balance", "20.00")
    for wrong in ({"shown_price": 1}, {"quantity": 501}, {"quantity": 4}, {"quantity": 3}):
        with pytest.raises((Refusal, Conflict)):
            trade.buy(seller, product, **wrong)
    suspended = sellers.make(state="suspended")
    with pytest.raises(Conflict):
        trade.buy(suspended, product)
    assert trade.has(seller) == 4_000
    assert set(session.scalars(sa.select(Code.state))) == {CodeState.AVAILABLE}
    with pytest.raises(NotFound):
        purchasing.find(seller.uid, trade.fill(seller, 1_000).number)


def test_the_last_fen_is_spent_by_exactly_one_of_two(app: Flask, channel: ObedientChannel) -> None:
    seller, product = sellers.make(), factories.make_product(codes=9)
    trade.fill(seller, factories.PRICE)
    today = clock.today(factories.ZONE)
    wishes = [trade.who(seller, product) for _ in range(2)]

    def attempt(wish: Purchase) -> OrderState:
        # Without the lock of her row, which lets her buy only one thing at a time.
        return transaction(lambda: balances.buy(wish, 0, (), today)).state

    answers = people.at_once(app, [lambda wish=wish: attempt(wish) for wish in wishes])

    assert sorted(type(one) for one in answers if not isinstance(one, Refusal)) == [OrderState]
    assert sum(isinstance(one, Refusal) for one in answers) == 1
    assert trade.has(seller) == 0


def test_a_list_of_accounts_is_one_order_and_what_fails_is_back_on_the_balance(
    market: Market,
) -> None:
    seller = seller_of_tier()
    market.first.submits = [Outcome.DELIVERED, Outcome.REFUSED, Outcome.DELIVERED]
    market.second.submits = [Outcome.REFUSED]
    trade.fill(seller, 20_000)
    text = f"手机号,数量\r\n{PHONES[0]}\n\n12345,1\n{PHONES[0]}\n+86 {PHONES[1]}，1\n{PHONES[2]},x"

    lines = recipients.read(text, market.product)

    assert [(line.number, line.fault is None) for line in lines] == [
        *((2, True), (4, False), (5, False), (6, True), (7, False))
    ]
    assert lines[2].fault is not None and lines[2].fault.params == {"line": 2}
    wanted = [*recipients.good(lines), *recipients.good(recipients.read(PHONES[3], market.product))]
    order = trade.buy(seller, market.product, *wanted, quantity=3)
    assert (order.total, trade.has(seller)) == (8_100, 11_900)
    factories.work()

    order = factories.fresh(order)
    assert order.state == OrderState.DELIVERED
    assert [line.refunded for line in order.lines] == [0, 2_700, 0]
    assert trade.has(seller) == 14_600
    assert [wanted.account.reveal() for wanted in market.first.sent] == [
        *(PHONES[0], PHONES[1], PHONES[3])
    ]
    # With quantities of their own, the lines say how many they are of in all.
    with pytest.raises(Refusal):
        trade.buy(seller, market.product, Recipient(wanted[0].account, 11), quantity=11)


def test_a_list_is_read_in_whatever_a_spreadsheet_saves(market: Market) -> None:
    text = f"充值账号\t数量\n{PHONES[0]}\t2\n"
    for content in (text.encode("utf-8-sig"), text.encode("gb18030"), text.encode("utf-16")):
        (line,) = recipients.read(recipients.decoded(content), market.product)
        assert line.recipient is not None and line.recipient.quantity == 2
    with pytest.raises(Refusal):
        recipients.decoded(b"PK\x03\x04\0\0\xff\xfe")
    for nothing in ("", " \n,\n", "\n".join(PHONES[0] for _ in range(201))):
        with pytest.raises(Refusal):
            recipients.read(nothing, market.product)


def test_entries_say_what_each_is_about_and_the_notice_comes_once(post: Post) -> None:
    seller, product = sellers.make(), factories.make_product(codes=9)
    seller_id = seller.id
    transaction(lambda: balance.change_limit(seller_id, 7_000))
    paid_in = trade.fill(seller, 12_000)
    seller = sellers.fresh(seller_id)
    assert not balance.is_low(seller)
    mei = Contact.parse(MEI)
    orders = [trade.buy(seller, product, contact=mei) for _ in range(3)]

    account = balance.account_of(seller.uid, Wanted())

    assert [line.balance for line in account.entries.lines] == [3_000, 6_000, 9_000, 12_000]
    about = [account.orders[line.transaction.id].number for line in account.entries.lines]
    assert about == [one.number for one in (*reversed(orders), paid_in)]
    assert balance.is_low(seller)
    page = balance.account_of(seller.uid, Wanted(), 2)
    assert (page.entries.newer, page.entries.older) == (None, page.entries.lines[-1].entry.id)
    assert balance.account_of(sellers.make().uid, Wanted()).entries.lines == ()
    post.work()
    (told,) = [mail for mail in post.server.mailbox.mails if "余额" in str(mail["Subject"])]
    text = told.get_body(("plain",))
    assert text is not None and "¥30.00" in text.get_content()


def test_a_tier_that_sells_below_cost_is_pointed_out(app: Flask) -> None:
    dear, fine = (factories.make_product(codes=0, name=name) for name in ("贵", "好"))
    for product, cost in ((dear, 2_851), (fine, 2_850)):
        for dearest in (1_000, cost):
            transaction(
                lambda product=product, dearest=dearest: factories.add_batch(
                    product, [f"C{product.id}-{dearest}"], unit_cost=dearest
                )
            )
    ladder = [seller_of_tier(500).tier]
    assert purchasing.below_cost(ladder) == {ladder[0].id: ["贵"]}
