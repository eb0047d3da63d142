"""The three rules of the brief as buyers and staff meet them."""

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from app.core import clock, ids
from app.core.db import session, transaction
from app.domain.accounts import throttling
from app.domain.accounts.models import Role
from app.domain.catalog.models import Product
from app.domain.orders.models import Order, OrderState
from app.domain.risk import live_rules, pack, proofs
from app.domain.risk.models import Action, Case, Checkpoint, Decision
from tests import factories, people
from tests.domain.risk import shopping
from tests.web.visitors import Visitor, words

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("audited", "rules"),
]
# What a test needs not spend a second on.
EASY = 4
FIVE_WRONG = {"count": "wrong_code", "by": "ip", "minutes": 60, "at_least": 5}
CHALLENGE = re.compile(r'name="captcha" value="([^"]+)"')


@pytest.fixture
def rules(app: Flask) -> Iterator[None]:
    transaction(pack.install)
    live_rules.forget()
    yield
    live_rules.forget()


def order(visitor: Visitor, product: Product, **values: str) -> TestResponse:
    form = {
        "checkout_key": ids.token(),
        "product": product.slug,
        "price": str(product.price),
        "quantity": "1",
        "contact": factories.contact(),
        "channel": "sandbox",
    }
    return visitor.post("/orders", form | values)


def challenge_of(page: TestResponse) -> str:
    found = CHALLENGE.search(page.text)
    assert found is not None, words(page)
    return found.group(1)


def test_many_orders_from_one_address_meet_a_captcha(app: Flask) -> None:
    product = factories.make_product(codes=20)
    for _ in range(5):
        assert order(Visitor(app), product).status_code == 303
    buyer = Visitor(app)
    asked = order(buyer, product, contact="13900001111")
    assert asked.status_code == 422
    assert 'value="13900001111"' in asked.text
    text = challenge_of(asked)
    # Too early without a script: she keeps her place and is told how long.
    again = order(buyer, product, captcha=text, captcha_number="")
    assert challenge_of(again) == text
    number = proofs.solve(text)
    assert order(buyer, product, captcha=text, captcha_number=number).status_code == 303
    assert order(buyer, product, captcha=text, captcha_number=number).status_code == 422
    assert session.scalar(sa.select(sa.func.count(Decision.id))) == 9


def test_wrong_codes_meet_a_captcha(app: Flask, guest: Visitor) -> None:
    statuses = [guest.post("/redeem", {"code": f"{n:08d}"}).status_code for n in range(6)]
    assert statuses == [400] * 5 + [422]
    asked = guest.post("/redeem", {"code": "00000009"})
    assert 'value="00000009"' in asked.text
    text = challenge_of(asked)
    proved = {"code": "00000009", "captcha": text, "captcha_number": proofs.solve(text)}
    assert guest.post("/redeem", proved).status_code == 400
    assert guest.post("/redeem", proved).status_code == 422


def test_who_has_solved_it_and_has_to_wait_keeps_it(guest: Visitor) -> None:
    with time_machine.travel(clock.now(), tick=False) as now:
        for number in range(5):
            assert guest.post("/redeem", {"code": f"{number:08d}"}).status_code == 400
        neighbours = throttling.of_redeeming("203.0.113.0/24", "another", None)
        transaction(lambda: [throttling.take(neighbours) for _ in range(6)])
        text = challenge_of(guest.post("/redeem", {"code": "00000009"}))
        number_found = proofs.solve(text)
        proved = {"code": "00000009", "captcha": text, "captcha_number": number_found}
        waits = guest.post("/redeem", proved)
        assert (waits.status_code, waits.headers["Retry-After"]) == (429, "5")
        assert challenge_of(waits) == text
        assert f'value="{number_found}"' in waits.text
        now.shift(timedelta(seconds=5))
        assert guest.post("/redeem", proved).status_code == 400


def test_a_guesser_meets_a_captcha_and_then_a_lock_that_ends(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As she does it: one browser, one form, patience, and a machine that solves what is asked."""
    monkeypatch.setattr(proofs, "BITS", EASY)
    monkeypatch.setattr(proofs.is_solved, "__defaults__", (EASY,))
    guesser, met = Visitor(app), []

    def type_in(code: str, **proof: str) -> TestResponse:
        page = guesser.post("/redeem", {"code": code} | proof)
        if page.status_code != 422:
            return page
        met.append("captcha")
        text = challenge_of(page)
        return type_in(code, captcha=text, captcha_number=proofs.solve(text, EASY))

    with time_machine.travel(clock.now(), tick=False) as now:
        for number in range(10, 60):
            page = type_in(f"{number:08d}")
            if page.status_code == 400:
                met.append("wrong")
                continue
            if "分钟后再试" in words(page):
                break
            met.append("wait")
            now.shift(timedelta(seconds=int(page.headers["Retry-After"])))
        assert met == ["wrong"] * 5 + ["captcha", "wrong"] * 5
        assert (page.status_code, page.headers["Retry-After"]) == (429, "3600")
        assert "请 60 分钟后再试" in words(page)
        locked = shopping.latest()
        assert (locked.action, locked.checkpoint) == (Action.BLOCK, Checkpoint.REDEEM)
        assert locked.uid in words(page)
        assert 'value="00000020"' in page.text

        now.shift(timedelta(seconds=3599))
        again = type_in("00000099")
        assert (again.status_code, again.headers["Retry-After"]) == (429, "1")
        now.shift(timedelta(seconds=1))
        assert type_in("00000099").status_code == 400


def test_a_regular_buys_and_redeems_where_a_bot_got_everybody_limited(
    app: Flask, owner: Visitor
) -> None:
    product = factories.make_product(codes=60)
    regular = Visitor(app)
    assert order(regular, product).status_code == 303
    placed = session.scalars(sa.select(Order)).one()
    factories.settle(factories.queries.payments_of(placed.id)[0])
    shopping.switch_on("many_orders_limit", "wrong_codes_lock_ip")
    for _ in range(10):
        assert order(Visitor(app), product).status_code == 303
    newcomer = Visitor(app)
    stopped = order(newcomer, product, quantity="2")
    assert stopped.status_code == 429
    assert "60 分钟内" in words(stopped)
    assert order(regular, product, quantity="2").status_code == 303
    shown = words(owner.get(f"/admin/risk/decisions/{shopping.latest().uid}"))
    assert "熟客，不受所在网络的限制：同一 IP 下单不付款，限购" in shown

    shopping.switch_on("wrong_codes_lock_ip", condition=FIVE_WRONG)
    for one in range(5):
        assert Visitor(app).post("/redeem", {"code": f"{one:08d}"}).status_code == 400
    locked = newcomer.post("/redeem", {"code": "12345678"})
    assert (locked.status_code, locked.headers["Retry-After"]) == (429, "3600")
    assert regular.post("/redeem", {"code": "12345678"}).status_code == 400


def test_a_held_order_is_let_go_in_the_console(app: Flask, owner: Visitor) -> None:
    product = factories.make_product(codes=2, price=60_000)
    buyer = Visitor(app)
    page = order(buyer, product)
    assert page.status_code == 303
    placed = session.scalars(sa.select(Order)).one()
    factories.settle(factories.queries.payments_of(placed.id)[0])
    assert "审核" in words(buyer.get(f"/orders/{placed.number}"))
    uid = session.scalars(sa.select(Case.uid)).one()
    support = Visitor(app, people.make(Role.AUDITOR))
    assert support.post(f"/admin/cases/{uid}/approval").status_code == 403
    assert placed.number in owner.get("/admin/cases").text
    shown = words(owner.get(f"/admin/cases/{uid}"))
    assert "订单金额至少 ¥500" in shown
    assert "实际 ¥600" in shown
    done = owner.post(f"/admin/cases/{uid}/approval", {"label": "false_positive", "trust": "1"})
    assert done.status_code == 303
    assert owner.post(f"/admin/cases/{uid}/approval", {}).status_code == 409
    factories.work()
    session.expire_all()
    assert session.get_one(Order, placed.id).state == OrderState.DELIVERED
