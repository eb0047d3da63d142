"""Buying what arrives in an account: one field, read back once, and honest steps to the end."""

import re
from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.db import session, transaction
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.orders.models import Order, OrderLine
from app.domain.recharges import service
from app.providers.recharges.interface import Outcome
from tests import factories, people
from tests.fake_provider import ObedientProvider, speaking
from tests.web import benefits
from tests.web.benefits import ACCOUNT
from tests.web.visitors import Visitor, location, words

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("audited"),
]


@pytest.fixture
def provider() -> Iterator[ObedientProvider]:
    obedient = ObedientProvider()
    with speaking(one=obedient):
        yield obedient


def form_of(guest: Visitor, slug: str, **fields: str) -> dict[str, str]:
    page = guest.get(f"/products/{slug}").text
    (key,) = set(re.findall(r'name="checkout_key" value="([^"]+)"', page))
    return {
        "product": slug,
        "price": str(factories.PRICE),
        "checkout_key": key,
        "quantity": "1",
        "channel": "sandbox",
    } | fields


def count(model: type[object]) -> int:
    session.rollback()
    return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def test_the_account_is_read_back_before_it_is_paid_for(
    guest: Visitor, provider: ObedientProvider
) -> None:
    product = benefits.recharged()
    form = form_of(guest, product.slug, account=" 139 1234 5678 ")

    asked = guest.post("/orders", form)
    assert asked.status_code == 200
    assert "139 1234 5678" in words(asked)
    assert count(Order) == 0

    paid = guest.post("/orders", form | {"confirmed": ACCOUNT})
    assert location(paid).startswith("http://127.0.0.1:9/pay")
    session.rollback()
    line = session.scalars(sa.select(OrderLine)).one()
    assert line.account_masked == "139****5678"
    assert ACCOUNT.encode() not in (line.account_sealed or b"")


def test_another_account_than_was_read_back_is_read_back_again(
    guest: Visitor, provider: ObedientProvider
) -> None:
    product = benefits.recharged()
    form = form_of(guest, product.slug, account="13912345679", confirmed=ACCOUNT)
    assert guest.post("/orders", form).status_code == 200
    assert count(Order) == 0


@pytest.mark.parametrize(
    "account", ["", "139123456", "139123456789", "abc", "２３９１２３４５６７８"]
)
def test_a_wrong_account_is_said_beside_the_field(
    guest: Visitor, provider: ObedientProvider, account: str
) -> None:
    product = benefits.recharged()
    answer = guest.post("/orders", form_of(guest, product.slug, account=account, confirmed=account))
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.text
    assert count(Order) == 0


def test_without_an_offer_that_is_on_nothing_is_sold(guest: Visitor) -> None:
    product = factories.make_product(codes=0, kind="recharge", account_format="phone")
    assert "正在维护" in words(guest.get(f"/products/{product.slug}"))
    form = {"product": product.slug, "price": str(factories.PRICE), "quantity": "1"}
    form |= {"channel": "sandbox", "account": ACCOUNT, "confirmed": ACCOUNT}
    answer = guest.post("/orders", form | {"checkout_key": "k" * 20})
    assert answer.status_code == 409


def followed(app: Flask) -> tuple[Visitor, Order]:
    """A signed-in buyer and her paid order, which nobody has begun to recharge."""
    buyer = people.make()
    product = benefits.recharged()
    account = RechargeAccount.parse(product.account_format, ACCOUNT)  # type: ignore[arg-type]
    placed = factories.place(product, person_id=buyer.id, account=account)
    assert placed.payment is not None
    factories.settle(placed.payment)
    return Visitor(app, buyer), placed.order


STATES = {
    "queued": None,
    "delivered": Outcome.DELIVERED,
    "pending": Outcome.PENDING,
    "unknown": Outcome.UNKNOWN,
}


@pytest.mark.parametrize("state", STATES)
def test_her_page_says_what_is_happening(
    app: Flask, provider: ObedientProvider, state: str
) -> None:
    buyer, order = followed(app)
    outcome = STATES[state]
    if outcome is not None:
        provider.submits = [outcome]
        factories.work()
    page = buyer.get(f"/orders/{order.number}")
    assert f'data-testid="recharge" data-state="{state}"' in page.text
    assert "139****5678" in page.text
    assert ACCOUNT not in page.text
    assert ("hx-trigger" in page.text) == (state != "delivered")


def test_refused_by_all_her_page_tells_of_the_refund(
    app: Flask, provider: ObedientProvider
) -> None:
    provider.submits = [Outcome.REFUSED]
    buyer, order = followed(app)
    factories.work()
    page = words(buyer.get(f"/orders/{order.number}"))
    assert "没有充值成功" in page
    assert "正在退款 ¥30.00" in page


def test_a_wrong_account_is_corrected_before_it_is_sent(
    app: Flask, provider: ObedientProvider
) -> None:
    buyer, order = followed(app)
    line = factories.fresh(order).lines[0]
    session.rollback()
    transaction(lambda: service.begin_line(line.id))
    url = f"/orders/{order.number}/lines/{line.id}/account"
    assert buyer.post(url, {"account": "1391234"}).status_code == 422
    assert location(buyer.post(url, {"account": "13900000000"})) == f"/orders/{order.number}"
    factories.work()
    assert provider.sent[0].account.reveal() == "13900000000"
    assert buyer.post(url, {"account": "13900000001"}).status_code == 409
