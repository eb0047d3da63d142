"""An order is placed once, at the price shown, within the limits, with codes held for it."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import time_machine

from app.core import clock
from app.core.db import db, session, transaction
from app.core.errors import Conflict, Refusal
from app.domain.accounts.contacts import Contact
from app.domain.catalog import service as catalog
from app.domain.orders import placing
from app.domain.orders.models import Order, OrderState
from app.domain.vault import batches
from app.domain.vault import service as vault
from app.domain.vault.models import Batch, Code, CodeState
from tests import factories

pytestmark = pytest.mark.usefixtures("audited", "channel")


def count(state: CodeState) -> int:
    session.rollback()
    return session.scalar(sa.select(sa.func.count()).where(Code.state == state)) or 0


def test_placing_holds_as_many_codes_as_were_bought() -> None:
    product = factories.make_product(codes=5)

    placed = factories.place(product, quantity=3)

    assert placed.order.state == OrderState.PENDING
    assert placed.order.total == 3 * factories.PRICE
    assert (count(CodeState.RESERVED), count(CodeState.AVAILABLE)) == (3, 2)


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_no_plan_of_the_database_takes_more_codes_than_were_bought() -> None:
    """PostgreSQL ran the picking subquery again for each row when it chose a nested loop."""
    product = factories.make_product(codes=10)
    # On a new connection, which has no plan that was made for a test before.
    session.remove()
    db.engine.dispose()

    def place() -> None:
        for way in ("hashjoin", "mergejoin", "material", "memoize", "hashagg", "sort"):
            session.execute(sa.text(f"SET LOCAL enable_{way} = off"))
        placing.place(factories.purchase(product, quantity=2), factories.terms())

    transaction(place)

    assert (count(CodeState.RESERVED), count(CodeState.AVAILABLE)) == (2, 8)


def test_the_same_form_sent_twice_is_one_order() -> None:
    product = factories.make_product(codes=5)
    wanted = factories.purchase(product)

    first = transaction(lambda: placing.place(wanted, factories.terms()))
    second = transaction(lambda: placing.place(wanted, factories.terms()))

    assert first.order.id == second.order.id
    assert second.payment is not None and first.payment is not None
    assert first.payment.number == second.payment.number
    assert count(CodeState.RESERVED) == 1


def test_the_same_form_sent_again_for_another_channel_is_one_order_paid_there() -> None:
    wanted = factories.purchase(factories.make_product(codes=5))
    first = transaction(lambda: placing.place(wanted, factories.terms()))

    again = replace(wanted, channel="transfer")
    second = transaction(lambda: placing.place(again, factories.terms()))

    assert second.order.id == first.order.id
    assert second.payment is not None and second.payment.channel == "transfer"


@pytest.mark.parametrize(
    "corrected",
    [
        {"quantity": 2},
        {"contact": Contact.parse("13900000001")},
        {"pickup_hash": "a hash"},
    ],
    ids=str,
)
def test_a_form_that_was_stopped_and_corrected_buys_what_it_says_now(
    corrected: dict[str, Any],
) -> None:
    wanted = factories.purchase(factories.make_product(codes=5), phone="13900000000")
    first = transaction(lambda: placing.place(wanted, factories.terms()))

    again = replace(wanted, **corrected)
    second = transaction(lambda: placing.place(again, factories.terms()))

    assert second.order.id != first.order.id
    assert second.order.total == again.quantity * factories.PRICE
    assert second.order.contact_index == again.contact.index
    assert second.order.pickup_hash == again.pickup_hash


def test_a_form_sent_again_after_its_deadline_leads_to_the_order_as_it_is() -> None:
    wanted = factories.purchase(factories.make_product(codes=5))
    first = transaction(lambda: placing.place(wanted, factories.terms()))

    with time_machine.travel(first.order.expires_at + timedelta(seconds=1), tick=False):
        again = transaction(
            lambda: placing.place(replace(wanted, channel="transfer"), factories.terms())
        )

    assert again.order.id == first.order.id
    assert again.payment is not None and again.payment.channel == "sandbox"


def test_a_second_tab_leads_to_the_order_that_is_still_unpaid() -> None:
    product, phone = factories.make_product(codes=5), factories.contact()
    first = factories.place(product, phone=phone)
    assert first.payment is not None
    mine = (first.order.number,)

    again = factories.place(product, phone=phone, in_hand=mine)
    elsewhere = factories.place(product, phone=phone, in_hand=mine, channel="transfer")

    assert again.order.id == elsewhere.order.id == first.order.id
    assert again.payment is not None and again.payment.id == first.payment.id
    assert elsewhere.payment is not None and elsewhere.payment.channel == "transfer"
    assert count(CodeState.RESERVED) == 1


@pytest.mark.parametrize(
    "other",
    [{"quantity": 2}, {"phone": "13900000001"}, {"pickup_hash": "a hash"}, {"in_hand": ()}],
    ids=str,
)
def test_what_differs_is_another_order(other: dict[str, object]) -> None:
    product = factories.make_product(codes=5)
    first = factories.place(product, phone="13900000000")

    second = factories.place(
        product, **{"phone": "13900000000", "in_hand": (first.order.number,)} | other
    )

    assert second.order.id != first.order.id


def test_what_is_paid_is_bought_again() -> None:
    product = factories.make_product(codes=5)
    first = factories.place(product, phone="13900000000")
    assert first.payment is not None
    factories.settle(first.payment)

    second = factories.place(product, phone="13900000000", in_hand=(first.order.number,))

    assert second.order.id != first.order.id


def test_too_few_codes_refuse_the_whole_order_and_hold_nothing() -> None:
    product = factories.make_product(codes=2)

    with pytest.raises(vault.SoldOut) as refusal:
        factories.place(product, quantity=3)

    assert refusal.value.left == 2
    assert count(CodeState.RESERVED) == 0
    assert session.scalar(sa.select(sa.func.count(Order.id))) == 0


def test_a_price_that_changed_since_it_was_shown_is_asked_about_again() -> None:
    product = factories.make_product()

    with pytest.raises(Conflict, match="价格"):
        factories.place(product, shown_price=product.price - 1)


def test_a_product_off_sale_cannot_be_bought() -> None:
    product = factories.make_product()
    transaction(lambda: catalog.take_off_sale(product.id))

    with pytest.raises(Conflict, match="下架"):
        factories.place(product)


@pytest.mark.parametrize("quantity", [-1, 0, 1, 5, 10**9])
def test_the_quantity_keeps_within_the_limits_of_an_order(quantity: int) -> None:
    product = factories.make_product(codes=5, min_per_order=2, max_per_order=4)

    with pytest.raises(Refusal, match="每单可以买 2 到 4 件"):
        factories.place(product, quantity=quantity)


def test_a_buyers_limit_counts_what_she_bought_before() -> None:
    product = factories.make_product(codes=9, max_per_buyer=3)
    factories.buy(product, phone="13900000001", quantity=2)

    with pytest.raises(Refusal, match="你已经买了 2 件"):
        factories.place(product, phone="+86 139 0000 0001", quantity=2)

    assert factories.place(product, phone="13900000002", quantity=2)


def test_one_contact_may_leave_so_many_orders_unpaid_and_no_more() -> None:
    product = factories.make_product(codes=9)
    for _ in range(placing.Holds().orders_per_contact):
        factories.place(product, phone="13900000001")

    with pytest.raises(Refusal, match="还没有付款"):
        factories.place(product, phone="13900000001")


def test_one_network_may_hold_so_many_units_and_no_more() -> None:
    product = factories.make_product(codes=200, max_per_order=60)
    for _ in range(2):
        factories.place(product, network="198.51.100.0/24", quantity=60)

    with pytest.raises(Refusal, match="当前网络"):
        factories.place(product, network="198.51.100.0/24")

    assert factories.place(product, network="203.0.113.0/24")


def test_a_frozen_batch_does_not_sell() -> None:
    product = factories.make_product(codes=1)
    batch_id = session.scalar(sa.select(Batch.id))
    assert batch_id is not None
    transaction(lambda: batches.freeze(batch_id, reason="供应商召回"))

    with pytest.raises(vault.SoldOut):
        factories.place(product)


def test_an_expired_batch_does_not_sell_and_what_expires_first_is_sold_first() -> None:
    product = factories.make_product(codes=0)
    day = clock.today(factories.ZONE)

    def stock() -> tuple[int, int]:
        factories.add_batch(product, ["OLD-1"], expires_on=day - timedelta(days=1))
        late = factories.add_batch(product, ["LATE-1"], expires_on=day + timedelta(days=30))
        soon = factories.add_batch(product, ["SOON-1"], expires_on=day)
        return late.id, soon.id

    late_id, soon_id = transaction(stock)

    factories.place(product)
    held = session.scalars(sa.select(Code.batch_id).where(Code.state == CodeState.RESERVED)).all()
    assert held == [soon_id]
    factories.place(product)
    with pytest.raises(vault.SoldOut):
        factories.place(product)
    assert late_id != soon_id


def test_the_deadline_is_the_merchants() -> None:
    with time_machine.travel(clock.now(), tick=False):
        placed = factories.place(factories.make_product())

    assert placed.order.expires_at - placed.order.created_at == timedelta(minutes=15)


def test_the_contact_is_sealed_and_only_masked_in_the_row() -> None:
    placed = factories.place(factories.make_product(), phone="13912345678")

    assert placed.order.contact_masked == "139****5678"
    assert b"13912345678" not in placed.order.contact_sealed
