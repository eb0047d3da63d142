"""What the merchant is told, how often, and what goes wrong with it on request."""

import json
from datetime import timedelta

from app.providers.payments.interface import StandingState
from tests.sandbox.conftest import Channel
from tests.servers import wait_until


def test_a_callback_is_repeated_until_it_is_answered(channel: Channel, number: str) -> None:
    channel.merchant.refusals[number] = [500, 302]

    channel.pay(number)
    wait_until(lambda: channel.is_told(number), "the third try")

    told = channel.merchant.of(number)
    assert len(told) == 3
    assert len({notice.event_id for notice in told}) == 1
    [callback] = channel.trade(number)["callbacks"]
    assert (callback["tries"], callback["answer"]) == (3, "200")


def test_a_callback_may_come_several_times(channel: Channel, number: str) -> None:
    channel.pay(number, duplicates=3)
    wait_until(lambda: channel.is_told(number), "every copy")

    told = channel.merchant.of(number)
    assert len(told) == 4
    assert len(set(told)) == 1


def test_a_callback_may_come_late(channel: Channel, number: str) -> None:
    channel.pay(number, delay=1)
    paid_at = channel.trade(number)["paid_at"]
    [waiting] = channel.trade(number)["callbacks"]
    assert channel.merchant.of(number) == []
    assert waiting["due_at"] == paid_at + 1

    wait_until(lambda: channel.merchant.of(number), "the late callback")


def test_a_callback_may_never_come(channel: Channel, number: str) -> None:
    channel.pay(number, no_callback=1)

    assert channel.trade(number)["callbacks"] == []
    assert channel.adapter.query(number).state is StandingState.PAID


def test_a_callback_may_be_forged_although_the_money_is_real(channel: Channel, number: str) -> None:
    channel.pay(number, forged=1)

    assert channel.merchant.of(number) == []
    assert channel.merchant.forged_of(number)
    assert channel.adapter.query(number).state is StandingState.PAID


def test_a_forger_says_paid_where_nobody_paid(channel: Channel, number: str) -> None:
    channel.pay(number, forgery=1)

    [body] = channel.merchant.forged_of(number)
    assert json.loads(body)["state"] == "paid"
    assert channel.merchant.of(number) == []
    assert channel.adapter.query(number).state is StandingState.UNPAID
    assert channel.trade(number)["paid"] == 0


def test_an_older_message_may_come_after_a_newer_one(channel: Channel, number: str) -> None:
    channel.pay(number, out_of_order=1)
    wait_until(lambda: channel.is_told(number), "the older message")

    first, second = channel.merchant.of(number)
    assert (first.is_paid, second.is_paid) == (True, False)
    assert first.event_id != second.event_id


def test_a_wrong_amount_is_what_was_really_paid(channel: Channel, number: str) -> None:
    channel.pay(number, wrong_amount=-1)
    channel.pay(f"{number}M", wrong_amount=250)

    for paid, which in ((9899, number), (10150, f"{number}M")):
        [notice] = channel.merchant.of(which)
        assert notice.amount == paid
        assert channel.adapter.query(which).amount == paid
        assert channel.trade(which)["paid"] == paid


def test_late_money_is_taken_on_request(channel: Channel, number: str) -> None:
    expired = channel.link(number, lasts=timedelta(minutes=-1))
    assert 'data-testid="sandbox-late"' in channel.browser.get(expired).text
    channel.adapter.close(f"{number}C")

    assert channel.pay(number, expired, late=1).status_code == 303
    assert channel.pay(f"{number}C", late=1).status_code == 303

    for which in (number, f"{number}C"):
        [notice] = channel.merchant.of(which)
        assert (notice.is_paid, notice.amount) == (True, 9900)
        assert channel.adapter.query(which).state is StandingState.PAID


def test_the_merchant_is_told_again_on_request(channel: Channel, number: str) -> None:
    channel.pay(number)

    again = channel.browser.post(f"{channel.url}/control/trades/{number}/callbacks")

    assert again.status_code == 200
    first, second = channel.merchant.of(number)
    assert first == second


def test_a_silent_merchant_keeps_neither_the_buyer_nor_others_waiting(
    channel: Channel, number: str
) -> None:
    silence = channel.merchant.silences[number]

    assert channel.pay(number).status_code == 303
    channel.pay(f"{number}B")

    assert channel.merchant.of(f"{number}B")
    assert not channel.is_told(number)
    silence.set()
    wait_until(lambda: channel.is_told(number), "the answer")
