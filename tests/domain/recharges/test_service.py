"""What staff and buyers may do with a recharge, and when they may not."""

from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import Conflict, Refusal
from app.domain.catalog.models import RechargeProvider
from app.domain.orders import refunding
from app.domain.orders.models import Order, OrderLine, OrderState
from app.domain.recharges import providers, service
from app.domain.recharges.models import Attempt, RechargeState
from app.domain.recharges.providers import ProviderFields
from app.domain.recharges.rules import REVIEW_AFTER
from app.providers import recharges as adapters
from app.providers.recharges.interface import Field, Outcome
from tests import factories
from tests.domain.recharges.conftest import Market
from tests.fake_provider import speaking


def in_doubt(market: Market) -> Order:
    """A recharge that nobody can say the end of: it is in review."""
    market.first.submits, market.first.queries = [Outcome.UNKNOWN], [Outcome.UNKNOWN]
    order = market.buy()
    factories.work()
    with time_machine.travel(clock.now() + REVIEW_AFTER + timedelta(minutes=1), tick=False):
        factories.work()
    assert market.recharge(order).state == RechargeState.REVIEW
    return order


def state(order: Order) -> OrderState:
    return factories.fresh(order).state


def test_staff_reroute_what_they_know_was_not_delivered(market: Market) -> None:
    order = in_doubt(market)
    recharge_id = market.recharge(order).id
    transaction(lambda: service.reroute(recharge_id, "供应商后台查无此单"))
    factories.work()
    assert state(order) == OrderState.DELIVERED
    assert market.second.verbs == ["submit"]


def test_staff_mark_what_they_know_arrived(market: Market) -> None:
    order = in_doubt(market)
    recharge_id = market.recharge(order).id
    transaction(lambda: service.mark_delivered(recharge_id, "供应商后台显示成功"))
    assert state(order) == OrderState.DELIVERED


def test_staff_give_up_and_the_money_goes_back(market: Market) -> None:
    order = in_doubt(market)
    recharge_id = market.recharge(order).id
    transaction(lambda: service.give_up(recharge_id, "供应商承认失败"))
    factories.work()
    assert state(order) == OrderState.REFUNDED


def test_what_the_provider_may_still_deliver_is_nobodys_to_end(market: Market) -> None:
    market.first.submits = [Outcome.PENDING]
    order = market.buy()
    factories.work()
    recharge_id = market.recharge(order).id
    for deed in (service.reroute, service.mark_delivered, service.give_up):
        with pytest.raises(Conflict):
            transaction(lambda deed=deed: deed(recharge_id, "不想等了算了吧"))


def test_a_line_under_way_is_not_refunded_behind_the_providers_back(market: Market) -> None:
    market.first.submits = [Outcome.PENDING]
    order = market.buy()
    factories.work()
    line_id = factories.fresh(order).lines[0].id
    session.rollback()
    with pytest.raises(Conflict):
        transaction(lambda: refunding.request_refund(order.id, line_id, 100, "买家要求"))


def test_a_doubt_is_taken_into_review_by_hand(market: Market) -> None:
    market.first.submits, market.first.queries = [Outcome.UNKNOWN], [Outcome.UNKNOWN]
    order = market.buy()
    factories.work()
    recharge_id = market.recharge(order).id
    transaction(lambda: service.to_review(recharge_id, "已打电话问过供应商"))
    transaction(lambda: service.reroute(recharge_id, "供应商说没有收到"))
    factories.work()
    assert state(order) == OrderState.DELIVERED


def test_every_deed_wants_its_reason(market: Market) -> None:
    order = in_doubt(market)
    recharge_id = market.recharge(order).id
    for deed in (service.reroute, service.mark_delivered, service.give_up):
        with pytest.raises(Refusal) as refused:
            transaction(lambda deed=deed: deed(recharge_id, " "))
        assert refused.value.field == "reason"


def test_the_account_is_corrected_while_nothing_was_sent(market: Market) -> None:
    order = market.buy(account="13900000001")
    line_id = factories.fresh(order).lines[0].id
    session.rollback()
    recharge_id = transaction(lambda: service.begin_line(line_id))
    assert recharge_id is not None
    with pytest.raises(Refusal):
        transaction(lambda: service.correct_account(recharge_id, "1390000"))

    transaction(lambda: service.correct_account(recharge_id, "139 0000 0002"))
    factories.work()

    assert market.first.sent[0].account.reveal() == "13900000002"
    assert factories.fresh(order).lines[0].account_masked == "139****0002"
    with pytest.raises(Conflict):
        transaction(lambda: service.correct_account(recharge_id, "13900000003"))


def test_a_providers_secret_is_kept_when_it_is_left_empty(market: Market) -> None:
    fields = ProviderFields("third", "第三家", "first", {"key": "a secret"})
    made = transaction(lambda: providers.create(fields))
    assert providers.shown_values_of(made) == {}
    changed = ProviderFields("third", "改名", "first", {"key": ""}, concurrency=3)
    transaction(lambda: providers.change(made.id, changed))
    session.rollback()
    session.expire_all()
    assert providers.values_of(made) == {"key": "a secret"}
    assert (made.name, made.concurrency) == ("改名", 3)


def test_the_balance_is_watched_and_low_is_low(market: Market) -> None:
    made = transaction(
        lambda: providers.create(
            ProviderFields("low", "没钱了", "first", {}, low_balance_at=200_000)
        )
    )
    factories.work()
    session.rollback()
    session.expire_all()
    assert made.balance == 100_000
    assert providers.is_low(made)


def test_an_account_is_not_moved_away_from_open_recharges(market: Market) -> None:
    """Their numbers would be asked about, and sent again, where nobody knows them."""
    with speaking(moved=market.first):
        adapters.ADAPTERS["moved"] = adapters.Adapter(
            "moved", "moved", (Field("url", "url"),), lambda _configuration: market.first
        )
        fields = ProviderFields("moved", "会搬家", "moved", {"url": "https://a.example"})
        made = transaction(lambda: providers.create(fields))
        elsewhere = replace(fields, values={"url": "https://b.example"})
        transaction(lambda: providers.change(made.id, elsewhere))
        market.first.submits = [Outcome.PENDING]
        market.buy()
        factories.work()
        transaction(lambda: session.execute(sa.update(Attempt).values(provider_id=made.id)))
        with pytest.raises(Conflict):
            transaction(lambda: providers.change(made.id, fields))


def test_an_account_that_does_not_open_is_refunded(market: Market) -> None:
    order = market.buy()
    line_id = factories.fresh(order).lines[0].id
    session.rollback()
    transaction(
        lambda: session.execute(
            sa.update(OrderLine).where(OrderLine.id == line_id).values(account_sealed=b"broken")
        )
    )
    factories.work()
    assert state(order) == OrderState.REFUNDED


def test_switched_on_again_its_balance_is_asked_again(market: Market) -> None:
    made = session.scalars(sa.select(RechargeProvider)).first()
    assert made is not None
    provider_id = made.id
    session.rollback()
    transaction(lambda: providers.switch(provider_id, is_on=False, reason="维护"))
    factories.work()
    market.first.amount = market.second.amount = 4321
    transaction(lambda: providers.switch(provider_id, is_on=True, reason="好了"))
    factories.work()
    session.rollback()
    session.expire_all()
    assert session.get_one(RechargeProvider, provider_id).balance == 4321
