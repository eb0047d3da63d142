"""Guessing gets slower, on any number of nodes, and nobody is locked out."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app.core import clock
from app.core.db import session, transaction
from app.domain.accounts import throttling
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Throttle
from app.domain.accounts.throttling import Guard, TooSoon
from tests.people import at_once

ACCOUNT = [Guard("account", "a1")]


def take(guards: list[Guard] = ACCOUNT) -> None:
    transaction(lambda: throttling.take(guards))


def failures(guard: Guard = ACCOUNT[0]) -> int:
    session.rollback()
    return session.get_one(Throttle, guard.key, populate_existing=True).failures


def test_five_tries_are_free_and_the_seventh_waits(app: Flask) -> None:
    with time_machine.travel("2026-07-03T10:00:00Z", tick=False) as moment:
        for _ in range(6):
            take()
        with pytest.raises(TooSoon) as refused:
            take()
        assert refused.value.status == 429
        assert refused.value.retry_after == 1
        moment.shift(timedelta(seconds=1))
        take()
        with pytest.raises(TooSoon) as refused:
            take()
        assert refused.value.retry_after == 2


def test_a_refused_try_does_not_lengthen_the_wait(app: Flask) -> None:
    with time_machine.travel("2026-07-03T10:00:00Z", tick=False) as moment:
        for _ in range(6):
            take()
        for _ in range(20):
            with pytest.raises(TooSoon):
                take()
        moment.shift(timedelta(seconds=1))
        take()
        assert failures() == 7


def test_success_clears_the_account_and_only_lightens_the_network(app: Flask) -> None:
    guards = [*ACCOUNT, Guard("network", "10.0.0.0/24")]
    for _ in range(3):
        take(guards)
    transaction(lambda: throttling.succeeded(guards))
    assert failures() == 0
    assert failures(guards[1]) == 2


def test_time_forgives_one_by_one(app: Flask) -> None:
    with time_machine.travel("2026-07-03T10:00:00Z", tick=False) as moment:
        for _ in range(6):
            take()
        moment.shift(timedelta(minutes=30))
        take()
        assert failures() == 4
        moment.shift(timedelta(hours=13))
        take()
        assert failures() == 1
        moment.shift(timedelta(days=3))
        take([Guard("account", "another")])
        assert session.scalars(sa.select(Throttle.key)).all() == ["account:another"]


def test_tries_sent_at_once_are_all_counted(app: Flask) -> None:
    """The race that a check before and a count after would lose: all would pass the check."""
    outcomes = at_once(app, [take] * 12)
    refused = [outcome for outcome in outcomes if isinstance(outcome, TooSoon)]
    assert [outcome for outcome in outcomes if outcome is not None] == refused
    assert failures() == 12 - len(refused)
    assert failures() <= 7


def test_guards_in_any_order_do_not_dead_lock(app: Flask) -> None:
    one, two = Guard("network", "1"), Guard("network", "2")

    def forth() -> None:
        for _ in range(5):
            take([one, two])

    def back() -> None:
        for _ in range(5):
            take([two, one])

    assert at_once(app, [forth, back, forth, back]) == [None] * 4
    assert failures(one) == failures(two) == 20


def test_its_rows_name_nobody(app: Flask) -> None:
    index = Contact.parse("13812345678").index
    take(throttling.of_sign_in(index, "203.0.113.0/24"))
    keys = session.scalars(sa.select(Throttle.key)).all()
    assert sorted(key.split(":")[0] for key in keys) == ["account", "everyone", "network"]
    assert not any("13812345678" in key for key in keys)
    assert session.scalars(sa.select(Throttle.failed_at)).first() <= clock.now()
