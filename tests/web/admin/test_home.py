"""The first page: a list that ticks itself, and numbers that lead to what they count."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from app import backup
from app.core.db import session, transaction
from app.domain.accounts.models import Role
from app.domain.catalog import preferences
from app.domain.orders import refunding, service
from app.domain.orders.models import Order, OrderLine, OrderState
from app.web.admin import todo
from tests import factories, people
from tests.web.visitors import Visitor, words


@pytest.fixture(autouse=True)
def fresh_counts() -> None:
    todo.forget()


@pytest.fixture
def owner(app: Flask) -> Visitor:
    return Visitor(app, people.make(Role.OWNER))


def count(visitor: Visitor, label: str) -> int:
    found = re.search(rf"{label} (\d+)", words(visitor.get("/admin/")))
    return int(found.group(1)) if found else 0


def test_a_new_shop_sees_what_to_do_and_ticks_it_off(app: Flask, owner: Visitor) -> None:
    assert "开店清单(2/8)" in words(owner.get("/admin/")), "2FA is on, the sandbox takes money"
    transaction(lambda: preferences.change({"name": preferences.DEFAULTS.name}))
    assert "开店清单(3/8)" in words(owner.get("/admin/")), "a name may be kept as proposed"
    product = factories.make_product(codes=3)
    assert "开店清单(6/8)" in words(owner.get("/admin/"))
    factories.buy(product)
    backup.backup(backup.default_path(app.config["SETTINGS"].data_dir))
    page = words(owner.get("/admin/"))
    assert "开店清单" not in page
    assert "没有等着你的事" not in page, "two left of three is below the warning line"
    assert count(owner, "库存不足的商品") == 1


def test_only_who_can_set_up_sees_the_list(app: Flask) -> None:
    for role in (Role.SUPPORT, Role.FINANCE, Role.AUDITOR):
        assert "开店清单" not in words(Visitor(app, people.make(role)).get("/admin/"))


def test_a_problem_is_counted_until_it_is_answered(owner: Visitor) -> None:
    order = factories.buy(factories.make_product(codes=50))
    transaction(lambda: service.report_problem(order.id, "卡密不能用，提示已被使用"))
    assert count(owner, "买家反馈的问题") == 1
    assert 'href="/admin/orders?needs=problem"' in owner.get("/admin/").text


def test_paid_and_not_delivered_is_counted(owner: Visitor) -> None:
    order = factories.buy(factories.make_product(codes=50))
    transaction(
        lambda: session.execute(
            sa.update(Order).values(
                state=OrderState.PAID, paid_at=order.created_at - timedelta(minutes=5)
            )
        )
    )
    transaction(lambda: session.execute(sa.update(OrderLine).values(delivered_at=None)))
    assert count(owner, "已付款未发货") == 1


def test_a_transfer_waits_for_finance(app: Flask, owner: Visitor) -> None:
    factories.place(factories.make_product(codes=50), channel="transfer")
    assert count(owner, "等待确认的转账") == 1
    finance = Visitor(app, people.make(Role.FINANCE))
    assert count(finance, "等待确认的转账") == 1
    assert count(Visitor(app, people.make(Role.OPERATOR)), "等待确认的转账") == 0


def test_a_refund_by_hand_waits(owner: Visitor) -> None:
    product = factories.make_product(codes=50)
    order = factories.buy(product, channel="transfer")
    line = order.lines[0].id
    transaction(lambda: refunding.request_refund(order.id, line, 100, "坏卡"))
    assert count(owner, "等待处理的退款") == 1


def test_each_number_leads_to_just_what_it_counts(owner: Visitor) -> None:
    product = factories.make_product(codes=50)
    troubled, stuck = factories.buy(product), factories.buy(product)
    transaction(lambda: service.report_problem(troubled.id, "卡密不能用，提示已被使用"))
    factories.place(product, channel="transfer")
    by_hand = factories.buy(product, channel="transfer")
    line = by_hand.lines[0].id
    transaction(lambda: refunding.request_refund(by_hand.id, line, 100, "坏卡"))
    transaction(
        lambda: session.execute(
            sa.update(Order)
            .where(Order.id == stuck.id)
            .values(state=OrderState.PAID, paid_at=stuck.created_at - timedelta(minutes=5))
        )
    )
    owed = sa.update(OrderLine).where(OrderLine.order_id == stuck.id).values(delivered_at=None)
    transaction(lambda: session.execute(owed))
    for name, need in todo.NEEDS.items():
        assert count(owner, need.label) == 1, name
        assert "共 1 条" in words(owner.get(f"/admin/orders?needs={name}")), name


def test_the_top_line_has_the_sum(owner: Visitor) -> None:
    factories.make_product(codes=1)
    page = owner.get("/admin/people")
    assert 'aria-label="待处理 1 项"' in page.text


def test_stock_counts_up_to_the_line_only(app: Flask) -> None:
    enough = factories.make_product(codes=13, low_stock_at=12)
    low = factories.make_product(codes=12, low_stock_at=12)
    sold_out = factories.make_product(codes=0, low_stock_at=0)
    assert todo.low_on_stock() == [low.id, sold_out.id]
    assert enough.id not in todo.low_on_stock()
