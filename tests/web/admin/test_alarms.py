"""An alarm in the console: what it says, whom it concerns, and what is done about it at once."""

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.db import session, transaction
from app.domain.accounts.models import Role
from app.domain.catalog.models import Product
from app.domain.vault import canaries, own_codes, watching
from app.domain.vault.models import Batch, BatchState, Code, CodeState
from tests import factories, people
from tests.web.visitors import Visitor, location, words

pytestmark = [
    pytest.mark.usefixtures("audited"),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]


def with_canary() -> tuple[Batch, str]:
    """A batch of five, of which one has been sold, with a canary besides; and that canary."""
    product = factories.make_product(codes=0, name="点数卡")
    canary = own_codes.generate(1)[0]

    def make() -> Batch:
        batch = factories.add_batch(
            product, [*own_codes.generate(5), canary], name="七月到货", is_generated=True
        )
        session.refresh(batch)
        planted = session.scalars(sa.select(Code.id).where(Code.last_four == canary[-4:])).one()
        canaries.add(batch, [planted])
        return batch

    batch = transaction(make)
    factories.buy(product, phone="13812345678")
    return batch, canary


def test_a_thief_who_types_a_canary_starts_it_and_the_owner_ends_it(
    app: Flask, owner: Visitor, guest: Visitor
) -> None:
    batch, canary = with_canary()

    said = words(guest.post("/redeem", {"code": canary}))
    assert said == words(guest.post("/redeem", {"code": canary}))

    assert "泄漏警报 1" in words(owner.get("/admin/"))
    assert "七月到货" in words(owner.get("/admin/alarms?state=open"))
    url = "/admin/alarms/1"
    page = words(owner.get(url))
    for part in ("诱饵卡密被使用", "已停止出售", "138****5678", "没卖出 4", "次数 2"):
        assert part in page, page
    session.rollback()
    session.expire_all()
    assert session.get_one(Batch, batch.id).state == BatchState.FROZEN

    restock = own_codes.generate(2)
    transaction(lambda: factories.add_batch(session.get_one(Product, batch.product_id), restock))
    owner.post(f"{url}/replacement", {"reason": "疑似泄漏"})
    assert "正在为 1 条卡密换新" in words(owner.get(url))
    factories.work()
    page = words(owner.get(url))
    assert "最近 30 天卖出 1" in page and "已换新 1" in page and "缺货没换 0" in page, page
    assert f"{url}/replacement" not in owner.get(url).text

    assert location(owner.post(f"{url}/recall", {"reason": "怀疑被抄走"})) == url
    factories.work()
    session.expire_all()
    voided = session.scalars(sa.select(Code.id).where(Code.state == CodeState.VOID)).all()
    # The four that were left, the canary, and what its buyer had.
    assert len(voided) == 6
    assert location(owner.post(f"{url}/closing", {"reason": "已经换新"})) == url
    assert "已关闭" in words(owner.get(url))
    owner.post(f"{url}/closing", {"reason": "再关一次"})
    assert "已经处理过" in words(owner.get(url))


def test_a_member_of_staff_who_is_stopped_hears_why(
    app: Flask, owner: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "MOST_AN_HOUR", 1)
    monkeypatch.setattr(watching, "MOST_A_NIGHT_HOUR", 1)
    order = factories.buy(factories.make_product())
    code_id = session.scalars(sa.select(Code.id).where(Code.sold_at.is_not(None))).one()
    support = Visitor(app, people.make(Role.SUPPORT))
    url = f"/admin/orders/{order.number}/codes/{code_id}/reveal"

    assert support.post(url, {"reason": "买家说打不开"}).status_code == 200
    stopped = support.post(url, {"reason": "买家说打不开"})

    assert stopped.status_code == 409 and "你查看的卡密异常多" in words(stopped)
    assert "店员查看异常多" in words(owner.get("/admin/alarms/1"))


@pytest.mark.parametrize(
    ("language", "said", "told"),
    [
        ("zh", "你申请的卡密导出异常多", ("店员导出异常多", "后台申请导出", "看导出记录")),
        (
            "en",
            "You have asked for unusually many exports",
            (
                "A member of staff asked for unusually many exports",
                "Asked for an export in the console",
                "See the exports",
            ),
        ),
    ],
)
def test_who_asks_for_too_many_exports_hears_that_and_so_does_the_owner(
    app: Flask,
    owner: Visitor,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    said: str,
    told: tuple[str, ...],
) -> None:
    monkeypatch.setattr(watching, "MOST_EXPORTS_A_DAY", 1)
    monkeypatch.setattr(watching, "MOST_EXPORTS_A_NIGHT", 1)
    factories.make_product()
    operator = Visitor(app, people.make(Role.OPERATOR))
    for visitor in (operator, owner):
        visitor.client.set_cookie("language", language)
    batch_id = session.scalars(sa.select(Batch.id)).one()
    session.rollback()
    url, wanted = f"/admin/batches/{batch_id}/exports", {"quantity": "1", "reason": "交给线下门店"}

    assert operator.post(url, wanted).status_code == 303
    stopped = operator.post(url, wanted)

    assert stopped.status_code == 409 and said in words(stopped)
    assert told[0] in words(owner.get("/admin/alarms"))
    page = words(owner.get("/admin/alarms/1"))
    assert not [one for one in told if one not in page]
