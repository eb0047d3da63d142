"""What a distributor is told of her money, on both databases."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app.core import clock
from app.core.db import db, session, transaction
from app.core.errors import NotFound
from app.domain.channels import figures
from app.domain.channels.figures import Due, Sum
from app.domain.channels.models import Attribution, CommissionState, Tier
from app.domain.ledger import service as ledger
from app.domain.orders import refunding
from tests import earning, factories, sellers
from tests.factories import ZONE

# Noon in Shanghai.
NOON = datetime(2026, 3, 10, 4, tzinfo=UTC)


def test_money_is_told_by_day_and_by_when_it_can_be_had(app: Flask) -> None:
    """Given commissions in every state, when she looks, then each is where it belongs."""
    with time_machine.travel(NOON, tick=False):
        product = factories.make_product(codes=9)
        seller, other = sellers.make(), sellers.make()
        orders = [earning.attributed(product, seller) for _ in range(8)]
        midnight = figures.today(ZONE)
        earning.earn(orders[0], seller, earned_at=midnight)
        earning.earn(orders[1], seller, amount=500, earned_at=midnight - timedelta(seconds=1))
        back = earning.earn(orders[2], seller, amount=400)
        earning.take_back(back, seller, 150)
        earning.earn(orders[3], other, amount=9_000)
        holding = CommissionState.HOLDING
        earning.earn(orders[4], seller, holding, 700, held_for=timedelta(days=7))
        earning.earn(orders[5], seller, holding, 800, held_for=timedelta(days=90))
        earning.earn(orders[6], seller, CommissionState.ON_HOLD, 60)
        earning.earn(orders[7], seller, CommissionState.PENDING, 70)
        session.expire_all()

        today = figures.earned_since(seller.id, midnight)
        waiting = figures.waiting(seller.id, clock.now(), ZONE)
        feed = [one.amount for one, _number, _product in figures.newest(seller.id, 3)]

        assert today == Sum(5, 300 + 250 + 700 + 800 + 60)
        assert figures.payable(seller) == 300 + 500 + 250
        assert figures.payable(sellers.make()) == 0
        assert waiting.undelivered == Sum(1, 70)
        assert waiting.on_hold == Sum(1, 60)
        day = clock.today(ZONE) + timedelta(days=7)
        assert waiting.calendar == [Due(day, Sum(1, 700)), Due(None, Sum(1, 800))]
        assert waiting.holding == Sum(2, 1_500)
        assert feed == [60, 800, 700]


def test_a_claw_back_of_what_was_withdrawn_is_below_zero(app: Flask) -> None:
    seller = sellers.make()
    one = earning.earn(earning.attributed(factories.make_product(), seller), seller)
    uid = seller.uid
    transaction(
        lambda: ledger.post(
            "payout", "payout", "test", 1, {f"commission_payable:{uid}": 300, "bank": -300}
        )
    )
    for amount in (200, 100):
        earning.take_back(one, seller, amount)
    assert figures.payable(seller) == -300
    assert [(entry.pending, entry.payable) for entry in figures.postings(one.id, seller)] == [
        (0, 300),
        (0, -200),
        (0, -100),
    ]


def test_what_is_anothers_is_not_found(app: Flask) -> None:
    seller, other = sellers.make(), sellers.make()
    one = earning.earn(earning.attributed(factories.make_product(), seller), seller)
    assert figures.find(seller.id, one.id).id == one.id
    with pytest.raises(NotFound):
        figures.find(other.id, one.id)
    assert figures.postings(one.id, other) == []


def test_the_way_to_the_next_tier_is_net_and_of_ninety_days(app: Flask) -> None:
    product = factories.make_product(codes=9)
    seller = sellers.make()
    transaction(lambda: session.add(Tier(name="银牌", threshold=10_000)))
    kept, refunded, own = (earning.attributed(product, seller) for _ in range(3))
    line_id, refunded_id, own_id = refunded.lines[0].id, refunded.id, own.id
    transaction(lambda: refunding.request_refund(refunded_id, line_id, 1_000, "部分退款"))
    transaction(
        lambda: session.execute(
            sa.update(Attribution)
            .where(Attribution.order_id == own_id)
            .values(earns_nothing_because="same_person")
        )
    )
    found = figures.progress(seller, clock.now())
    assert found.sales == kept.total + refunded.total - 1_000
    assert found.next is not None
    assert (found.next.name, found.missing) == ("银牌", 10_000 - found.sales)
    later = figures.progress(seller, clock.now() + timedelta(days=91))
    assert (later.sales, later.missing) == (0, 10_000)


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_the_first_pages_figures_are_found_by_index(app: Flask) -> None:
    """What is long settled is not read: the plan names the index that leaves it out.

    PostgreSQL plans by what a table holds; there `bin/bench portal` measures it.
    """
    statements: list[tuple[str, object]] = []
    listen = ("before_cursor_execute", lambda *args: statements.append((args[2], args[3])))
    sa.event.listen(db.engine, *listen)
    try:
        figures.earned_since(1, figures.today(ZONE))
        figures.newest(1, 10)
        figures.waiting(1, clock.now(), ZONE)
    finally:
        sa.event.remove(db.engine, *listen)
    plans = [
        " ".join(
            str(row[3])
            for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", values)
        )
        for text, values in statements
        if "commissions" in text
    ]
    assert len(plans) == 3
    assert all("ix_commissions_earned" in plan for plan in plans[:2])
    assert "ix_commissions_distributor (distributor_id=? AND state=?)" in plans[2]
