"""Whose order a number is can be tried a few times, from however many addresses."""

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.crypto import Secret
from app.core.db import session
from app.core.errors import Refusal
from app.domain.accounts.models import Throttle
from app.domain.accounts.rules import PATIENCE
from app.domain.accounts.throttling import TooSoon
from app.domain.orders.looking_up import NOT_FOUND, find_for_guest
from tests import factories
from tests.people import at_once

pytestmark = pytest.mark.usefixtures("channel")

FREE = PATIENCE["lookup-order"].free
NONE = Secret("")


def guess(number: str, times: int, contact: str = "13700000001") -> list[type[Exception]]:
    """What each of so many tries with that contact came to."""
    came: list[type[Exception]] = []
    for _ in range(times):
        with pytest.raises(Refusal) as refused:
            find_for_guest(number, contact, NONE)
        came.append(type(refused.value))
    return came


def test_a_guesser_waits_and_so_does_one_at_a_number_that_there_is_not() -> None:
    order = factories.buy(factories.make_product(codes=1), phone="13912345678")

    answers = [guess(number, FREE + 3) for number in (order.number, "H26X7K2M4P8QZ")]

    assert answers[0] == answers[1]
    assert answers[0] == [Refusal] * (FREE + 1) + [TooSoon] * 2


def test_the_right_contact_finds_it_and_costs_nothing() -> None:
    order = factories.buy(factories.make_product(codes=1), phone="13912345678")
    for _ in range(FREE + 3):
        assert find_for_guest(order.number, "139 1234 5678", NONE).id == order.id


def test_a_guess_at_one_order_slows_nobody_at_another() -> None:
    mine, other = (
        factories.buy(factories.make_product(codes=1), phone="13912345678") for _ in range(2)
    )
    guess(other.number, FREE + 3)
    assert find_for_guest(mine.number, "13912345678", NONE).id == mine.id


def test_guesses_sent_at_once_are_all_counted(app: Flask) -> None:
    number = factories.buy(factories.make_product(codes=1), phone="13912345678").number
    tries = [lambda: find_for_guest(number, "13700000001", NONE)] * (FREE + 4)
    outcomes = at_once(app, tries)
    assert sum(str(one) == NOT_FOUND for one in outcomes) <= FREE + 1
    assert {type(one) for one in outcomes} <= {Refusal, TooSoon}


def test_its_row_names_no_order() -> None:
    order = factories.buy(factories.make_product(codes=1), phone="13912345678")
    guess(order.number, 1)
    (key,) = session.scalars(sa.select(Throttle.key))
    assert key.startswith("lookup-order:") and order.number not in key
