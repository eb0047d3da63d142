"""A channel's statement against the books, and what it remits to the bank."""

from datetime import date, timedelta
from functools import partial

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import Conflict, NotFound, Refusal
from app.domain.ledger import queries as books
from app.domain.orders import channel_statements as statements
from app.domain.orders import refunding, remittances
from app.domain.orders.models import Order, OrderState, Payment, PaymentState, Refund
from app.domain.orders.statement_files import TheirLine
from app.domain.orders.statement_models import (
    ChannelRowState,
    ChannelStatementRow,
    LineKind,
    Remittance,
)
from app.providers.payments.interface import RefundOutcome, Standing, StandingState
from tests import factories
from tests.fake_channel import ObedientChannel

PAYMENT, REFUND, REMITTANCE = LineKind

pytestmark = pytest.mark.usefixtures("audited")


def today() -> date:
    return clock.today(factories.ZONE)


def paid() -> Payment:
    order = factories.buy(factories.make_product())
    return session.scalars(sa.select(Payment).where(Payment.order_id == order.id)).one()


def unpaid() -> Payment:
    payment = factories.place(factories.make_product()).payment
    assert payment is not None
    return payment


def refund_of(payment: Payment, amount: int = 1000) -> Refund:
    order = session.get_one(Order, payment.order_id)
    line = order.lines[0].id
    return transaction(lambda: refunding.request_refund(payment.order_id, line, amount, "买家要求"))


def row_of(number: str) -> ChannelStatementRow:
    session.rollback()
    return session.scalars(
        sa.select(ChannelStatementRow)
        .where(ChannelStatementRow.number == number)
        .order_by(ChannelStatementRow.id.desc())
    ).all()[0]


def differences(theirs: list[TheirLine], day: date | None = None) -> dict[str, str]:
    session.rollback()
    statement = transaction(lambda: statements.take("sandbox", day or today(), theirs))
    rows = session.scalars(
        sa.select(ChannelStatementRow).where(ChannelStatementRow.statement_id == statement.id)
    )
    return {row.number: row.difference for row in rows}


def balances() -> dict[str, int]:
    session.rollback()
    return {group.prefix: group.balance for group in books.groups()}


def test_what_agrees_is_quiet_and_what_differs_is_named(
    app: Flask, channel: ObedientChannel
) -> None:
    same, dear, failed, missing, twice, open_one = (paid(), *(paid() for _ in range(4)), unpaid())
    back, on_its_way = refund_of(same), refund_of(dear)
    channel.refunds = [RefundOutcome.SUCCEEDED, RefundOutcome.PENDING]
    factories.work()
    elsewhere = factories.place(factories.make_product(), channel="transfer").payment
    assert elsewhere is not None
    theirs = [
        TheirLine(PAYMENT, same.number, same.amount, "paid"),
        TheirLine(PAYMENT, dear.number, dear.amount + 1, "交易成功"),
        TheirLine(PAYMENT, failed.number, failed.amount, "closed"),
        TheirLine(PAYMENT, open_one.number, open_one.amount),
        TheirLine(PAYMENT, "NOBODY", 5),
        TheirLine(PAYMENT, elsewhere.number, elsewhere.amount),
        TheirLine(PAYMENT, twice.number, twice.amount),
        TheirLine(PAYMENT, twice.number, twice.amount),
        TheirLine(REFUND, back.number, back.amount),
        TheirLine(REFUND, on_its_way.number, on_its_way.amount),
        TheirLine(REMITTANCE, "SETTLE-1", 9000, fee=54),
    ]
    assert differences(theirs) == {
        same.number: "",
        dear.number: "amount",
        failed.number: "state",
        open_one.number: "state",
        "NOBODY": "only_theirs",
        elsewhere.number: "only_theirs",
        twice.number: "twice",
        back.number: "",
        on_its_way.number: "state",
        "SETTLE-1": "only_theirs",
        missing.number: "only_ours",
    }
    with pytest.raises(Conflict, match="已经导入"):
        differences([])


def test_missing_money_is_taken_in_by_asking_the_channel(
    app: Flask, channel: ObedientChannel
) -> None:
    """Its callback was lost; the statement says that it was paid."""
    payment = unpaid()
    differences([TheirLine(PAYMENT, payment.number, payment.amount)])
    row = row_of(payment.number)
    channel.standing = Standing(StandingState.PAID, "T1", payment.amount, "CNY")

    assert not transaction(lambda: statements.look_again(row.id))
    factories.work()

    assert session.get_one(Order, payment.order_id).state == OrderState.DELIVERED
    assert transaction(lambda: statements.look_again(row.id))
    row = row_of(payment.number)
    assert (row.state, row.our_state, row.our_amount) == (
        ChannelRowState.MATCHED,
        PaymentState.PAID,
        payment.amount,
    )
    with pytest.raises(Conflict, match="处理过"):
        transaction(lambda: statements.look_again(row.id))


def test_a_refund_in_doubt_is_asked_about(app: Flask, channel: ObedientChannel) -> None:
    payment = paid()
    refund = refund_of(payment)
    channel.refunds = [RefundOutcome.UNKNOWN]
    factories.work()
    differences([TheirLine(REFUND, refund.number, refund.amount)])
    channel.refund_queries = [RefundOutcome.SUCCEEDED]
    transaction(lambda: statements.look_again(row_of(refund.number).id))
    factories.work()
    assert transaction(lambda: statements.look_again(row_of(refund.number).id))


def test_what_nobody_can_be_asked_about_is_settled_by_a_person_once(
    app: Flask, channel: ObedientChannel
) -> None:
    payment = paid()
    differences([TheirLine(PAYMENT, payment.number, payment.amount + 1)])
    row_id = row_of(payment.number).id
    with pytest.raises(Conflict, match="写明"):
        transaction(lambda: statements.look_again(row_id))
    with pytest.raises(Refusal, match="写明"):
        transaction(lambda: statements.settle(row_id, " x "))
    with pytest.raises(NotFound):
        transaction(lambda: statements.settle(10**9, "没有这一条"))
    transaction(lambda: statements.settle(row_id, "渠道多收一分，已让渠道退回"))
    for again in (
        partial(statements.settle, row_id, "再来"),
        partial(statements.look_again, row_id),
    ):
        with pytest.raises(Conflict, match="处理过"):
            transaction(again)
    row = row_of(payment.number)
    assert (row.state, row.settled_by) == (ChannelRowState.SETTLED, "system")


def test_what_is_listed_on_another_day_is_in_order(app: Flask, channel: ObedientChannel) -> None:
    """The channel counts a payment at midnight to the day before: it took it a second earlier."""
    payment = paid()
    yesterday = today() - timedelta(days=1)
    assert differences([], today()) == {payment.number: "only_ours"}
    row_id = row_of(payment.number).id
    with pytest.raises(Conflict):
        transaction(lambda: statements.look_again(row_id))
    assert differences([TheirLine(PAYMENT, payment.number, payment.amount)], yesterday) == {
        payment.number: ""
    }
    assert transaction(lambda: statements.look_again(row_id))
    with time_machine.travel(clock.now() + timedelta(days=1)):
        assert differences([], today()) == {}


def test_a_remittance_moves_the_money_to_the_bank_less_its_fee(
    app: Flask, channel: ObedientChannel
) -> None:
    payment = paid()
    differences([TheirLine(REMITTANCE, "SETTLE-1", 2000, fee=12)])
    row = row_of("SETTLE-1")

    booked = transaction(lambda: statements.book_remittance(row.id))

    assert (booked.net, booked.fee, booked.gross) == (1988, 12, 2000)
    found = balances()
    assert (found["channel"], found["bank"], found["channel_fee"]) == (1000, 1988, 12)
    assert row_of("SETTLE-1").state == ChannelRowState.MATCHED
    tomorrow = today() + timedelta(days=1)
    again = [TheirLine(REMITTANCE, "SETTLE-1", 2000, fee=11), TheirLine(PAYMENT, "X", 1)]
    assert differences(again, tomorrow)["SETTLE-1"] == "amount"
    with pytest.raises(Conflict, match="不是渠道结算"):
        transaction(lambda: statements.book_remittance(row_of("X").id))

    # It was a slip: posted back, and entered anew under the same number.
    with pytest.raises(Refusal):
        transaction(lambda: remittances.reverse(booked.id, ""))
    transaction(lambda: remittances.reverse(booked.id, "手续费看错"))
    assert {balances()[name] for name in ("bank", "channel_fee")} == {0}
    with pytest.raises(Conflict):
        transaction(lambda: remittances.reverse(booked.id, "再来一次"))
    transaction(lambda: remittances.book("sandbox", "SETTLE-1", payment.amount - 10, 10))
    assert balances()["channel"] == 0


@pytest.mark.parametrize(
    ("number", "net", "fee", "words"),
    [
        ("1", 100, 0, "流水号"),
        ("BANK-1", 0, 0, "到账金额"),
        ("BANK-1", -1, 5, "到账金额"),
        ("BANK-1", 2990, 11, "只有 30.00 元"),
    ],
)
def test_a_remittance_that_cannot_be_is_refused(
    app: Flask, channel: ObedientChannel, number: str, net: int, fee: int, words: str
) -> None:
    paid()
    with pytest.raises(Refusal, match=words):
        transaction(lambda: remittances.book("sandbox", number, net, fee))
    transaction(lambda: remittances.book("sandbox", "BANK-2", 100, 0))
    with pytest.raises(Conflict, match="已经入账"):
        transaction(lambda: remittances.book("sandbox", "BANK-2", 100, 0))
    assert session.scalar(sa.select(sa.func.count(Remittance.id))) == 1
