"""A buyer's problem is answered in one tap: the deed and the words together, or neither."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.db import session, transaction
from app.domain.accounts.models import Role
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.orders import queries, service
from app.domain.orders.models import Order, OrderState, Problem, ProblemState
from app.domain.vault.models import Code, CodeState
from app.providers.recharges.interface import Outcome
from tests import factories, people
from tests.fake_provider import ObedientProvider, speaking
from tests.web import benefits
from tests.web.visitors import Visitor, location, words

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("audited"),
]


@pytest.fixture
def provider() -> Iterator[ObedientProvider]:
    obedient = ObedientProvider()
    with speaking(one=obedient):
        yield obedient


@pytest.fixture
def support(app: Flask) -> Visitor:
    return Visitor(app, people.make(Role.OWNER))


def complain(order: Order) -> Problem:
    problem = transaction(lambda: service.report_problem(order.id, "用不了"))
    session.rollback()
    return problem


def answer_of(problem: Problem) -> tuple[ProblemState, str]:
    session.rollback()
    session.expire_all()
    found = session.get_one(Problem, problem.id)
    return found.state, found.answer


def solve(support: Visitor, order: Order, problem: Problem, how: str) -> str:
    return location(support.post(f"/admin/orders/{order.number}/problems/{problem.id}/{how}"))


def test_other_codes_and_the_words(support: Visitor) -> None:
    order = factories.buy(factories.make_product(codes=5), quantity=2)
    problem = complain(order)
    solve(support, order, problem, "replacement")
    state, answer = answer_of(problem)
    assert (state, answer[:8]) == (ProblemState.SOLVED, "已为你更换新的卡")
    states = session.scalars(sa.select(Code.state).where(Code.order_line_id.is_not(None))).all()
    assert sorted(states) == [CodeState.SOLD, CodeState.SOLD, CodeState.VOID, CodeState.VOID]


def test_without_stock_nothing_is_changed_and_nothing_is_said(support: Visitor) -> None:
    order = factories.buy(factories.make_product(codes=2), quantity=2)
    problem = complain(order)
    solve(support, order, problem, "replacement")
    assert answer_of(problem)[0] == ProblemState.OPEN
    states = session.scalars(sa.select(Code.state)).all()
    assert set(states) == {CodeState.SOLD}


def test_the_money_and_the_words_in_the_buyers_language(support: Visitor) -> None:
    order = factories.buy(factories.make_product(), language="en")
    problem = complain(order)
    solve(support, order, problem, "refund")
    assert answer_of(problem)[1].isascii()
    assert factories.fresh(order).state == OrderState.REFUNDING


def test_the_provider_is_asked_at_once(support: Visitor, provider: ObedientProvider) -> None:
    provider.submits, provider.queries = [Outcome.PENDING], [Outcome.DELIVERED]
    product = benefits.recharged()
    account = RechargeAccount.parse(product.account_format, benefits.ACCOUNT)  # type: ignore[arg-type]
    placed = factories.place(product, account=account)
    assert placed.payment is not None
    factories.settle(placed.payment)
    factories.work()
    problem = complain(placed.order)
    solve(support, placed.order, problem, "query")
    factories.work()
    assert factories.fresh(placed.order).state == OrderState.DELIVERED
    assert answer_of(problem)[0] == ProblemState.SOLVED


def test_a_canned_reply_is_chosen_instead_of_typed(support: Visitor) -> None:
    order = factories.buy(factories.make_product())
    problem = complain(order)
    support.post(
        f"/admin/orders/{order.number}/problems/{problem.id}/answer",
        {"answer": "", "canned": "请换一个网络再试"},
    )
    assert answer_of(problem) == (ProblemState.SOLVED, "请换一个网络再试")


def test_another_orders_problem_is_not_solved_from_here(support: Visitor) -> None:
    first, second = (factories.buy(factories.make_product()) for _ in range(2))
    problem = complain(first)
    url = f"/admin/orders/{second.number}/problems/{problem.id}/refund"
    assert support.post(url).status_code == 404
    assert "用不了" in words(support.get(f"/admin/orders/{first.number}"))
    assert queries.problems_of(first.id)
