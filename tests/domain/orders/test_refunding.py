"""Money goes back once, to where it came from, and the books say so."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import Conflict, Refusal
from app.domain.orders import queries, refunding
from app.domain.orders.models import Order, OrderState, RefundState
from app.domain.vault.models import Code, CodeState
from app.providers.payments.interface import RefundOutcome
from tests import factories
from tests.domain.orders.test_settling import balances
from tests.fake_channel import ObedientChannel

pytestmark = pytest.mark.usefixtures("audited")


def ask(order: Order, amount: int, reason: str = "买家要求") -> int:
    line_id = factories.fresh(order).lines[0].id
    return transaction(lambda: refunding.request_refund(order.id, line_id, amount, reason)).id


def states(order: Order) -> tuple[OrderState, list[RefundState]]:
    return factories.fresh(order).state, [refund.state for refund in queries.refunds_of(order.id)]


def test_in_full_it_ends_the_order_and_voids_its_codes(channel: ObedientChannel) -> None:
    order = factories.buy(factories.make_product(codes=2), quantity=2)

    ask(order, 6000)
    factories.work()

    assert states(order) == (OrderState.REFUNDED, [RefundState.SUCCEEDED])
    assert set(session.scalars(sa.select(Code.state))) == {CodeState.VOID}
    assert balances() == {}


def test_in_pieces_it_ends_at_exactly_nothing(channel: ObedientChannel) -> None:
    order = factories.buy(factories.make_product(), quantity=1)

    for amount in (1, 999, 1000):
        ask(order, amount)
        factories.work()
        assert factories.fresh(order).state == OrderState.DELIVERED
    ask(order, 1000)
    factories.work()

    assert states(order)[0] == OrderState.REFUNDED
    assert balances() == {}


def test_more_than_is_left_is_refused_before_the_channel_answers(channel: ObedientChannel) -> None:
    order = factories.buy(factories.make_product())
    ask(order, 2000)

    with pytest.raises(Refusal, match=r"最多可以退 10\.00 元"):
        ask(order, 1001)
    factories.work()


@pytest.mark.parametrize("amount", [0, -1])
def test_an_amount_that_is_none_is_refused(channel: ObedientChannel, amount: int) -> None:
    order = factories.buy(factories.make_product())

    with pytest.raises(Refusal, match="最多可以退"):
        ask(order, amount)


def test_an_unpaid_order_has_nothing_to_give_back(channel: ObedientChannel) -> None:
    placed = factories.place(factories.make_product())

    with pytest.raises(Conflict):
        ask(placed.order, 3000)


def test_a_doubtful_answer_is_asked_about_under_the_same_number(channel: ObedientChannel) -> None:
    channel.refunds = [RefundOutcome.UNKNOWN]
    channel.refund_queries = [RefundOutcome.PENDING, RefundOutcome.SUCCEEDED]
    order = factories.buy(factories.make_product())
    ask(order, 3000)

    factories.work()
    assert states(order)[1] == [RefundState.UNKNOWN]
    for minutes in (2, 4):
        with time_machine.travel(clock.now() + timedelta(minutes=minutes)):
            factories.work()

    assert states(order) == (OrderState.REFUNDED, [RefundState.SUCCEEDED])
    number = queries.refunds_of(order.id)[0].number
    assert channel.calls == [f"refund {number}"] + [f"query_refund {number}"] * 2


def test_a_worker_killed_between_intent_and_call_asks_before_it_sends(
    channel: ObedientChannel,
) -> None:
    order = factories.buy(factories.make_product())
    refund_id = ask(order, 3000)
    transaction(lambda: refunding.begin_sending(refund_id))

    factories.work()

    assert states(order)[0] == OrderState.REFUNDED
    assert [call.split()[0] for call in channel.calls] == ["query_refund", "refund"]


def test_a_refused_refund_is_sent_again_by_staff(channel: ObedientChannel) -> None:
    channel.refunds = [RefundOutcome.REFUSED]
    order = factories.buy(factories.make_product())
    refund_id = ask(order, 3000)
    factories.work()
    assert states(order) == (OrderState.REFUNDING, [RefundState.REFUSED])

    transaction(lambda: refunding.send_again(refund_id))
    factories.work()

    assert states(order)[0] == OrderState.REFUNDED
    numbers = {call.split()[1] for call in channel.calls}
    assert len(numbers) == 1


def test_the_channel_saying_it_twice_books_it_once(channel: ObedientChannel) -> None:
    order = factories.buy(factories.make_product())
    refund_id = ask(order, 1000)
    factories.work()

    transaction(lambda: refunding.succeeded(refund_id))

    assert balances() == {"channel:sandbox": 2000, "sales": -2000}


def test_a_transfer_is_paid_back_by_hand() -> None:
    order = factories.buy(factories.make_product(), channel="transfer")
    refund_id = ask(order, 3000)

    transaction(lambda: refunding.confirm_by_hand(refund_id, "BANK-0002"))

    assert states(order) == (OrderState.REFUNDED, [RefundState.SUCCEEDED])
    assert balances() == {}


def test_what_the_channel_pays_back_itself_is_not_confirmed_by_hand(
    channel: ObedientChannel,
) -> None:
    order = factories.buy(factories.make_product())
    refund_id = ask(order, 3000)

    with pytest.raises(Conflict):
        transaction(lambda: refunding.confirm_by_hand(refund_id, "BANK-0002"))

    assert states(order)[1] == [RefundState.REQUESTED]
