"""The counter: scanned or typed, a use is taken once, undone in time, refused with a reason."""

import re

import pytest
from flask import Flask

from app.core.db import session
from app.domain.accounts.models import Role
from app.domain.redemptions import passes, queries
from app.domain.vault.models import Code
from tests import factories, people
from tests.web import benefits
from tests.web.benefits import Sold
from tests.web.visitors import Visitor, location, words

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("audited"),
]


@pytest.fixture
def cashier(app: Flask) -> Visitor:
    return Visitor(app, people.make(Role.SUPPORT))


def scan(cashier: Visitor, sold: Sold) -> str:
    """Scan what the buyer's phone shows now; the key of the page's form, if it has one."""
    session.rollback()
    shown = passes.showing(session.get_one(Code, sold.code_id).uid)
    session.rollback()
    assert location(cashier.post("/admin/counter", {"code": shown})) == "/admin/counter/pass"
    found = re.findall(r'name="key" value="([^"]+)"', cashier.get("/admin/counter/pass").text)
    return found[0] if found else ""


def uses(sold: Sold) -> int:
    session.rollback()
    session.expire_all()
    return len(queries.uses_of(sold.code_id))


def test_scanned_taken_and_undone(cashier: Visitor) -> None:
    sold = benefits.sell(benefits.multi(uses=3))
    key = scan(cashier, sold)
    cashier.post("/admin/counter/uses", {"key": key})
    assert uses(sold) == 1
    page = cashier.get("/admin/counter/pass")
    assert "还剩 2 次" in words(page)
    (undo,) = re.findall(r'action="(/admin/counter/uses/\d+/undo)"', page.text)
    assert location(cashier.post(undo, {"reason": "扫错了"})) == "/admin/counter/pass"
    assert uses(sold) == 0


def test_the_same_showing_is_not_taken_twice(cashier: Visitor) -> None:
    sold = benefits.sell(benefits.multi(uses=3))
    cashier.post("/admin/counter/uses", {"key": scan(cashier, sold)})
    cashier.post("/admin/counter/uses", {"key": "another key of the page"})
    assert uses(sold) == 1
    assert "刚刚已经核销过" in words(cashier.get("/admin/counter/pass"))


def test_typed_it_works_too(cashier: Visitor) -> None:
    sold = benefits.sell(benefits.multi(uses=1))
    cashier.post("/admin/counter", {"code": sold.text})
    cashier.post("/admin/counter/uses", {"key": "k" * 20})
    assert uses(sold) == 1
    cashier.post("/admin/counter/uses", {"key": "j" * 20})
    assert uses(sold) == 1
    assert 'data-slug="code-used"' in cashier.get("/admin/counter/pass").text


@pytest.mark.parametrize("text", ["", "HSP1.AAAA", "nothing at all", "HSP1." + "A" * 60])
def test_what_is_no_pass_is_said(cashier: Visitor, text: str) -> None:
    answer = cashier.post("/admin/counter", {"code": text})
    assert answer.status_code in (400, 404, 422)
    assert 'aria-invalid="true"' in answer.text


def test_a_code_that_is_no_pass_cannot_be_taken(cashier: Visitor) -> None:
    sold = benefits.sell(factories.make_product(codes=0))
    cashier.post("/admin/counter", {"code": sold.text})
    cashier.post("/admin/counter/uses", {"key": "k" * 20})
    assert uses(sold) == 0


def test_another_passs_use_is_not_undone_from_here(cashier: Visitor) -> None:
    product = benefits.multi()
    first, second = benefits.sell(product), benefits.sell(product)
    cashier.post("/admin/counter/uses", {"key": scan(cashier, first)})
    session.rollback()
    use = queries.uses_of(first.code_id)[0]
    session.rollback()
    scan(cashier, second)
    answer = cashier.post(f"/admin/counter/uses/{use.id}/undo", {"reason": "别人的"})
    assert answer.status_code == 404
    assert uses(first) == 1
