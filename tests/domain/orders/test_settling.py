"""Money is taken once and never lost: it buys the order, or it goes back."""

from datetime import timedelta
from hashlib import sha512

import pytest
import sqlalchemy as sa
import time_machine

from app.core import clock
from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.core.errors import Conflict, Refusal
from app.domain.catalog import preferences
from app.domain.ledger.models import LedgerAccount, LedgerBalance
from app.domain.orders import closing, jobs, placing, queries, service
from app.domain.orders.models import OrderState, PaymentState, Verdict
from app.domain.vault import batches
from app.domain.vault import service as vault
from app.domain.vault.models import Batch, Code, CodeState
from app.providers.payments.interface import Closing, Standing, StandingState
from tests import factories
from tests.fake_channel import ObedientChannel

pytestmark = pytest.mark.usefixtures("audited")


def balances() -> dict[str, int]:
    session.rollback()
    rows = session.execute(
        sa.select(LedgerAccount.code, LedgerBalance.balance).join(
            LedgerBalance, LedgerBalance.account_id == LedgerAccount.id
        )
    )
    return {code: balance for code, balance in rows if balance}


def test_paid_is_delivered_and_booked(channel: ObedientChannel) -> None:
    order = factories.buy(factories.make_product(), quantity=2)

    assert order.state == OrderState.DELIVERED
    assert balances() == {"channel:sandbox": 6000, "sales": -6000}
    assert len(queries.lines_of(order.id)) == 1


def test_the_code_is_the_buyers_and_nobody_elses(channel: ObedientChannel) -> None:
    order = factories.buy(factories.make_product())
    line = order.lines[0]

    shown = transaction(
        lambda: vault.reveal_to_buyer([line.id], order.contact_index, channel="page", ip="::1")
    )

    (code, secret) = shown[line.id][0]
    assert len(secret.reveal()) == 24
    assert code.last_four == secret.reveal().replace("-", "")[-4:]


def test_the_same_message_again_changes_nothing(channel: ObedientChannel) -> None:
    placed = factories.place(factories.make_product())
    assert placed.payment is not None

    verdicts = [factories.settle(placed.payment) for _ in range(3)]
    other_event = factories.settle(placed.payment, event_id="another id for the same trade")

    assert verdicts == [Verdict.PAID, Verdict.ALREADY, Verdict.ALREADY]
    assert other_event == Verdict.ALREADY
    assert balances() == {"channel:sandbox": 3000, "sales": -3000}


@pytest.mark.parametrize("amount", [1, 2999, 3001])
def test_a_wrong_amount_buys_nothing_and_goes_back(channel: ObedientChannel, amount: int) -> None:
    placed = factories.place(factories.make_product())
    assert placed.payment is not None

    assert factories.settle(placed.payment, amount=amount) == Verdict.MISMATCH
    assert balances() == {"channel:sandbox": amount, "suspense": -amount}
    factories.work()

    assert factories.fresh(placed.order).state == OrderState.PENDING
    assert queries.payments_of(placed.order.id)[0].state == PaymentState.REFUNDED
    assert balances() == {}


def test_money_for_a_number_we_never_gave_out_is_only_recorded(channel: ObedientChannel) -> None:
    placed = factories.place(factories.make_product())
    assert placed.payment is not None

    assert factories.settle(placed.payment, number="261123NOSUCH") == Verdict.UNKNOWN
    assert balances() == {}


def test_another_channels_message_does_not_pay(channel: ObedientChannel) -> None:
    placed = factories.place(factories.make_product())
    assert placed.payment is not None

    assert factories.settle(placed.payment, channel="transfer") == Verdict.UNKNOWN
    assert factories.fresh(placed.order).state == OrderState.PENDING


@pytest.mark.parametrize("said", [{"trade_number": "T1"}, {"currency": "USD"}])
def test_a_message_about_other_money_pays_nothing_and_staff_are_told(
    channel: ObedientChannel, said: dict[str, str]
) -> None:
    first, second = (factories.place(factories.make_product()) for _ in range(2))
    assert first.payment is not None
    assert second.payment is not None
    factories.settle(first.payment, trade_number="T1")
    before = balances()

    verdicts = [factories.settle(second.payment, **said) for _ in range(2)]

    assert verdicts == [Verdict.IGNORED] * 2
    assert factories.fresh(second.order).state == OrderState.PENDING
    assert balances() == before
    told = session.scalars(
        sa.select(AuditEntry).where(AuditEntry.action == "payment.ignored")
    ).all()
    assert [row.subject_id for row in told] == [second.order.id]


def test_a_query_that_names_other_money_is_asked_again(channel: ObedientChannel) -> None:
    placed = factories.place(factories.make_product())
    channel.standing = Standing(StandingState.PAID, "T1", 3000, "USD")

    with time_machine.travel(clock.now() + timedelta(seconds=16)) as traveller:
        factories.work()
        assert factories.fresh(placed.order).state == OrderState.PENDING
        channel.standing = Standing(StandingState.PAID, "T1", 3000, "CNY")
        traveller.shift(timedelta(seconds=31))
        factories.work()

    assert factories.fresh(placed.order).state == OrderState.DELIVERED


def test_a_second_payment_for_a_paid_order_goes_back(channel: ObedientChannel) -> None:
    placed = factories.place(factories.make_product())
    first = placed.payment
    transfer = transaction(lambda: placing.payment_to_make(placed.order.id, "transfer"))
    assert first is not None
    factories.settle(first)

    verdict = transaction(
        lambda: service.confirm_paid(transfer.id, "BANK-0001", 3000, clock.today(factories.ZONE))
    )
    factories.work()

    assert verdict == Verdict.SECOND
    session.expire_all()
    assert [payment.state for payment in queries.payments_of(placed.order.id)] == [
        PaymentState.SUSPENSE,
        PaymentState.PAID,
    ]


class TestLateMoney:
    def expired(self, channel: ObedientChannel, codes: int = 1) -> placing.Placed:
        placed = factories.place(factories.make_product(codes=codes))
        with time_machine.travel(placed.order.expires_at + timedelta(seconds=1)):
            factories.work()
        assert factories.fresh(placed.order).state == OrderState.EXPIRED
        return placed

    def test_it_still_buys_while_there_is_stock(self, channel: ObedientChannel) -> None:
        placed = self.expired(channel)

        assert factories.settle(placed.payment) == Verdict.PAID
        assert factories.fresh(placed.order).state == OrderState.DELIVERED

    def test_it_goes_back_when_the_code_was_sold(self, channel: ObedientChannel) -> None:
        placed = self.expired(channel)
        product = factories.fresh(placed.order).lines[0].product
        factories.buy(product)

        assert factories.settle(placed.payment) == Verdict.LATE
        factories.work()

        assert factories.fresh(placed.order).state == OrderState.EXPIRED
        assert balances() == {"channel:sandbox": 3000, "sales": -3000}

    def test_it_goes_back_after_twelve_hours(self, channel: ObedientChannel) -> None:
        placed = self.expired(channel)

        with time_machine.travel(placed.order.expires_at + timedelta(hours=12, seconds=1)):
            assert factories.settle(placed.payment) == Verdict.LATE
            factories.work()

        assert balances() == {}


class TestWithoutACallback:
    def test_the_channel_is_asked_and_believed(self, channel: ObedientChannel) -> None:
        placed = factories.place(factories.make_product())
        channel.standing = Standing(StandingState.PAID, "T1", 3000, "CNY")

        with time_machine.travel(clock.now() + timedelta(seconds=16)):
            factories.work()

        assert factories.fresh(placed.order).state == OrderState.DELIVERED

    def test_an_unpaid_one_is_asked_about_ever_less_often(self, channel: ObedientChannel) -> None:
        placed = factories.place(factories.make_product())

        for seconds in (14, 16, 46, 121, 301, 600):
            with time_machine.travel(placed.order.created_at + timedelta(seconds=seconds)):
                factories.work()

        assert channel.calls == ["query"] * 4

    def test_the_trade_is_closed_before_its_code_is_let_go(self, channel: ObedientChannel) -> None:
        placed = factories.place(factories.make_product(codes=1))
        channel.closing = Closing.UNKNOWN

        with time_machine.travel(placed.order.expires_at + timedelta(seconds=1)) as traveller:
            factories.work()
            assert factories.fresh(placed.order).state == OrderState.CLOSING
            assert session.scalars(sa.select(Code.state)).all() == [CodeState.RESERVED]
            channel.closing = Closing.CLOSED
            traveller.shift(timedelta(minutes=1))
            factories.work()

        assert factories.fresh(placed.order).state == OrderState.EXPIRED
        assert session.scalars(sa.select(Code.state)).all() == [CodeState.AVAILABLE]

    def test_a_trade_found_paid_while_closing_is_delivered(self, channel: ObedientChannel) -> None:
        placed = factories.place(factories.make_product())
        channel.closing = Closing.ALREADY_PAID
        channel.standing = Standing(StandingState.PAID, "T1", 3000, "CNY")

        with time_machine.travel(placed.order.expires_at + timedelta(seconds=1)):
            factories.work()

        assert factories.fresh(placed.order).state == OrderState.DELIVERED

    def test_a_buyer_may_cancel_and_the_code_is_free_again(self, channel: ObedientChannel) -> None:
        placed = factories.place(factories.make_product(codes=1))

        transaction(lambda: closing.cancel(placed.order.id))
        factories.work()

        assert factories.fresh(placed.order).state == OrderState.CANCELLED
        assert channel.calls == ["close"]
        assert factories.place(factories.fresh(placed.order).lines[0].product)

    def test_a_paid_order_cannot_be_cancelled(self, channel: ObedientChannel) -> None:
        order = factories.buy(factories.make_product())

        with pytest.raises(Conflict):
            transaction(lambda: closing.cancel(order.id))


class TestBankTransfer:
    def placed(self) -> tuple[int, int]:
        transaction(lambda: preferences.change({"bank_account": "示例银行 6222"}))
        placed = factories.place(factories.make_product(), channel="transfer")
        assert placed.payment is not None
        return placed.order.id, placed.payment.id

    def confirm(
        self, payment_id: int, trade_number: str = "BANK-0001", amount: int = 3000
    ) -> Verdict:
        day = clock.today(factories.ZONE)
        return transaction(lambda: service.confirm_paid(payment_id, trade_number, amount, day))

    def test_staff_confirm_it_through_the_same_door(self, channel: ObedientChannel) -> None:
        order_id, payment_id = self.placed()

        assert self.confirm(payment_id) == Verdict.PAID

        session.expire_all()
        assert queries.lock(order_id).state == OrderState.DELIVERED
        session.rollback()

    def test_confirming_twice_is_refused(self, channel: ObedientChannel) -> None:
        _, payment_id = self.placed()
        self.confirm(payment_id)

        with pytest.raises(Conflict, match="已经确认过"):
            self.confirm(payment_id, "BANK-0002")

    def test_one_transfer_pays_one_order(self, channel: ObedientChannel) -> None:
        _, first = self.placed()
        _, second = self.placed()
        self.confirm(first)

        with pytest.raises(Refusal, match="已经用在另一笔付款"):
            self.confirm(second)

    @pytest.mark.parametrize("trade_number", ["123", "", sha512(b"1").hexdigest() * 40])
    def test_what_is_no_trade_number_is_refused(
        self, channel: ObedientChannel, trade_number: str
    ) -> None:
        _, payment_id = self.placed()
        with pytest.raises(Refusal, match="4 到 64 位"):
            self.confirm(payment_id, trade_number)


def test_a_frozen_batch_leaves_the_payment_and_delivers_from_another(
    channel: ObedientChannel,
) -> None:
    product = factories.make_product(codes=1)
    placed = factories.place(product)
    first = session.scalar(sa.select(Batch.id))
    assert placed.payment is not None and first is not None
    transaction(lambda: batches.freeze(first, reason="供应商召回"))

    assert factories.settle(placed.payment) == Verdict.PAID
    order = factories.fresh(placed.order)
    assert order.state == OrderState.PAID
    transaction(lambda: factories.add_batch(product, ["FRESH-CODE-0001"]))
    with time_machine.travel(clock.now() + timedelta(minutes=5)):
        factories.work()

    assert factories.fresh(order).state == OrderState.DELIVERED


def test_delivering_again_what_is_delivered_changes_nothing(channel: ObedientChannel) -> None:
    order = factories.buy(factories.make_product())

    for _ in range(2):
        transaction(jobs.deliver(order.id))

    assert balances() == {"channel:sandbox": 3000, "sales": -3000}
