"""Whose an order is, in the console: why, and put right with a reason."""

import pytest
import sqlalchemy as sa

from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.domain.accounts.models import Role
from app.domain.channels import attribution
from tests import factories, people, sellers
from tests.domain.channels.test_attribution import Seen, order_with, pay
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_staff_see_why_and_put_it_right(owner: Visitor) -> None:
    wrong, right = sellers.make(), sellers.make(name="小王", code="XIAOWANG")
    order = order_with(Seen(wrong.code))
    path = f"/admin/orders/{order.number}/attribution"
    assert "订单付款后才能更正归属" in owner.get(path).text
    pay(order)
    page = owner.get(path)
    assert f"买家下单时用了推广码 {wrong.code}" in words(page)
    assert path in owner.get(f"/admin/orders/{order.number}").text

    unknown = owner.post(path, {"code": "NOBODY", "reason": "客服核实"})
    assert unknown.status_code == 422 and 'value="NOBODY"' in unknown.text
    without = owner.post(path, {"code": "xiaowang", "reason": ""})
    assert without.status_code == 422 and "请写明原因" in without.text
    assert location(owner.post(path, {"code": "xiaowang", "reason": "客服核实"})) == path
    assert "小王" in words(owner.get(path)) and "店员在" in words(owner.get(path))
    timeline = words(owner.get(f"/admin/orders/{order.number}"))
    assert "店员更正订单归属" in timeline and "客服核实" in timeline

    assert location(owner.post(f"{path}/deletion", {"reason": "不是分销来的"})) == path
    assert "不归任何分销商" in words(owner.get(path))
    session.rollback()
    entries = session.scalars(
        sa.select(AuditEntry).where(AuditEntry.action == "attribution.correct")
    ).all()
    assert [entry.detail["distributor"] for entry in entries] == [
        [wrong.uid, right.uid],
        [right.uid, None],
    ]


def test_who_may_not_manage_may_look(owner: Visitor) -> None:
    order = factories.buy(factories.make_product())
    path = f"/admin/orders/{order.number}/attribution"
    auditor = Visitor(owner.app, people.make(Role.AUDITOR))
    assert "不归任何分销商" in words(auditor.get(path))
    assert '<form class="form"' not in auditor.get(path).text
    assert auditor.post(path, {"code": "X", "reason": "客服核实"}).status_code == 403
    assert transaction(lambda: attribution.earns(order.id)) is None
