"""What an order earns its distributors, through delivery, refunds, suspension and correction."""

from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app.core import clock
from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.core.errors import Conflict, NotFound, Refusal
from app.core.outbox import OutboxRow
from app.core.states import StateChange, move_all
from app.domain.catalog import offers, preferences
from app.domain.catalog.models import AccountFormat, ProductKind
from app.domain.catalog.offers import OfferFields
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.channels import commission, holding
from app.domain.channels.models import (
    Attribution,
    Commission,
    CommissionState,
    Distributor,
    DistributorState,
)
from app.domain.ledger import service as ledger
from app.domain.ledger.models import LedgerTransaction
from app.domain.orders import queries, refunding, service, settling
from app.domain.orders.models import Order
from app.domain.vault import batches
from app.domain.vault.models import Batch
from tests import channels, factories, people, sellers
from tests.fake_provider import ObedientProvider, add_provider, speaking

pytestmark = pytest.mark.usefixtures("audited", "channel")
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
TEN_PERCENT: dict[str, object] = {"percent_bp": 1000}
TWO_PERCENT_ABOVE: dict[str, object] = {"level": 2, "percent_bp": 200}


def refund(order: Order, amount: int) -> None:
    line_id = factories.fresh(order).lines[0].id
    transaction(lambda: refunding.request_refund(order.id, line_id, amount, "坏卡"))
    factories.work()


def set_state(distributor: Distributor, state: DistributorState) -> None:
    distributor_id = distributor.id
    transaction(lambda: setattr(session.get_one(Distributor, distributor_id), "state", state))


def to_state(one: Commission, *states: CommissionState) -> None:
    """As a withdrawal does it."""
    for from_, to in zip((one.state, *states), states, strict=False):
        transaction(partial(move_all, Commission, [one.id], from_, to))


def test_a_delivered_order_pays_two_levels_and_no_third(app: Flask) -> None:
    top = sellers.make()
    parent = sellers.make(parent_id=top.id)
    seller = sellers.make(parent_id=parent.id)
    plan = channels.published_plan(TEN_PERCENT, TWO_PERCENT_ABOVE, max_depth=2)

    order = channels.sell(factories.make_product(), seller, plan)

    first, second = channels.commissions(order)
    assert (first.distributor_id, first.level, first.amount) == (seller.id, 1, 300)
    assert (second.distributor_id, second.level, second.amount) == (parent.id, 2, 60)
    assert first.base == second.base == factories.PRICE
    assert {first.state, second.state} == {CommissionState.PAYABLE}
    assert first.payable_at and first.earned_at == order.lines[0].delivered_at
    assert channels.owed(seller) == (0, 300)
    assert channels.owed(parent) == (0, 60)
    assert channels.owed(top) == (0, 0)
    assert channels.balance("commission") == -360
    assert [step["name"] for step in first.trace if step["kind"] == "step"] == ["percent"]

    # Asked again, nothing changes.
    before = session.scalar(sa.select(sa.func.count(LedgerTransaction.id)))
    transaction(lambda: commission.settle(order.id))
    assert session.scalar(sa.select(sa.func.count(LedgerTransaction.id))) == before


@on_sqlite
def test_who_earns_nothing(app: Flask) -> None:
    parent = sellers.make(state=DistributorState.SUSPENDED)
    seller = sellers.make(parent_id=parent.id)
    product = factories.make_product(codes=9)
    both = channels.published_plan(TEN_PERCENT, TWO_PERCENT_ABOVE, max_depth=2)
    of_suspended_parent = channels.sell(product, seller, both)
    assert [one.level for one in channels.commissions(of_suspended_parent)] == [1]

    set_state(parent, DistributorState.ACTIVE)
    one_level = channels.published_plan(TEN_PERCENT)
    assert [
        one.level for one in channels.commissions(channels.sell(product, seller, one_level))
    ] == [1]

    for values in ({"earns_nothing_because": "same_person"}, {"plan_id": None}):
        placed = factories.place(product)
        channels.attribute(placed.order, seller, both, **values)
        assert placed.payment is not None
        factories.settle(placed.payment)
        factories.work()
        assert channels.commissions(placed.order) == []

    unpaid = channels.place(product, seller, both).order
    transaction(lambda: commission.settle(unpaid.id))
    assert channels.commissions(unpaid) == []
    other = factories.make_product()
    no_rule = channels.published_plan({"product_id": other.id, "percent_bp": 1000})
    assert channels.commissions(channels.sell(product, seller, no_rule)) == []


def test_an_order_that_is_nobodys_asks_for_no_job(app: Flask) -> None:
    factories.buy(factories.make_product())
    names = set(session.scalars(sa.select(OutboxRow.name)))
    assert not [name for name in names if "channels" in name]


def undelivered(
    seller: Distributor, *rules: dict[str, object], quantity: int = 1
) -> tuple[Order, int]:
    """A paid order of hers whose only batch was frozen before the money came; and the batch."""
    product = factories.make_product(codes=quantity)
    plan = channels.published_plan(*(rules or (TEN_PERCENT,)))
    placed = channels.place(product, seller, plan, quantity=quantity)
    batch_id = session.scalars(sa.select(Batch.id).where(Batch.product_id == product.id)).one()
    transaction(lambda: batches.freeze(batch_id, reason="供应商通知有坏卡"))
    assert placed.payment is not None
    factories.settle(placed.payment)
    factories.work()
    return factories.fresh(placed.order), batch_id


def deliver(order_id: int, batch_id: int) -> None:
    transaction(lambda: batches.unfreeze(batch_id, reason="已经核对"))
    transaction(lambda: service.deliver_again(order_id, clock.today(factories.ZONE)))
    factories.work()


def test_nothing_is_booked_before_delivery(app: Flask) -> None:
    seller = sellers.make()
    order, batch_id = undelivered(seller)
    (one,) = channels.commissions(order)
    assert (one.state, one.amount, one.earned_at) == (CommissionState.PENDING, 300, None)
    assert channels.balance("commission") == 0

    refund(order, 1000)
    (one,) = channels.commissions(order)
    assert (one.state, one.reversed) == (CommissionState.PENDING, 100)
    assert channels.balance("commission") == 0

    deliver(order.id, batch_id)
    (one,) = channels.commissions(order)
    assert (one.state, one.amount - one.reversed) == (CommissionState.PAYABLE, 200)
    assert channels.owed(seller) == (0, 200)

    gone, _batch = undelivered(seller)
    refund(gone, 3000)
    (one,) = channels.commissions(gone)
    assert (one.state, one.reversed) == (CommissionState.REVERSED, 300)
    assert channels.owed(seller) == (0, 200)


def test_partial_refunds_take_back_exactly_their_part(app: Flask) -> None:
    parent = sellers.make()
    seller = sellers.make(parent_id=parent.id)
    plan = channels.published_plan({"percent_bp": 333}, TWO_PERCENT_ABOVE, max_depth=2)
    order = channels.sell(factories.make_product(price=1001), seller, plan)
    assert channels.owed(seller) == (0, 33)
    for amount, kept in ((7, 33), (400, 20), (1, 20), (592, 0), (1, 0)):
        refund(order, amount)
        assert channels.owed(seller)[1] == kept, amount
    first, second = channels.commissions(order)
    assert (first.state, second.state) == (CommissionState.REVERSED, CommissionState.REVERSED)
    assert channels.owed(parent) == (0, 0)
    assert channels.balance("commission") == 0


def test_after_the_payout_a_refund_is_carried_forward(app: Flask) -> None:
    seller = sellers.make()
    plan = channels.published_plan(TEN_PERCENT)
    order = channels.sell(factories.make_product(), seller, plan)
    (one,) = channels.commissions(order)
    to_state(one, CommissionState.SETTLING, CommissionState.PAID)
    uid = seller.uid
    paid_out = {f"commission_payable:{uid}": 300, "bank": -300}
    transaction(lambda: ledger.post("payout", "payout", "withdrawals", 1, paid_out))

    refund(order, 1000)
    assert channels.owed(seller) == (0, -100)
    assert channels.commissions(order)[0].state == CommissionState.PAID
    refund(order, 2000)
    assert channels.owed(seller) == (0, -300)
    assert channels.commissions(order)[0].state == CommissionState.CLAWED_BACK

    channels.sell(factories.make_product(price=9000), seller, plan)
    assert channels.owed(seller) == (0, 600)


@on_sqlite
def test_a_commission_ripens_when_its_holding_period_is_over(app: Flask) -> None:
    seller, suspended = sellers.make(), sellers.make()
    plan = channels.published_plan(TEN_PERCENT)
    transaction(lambda: preferences.change({"commission_holding_days": 7}))
    product = factories.make_product()
    order, other = (channels.sell(product, one, plan) for one in (seller, suspended))
    (one,) = channels.commissions(order)
    assert one.state == CommissionState.HOLDING
    assert one.eligible_at == one.earned_at + timedelta(days=7)  # type: ignore[operator]
    assert channels.owed(seller) == (300, 0)
    refund(order, 1000)
    assert channels.owed(seller) == (200, 0)
    set_state(suspended, DistributorState.SUSPENDED)

    with time_machine.travel(clock.now() + timedelta(days=7, seconds=1), tick=False):
        factories.work()
    assert channels.commissions(order)[0].state == CommissionState.PAYABLE
    assert channels.owed(seller) == (0, 200)
    assert channels.commissions(other)[0].state == CommissionState.ON_HOLD
    assert channels.owed(suspended) == (300, 0)
    with pytest.raises(Refusal):
        transaction(lambda: preferences.change({"commission_holding_days": 181}))


def test_a_suspended_distributors_commission_is_posted_and_kept_back(app: Flask) -> None:
    seller = sellers.make(state=DistributorState.SUSPENDED)
    order = channels.sell(factories.make_product(), seller, channels.published_plan(TEN_PERCENT))
    (one,) = channels.commissions(order)
    assert one.state == CommissionState.ON_HOLD
    assert channels.owed(seller) == (300, 0)
    refund(order, 600)
    assert channels.owed(seller) == (240, 0)
    transaction(lambda: holding.release(one.id, "申诉成立"))
    assert channels.owed(seller) == (0, 240)


@on_sqlite
def test_staff_keep_one_back_and_let_it_go_as_often_as_they_like(app: Flask) -> None:
    seller = sellers.make()
    plan = channels.published_plan(TEN_PERCENT)
    order = channels.sell(factories.make_product(), seller, plan)
    (one,) = channels.commissions(order)
    for _ in range(2):
        transaction(lambda: holding.hold(one.id, "买家投诉刷单"))
        assert channels.owed(seller) == (300, 0)
        with pytest.raises(Conflict):
            transaction(lambda: holding.hold(one.id, "再来一次"))
        transaction(lambda: holding.release(one.id, "已核实"))
        assert channels.owed(seller) == (0, 300)
    with pytest.raises(Conflict):
        transaction(lambda: holding.release(one.id, "再来一次"))
    with pytest.raises(Refusal, match="原因"):
        transaction(lambda: holding.hold(one.id, " "))
    with pytest.raises(NotFound):
        transaction(lambda: holding.hold(one.id + 1, "没有这一笔"))
    told = session.scalars(sa.select(AuditEntry).where(AuditEntry.subject == "commissions")).all()
    assert [entry.action for entry in told] == ["commission.hold", "commission.release"] * 2
    assert told[0].reason == "买家投诉刷单"

    transaction(lambda: preferences.change({"commission_holding_days": 3}))
    (held,) = channels.commissions(channels.sell(factories.make_product(), seller, plan))
    transaction(lambda: holding.hold(held.id, "买家投诉刷单"))
    transaction(lambda: holding.release(held.id, "已核实"))
    assert session.get_one(Commission, held.id).state == CommissionState.HOLDING
    assert channels.owed(seller) == (300, 300)
    steps = sa.select(StateChange.note).where(StateChange.subject_id == held.id)
    assert (
        "买家投诉刷单" in session.scalars(steps.where(StateChange.subject == "commissions")).all()
    )

    waiting, _batch = undelivered(seller)
    with pytest.raises(Conflict):
        transaction(lambda: holding.hold(channels.commissions(waiting)[0].id, "还没发货"))


def test_a_correction_takes_back_from_one_and_gives_to_the_other(app: Flask) -> None:
    parent = sellers.make()
    wrong = sellers.make(parent_id=parent.id)
    right = sellers.make()
    plan = channels.published_plan(TEN_PERCENT, TWO_PERCENT_ABOVE, max_depth=2)
    order = channels.sell(factories.make_product(), wrong, plan)
    refund(order, 1500)

    def correct(**values: object) -> None:
        of_order = sa.update(Attribution).where(Attribution.order_id == order.id)
        transaction(lambda: session.execute(of_order.values(**values)))
        transaction(lambda: commission.settle(order.id))

    correct(distributor_id=right.id)
    assert channels.owed(wrong) == channels.owed(parent) == (0, 0)
    assert channels.owed(right) == (0, 150)
    correct(distributor_id=wrong.id)
    assert channels.owed(right) == (0, 0)
    assert (channels.owed(wrong), channels.owed(parent)) == ((0, 150), (0, 30))
    assert [
        one.handed_over_at is None for one in channels.commissions(order) if one.level == 1
    ] == [*(False, False, True)]
    correct(earns_nothing_because="same_payer")
    assert channels.owed(wrong) == channels.owed(parent) == (0, 0)
    assert channels.balance("commission") == 0

    plan = channels.published_plan(TWO_PERCENT_ABOVE, max_depth=2)
    order = channels.sell(factories.make_product(), wrong, plan)
    assert channels.owed(parent) == (0, 60)
    correct(distributor_id=right.id)
    assert channels.owed(parent) == (0, 0)


@on_sqlite
def test_caps_count_over_the_month_and_the_margin_is_kept(app: Flask) -> None:
    seller = sellers.make()
    product = factories.make_product(codes=9)
    plan = channels.published_plan({"percent_bp": 1000, "cap_per_month": 500})
    with time_machine.travel("2026-11-30T15:00:00Z", tick=False):
        amounts = [channels.commissions(channels.sell(product, seller, plan))[0] for _ in range(3)]
        assert [one.amount for one in amounts] == [300, 200, 0]
        assert [step["name"] for step in amounts[2].trace if step["kind"] == "step"] == [
            *("percent", "cap_per_month")
        ]
        assert {one.state for one in amounts} == {CommissionState.PAYABLE}
    with time_machine.travel("2026-11-30T17:00:00Z", tick=False):
        # In the shop's zone it is December.
        (one,) = channels.commissions(channels.sell(product, seller, plan))
        assert one.amount == 300

    costly = factories.make_product(codes=9)
    transaction(
        lambda: session.execute(
            sa.update(Batch).where(Batch.product_id == costly.id).values(unit_cost=2600)
        )
    )
    plan = channels.published_plan({"percent_bp": 2000, "min_margin_bp": 500})
    (one,) = channels.commissions(channels.sell(costly, seller, plan))
    assert one.amount == 3000 - 2600 - 150


@on_sqlite
def test_what_a_recharge_costs_is_what_its_offer_says(app: Flask) -> None:
    seller = sellers.make()
    product = factories.make_product(
        codes=0, kind=ProductKind.RECHARGE, account_format=AccountFormat.PHONE
    )
    with speaking(obedient=ObedientProvider()):
        provider = add_provider("obedient")
    transaction(lambda: offers.add_offer(product.id, OfferFields(provider.id, "S1", 2900)))
    plan = channels.published_plan({"percent_bp": 2000, "min_margin_bp": 0})
    account = RechargeAccount.parse(AccountFormat.PHONE, "13912345678")
    placed = channels.place(product, seller, plan, account=account)
    assert placed.payment is not None
    factories.settle(placed.payment)
    transaction(lambda: commission.settle(placed.order.id))
    (one,) = channels.commissions(placed.order)
    assert (one.state, one.amount) == (CommissionState.PENDING, 100)


def test_two_refunds_and_a_delivery_at_once_end_exact(app: Flask) -> None:
    seller = sellers.make()
    order, batch_id = undelivered(seller, {"percent_bp": 1000, "per_unit": 11}, quantity=3)
    transaction(lambda: batches.unfreeze(batch_id, reason="已经核对"))
    order_id, line_id = order.id, order.lines[0].id
    today = clock.today(factories.ZONE)

    def give_back(amount: int) -> None:
        transaction(lambda: refunding.request_refund(order_id, line_id, amount, "坏卡"))
        transaction(lambda: commission.settle(order_id))

    def hand_out() -> None:
        # While it is being refunded nothing is done; the end of that delivers.
        transaction(lambda: settling.deliver(queries.lock(order_id), today))
        transaction(lambda: commission.settle(order_id))

    calls = [partial(give_back, 1000), partial(give_back, 2500), hand_out]
    outcomes = people.at_once(
        app, [*calls, partial(transaction, partial(commission.settle, order_id))]
    )
    assert [one for one in outcomes if isinstance(one, Exception)] == []
    factories.work()

    (one,) = channels.commissions(order)
    # 10 % of 90.00 and 0.11 a unit, less 35/90 of it.
    assert (one.amount, one.reversed) == (933, 363)
    assert one.state == CommissionState.PAYABLE
    assert channels.owed(seller) == (0, 570)
    assert channels.balance("commission") == -570
