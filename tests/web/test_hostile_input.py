"""What is typed: formulas, scripts, and numbers that are none."""

import csv
import io
import re
from datetime import date
from typing import Any

import pytest
import sqlalchemy as sa

from app.core.db import session, transaction
from app.domain.catalog import preferences
from app.domain.catalog.models import Product, RechargeProvider
from app.domain.channels.models import Distributor
from app.domain.orders import queries
from app.domain.orders.models import (
    Order,
    Refund,
)
from app.domain.recharges import reconciling
from app.domain.vault.models import Batch
from tests import factories
from tests.web.deeds import (
    PRODUCT,
    UNPAID,
    checkout,
    count,
    standing,
    waiting,
)
from tests.web.house import HOLDER, OWNER, STRANGER, House, Reader, routes
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.usefixtures("audited")
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


# Formulas

SIGNS = ["=", "+", "-", "@", "\t=", "＝", " ="]
PLAIN_NUMBER = re.compile(r"-?\d+(\.\d+)?")


@on_sqlite
@pytest.mark.parametrize("sign", SIGNS)
def test_no_file_computes_anything_in_a_spreadsheet(house: House, sign: str) -> None:
    text = f"{sign}HYPERLINK(1)"
    plant(house, text)
    visitor, files, typed = house.visitor(OWNER), set(), set()
    for route in routes(house.app, "GET"):
        if not route.rule.startswith("/admin/") or route.arguments:
            continue
        response = visitor.get(f"{route.rule}?format=csv")
        if response.mimetype != "text/csv":
            continue
        files.add(route.rule.removeprefix("/admin/"))
        cells = [cell for row in csv.reader(io.StringIO(response.text)) for cell in row]
        live = [cell for cell in cells if cell.strip(" \ufeff").startswith(tuple("=+-@\t\r＝"))]
        assert [cell for cell in live if not PLAIN_NUMBER.fullmatch(cell)] == []
        if any("HYPERLINK" in cell for cell in cells):
            typed.add(route.rule.removeprefix("/admin/"))
    assert files == {
        *("orders", "products", "batches", "reveals", "people", "audit"),
        *("recharges", "statements", "withdrawals", "settlements", "channel-statements"),
        *("alarms", "exports", "risk/lists"),
    }
    # What a payment channel calls its payments stands there, and nobody's own words.
    assert files - typed == {"channel-statements"}


def plant(house: House, text: str) -> None:
    """The text wherever a person may type one that comes out in a file."""
    visitor, product = house.visitor(OWNER), house.values["product_id"]
    number, code = house.values["number"], house.values["code_id"]
    batch = {"name": text, "supplier": text, "note": text, "code_column": "0"}
    submit(visitor, f"products/{product}", PRODUCT | {"name": text})
    session.rollback()
    factories.place(session.get_one(Product, product), phone="=cmd@evil.example")
    submit(visitor, f"imports/{house.values['admin.imports.uid']}/start", batch)
    submit(visitor, f"orders/{number}/codes/{code}/reveal", {"reason": text})
    submit(visitor, f"withdrawals/{house.values['paying']}/payment", {"reference": text})
    submit(visitor, f"batches/{house.values['batch_id']}/freezing", {"reason": text})
    listed = {"list": "watch", "subject": "email_domain", "value": "evil.example", "days": "30"}
    submit(visitor, "risk/lists", listed | {"reason": text})
    member = {"name": text[:30], "contact": "=cmd@evil.example", "role": "support"}
    submit(visitor, "people", member)
    recharged = PRODUCT | {"name": text, "kind": "recharge", "account_format": "phone"}
    submit(visitor, f"products/{house.values['admin.offers.product_id']}", recharged)
    provider = session.scalars(sa.select(RechargeProvider.id)).one()
    session.rollback()
    # As she called herself when she applied.
    transaction(lambda: session.execute(sa.update(Distributor).values(name=text[:30])))
    # As a batch was called when it came in, which an alarm is about now.
    transaction(lambda: session.execute(sa.update(Batch).values(name=text[:60])))
    theirs = [reconciling.TheirRow(text, text, 1)]
    transaction(lambda: reconciling.take(provider, date(2026, 1, 1), theirs))


def submit(visitor: Visitor, path: str, form: dict[str, Any]) -> None:
    response = visitor.post(f"/admin/{path}", form)
    assert response.status_code in (200, 303), (path, words(response))


# Scripts

SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><b>"
LINK = '<a href="javascript:alert(1)" onclick="x()" style="x">here</a><iframe src=//e></iframe>'


@on_sqlite
def test_what_people_type_is_shown_and_never_run(house: House) -> None:
    """In every page of the shop and of the console, for everybody who may see it."""
    plant(house, SCRIPT[:78])
    change_shop(house)
    number = house.values["number"]
    holder, owner = house.visitor(HOLDER), house.visitor(OWNER)
    holder.post(f"/orders/{number}/problems", {"text": SCRIPT})
    problem = house.values["problem_id"]
    owner.post(f"/admin/orders/{number}/problems/{problem}/answer", {"answer": SCRIPT})
    seen = 0
    for visitor in (holder, owner, house.visitor(STRANGER)):
        for route in routes(house.app, "GET"):
            query = dict.fromkeys(("q", "next", "product", "number", "contact"), SCRIPT)
            page = visitor.get(house.path(route), query_string=query)
            if page.mimetype == "text/html" and "<html" in page.text:
                assert Reader.faults_of(page.text) == [], route.rule
                assert "alert(1)</script" not in page.text, route.rule
                assert "<b>" not in page.text, route.rule
                seen += "&lt;script&gt;" in page.text
    assert seen > 20


def change_shop(house: House) -> None:
    owner = house.visitor(OWNER)
    product = session.get_one(Product, house.values["product_id"])
    category = house.values["category_id"]
    texts = {"name": SCRIPT[:25], "support": SCRIPT, "announcement": SCRIPT}
    submit(owner, "settings", texts)
    submit(owner, "settings/bank-account", {"bank_account": SCRIPT})
    submit(owner, f"categories/{category}", {"name": SCRIPT[:20], "slug": "cards"})
    written = {
        "name": SCRIPT[:78],
        "slug": product.slug,
        "summary": SCRIPT,
        "description": f"<p>{SCRIPT}{LINK}</p>",
        "instructions": SCRIPT + LINK,
        "category_id": category,
    }
    submit(owner, f"products/{product.id}", PRODUCT | written)
    house.values["shop.categories.slug"] = "cards"
    preferences.forget()


@on_sqlite
def test_a_product_leads_to_web_addresses_only(owner: Visitor) -> None:
    for address in ("javascript:alert(1)", "data:text/html,x", "//evil", "https://a@evil", "x"):
        response = owner.post("/admin/products", PRODUCT | {"use_url": address})
        assert response.status_code == 422, address
    assert count(Product) == 0


# Numbers

AMOUNTS = ["-1", "NaN", "1e9", "１２", "0.001", "1/2", "9" * 30, "0x10", "١٢", "--", "1,2,3.4.5"]


def statuses(visitor: Visitor, path: str, form: dict[str, Any], name: str) -> dict[str, int]:
    """What each amount in the place of the form's own is answered with."""
    return {
        amount: visitor.post(path, form | {name: amount}).status_code
        for amount in (*AMOUNTS, "0", "")
    }


REFUSED = dict.fromkeys((*AMOUNTS, "0", ""), 422)


@on_sqlite
def test_a_price_is_an_amount(owner: Visitor) -> None:
    assert statuses(owner, "/admin/products", PRODUCT, "price") == REFUSED
    assert count(Product) == 0


@on_sqlite
def test_a_refund_is_an_amount_that_was_paid(owner: Visitor) -> None:
    order = factories.buy(factories.make_product())
    path = f"/admin/orders/{order.number}/refunds"
    form = {"line": queries.lines_of(order.id)[0].id, "reason": "退款"}
    assert statuses(owner, path, form, "amount") == REFUSED
    assert owner.post(path, form | {"amount": "30.01"}).status_code == 422
    assert count(Refund) == 0


@on_sqlite
def test_a_transfer_is_an_amount(owner: Visitor) -> None:
    payment = waiting(channel="transfer")
    path = f"/admin/orders/{payment.order.number}/payments/{payment.id}/confirmation"
    assert statuses(owner, path, {"trade_number": "BANK-0001"}, "amount") == REFUSED
    assert standing(payment) == UNPAID


@on_sqlite
def test_a_batchs_cost_is_an_amount_and_its_day_a_day(house: House) -> None:
    owner, form = house.visitor(OWNER), {"name": "一批", "code_column": "0"}
    path = f"/admin/imports/{house.values['admin.imports.uid']}/start"
    free = {"0": 303, "": 303}
    costs = {name: status for name, status in REFUSED.items() if name not in free}
    assert {
        cost: owner.post(path, form | {"unit_cost": cost}).status_code for cost in costs
    } == costs
    for day in ("2020-01-01", "2099-02-30", "99999-01-01", "0000-00-00", "２０９９-01-01", "-1"):
        assert owner.post(path, form | {"expires_on": day}).status_code == 422, day


@on_sqlite
def test_a_number_of_a_product_is_a_number(owner: Visitor) -> None:
    for name in ("position", "max_per_buyer", "category_id", "low_stock_at", "min_per_order"):
        for value in ("-1", "9" * 30, "1.5", "１２", "1e3"):
            response = owner.post("/admin/products", PRODUCT | {name: value})
            assert response.status_code == 422, (name, value)
    assert count(Product) == 0


@on_sqlite
def test_a_categorys_place_is_a_number(house: House) -> None:
    """And whatever it was set to, another can still be put behind it."""
    owner = house.visitor(OWNER)
    for place in ("-1", "x", "1.5", "9" * 9, "9" * 19, "9" * 30):
        form = {"name": "礼品卡", "slug": "cards", "position": place}
        location(owner.post(f"/admin/categories/{house.values['category_id']}", form))
        location(owner.post("/admin/categories", {"name": f"分类 {place[:12]}"}))


WRONG = {
    422: {
        "quantity": ["0", "-1", "1.5", "1e1", "9" * 30, "9" * 5000, "11", ""],
        "channel": ["nobody", "transfer", ""],
        "contact": ["", "<script>@x", "1" * 5000, "@", "a@b"],
        "checkout_key": ["", "short"],
    },
    409: {"price": ["1", "-3000", "9" * 30, "", "3000.0"]},
    404: {"product": ["nothing", "", "../x", "9" * 5000]},
}


@on_sqlite
def test_an_order_without_sense_is_not_placed(guest: Visitor) -> None:
    form = checkout(factories.make_product())
    for status, fields in WRONG.items():
        for name, values in fields.items():
            for value in values:
                response = guest.post("/orders", form | {name: value})
                assert response.status_code == status, (name, value[:40])
    assert count(Order) == 0
    assert guest.client.get_cookie("orders") is None
    location(guest.post("/orders", form))


@on_sqlite
def test_of_a_field_that_is_there_twice_one_counts(guest: Visitor) -> None:
    product = factories.make_product()
    twice = checkout(product) | {"quantity": ["2", "500"], "price": ["3000", "1"]}
    location(guest.post("/orders", twice))
    session.rollback()
    assert session.scalars(sa.select(Order.total)).all() == [6000]


@on_sqlite
@pytest.mark.parametrize("state", ["draft", "off_sale", "archived"])
def test_only_what_is_on_sale_is_sold(guest: Visitor, state: str) -> None:
    product = factories.make_product()
    transaction(
        lambda: session.execute(
            sa.update(Product).where(Product.id == product.id).values(state=state)
        )
    )
    response = guest.post("/orders", checkout(product))
    assert response.status_code == (409 if state == "off_sale" else 404)
    assert count(Order) == 0
