"""Tiers: reached by what was sold, at night; up at once, down with a new month."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask
from hypothesis import given

from app.core import clock
from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.core.errors import NotFound, Refusal
from app.core.outbox import OutboxRow, OutboxState
from app.domain.channels import tiers
from app.domain.channels.models import Attribution, AttributionRule, Distributor, Tier
from app.domain.channels.tiers import TierFields
from app.domain.orders import refunding
from tests import factories, sellers

ZONE = "Asia/Shanghai"
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def ladder() -> list[Tier]:
    """Bronze from nothing, silver from 60 yuan, gold from 120."""
    for fields in (TierFields("银牌", 6_000), TierFields("金牌", 12_000, 500)):
        transaction(partial(tiers.create, fields))
    return list(session.scalars(sa.select(Tier).order_by(Tier.threshold)))


def sell(distributor: Distributor, quantity: int, why_nothing: str = "") -> int:
    """A delivered order of hers at 30 yuan a piece; its id."""
    order = factories.buy(factories.make_product(codes=quantity), quantity=quantity)
    mine = Attribution(
        order_id=order.id,
        distributor_id=distributor.id,
        rule=AttributionRule.CLICK,
        evidence={},
        earns_nothing_because=why_nothing,
    )
    transaction(lambda: session.add(mine))
    return order.id


def refund(order_id: int, amount: int) -> None:
    line_id = factories.queries.lines_of(order_id)[0].id
    transaction(lambda: refunding.request_refund(order_id, line_id, amount, "买家要求"))
    factories.work()


def evaluate(*, is_new_month: bool = False) -> None:
    transaction(lambda: tiers.evaluate(clock.now(), is_new_month=is_new_month))


def standing(distributor: Distributor) -> tuple[str, str]:
    """The names of the tier she is in and of the one she falls to."""
    now = sellers.fresh(distributor.id)
    lower = session.get(Tier, now.lower_tier_id) if now.lower_tier_id else None
    return now.tier.name, lower.name if lower else ""


def sold(distributor: Distributor) -> int:
    session.rollback()
    return tiers.net_sales(clock.now() - tiers.WINDOW).get(distributor.id, 0)


@pytest.mark.usefixtures("channel")
def test_up_at_once_and_down_with_a_new_month(app: Flask) -> None:
    ladder()
    joined, other = sellers.join(), sellers.join("旁人")
    with time_machine.travel(clock.now() + tiers.WINDOW, tick=True):
        order_id = sell(joined, 4)
        evaluate()
        assert standing(joined) == ("金牌", "")
        assert standing(other) == ("普通", "")

        refund(order_id, 4_000)
        assert sold(joined) == 8_000
        evaluate()
        evaluate()
        assert standing(joined) == ("金牌", "银牌"), "marked, and not yet lower"
        refund(order_id, 3_000)
        evaluate()
        assert standing(joined) == ("金牌", "普通"), "she may have sold less still by then"
        evaluate(is_new_month=True)
        assert standing(joined) == ("普通", "")

        sell(joined, 3)
        evaluate()
        assert standing(joined) == ("金牌", "")
    with time_machine.travel(clock.now() + 3 * tiers.WINDOW):
        evaluate(is_new_month=True)
        assert standing(joined) == ("金牌", "普通"), "a mark made on the first waits a month"
    moved = session.scalars(
        sa.select(AuditEntry).where(AuditEntry.action == "distributor.tier").order_by(AuditEntry.id)
    )
    assert [entry.detail["tier"] for entry in moved] == [
        ["普通", "金牌"],
        ["金牌", "普通"],
        ["普通", "金牌"],
    ]


@on_sqlite
def test_who_catches_up_keeps_her_tier(app: Flask) -> None:
    ladder()
    joined = sellers.join()
    sell(joined, 2)
    evaluate()
    with time_machine.travel(clock.now() + tiers.WINDOW + timedelta(days=1)):
        evaluate()
        assert standing(joined) == ("银牌", "普通")
        sell(joined, 2)
        evaluate(is_new_month=True)
        assert standing(joined) == ("银牌", "")


@on_sqlite
def test_people_brought_and_own_purchases_lift_nobody(app: Flask) -> None:
    ladder()
    parent = sellers.join()
    for name in ("甲", "乙", "丙"):
        sell(sellers.join(name, parent), 5)
    sell(parent, 9, why_nothing="self_purchase")
    evaluate()
    assert sold(parent) == 0
    assert standing(parent) == ("普通", "")


@on_sqlite
def test_a_tier_given_at_joining_holds_for_the_window(app: Flask) -> None:
    gold = ladder()[-1]
    joined = sellers.join()
    tier_id, distributor_id = gold.id, joined.id
    transaction(
        lambda: session.execute(
            sa.update(Distributor).where(Distributor.id == distributor_id).values(tier_id=tier_id)
        )
    )
    evaluate(is_new_month=True)
    assert standing(joined) == ("金牌", "")
    with time_machine.travel(clock.now() + tiers.WINDOW):
        evaluate()
        assert standing(joined) == ("金牌", "普通")


@on_sqlite
def test_the_work_of_a_night_asks_for_the_next(app: Flask) -> None:
    """It sleeps over the turn of the month with the shop, and makes up for it."""
    ladder()
    joined = sellers.join()
    sell(joined, 2)
    begun = datetime(2027, 3, 30, 1, tzinfo=UTC)
    with time_machine.travel(begun, tick=False) as time:
        transaction(
            lambda: session.execute(
                sa.update(OutboxRow).where(OutboxRow.key == tiers.WATCH_KEY).values(due_at=begun)
            )
        )
        transaction(
            lambda: session.execute(sa.update(Distributor).values(tier_id=ladder_id("银牌")))
        )
        factories.work()
        assert standing(joined) == ("银牌", "普通")
        assert watch().due_at == datetime(2027, 3, 30, 16, 10, tzinfo=UTC), "00:10 in Shanghai"
        time.move_to(datetime(2027, 4, 3, tzinfo=UTC))
        factories.work()
        assert standing(joined) == ("普通", "")
        assert watch().due_at == datetime(2027, 4, 3, 16, 10, tzinfo=UTC)
        assert watch().state == OutboxState.READY


def ladder_id(name: str) -> int:
    return session.scalars(sa.select(Tier.id).where(Tier.name == name)).one()


def watch() -> OutboxRow:
    session.rollback()
    session.expire_all()
    return session.scalars(sa.select(OutboxRow).where(OutboxRow.key == tiers.WATCH_KEY)).one()


@given(
    thresholds=st.sets(st.integers(1, 10**9), max_size=6),
    sales=st.integers(-(10**9), 2 * 10**9),
)
def test_the_tier_reached_is_the_highest_within_the_sales(thresholds: set[int], sales: int) -> None:
    rungs = [Tier(name=str(at), threshold=at) for at in sorted({0, *thresholds})]
    found = tiers.reached(rungs, sales)
    assert found.threshold <= max(sales, 0)
    assert not [rung for rung in rungs if found.threshold < rung.threshold <= sales]


@pytest.mark.parametrize(
    ("due", "now", "expected"),
    [
        ("2027-03-31T00:10", "2027-03-31T00:10", False),
        ("2027-04-01T00:10", "2027-04-01T00:11", True),
        ("2027-04-02T00:10", "2027-04-02T00:10", False),
        ("2027-03-30T00:10", "2027-04-03T09:00", True),
        ("2027-12-31T00:10", "2028-01-02T09:00", True),
    ],
)
def test_a_month_turned_since_the_night_before(due: str, now: str, expected: bool) -> None:
    at = partial(datetime.fromisoformat)
    assert tiers.is_new_month(at(f"{due}+08:00"), at(f"{now}+08:00"), ZONE) is expected


def test_the_default_tier_is_always_there_and_stays_at_nothing(app: Flask) -> None:
    default_id = transaction(tiers.ensure_default).id
    assert transaction(tiers.ensure_default).id == default_id
    with pytest.raises(Refusal) as refused:
        transaction(lambda: tiers.change(default_id, TierFields("普通", 100)))
    assert refused.value.field == "threshold"
    transaction(lambda: tiers.change(default_id, TierFields(" 铜牌 ", 0, 100)))
    kept = session.get_one(Tier, default_id, populate_existing=True)
    assert (kept.name, kept.threshold, kept.discount_bp) == ("铜牌", 0, 100)
    with pytest.raises(NotFound):
        transaction(lambda: tiers.change(999, TierFields("无", 1)))


FAULTS: Sequence[tuple[TierFields, str]] = (
    (TierFields("", 1), "name"),
    (TierFields("长" * 21, 1), "name"),
    (TierFields("普通", 1), "name"),
    (TierFields("银牌", 0), "threshold"),
    (TierFields("银牌", -1), "threshold"),
    (TierFields("银牌", 10**12 + 1), "threshold"),
    (TierFields("银牌", 1, 9_001), "discount"),
)


@on_sqlite
def test_a_tier_that_is_not_good_is_refused_at_its_field(app: Flask) -> None:
    for fields, field in FAULTS:
        with pytest.raises(Refusal) as refused:
            transaction(partial(tiers.create, fields))
        assert refused.value.field == field, fields
    session.rollback()
    assert session.scalar(sa.select(sa.func.count(Tier.id))) == 0, "nothing is left half-done"
