"""Commission plans and commissions in the console."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core import clock
from app.core.db import session, transaction
from app.domain.accounts.models import Role
from app.domain.channels import plans
from app.domain.channels.models import Commission, CommissionState, Plan, PlanState
from app.domain.orders import refunding
from app.domain.orders.models import Order
from tests import channels, factories, people, sellers
from tests.fake_channel import ObedientChannel
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


@pytest.fixture
def sold(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Order:
    """An order of a distributor's, partly refunded; it earned her 10 %."""
    from app.providers import payments

    monkeypatch.setitem(payments._channels, "sandbox", ObedientChannel())
    seller = sellers.make(name="阿岚的会员铺")
    plan = channels.published_plan({"percent_bp": 1000})
    order = channels.sell(factories.make_product(name="视频月卡"), seller, plan)
    line_id = order.lines[0].id
    transaction(lambda: refunding.request_refund(order.id, line_id, 1000, "坏卡"))
    factories.work()
    return order


def test_a_plan_is_written_tried_and_published(owner: Visitor, sold: Order) -> None:
    seller = sellers.make(name="小北")
    path = location(owner.post("/admin/plans"))
    page = words(owner.get(path))
    assert "所有商品" in page and "实付的 10%" in page, "it begins with what is published"

    rule = {"level": "1", "code": seller.code.lower(), "percent": "12.5", "per_unit": "1"}
    limits = {"cap_per_month": "500", "min_margin": "0", "ends_on": "2999-11-30"}
    assert location(owner.post(f"{path}/rules", rule | limits)) == path
    page = words(owner.get(path))
    for said in (
        "分销商 小北",
        "每件 ¥1.00，加实付的 12.5%",
        "每月最多 ¥500.00",
        "成本之外至少留下实付的 0%",
        "到 2999-11-30 为止",
    ):
        assert said in page
    assert page.index("分销商 小北") < page.index("实付的 10%"), "the most specific comes first"

    refused = owner.post(f"{path}/rules", {"level": "1", "campaign": "双十一", "percent": "很多"})
    assert refused.status_code == 422
    assert "请填写百分数" in words(refused) and 'value="双十一"' in refused.text
    refused = owner.post(f"{path}/rules", {"level": "1", "campaign": "双十一", "percent": "5"})
    assert refused.status_code == 422 and "请去掉多余的条件" in words(refused)
    refused = owner.post(f"{path}/rules", {"level": "1", "code": "NOBODY", "percent": "5"})
    assert "没有分销商用这个推广码" in words(refused)
    refused = owner.post(path, {"note": "双十一方案", "pool_max": "101"})
    assert refused.status_code == 422 and 'value="双十一方案"' in refused.text

    draft = plans.find(int(path.rpartition("/")[2]))
    first, second = draft.rules
    session.rollback()
    edit = f"{path}/rules/{second.id}"
    form = owner.get(edit).text
    for value in (seller.code, "12.5", "1.00", "500.00", "0", "2999-11-30"):
        assert f'value="{value}"' in form
    assert location(owner.post(edit, rule | {"percent": "15"})) == path
    assert owner.post(edit, rule | {"percent": "101"}).status_code == 422
    owner.post(f"{edit}/deletion")
    owner.post(f"{path}/rules/{first.id}", {"level": "1", "percent": "5"})
    page = words(owner.get(path))
    assert "小北" not in page and "实付的 5%" in page

    page = words(owner.get(f"{path}/simulation"))
    assert "阿岚的会员铺 ¥ 20.00 ¥ 2.00 ¥ 1.00 − ¥ 1.00" in page
    assert re.search("会变少的分销商 1", page)
    past = (clock.now() - timedelta(days=9)).date().isoformat()
    page = words(owner.get(f"{path}/simulation?since=2020-01-01&until={past}"))
    assert "没有已发货的分销订单" in page
    page = words(owner.get(f"{path}/simulation?since=2020-01-02&until=2020-01-01"))
    assert "结束日期要晚于开始日期" in page

    owner.post(f"{path}/publication")
    assert words(owner.get(path)).count("使用中")
    refused = owner.post(f"{path}/rules", {"level": "1"})
    assert refused.status_code == 409 and "已发布的方案不能再改" in words(refused)
    session.rollback()
    assert plans.find(draft.id).state == PlanState.PUBLISHED
    assert "第 2 版" in words(owner.get("/admin/plans"))


def test_two_levels_want_their_text_accepted(app: Flask, owner: Visitor) -> None:
    path = location(owner.post("/admin/plans"))
    assert "禁止传销条例" in words(owner.get(path))
    owner.post(f"{path}/two-levels")
    assert "请先勾选" in words(owner.get(path))
    owner.post(f"{path}/two-levels", {"accepted": "1"})
    page = words(owner.get(path))
    assert "阅读并接受了下面的说明" in page and "二级：分销商的上级" in page
    owner.post(f"{path}/rules", {"level": "2", "percent": "2"})
    owner.post(f"{path}/two-levels/deletion")
    assert "请先删除二级的规则" in words(owner.get(path))
    owner.post(f"{path}/deletion")
    session.rollback()
    assert session.scalar(sa.select(sa.func.count(Plan.id))) == 0


def test_a_commission_shows_where_it_came_from_and_is_kept_back(
    app: Flask, owner: Visitor, sold: Order
) -> None:
    (one,) = channels.commissions(sold)
    path = f"/admin/commissions/{one.id}"
    for query, count in (
        ("q=阿岚", 1),
        (f"q={sold.number}", 1),
        ("q=月卡&state=payable&level=1", 1),
        ("state=paid", 0),
        ("level=2", 0),
    ):
        said = "共 1 条" if count else "没有符合条件的佣金"
        assert said in words(owner.get(f"/admin/commissions?{query}")), query
    page = words(owner.get(path))
    for said in (
        "实付的 10% ¥ 3.00",
        "退款 ¥10.00，按比例扣回 − ¥ 1.00",
        "第 1 版",
        "用了这一条",
        "买家填写了推广码",
        "退款，扣回佣金 可提现佣金 ¥ 1.00",
        "发货，佣金入账 佣金支出 ¥ 3.00",
        "可提现",
    ):
        assert said in page, said

    owner.post(f"{path}/hold", {"reason": ""})
    assert "请写明原因" in words(owner.get(path))
    owner.post(f"{path}/hold", {"reason": "买家投诉刷单"})
    page = words(owner.get(path))
    assert "已暂扣" in page and "买家投诉刷单" in page.partition("时间线")[2]
    session.rollback()
    assert session.get_one(Commission, one.id).state == CommissionState.ON_HOLD
    owner.post(f"{path}/hold/deletion", {"reason": "已核实"})
    session.rollback()
    assert channels.commissions(sold)[0].state == CommissionState.PAYABLE
    assert owner.get("/admin/commissions/999").status_code == 404

    for role in (Role.FINANCE, Role.AUDITOR):
        reader = Visitor(app, people.make(role))
        assert f"{path}/hold" not in reader.get(path).text
        assert reader.post(f"{path}/hold", {"reason": "没有权限"}).status_code == 403
        assert reader.post("/admin/plans").status_code == 403
        assert "添加规则" not in words(reader.get("/admin/plans/1"))
