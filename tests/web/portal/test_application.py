"""Becoming a distributor, as somebody with a phone does it."""

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.db import session
from app.domain.channels import joining
from app.domain.channels.models import Distributor, DistributorInvitation, DistributorState
from tests import people, sellers
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PATH = "/portal/application"
FORM = {"name": "小北代充", "introduction": "宿舍楼的同学群"}


def test_each_state_is_said_with_its_time_or_reason(app: Flask) -> None:
    visitor = Visitor(app, people.make())
    assert "不需要先买任何东西" in words(visitor.get(PATH))
    assert location(visitor.post(PATH, FORM)) == PATH
    page = words(visitor.get(PATH))
    assert "提交，正在等待审核" in page and "待审核" in page and "提交申请" not in page
    assert visitor.post(PATH, FORM).status_code == 409

    session.rollback()
    one = session.scalars(sa.select(Distributor)).one()
    sellers.decide(one, joining.refuse, "请写明群有多大")
    page = visitor.get(PATH)
    assert "上次申请没有通过：请写明群有多大" in words(page)
    assert 'value="小北代充"' in page.text and "宿舍楼的同学群" in page.text, (
        "what she wrote is kept"
    )
    assert location(visitor.post(PATH, FORM)) == PATH

    sellers.decide(one, joining.approve)
    assert f"推广码 {one.code}" in words(visitor.get(PATH))
    sellers.decide(one, joining.suspend, "虚假宣传")
    page = words(visitor.get(PATH))
    assert "分销资格已暂停：虚假宣传" in page and "仍然是你的" in page


def test_a_form_that_is_not_good_comes_back_as_typed(app: Flask) -> None:
    visitor = Visitor(app, people.make())
    response = visitor.post(PATH, {"name": "小北", "introduction": " "})
    assert response.status_code == 422
    assert "请写明在哪里卖" in words(response) and 'value="小北"' in response.text


def test_a_link_leads_through_an_account_to_its_parent(app: Flask) -> None:
    parent = sellers.join("阿岚的会员铺")
    link = f"/portal/join/{sellers.token_of(parent)}"
    stranger = Visitor(app)
    page = stranger.get(link)
    assert "阿岚的会员铺 邀请你" in words(page)
    assert f"/account/registration?next={link}" in page.text
    assert location(stranger.post(link, FORM)).startswith("/account/sign-in?next=")

    friend = Visitor(app, people.make())
    assert friend.post(link, FORM | {"name": ""}).status_code == 422
    assert location(friend.post(link, FORM)) == PATH
    session.rollback()
    joined = session.scalars(sa.select(Distributor).order_by(Distributor.id.desc())).first()
    assert joined is not None and joined.parent_id == parent.id
    assert friend.post(link, FORM).status_code == 409, "a double tap is told how it stands"
    assert friend.get(link).status_code == 200
    assert stranger.get(link).status_code == 404
    assert Visitor(app, people.make()).post(link, FORM).status_code == 404


def test_no_request_speaks_for_another(app: Flask) -> None:
    """Whatever ids it carries: whose application it is says the session."""
    hers = sellers.apply()
    other = Visitor(app, people.make())
    named = {"uid": hers.uid, "id": str(hers.id), "person_id": str(hers.person_id)}
    assert hers.name not in words(other.get(PATH, query_string=named))
    assert location(other.post(PATH, FORM | named)) == PATH
    session.rollback()
    assert sellers.fresh(hers.id).introduction == sellers.INTRODUCTION
    states = session.scalars(sa.select(Distributor.state))
    assert list(states) == [DistributorState.APPLIED] * 2
    assert session.scalar(sa.select(sa.func.count(DistributorInvitation.id))) == 0
