"""A case is looked at by one person at a time; she, or an owner, closes it."""

import pytest
from flask import Flask

from app.core.actors import acting_as
from app.core.db import session, transaction
from app.core.errors import Conflict
from app.domain.accounts.models import Role
from app.domain.risk import cases
from app.domain.risk.models import Case, CaseState, Label
from tests import factories, people
from tests.domain.risk import shopping

pytestmark = pytest.mark.usefixtures("rules")


def held() -> Case:
    """The case of an order that was held."""
    product = factories.make_product(codes=1, price=60_000)
    placed = shopping.order(product, phone=factories.contact())
    assert placed.payment is not None
    factories.settle(placed.payment)
    case = cases.of_order(placed.order.id)
    assert case is not None
    return case


def staff(role: Role) -> str:
    """An actor: a new member of staff."""
    return f"person:{people.make(role).id}"


def fresh(case: Case) -> Case:
    session.refresh(case)
    return case


def test_who_takes_a_case_has_it_until_it_is_put_back(app: Flask) -> None:
    uid, (one, other) = held().uid, (staff(Role.SUPPORT), staff(Role.OPERATOR))

    with acting_as(one):
        transaction(lambda: cases.take(uid))
        transaction(lambda: cases.take(uid))
    with acting_as(other):
        for change in (cases.take, cases.put_back):
            with pytest.raises(cases.InOtherHands, match="正在审核"):
                transaction(lambda change=change: change(uid))
    found = fresh(cases.find(uid))
    assert (found.state, found.assignee) == (CaseState.IN_REVIEW, one)

    with acting_as(one):
        for _ in range(2):
            transaction(lambda: cases.put_back(uid))
    assert (fresh(found).state, found.assignee) == (CaseState.OPEN, "")
    with acting_as(other):
        transaction(lambda: cases.take(uid))
    assert fresh(found).assignee == other


@pytest.mark.parametrize("close", [cases.approve, cases.reject])
def test_in_other_hands_only_an_owner_closes_it(app: Flask, close: object) -> None:
    uid, one = held().uid, staff(Role.SUPPORT)
    extra = {"trust": False} if close is cases.approve else {"block": False}

    def closing() -> None:
        close(uid, Label.UNCLEAR, "", **extra)  # type: ignore[operator]

    with acting_as(one):
        transaction(lambda: cases.take(uid))
    with acting_as(staff(Role.OPERATOR)), pytest.raises(cases.InOtherHands):
        transaction(closing)
    with acting_as(staff(Role.OWNER)):
        transaction(closing)
    found = fresh(cases.find(uid))
    assert found.state not in cases.OPEN
    assert found.assignee == one

    with acting_as(one):
        for change in (cases.take, cases.put_back):
            with pytest.raises(Conflict, match="已经处理过"):
                transaction(lambda change=change: change(uid))


def test_an_owner_puts_back_what_somebody_left_lying(app: Flask) -> None:
    uid = held().uid
    with acting_as(staff(Role.SUPPORT)):
        transaction(lambda: cases.take(uid))
    with acting_as(staff(Role.OWNER)):
        with pytest.raises(cases.InOtherHands):
            transaction(lambda: cases.take(uid))
        transaction(lambda: cases.put_back(uid))
    assert fresh(cases.find(uid)).state == CaseState.OPEN


def test_of_many_who_take_a_case_at_once_one_has_it(app: Flask) -> None:
    uid, staff_ = held().uid, [staff(Role.SUPPORT) for _ in range(6)]

    def take(who: str) -> str:
        with acting_as(who):
            transaction(lambda: cases.take(uid))
        return who

    answers = people.at_once(app, [lambda who=who: take(who) for who in staff_])

    taken = [answer for answer in answers if answer in staff_]
    assert len(taken) == 1
    assert sum(isinstance(answer, cases.InOtherHands) for answer in answers) == len(staff_) - 1
    assert fresh(cases.find(uid)).assignee == taken[0]
