"""Distributors and tiers in the console."""

import re

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.domain.accounts.models import Role
from app.domain.channels import joining, tiers
from app.domain.channels.models import Distributor, DistributorState, Tier
from app.domain.channels.tiers import TierFields
from app.web.admin import todo
from tests import people, sellers
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def test_an_application_is_found_and_decided_with_its_reason(app: Flask, owner: Visitor) -> None:
    one = sellers.apply("小北代充")
    todo.forget()
    assert re.search("待审核的分销商 1", words(owner.get("/admin/")))
    assert "小北代充" in words(owner.get("/admin/distributors?state=applied"))
    path = f"/admin/distributors/{one.uid}"
    assert sellers.INTRODUCTION in words(owner.get(path))

    assert location(owner.post(f"{path}/refusal", {"reason": ""})) == path
    assert "请写明原因" in words(owner.get(path))
    owner.post(f"{path}/refusal", {"reason": "请写清楚"})
    assert sellers.fresh(one.id).state == DistributorState.REFUSED
    owner.post(f"{path}/approval")
    assert "状态已经变化" in words(owner.get(path))

    transaction(lambda: joining.apply(one.person_id, joining.Application("小北", "宿舍楼，三百人")))
    owner.post(f"{path}/approval")
    owner.post(f"{path}/suspension", {"reason": "虚假宣传"})
    owner.post(f"{path}/suspension/deletion", {"reason": "已经改正"})
    page = words(owner.get(path))
    for words_of_it in ("提交申请", "申请未通过", "暂停", "可以推广", "虚假宣传", "已经改正"):
        assert words_of_it in page.partition("时间线")[2]
    assert sellers.fresh(one.id).state == DistributorState.ACTIVE


def test_the_list_is_searched_by_name_code_and_whole_contact(app: Flask, owner: Visitor) -> None:
    person = people.make(contact="13812345678")
    one = sellers.join("阿岚的会员铺", person=person)
    sellers.apply("小北代充", one)
    for query, count in (
        ("q=会员", 1),
        (f"q={one.code.lower()}", 1),
        ("q=138 1234 5678", 1),
        ("q=5678", 0),
        ("state=active", 1),
        (f"tier={one.tier_id}", 2),
        ("tier=x&state=y", 2),
    ):
        said = f"共 {count} 条" if count else "没有符合条件的分销商"
        assert said in words(owner.get(f"/admin/distributors?{query}")), query
    page = owner.get("/admin/distributors")
    assert "138****5678" in page.text and "13812345678" not in page.text


def test_the_tree_is_walked_page_by_page(app: Flask, owner: Visitor) -> None:
    first, second, third = sellers.chain(3)
    page = owner.get(f"/admin/distributors/{first.uid}")
    assert "下级 1 位" in words(page)
    assert f"/admin/distributors/{second.uid}" in page.text and third.uid not in page.text
    page = owner.get(f"/admin/distributors/{second.uid}")
    assert f"/admin/distributors/{first.uid}" in page.text
    assert f"/admin/distributors/{third.uid}" in page.text
    assert owner.get("/admin/distributors/nobody").status_code == 404


def test_an_invitation_is_shown_once_and_kept_nowhere(app: Flask, owner: Visitor) -> None:
    parent = sellers.join()
    page = owner.post("/admin/distributors", {"parent_code": "NOBODY2", "tier_id": ""})
    assert page.status_code == 422
    assert "没有合作中的分销商" in words(page) and 'value="NOBODY2"' in page.text
    form = {"parent_code": parent.code, "tier_id": str(parent.tier_id)}
    page = owner.post("/admin/distributors", form, headers={"X-Forwarded-Host": "evil.example"})
    found = re.search(r'data-testid="invitation-link">([^<]+)<', page.text)
    assert found is not None and found[1].startswith("http://localhost/portal/join/")
    token = found[1].rpartition("/")[2]
    assert parent.name in words(Visitor(app).get(f"/portal/join/{token}"))
    session.rollback()
    kept = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "distributor.invite"))
    assert all(token not in str(vars(entry)) for entry in kept)


def test_who_may_only_read_sees_and_changes_nothing(app: Flask) -> None:
    one = sellers.apply()
    path = f"/admin/distributors/{one.uid}"
    for role in (Role.FINANCE, Role.AUDITOR):
        visitor = Visitor(app, people.make(role))
        assert "/approval" not in visitor.get(path).text
        assert visitor.post(f"{path}/approval").status_code == 403
        assert "添加等级" not in words(visitor.get("/admin/tiers"))
        assert visitor.post("/admin/tiers", {"name": "银牌"}).status_code == 403
    assert Visitor(app, people.make(Role.SUPPORT)).get(path).status_code == 403
    assert "/approval" in Visitor(app, people.make(Role.OPERATOR)).get(path).text


def test_tiers_are_added_and_changed_and_faults_come_back_as_typed(owner: Visitor) -> None:
    silver = {"name": "银牌", "threshold": "5,000", "discount": "2.5"}
    assert location(owner.post("/admin/tiers", silver)) == "/admin/tiers"
    session.rollback()
    made = session.scalars(sa.select(Tier).order_by(Tier.threshold)).all()
    assert [(tier.threshold, tier.discount_bp) for tier in made] == [(0, 0), (500_000, 250)]

    path = f"/admin/tiers/{made[1].id}"
    page = owner.post(path, {"name": "银牌一", "threshold": "很多", "discount": "百分之五"})
    assert page.status_code == 422
    assert "请填写金额" in words(page) and "请填写百分数" in words(page)
    assert 'value="很多"' in page.text and 'value="普通"' in page.text
    page = owner.post(path, {"name": "普通", "threshold": "5000", "discount": "91"})
    assert page.status_code == 422 and "折扣要在" in words(page)
    owner.post(path, {"name": "银卡", "threshold": "6000", "discount": ""})
    owner.post(f"/admin/tiers/{made[0].id}", {"name": "铜卡", "threshold": "0", "discount": "1"})
    page = owner.get("/admin/tiers")
    for value in ("银卡", "6000.00", "铜卡"):
        assert f'value="{value}"' in page.text
    assert owner.post("/admin/tiers/999", silver).status_code == 404


def test_a_downgrade_to_come_is_said(app: Flask, owner: Visitor) -> None:
    one = sellers.join()
    transaction(lambda: tiers.create(TierFields("银牌", 500_000)))
    silver, default = session.scalars(sa.select(Tier.id).order_by(Tier.threshold.desc())).all()
    distributor_id = one.id

    def mark() -> None:
        found = session.get_one(Distributor, distributor_id)
        found.tier_id, found.lower_tier_id = silver, default

    transaction(mark)
    page = words(owner.get(f"/admin/distributors/{one.uid}"))
    assert "降为 普通" in page and "¥ 5,000.00" in page
