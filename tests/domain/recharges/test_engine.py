"""Paid, and it has arrived: once, from whoever can deliver it, or the money is on its way back."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine

from app.core import clock, outbox
from app.core.db import session, transaction
from app.core.outbox import OutboxRow, OutboxState
from app.domain.catalog.models import Offer, RechargeProvider
from app.domain.orders import queries as orders
from app.domain.orders import settling
from app.domain.orders.models import Order, OrderState, RefundState
from app.domain.recharges import engine, service
from app.domain.recharges.engine import Deed, Step
from app.domain.recharges.models import AttemptState, RechargeState
from app.domain.recharges.rules import BREAKER_AFTER, REVIEW_AFTER, WAIT_FOR_PROVIDER
from app.providers.recharges.interface import Outcome, Result
from tests import factories
from tests.domain.orders.test_settling import balances
from tests.domain.recharges.conftest import ACCOUNT, Market

DELIVERED, PENDING, REFUSED, NOT_FOUND, UNKNOWN = Outcome


def state(order: Order) -> OrderState:
    return factories.fresh(order).state


def later(market: Market, after: timedelta) -> None:
    """Let time pass, and the workers do what has become due."""
    with time_machine.travel(clock.now() + after, tick=False):
        factories.work()


def run_once(order: Order) -> None:
    """One run of the order's job, however soon it wants to run again."""
    line_id = factories.fresh(order).lines[0].id
    key = settling.recharge_key(line_id)
    row_id = session.scalars(sa.select(OutboxRow.id).where(OutboxRow.key == key)).one()
    session.rollback()
    outbox.run(row_id)


def begin(order: Order) -> Step | None:
    """What a worker does before it calls anybody, and then it dies."""
    line_id = factories.fresh(order).lines[0].id
    session.rollback()
    recharge_id = transaction(lambda: service.begin_line(line_id))
    assert recharge_id is not None
    return transaction(lambda: engine.next_step(recharge_id))


def test_paid_and_it_has_arrived(market: Market) -> None:
    order = market.buy()
    assert state(order) == OrderState.FULFILLING

    factories.work()

    assert state(order) == OrderState.DELIVERED
    assert market.first.sent[0].account.reveal() == ACCOUNT
    assert market.first.sent[0].sku == "SKU1"
    assert market.recharge(order).state == RechargeState.DELIVERED
    assert balances() == {"channel:sandbox": 3000, "sales": -3000}


def test_more_than_one_is_asked_for_at_once(market: Market) -> None:
    order = market.buy(quantity=3)
    factories.work()
    (wanted,) = market.first.sent
    assert (wanted.quantity, wanted.cost_limit) == (3, 3 * 2001)
    assert state(order) == OrderState.DELIVERED


def test_a_refusal_goes_to_the_next_offer_and_to_no_other(market: Market) -> None:
    market.first.submits = [REFUSED]
    order = market.buy()

    factories.work()

    assert state(order) == OrderState.DELIVERED
    assert [attempt.state for attempt in market.attempts(order)] == ["refused", "delivered"]
    assert market.first.verbs == market.second.verbs == ["submit"]


def test_refused_by_all_the_money_goes_back_by_itself(market: Market) -> None:
    market.first.submits = market.second.submits = [REFUSED]
    order = market.buy()

    factories.work()

    assert state(order) == OrderState.REFUNDED
    assert [refund.state for refund in orders.refunds_of(order.id)] == [RefundState.SUCCEEDED]
    assert market.recharge(order).state == RechargeState.FAILED
    assert balances() == {}


def test_doubt_is_asked_about_and_nobody_else_is_asked(market: Market) -> None:
    market.first.submits, market.first.queries = [UNKNOWN], [UNKNOWN, PENDING, DELIVERED]
    order = market.buy()
    factories.work()
    assert [attempt.state for attempt in market.attempts(order)] == ["unknown"]

    for seconds in (3, 8, 17):
        later(market, timedelta(seconds=seconds))

    assert state(order) == OrderState.DELIVERED
    assert market.first.verbs == ["submit", "query", "query", "query"]
    assert len({call.split()[1] for call in market.first.calls}) == 1
    assert market.second.calls == []


def test_what_was_never_answered_becomes_a_persons(market: Market) -> None:
    market.first.submits, market.first.queries = [UNKNOWN], [UNKNOWN]
    order = market.buy()
    factories.work()

    later(market, REVIEW_AFTER + timedelta(minutes=1))

    assert market.recharge(order).state == RechargeState.REVIEW
    assert market.second.calls == []
    assert state(order) == OrderState.FULFILLING


def test_in_review_it_is_asked_on_and_ends_by_itself_when_answered(market: Market) -> None:
    market.first.submits, market.first.queries = [UNKNOWN], [UNKNOWN, DELIVERED]
    order = market.buy()
    factories.work()
    later(market, REVIEW_AFTER + timedelta(minutes=1))
    later(market, REVIEW_AFTER + timedelta(minutes=20))
    assert state(order) == OrderState.DELIVERED


def test_not_found_is_believed_late_and_never_sent_again(market: Market) -> None:
    """The provider does not say that it takes a number once: only a person may decide."""
    market.first.submits, market.first.queries = [UNKNOWN], [NOT_FOUND]
    order = market.buy()
    factories.work()
    later(market, timedelta(minutes=5))
    assert market.recharge(order).state == RechargeState.RUNNING

    later(market, timedelta(minutes=11))

    assert market.recharge(order).state == RechargeState.REVIEW
    assert market.first.verbs.count("submit") == 1


def test_not_found_is_sent_again_under_the_same_number_where_that_is_once(market: Market) -> None:
    market.first.takes_number_once = True
    market.first.submits, market.first.queries = [UNKNOWN, DELIVERED], [NOT_FOUND]
    order = market.buy()
    factories.work()

    later(market, timedelta(seconds=30))

    assert state(order) == OrderState.DELIVERED
    assert len({wanted.number for wanted in market.first.sent}) == 1


def test_a_callback_settles_what_is_pending(market: Market) -> None:
    market.first.submits = [PENDING]
    order = market.buy()
    factories.work()
    (attempt,) = market.attempts(order)

    said = Result(DELIVERED, serial="OP1")
    assert transaction(lambda: engine.take_notice(attempt.provider_id, attempt.number, said))

    assert state(order) == OrderState.DELIVERED
    later(market, timedelta(minutes=1))
    assert market.first.verbs == ["submit"]


@pytest.mark.parametrize("first", [PENDING, DELIVERED])
def test_a_callback_that_settles_leaves_nothing_to_run(market: Market, first: Outcome) -> None:
    market.first.submits = [first]
    order = market.buy()
    factories.work()
    (attempt,) = market.attempts(order)

    transaction(lambda: engine.take_notice(attempt.provider_id, attempt.number, Result(DELIVERED)))

    key = settling.recharge_key(factories.fresh(order).lines[0].id)
    found = sa.select(OutboxRow.state).where(OutboxRow.key == key)
    assert session.scalar(found) == OutboxState.DONE


def test_a_callback_that_refuses_lets_the_next_one_be_asked(market: Market) -> None:
    market.first.submits = [PENDING]
    order = market.buy()
    factories.work()
    (attempt,) = market.attempts(order)

    said = Result(REFUSED, reason="维护")
    transaction(lambda: engine.take_notice(attempt.provider_id, attempt.number, said))
    factories.work()

    assert state(order) == OrderState.DELIVERED
    assert market.second.verbs == ["submit"]


def test_a_strangers_number_changes_nothing(market: Market) -> None:
    order = market.buy()
    factories.work()
    (attempt,) = market.attempts(order)
    other = session.scalars(
        sa.select(RechargeProvider.id).where(RechargeProvider.slug == "second")
    ).one()
    session.rollback()
    said = Result(REFUSED)
    assert not transaction(lambda: engine.take_notice(other, attempt.number, said))
    assert not transaction(lambda: engine.take_notice(attempt.provider_id, "nobody", said))
    assert state(order) == OrderState.DELIVERED


@pytest.mark.parametrize(("first", "then"), [(DELIVERED, REFUSED), (REFUSED, DELIVERED)])
def test_what_contradicts_is_kept_for_a_person(
    market: Market, first: Outcome, then: Outcome
) -> None:
    market.first.submits = [first]
    order = market.buy()
    factories.work()
    attempt = market.attempts(order)[0]
    before = state(order)

    transaction(lambda: engine.take_notice(attempt.provider_id, attempt.number, Result(then)))

    assert market.attempts(order)[0].contradiction != ""
    assert state(order) == before
    assert balances() == {"channel:sandbox": 3000, "sales": -3000}


def test_a_provider_in_trouble_is_left_alone_and_the_next_one_asked(market: Market) -> None:
    market.first.submits, market.first.queries = [UNKNOWN], [UNKNOWN]
    stuck = [market.buy() for _ in range(BREAKER_AFTER)]
    factories.work()
    assert market.first.verbs == ["submit"] * BREAKER_AFTER

    order = market.buy()
    factories.work()

    assert state(order) == OrderState.DELIVERED
    assert market.second.verbs == ["submit"]
    assert {state(order) for order in stuck} == {OrderState.FULFILLING}


def test_after_the_pause_one_call_shows_whether_it_is_well(market: Market) -> None:
    market.first.submits, market.first.queries = [UNKNOWN], [DELIVERED]
    for _ in range(BREAKER_AFTER):
        market.buy()
    factories.work()
    later(market, timedelta(minutes=1))
    market.first.submits = [DELIVERED]

    order = market.buy()
    factories.work()

    assert state(order) == OrderState.DELIVERED
    assert market.second.calls == []


def test_nobody_can_be_asked_for_long_and_the_money_goes_back(market: Market) -> None:
    transaction(lambda: session.execute(sa.update(RechargeProvider).values(per_minute=1)))
    first, second = market.buy(), market.buy()
    factories.work()
    # A third one finds both providers at the most that they are asked in a minute.
    third = market.buy()
    run_once(third)
    assert state(third) == OrderState.FULFILLING
    assert {state(first), state(second)} == {OrderState.DELIVERED}

    transaction(lambda: session.execute(sa.update(RechargeProvider).values(is_on=False)))
    later(market, WAIT_FOR_PROVIDER + timedelta(minutes=1))

    assert state(third) == OrderState.REFUNDED


def test_everybody_switched_off_means_refund_at_once(market: Market) -> None:
    order = market.buy()
    transaction(lambda: session.execute(sa.update(Offer).values(is_on=False)))

    factories.work()

    assert state(order) == OrderState.REFUNDED
    assert market.first.calls == []


def test_at_most_so_many_calls_are_under_way(market: Market) -> None:
    """Intents are written under the provider's lock, so they can be counted."""
    transaction(lambda: session.execute(sa.update(RechargeProvider).values(concurrency=1)))
    steps = [begin(market.buy()) for _ in range(3)]
    assert [step and step.deed for step in steps] == [Deed.SEND, Deed.SEND, Deed.WAIT]
    assert len({step.provider_id for step in steps[:2] if step}) == 2


def test_a_process_that_died_while_calling_leaves_doubt_not_a_second_call(market: Market) -> None:
    order = market.buy()
    begin(order)
    market.first.queries = [DELIVERED]

    factories.work()

    assert market.first.verbs == ["query"]
    assert state(order) == OrderState.DELIVERED
    assert market.attempts(order)[0].state == AttemptState.DELIVERED


def test_a_refused_second_sending_says_nothing_of_the_first(market: Market) -> None:
    """It may have taken effect all the same: nobody else is asked."""
    market.first.takes_number_once = True
    market.first.submits, market.first.queries = [UNKNOWN, REFUSED], [NOT_FOUND]
    order = market.buy()
    factories.work()

    later(market, timedelta(seconds=30))

    assert [attempt.state for attempt in market.attempts(order)] == ["unknown"]
    assert market.second.calls == []


def test_what_the_provider_has_acknowledged_is_not_sent_again(market: Market) -> None:
    market.first.takes_number_once = True
    market.first.submits, market.first.queries = [PENDING], [NOT_FOUND]
    market.buy()
    factories.work()
    later(market, timedelta(minutes=1))
    assert market.first.verbs.count("submit") == 1


def test_what_a_person_holds_is_not_sent_behind_her_back(market: Market) -> None:
    market.first.takes_number_once = True
    market.first.submits, market.first.queries = [UNKNOWN], [UNKNOWN]
    order = market.buy()
    factories.work()
    recharge_id = market.recharge(order).id
    transaction(lambda: service.to_review(recharge_id, "打电话问过了"))
    market.first.queries = [NOT_FOUND]

    later(market, timedelta(minutes=1))

    assert market.first.verbs.count("submit") == 1


def test_delivered_after_all_while_nobody_else_was_asked_is_a_persons(market: Market) -> None:
    market.first.submits = [PENDING]
    order = market.buy()
    factories.work()
    (attempt,) = market.attempts(order)
    for said in (Result(REFUSED), Result(DELIVERED)):
        transaction(lambda said=said: engine.take_notice(attempt.provider_id, attempt.number, said))

    factories.work()

    assert market.recharge(order).state == RechargeState.REVIEW
    assert market.second.calls == []


def test_more_than_was_agreed_is_put_before_a_person(market: Market) -> None:
    market.first.submits = [PENDING]
    order = market.buy()
    factories.work()
    (attempt,) = market.attempts(order)
    said = Result(DELIVERED, cost=9000)
    transaction(lambda: engine.take_notice(attempt.provider_id, attempt.number, said))
    assert market.attempts(order)[0].contradiction != ""
    recharge_id = market.recharge(order).id
    transaction(lambda: service.settle_contradiction(recharge_id, "供应商已退差价"))
    assert market.attempts(order)[0].contradiction == ""


def test_one_that_waited_long_for_its_first_is_not_refunded_for_a_busy_second(
    market: Market,
) -> None:
    market.first.submits, market.first.queries = [PENDING], [PENDING, PENDING, REFUSED]
    order = market.buy()
    factories.work()
    later(market, timedelta(minutes=20))
    later(market, timedelta(minutes=40))
    transaction(
        lambda: session.execute(
            sa.update(RechargeProvider)
            .where(RechargeProvider.slug == "second")
            .values(per_minute=1)
        )
    )
    later(market, timedelta(minutes=61))
    assert state(order) == OrderState.DELIVERED
