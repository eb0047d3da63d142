"""A provider's statement against our attempts: what agrees is quiet, what differs waits."""

from datetime import date

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import Conflict, Refusal
from app.domain.orders.models import Order
from app.domain.recharges import reconciling
from app.domain.recharges.models import Attempt, StatementRow, StatementRowState
from app.domain.recharges.reconciling import TheirRow
from app.providers.recharges.interface import Outcome
from tests import factories
from tests.domain.recharges.conftest import Market


def today() -> date:
    return clock.today(factories.ZONE)


def delivered(market: Market) -> tuple[Order, Attempt]:
    order = market.buy()
    factories.work()
    return order, market.attempts(order)[0]


def differences(provider_id: int, theirs: list[TheirRow]) -> dict[str, str]:
    session.rollback()
    statement = transaction(lambda: reconciling.take(provider_id, today(), theirs))
    rows = session.scalars(sa.select(StatementRow).where(StatementRow.statement_id == statement.id))
    return {row.number: row.difference for row in rows}


def test_what_agrees_is_quiet(market: Market) -> None:
    _, attempt = delivered(market)
    theirs = [TheirRow(attempt.number, "success", attempt.expected_cost)]
    assert differences(attempt.provider_id, theirs) == {attempt.number: ""}


def test_what_differs_is_named(market: Market) -> None:
    _, dear = delivered(market)
    _, failed = delivered(market)
    _, missing = delivered(market)
    _, twice = delivered(market)
    theirs = [
        TheirRow(dear.number, "delivered", dear.expected_cost + 2),
        TheirRow(failed.number, "失败", None),
        TheirRow("NOBODY", "success", 5),
        TheirRow(twice.number, "success", twice.expected_cost),
        TheirRow(twice.number, "success", twice.expected_cost),
    ]
    assert differences(dear.provider_id, theirs) == {
        dear.number: "cost",
        failed.number: "state",
        "NOBODY": "only_theirs",
        twice.number: "twice",
        missing.number: "only_ours",
    }


def test_what_we_gave_up_and_they_delivered_is_found(market: Market) -> None:
    market.first.submits = [Outcome.REFUSED]
    order = market.buy()
    factories.work()
    refused = market.attempts(order)[0]
    theirs = [TheirRow(refused.number, "成功", refused.expected_cost)]
    assert differences(refused.provider_id, theirs)[refused.number] == "state"


def test_a_day_is_taken_once(market: Market) -> None:
    _, attempt = delivered(market)
    differences(attempt.provider_id, [])
    with pytest.raises(Conflict):
        differences(attempt.provider_id, [])


def test_a_difference_is_settled_once_and_with_words(market: Market) -> None:
    _, attempt = delivered(market)
    differences(attempt.provider_id, [])
    row_id = session.scalars(sa.select(StatementRow.id)).one()
    session.rollback()
    with pytest.raises(Refusal):
        transaction(lambda: reconciling.settle(row_id, ""))
    transaction(lambda: reconciling.settle(row_id, "供应商次日补单"))
    with pytest.raises(Conflict):
        transaction(lambda: reconciling.settle(row_id, "再来"))
    session.rollback()
    assert session.get_one(StatementRow, row_id).state == StatementRowState.SETTLED


@pytest.mark.parametrize(
    "content",
    [
        b"number,state,cost\nA1,success,49.2500\n",
        "﻿number,state,cost\r\nA1,success,49.25\r\n".encode(),
        "商户订单号,订单状态,成本\nA1,成功,49.25\n".encode("gb18030"),
    ],
)
def test_it_is_read_however_it_is_written(content: bytes) -> None:
    (row,) = reconciling.read(content)
    assert (row.number, row.is_delivered, row.cost) == ("A1", True, 4925)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"a,b\n1,2\n", "列名"),
        (b"number,state,cost\nA1,success,dear\n", "第 2 行"),
        (b"number,state\n,success\n", "第 2 行"),
        (b"\xff\xfe\xfa\x81", "编码"),
        (b"", "列名"),
    ],
)
def test_what_cannot_be_read_says_where(content: bytes, words: str) -> None:
    with pytest.raises(Refusal) as refused:
        reconciling.read(content)
    assert words in str(refused.value)
