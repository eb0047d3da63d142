"""Who bought something that ends is told while it can still be used, once, and not for nothing."""

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
import time_machine

from app.core import clock, ids
from app.core.db import session, transaction
from app.domain.catalog.models import ProductKind
from app.domain.messages.rules import NOTICE
from app.domain.orders import refunding
from app.domain.orders.models import Order
from app.domain.redemptions import service as redemptions
from app.domain.redemptions.validity import Anchor, Policy
from app.domain.vault.models import Code
from tests import factories
from tests.domain.messages.conftest import Post


def buy(post: Post, **rules: object) -> Order:
    policy = Policy(**({"uses_total": 2, "end_of_day": False} | rules))  # type: ignore[arg-type]
    order = post.buy(factories.make_product(codes=1, kind=ProductKind.MULTI, policy=policy))
    post.work()
    assert post.states() == [("arrived", "sent")]
    return order


def use(order: Order, after: timedelta = timedelta(0)) -> None:
    line_id = factories.fresh(order).lines[0].id
    code_id = session.scalars(sa.select(Code.id).where(Code.order_line_id == line_id)).one()
    with time_machine.travel(clock.now() + after, tick=True):
        transaction(lambda: redemptions.take_use(code_id, ids.token()))


def test_three_days_before_the_end_its_buyer_is_told_once(post: Post) -> None:
    order = buy(post, anchor=Anchor.DELIVERED, duration="P30D")

    post.work(after=timedelta(days=30) - NOTICE - timedelta(minutes=5))
    assert len(post.subjects) == 1
    post.work(after=timedelta(days=30) - NOTICE + timedelta(minutes=5))
    post.work(after=timedelta(days=29))

    assert post.subjects[1:] == [f"订单 {order.number} 快到期了"]
    assert post.states() == [("arrived", "sent"), ("expiring", "sent")]
    (told,) = [row for row in post.rows() if row.kind == "expiring"]
    assert told.subject_id == factories.fresh(order).lines[0].id
    assert order.delivered_at is not None
    ends = (order.delivered_at + timedelta(days=30)).astimezone(ZoneInfo(factories.ZONE))
    assert f"有效期到 {ends:%Y-%m-%d %H:%M} 为止" in post.server.mailbox.text()


def test_one_that_is_used_up_ends_for_nobody(post: Post) -> None:
    order = buy(post, anchor=Anchor.DELIVERED, duration="P30D")
    use(order)
    use(order)
    post.work(after=timedelta(days=28))
    assert post.states() == [("arrived", "sent")]


def test_one_that_was_refunded_ends_for_nobody(post: Post) -> None:
    order = buy(post, anchor=Anchor.DELIVERED, duration="P30D")
    line_id = factories.fresh(order).lines[0].id
    transaction(lambda: refunding.request_refund(order.id, line_id, 3000, "买家要求"))
    post.work(after=timedelta(days=28))
    assert post.states() == [("arrived", "sent"), ("refunded", "sent")]


@pytest.mark.parametrize("duration", ["P1D", "P3D"])
def test_a_day_ticket_needs_no_notice(post: Post, duration: str) -> None:
    buy(post, anchor=Anchor.DELIVERED, duration=duration)
    post.work(after=timedelta(days=2))
    assert post.states() == [("arrived", "sent")]


def test_what_never_ends_is_never_announced(post: Post) -> None:
    buy(post)
    post.work(after=timedelta(days=4000))
    assert post.states() == [("arrived", "sent")]


def test_one_that_counts_from_its_first_use_is_watched_from_then_on(post: Post) -> None:
    order = buy(post, anchor=Anchor.FIRST_USED, duration="P10D")
    post.work(after=timedelta(days=60))
    assert len(post.subjects) == 1

    use(order)
    post.work()
    assert len(post.subjects) == 1
    post.work(after=timedelta(days=8))

    assert post.states() == [("arrived", "sent"), ("expiring", "sent")]
