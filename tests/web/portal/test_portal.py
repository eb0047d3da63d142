"""The portal: whose it is, what it shows, and that nobody opens anybody else's."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.db import db, session, transaction
from app.domain.accounts.models import Person
from app.domain.channels import joining
from app.domain.channels.models import CommissionState, Distributor, DistributorState
from app.domain.ledger import service as ledger
from tests import earning, factories, people, sellers
from tests.web.house import FORM, HOLDER, House, routes, send, token_of
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# Named by a token that whoever holds it may open, not by whose it is.
BY_TOKEN = "portal.application."


def test_nobody_opens_what_is_another_distributors(house: House) -> None:
    """Over every address of the portal that names something, also those to come."""
    other = Visitor(house.app, somebody_who_sells())
    token, visit = token_of(other)
    tried, wrong = 0, []
    for method in ("GET", "POST"):
        for route in routes(house.app, method):
            named = route.endpoint.startswith("portal.") and route.arguments
            if not named or route.endpoint.startswith(BY_TOKEN):
                continue
            other.client.set_cookie("visit", visit)
            path = house.path(route)
            if method == "GET":
                assert house.visitor(HOLDER).get(path).status_code == 200, path
                response = other.get(path)
            else:
                response = send(other, path, FORM | {"csrf_token": token})
            tried += 1
            wrong += [] if response.status_code == 404 else [f"{path}: {response.status_code}"]
    assert not wrong, "\n".join(wrong)
    assert tried


def somebody_who_sells() -> Person:
    person = people.make()
    sellers.make(person)
    return person


def test_home_tells_todays_money_and_each_figure_leads_to_its_list(app: Flask) -> None:
    person = people.make()
    seller, other = sellers.make(person), sellers.make()
    product = factories.make_product(codes=9, name="视频会员")
    first = earning.attributed(product, seller)
    earning.earn(first, seller, amount=12_345)
    earning.earn(
        earning.attributed(product, seller),
        seller,
        CommissionState.HOLDING,
        700,
        held_for=timedelta(days=7),
    )
    earning.earn(earning.attributed(product, other), other, amount=99_900)
    visitor = Visitor(app, person)

    page = visitor.get("/portal")

    text = words(page)
    assert "¥ 130.45" in text and "2 笔" in text
    assert "999" not in text
    assert f"…{first.number[-4:]}" in text and first.number not in page.text
    today = re.search(r'href="(/portal/earnings\?from=[^"]+)"', page.text)
    assert today is not None
    listed = words(visitor.get(today.group(1).replace("&amp;", "&")))
    assert "共 2 条" in listed and "¥ 123.45" in listed and "¥ 7.00" in listed
    holding = words(visitor.get("/portal/earnings?state=holding"))
    assert "共 1 条" in holding and "123.45" not in holding


def test_one_commission_says_how_it_came_about_and_what_is_booked(app: Flask) -> None:
    person = people.make()
    seller = sellers.make(person)
    order = earning.attributed(factories.make_product(), seller)
    one = earning.earn(order, seller)
    earning.take_back(one, seller, 100)

    text = words(Visitor(app, person).get(f"/portal/earnings/{one.id}"))

    assert "实付的 100% ¥ 30.00" in text
    assert "每单最多 ¥3.00，已到上限 ¥ 3.00" in text
    assert f"买家下单时用了推广码 {seller.code}" in text
    assert order.contact_masked in text
    assert "发货，佣金入账" in text and "退款，扣回佣金" in text and "− ¥ 1.00" in text
    assert "¥ 2.00" in text


def test_a_balance_below_zero_explains_itself(app: Flask) -> None:
    person = people.make()
    uid = sellers.make(person).uid
    transaction(
        lambda: ledger.post(
            "owed", "test", "test", 1, {f"commission_payable:{uid}": 300, "commission": -300}
        )
    )
    text = words(Visitor(app, person).get("/portal"))
    assert "− ¥ 3.00" in text
    assert "要从后面的收益里补上" in text


def test_the_number_of_statements_does_not_grow_with_the_data(app: Flask) -> None:
    person = people.make()
    seller = sellers.make(person)
    visitor = Visitor(app, person)
    product = factories.make_product(codes=30)
    counts = []
    for more in (1, 20):
        for _ in range(more):
            earning.earn(earning.attributed(product, seller), seller)
        visitor.get("/portal")
        counts.append(statements_of(visitor, "/portal"))
    assert counts[0] == counts[1] <= 8


def statements_of(visitor: Visitor, path: str) -> int:
    seen: list[str] = []
    listen = ("before_cursor_execute", lambda *args: seen.append(args[2]))
    sa.event.listen(db.engine, *listen)
    try:
        assert visitor.get(path).status_code == 200
    finally:
        sa.event.remove(db.engine, *listen)
    return len(seen)


def test_the_team_is_masked_and_told_that_inviting_earns_nothing(app: Flask) -> None:
    person = people.make()
    seller = sellers.make(person)
    under = sellers.make(parent_id=seller.id, name="李小北")
    sellers.make(parent_id=seller.id, name="王申请", state=DistributorState.APPLIED)
    earning.attributed(factories.make_product(), under)

    text = words(Visitor(app, person).get("/portal/team"))

    assert "李**" in text and "李小北" not in text and "王" not in text
    assert "¥ 30.00" in text
    assert "邀请别人加入没有奖励" in text


def test_an_invitation_is_a_link_shown_once_and_too_many_are_refused(app: Flask) -> None:
    person = people.make()
    sellers.make(person)
    visitor = Visitor(app, person)

    shown = visitor.post("/portal/team/invitations")
    link = re.search(r"http://localhost(/portal/join/[^<]+)<", shown.text)
    assert link is not None
    assert "阿岚" in words(Visitor(app, people.make()).get(link[1]))

    for _ in range(joining.MOST_OPEN_INVITATIONS - 1):
        assert visitor.post("/portal/team/invitations").status_code == 200
    assert location(visitor.post("/portal/team/invitations")) == "/portal/team"
    assert "没用的邀请链接" in words(visitor.get("/portal/team"))


@pytest.mark.parametrize("state", [None, DistributorState.APPLIED, DistributorState.REFUSED])
def test_whoever_is_no_distributor_is_led_to_the_application(
    app: Flask, state: DistributorState | None
) -> None:
    person = people.make()
    if state is not None:
        sellers.make(person, state=state)
    visitor = Visitor(app, person)
    assert location(visitor.get("/portal")) == "/portal/application"
    part = visitor.get("/portal", headers={"HX-Request": "true"})
    assert part.headers["HX-Redirect"] == "/portal/application"
    assert "分销中心" not in words(visitor.get("/account"))


def test_who_is_suspended_sees_her_money_and_not_her_team(app: Flask) -> None:
    person = people.make()
    sellers.make(person, state=DistributorState.SUSPENDED, state_reason="虚假宣传")
    visitor = Visitor(app, person)
    assert "虚假宣传" in words(visitor.get("/portal"))
    assert location(visitor.get("/portal/team")) == "/portal/application"
    assert "分销中心" in words(visitor.get("/account"))


def test_the_profile_shows_the_way_to_the_next_tier(app: Flask) -> None:
    person = people.make()
    sellers.make(person)
    assert "已经是最高等级" in words(Visitor(app, person).get("/portal/profile"))
    assert (
        session.scalar(sa.select(Distributor.code))
        in Visitor(app, person).get("/portal/profile").text
    )
