"""A batch in the console: its codes by state, and what may be done with all of them at once."""

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.db import session, transaction
from app.domain.accounts.models import Role
from app.domain.orders.models import Payment
from app.domain.vault import own_codes
from app.domain.vault.models import Batch, BatchState, Code
from tests import factories, people
from tests.web.deeds import checkout
from tests.web.visitors import Visitor, location, words

WHY = {"reason": "供应商通知有坏卡"}


@pytest.fixture
def owner(app: Flask) -> Visitor:
    return Visitor(app, people.make(Role.OWNER))


@pytest.fixture
def batch(app: Flask) -> Batch:
    product = factories.make_product(codes=0, name="点数卡")
    return transaction(
        lambda: factories.add_batch(
            product, own_codes.generate(7), name="七月到货", supplier="甲公司", unit_cost=1250
        )
    )


def state(batch: Batch) -> BatchState:
    session.rollback()
    session.expire_all()
    return session.get_one(Batch, batch.id).state


def test_the_list_shows_counts_and_is_searched(owner: Visitor, batch: Batch) -> None:
    page = owner.get("/admin/batches")

    for part in ("七月到货", "甲公司", "点数卡", "共 1 条", "12.50"):
        assert part in words(page)
    for query in ("?q=甲公司", "?q=点数", "?state=open", f"?product={batch.product_id}"):
        assert "七月到货" in words(owner.get(f"/admin/batches{query}"))
    assert "七月到货" not in words(owner.get("/admin/batches?state=void"))


def test_the_list_is_a_file(owner: Visitor, batch: Batch) -> None:
    file = owner.get("/admin/batches?format=csv")

    assert file.mimetype == "text/csv"
    assert "七月到货" in file.text


def test_a_batch_is_frozen_and_sold_again(owner: Visitor, batch: Batch) -> None:
    url = f"/admin/batches/{batch.id}"
    assert location(owner.post(f"{url}/freezing", WHY)) == url
    assert state(batch) == BatchState.FROZEN

    owner.post(f"{url}/freezing/deletion", {"reason": "核对后没有问题"})

    assert state(batch) == BatchState.OPEN
    page = words(owner.get(url))
    for part in ("冻结批次", "解冻批次", "供应商通知有坏卡", "成员"):
        assert part in page


def test_without_a_reason_nothing_happens(owner: Visitor, batch: Batch) -> None:
    url = location(owner.post(f"/admin/batches/{batch.id}/freezing", {"reason": ""}))

    assert "请写明原因" in words(owner.get(url))
    assert state(batch) == BatchState.OPEN


def test_a_void_batch_offers_nothing_more(owner: Visitor, batch: Batch) -> None:
    owner.post(f"/admin/batches/{batch.id}/voiding", WHY)
    factories.work()

    page = owner.get(f"/admin/batches/{batch.id}")
    assert state(batch) == BatchState.VOID
    assert "/voiding" not in page.text
    assert "/expiry" not in page.text


@pytest.mark.parametrize(
    ("day", "sentence"), [("2099-01-01", "日期已更改"), ("soon", "请填写日期"), ("", "日期已更改")]
)
def test_the_last_day_is_changed(owner: Visitor, batch: Batch, day: str, sentence: str) -> None:
    url = location(owner.post(f"/admin/batches/{batch.id}/expiry", WHY | {"expires_on": day}))

    assert sentence in words(owner.get(url))


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.AUDITOR])
def test_who_may_look_may_not_touch(app: Flask, batch: Batch, role: Role) -> None:
    visitor = Visitor(app, people.make(role))

    page = visitor.get(f"/admin/batches/{batch.id}")

    assert page.status_code == 200
    assert "/freezing" not in page.text
    assert visitor.post(f"/admin/batches/{batch.id}/freezing", WHY).status_code == 403


def test_there_is_no_such_batch(owner: Visitor) -> None:
    assert owner.get("/admin/batches/999").status_code == 404


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_void_batch_is_shredded(owner: Visitor, app: Flask) -> None:
    """By an owner alone; the buyer of one of its codes hears why she sees it no more."""
    buyer = Visitor(app)
    buyer.post("/orders", checkout(factories.make_product(codes=3)))
    payment = session.scalars(sa.select(Payment)).one()
    number = payment.order.number
    factories.settle(payment)
    url = f"/admin/batches/{session.scalars(sa.select(Batch.id)).one()}"
    assert "/shredding" not in owner.get(url).text
    owner.post(f"{url}/voiding", WHY)
    factories.work()
    operator = Visitor(app, people.make(Role.OPERATOR))
    assert "/shredding" not in operator.get(url).text
    assert operator.post(f"{url}/shredding", WHY).status_code == 403
    assert "1 条已售出" in words(owner.get(url))

    assert location(owner.post(f"{url}/shredding", WHY)) == url

    page = owner.get(url)
    for part in ("谁也打不开了", "密钥已销毁", "销毁批次密钥"):
        assert part in words(page)
    assert "/shredding" not in page.text
    for path in ("reveal", "download"):
        refused = buyer.post(f"/orders/{number}/{path}")
        assert refused.status_code == 409
        assert "已被彻底销毁" in words(refused)
    code_id = session.scalars(sa.select(Code.id).where(Code.sold_at.is_not(None))).one()
    refused = owner.post(f"/admin/orders/{number}/codes/{code_id}/reveal", {"reason": "核对坏卡"})
    assert "已被彻底销毁" in words(refused)
