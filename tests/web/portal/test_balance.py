"""The balance in the portal: filled, spent at tier price, each code and account accounted for."""

import io
import re

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.domain.accounts.models import Person, Role
from app.domain.catalog import offers, preferences
from app.domain.catalog.models import AccountFormat, ProductKind
from app.domain.catalog.offers import OfferFields
from app.domain.channels import joining, tiers
from app.domain.channels.models import Distributor
from app.domain.orders import queries
from app.domain.vault import queries as vault
from app.providers.recharges.interface import Outcome
from tests import factories, people, sellers, trade
from tests.fake_provider import ObedientProvider, add_provider, speaking
from tests.locked_zips import opened
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def seller(app: Flask, discount_bp: int = 1_000) -> tuple[Person, Distributor, Visitor]:
    person = people.make()
    made = sellers.make(person)
    tier_id, fields = made.tier_id, tiers.TierFields("银牌", 0, discount_bp)
    transaction(lambda: tiers.change(tier_id, fields))
    return person, sellers.fresh(made.id), Visitor(app, person)


def fields(page: str) -> dict[str, str]:
    """What the page's form of a purchase sends by itself."""
    return dict(re.findall(r'name="(key|product|price)" value="([^"]+)"', page))


def test_a_transfer_that_staff_confirm_fills_it(app: Flask) -> None:
    _person, holder, visitor = seller(app)
    transaction(lambda: preferences.change({"bank_account": "招商银行 6225"}))
    form = fields(visitor.get("/portal/top-ups/new").text)
    for amount, sentence in (("9.99", "每次可以充值 10 到 50000 元"), ("x", "例如"), ("", "例如")):
        page = visitor.post("/portal/top-ups", form | {"amount": amount, "channel": "transfer"})
        assert page.status_code == 422 and sentence in words(page)
    sent = form | {"quick": "500", "channel": "transfer"}
    first = location(visitor.post("/portal/top-ups", sent))
    assert location(visitor.post("/portal/top-ups", sent)) == first
    page = words(visitor.get(first))
    assert "招商银行 6225" in page and "到账后存入进货余额" in page and "卡密" not in page

    number = first.rpartition("/")[2]
    payment = queries.payments_of(queries.find(number).id)[0]
    console = Visitor(app, people.make(Role.OWNER))
    assert "余额充值" in words(console.get("/admin/orders?needs=transfer"))
    console.post(
        f"/admin/orders/{number}/payments/{payment.id}/confirmation",
        {"amount": "500", "trade_number": "BANK-0001"},
    )

    assert trade.has(holder) == 50_000
    assert "已存入进货余额" in words(visitor.get(first))
    page = visitor.get("/portal/balance")
    assert "¥ 500.00" in words(page) and f'href="{first}"' in page.text
    assert number not in visitor.get("/wallet").text
    assert "¥ 500.00" in words(console.get(f"/admin/distributors/{holder.uid}"))
    order = f"/admin/orders/{number}"
    assert "余额充值" in words(console.get(order))
    line = {"line": str(queries.find(number).lines[0].id), "reason": "多充了"}
    console.post(f"{order}/refunds", line | {"amount": "200"})
    assert trade.has(holder) == 30_000 and "退款中" in words(console.get(order))
    assert "~balance" not in console.get("/admin/products?state=archived").text


def test_codes_at_tier_price_are_seen_and_downloaded_under_a_password(app: Flask) -> None:
    _person, holder, visitor = seller(app)
    product = factories.make_product(codes=9, price=999, name="视频会员")
    form = fields(visitor.get(f"/portal/purchases/new?product={product.slug}").text)
    assert "¥ 8.99" in words(visitor.get("/portal/prices"))
    sent = form | {"quantity": "3"}
    short = visitor.post("/portal/purchases", sent)
    assert short.status_code == 422 and "还差 26.97 元" in words(short)
    assert "/portal/top-ups/new" in short.text and 'value="3"' in short.text

    trade.fill(holder, 3_000)
    visitor.post("/portal/balance/limit", {"limit": "10"})
    first = location(visitor.post("/portal/purchases", sent))
    assert location(visitor.post("/portal/purchases", sent)) == first, "a double tap"
    assert trade.has(holder) == 303

    page = visitor.get(first)
    assert "等级优惠 10%" in words(page) and "进货余额低于" in words(page)
    order = queries.find(first.rpartition("/")[2])
    assert visitor.post(f"{first}/download", {"password": "short"}).status_code == 422
    file = visitor.post(f"{first}/download", {"password": "a long password"})
    assert file.headers["Cache-Control"] == "no-store"
    name, text = opened(file.data, "a long password")
    lines = text.decode("utf-8-sig").split()
    assert name == f"{order.number}.txt" and len(lines) == 3
    assert [line[-4:] for line in lines] == [
        code.last_four for code in vault.codes_of([order.lines[0].id])
    ]
    session.rollback()
    about = sa.select(AuditEntry).where(AuditEntry.action == "purchase.download")
    noted = session.scalars(about).one()
    assert (noted.subject_id, noted.detail) == (order.id, {"codes": 3})
    seen = visitor.post(f"/orders/{order.number}/reveal")
    assert seen.text.count('data-testid="code"') == 3
    assert "视频会员 × 3" in words(visitor.get("/portal/purchases"))


def test_a_file_of_accounts_is_judged_bought_and_followed(app: Flask) -> None:
    _person, holder, visitor = seller(app)
    supplier = ObedientProvider(submits=[Outcome.DELIVERED, Outcome.REFUSED])
    with speaking(first=supplier):
        provider = add_provider("first")
        product = factories.make_product(
            codes=0, kind=ProductKind.RECHARGE, account_format=AccountFormat.PHONE, name="话费"
        )
        wanted = OfferFields(provider.id, "S1", 2000)
        transaction(lambda: offers.add_offer(product.id, wanted))
        factories.work()
        trade.fill(holder, 6_000)
        form = fields(visitor.get(f"/portal/purchases/new?product={product.slug}").text)
        table = "手机号,数量\r\n13912340001,1\r\n1391234,1\r\n13912340002\r\n"
        file = (io.BytesIO(table.encode("gb18030")), "客户.csv")

        preview = visitor.post("/portal/purchases/preview", form | {"file": file})

        assert "2 行可以充，1 行有问题" in words(preview) and "1391234,1" in words(preview)
        assert trade.has(holder) == 6_000
        good = re.search(r'<textarea name="accounts" hidden>([^<]+)<', preview.text)
        assert good is not None
        bad = visitor.post("/portal/purchases", form | {"accounts": table})
        assert bad.status_code == 422 and "先预览" in words(bad)
        place = location(visitor.post("/portal/purchases", form | {"accounts": good[1]}))
        assert "2 个进行中" in words(visitor.get(place))
        factories.work()

    page = words(visitor.get(place))
    assert "1 个到账，1 个失败，0 个进行中" in page and "已退回余额 ¥27.00" in page
    assert "hx-trigger" not in visitor.get(place, headers={"HX-Request": "true"}).text
    assert trade.has(holder) == 3_300
    file_of_results = visitor.get(f"{place}/results.csv").text.splitlines()
    assert file_of_results[1].startswith("1,13912340001,1,已到账,")
    assert file_of_results[2].endswith(",27.00,27.00")
    # A list of accounts has its page here, whichever link is followed.
    assert location(visitor.get(f"/orders/{place.rpartition('/')[2]}")) == place


def test_who_is_suspended_keeps_what_she_has_and_buys_nothing(app: Flask) -> None:
    _person, holder, visitor = seller(app)
    product = factories.make_product()
    trade.fill(holder, 5_000)
    form = fields(visitor.get(f"/portal/purchases/new?product={product.slug}").text)
    sellers.decide(holder, joining.suspend, "投诉")

    assert "¥ 50.00" in words(visitor.get("/portal/balance"))
    for path in ("purchases", "top-ups", "purchases/preview"):
        assert location(visitor.post(f"/portal/{path}", form)) == "/portal/application"
    assert trade.has(holder) == 5_000
