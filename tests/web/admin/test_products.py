"""Products and categories in the console: made, changed, put on sale, shown with their picture."""

import io
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from PIL import Image
from werkzeug.test import TestResponse

from app.core.db import session, transaction
from app.domain.accounts.models import Role
from app.domain.catalog import queries, service
from app.domain.catalog.models import Category, Product, ProductState
from tests import factories, people
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

FORM = {
    "name": "视频会员月卡", "summary": "即买即用", "price": "15.90", "compare_at": "25",
    "description": "第一段\n\n第二段", "instructions": "打开 App", "use_url": "https://example.com",
    "min_per_order": "1", "max_per_order": "5", "max_per_buyer": "", "low_stock_at": "3",
    "position": "0", "slug": "", "category_id": "", "codes_case_sensitive": "1",
}  # fmt: skip


@pytest.fixture
def operator(app: Flask) -> Visitor:
    return Visitor(app, people.make(Role.OPERATOR))


def create(visitor: Visitor, **changes: Any) -> TestResponse:
    return visitor.post("/admin/products", FORM | changes)


def only_product() -> Product:
    session.rollback()
    session.expire_all()
    return session.scalars(sa.select(Product)).one()


def jpeg() -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", (600, 300), "teal").save(out, "JPEG")
    out.seek(0)
    return out


def test_a_product_is_made_and_put_on_sale(operator: Visitor) -> None:
    assert operator.get("/admin/products/new").status_code == 200

    url = location(create(operator))

    product = only_product()
    assert (product.price, product.compare_at, product.max_per_buyer) == (1590, 2500, None)
    assert product.description == "<p>第一段</p>\n<p>第二段</p>"
    assert product.state == ProductState.DRAFT
    operator.post(f"{url}/sale")
    assert only_product().state == ProductState.ON_SALE
    operator.post(f"{url}/sale/deletion")
    assert only_product().state == ProductState.OFF_SALE
    operator.post(f"{url}/archive")
    assert only_product().state == ProductState.ARCHIVED


def test_saving_what_the_form_shows_changes_nothing(operator: Visitor) -> None:
    url = location(create(operator))
    before = only_product().description

    operator.post(url, FORM | {"slug": only_product().slug})

    assert only_product().description == before


def test_all_faults_are_told_at_once_and_input_is_kept(operator: Visitor) -> None:
    response = create(
        operator, name="", price="abc", use_url="javascript:x", max_per_order="0", summary="留着"
    )

    assert response.status_code == 422
    for sentence in ("请填写商品名称", "请填写金额", "请填写完整网址", "要不少于每单最少数量"):
        assert sentence in words(response)
    assert 'value="abc"' in response.text
    assert 'value="留着"' in response.text
    assert session.scalars(sa.select(Product)).all() == []


def test_a_page_left_open_does_not_undo_a_colleagues_price(app: Flask, operator: Visitor) -> None:
    url = location(create(operator))
    seen_at = only_product().updated_at.isoformat()
    Visitor(app, people.make(Role.OPERATOR)).post(url, FORM | {"price": "9.90"})

    response = operator.post(url, FORM | {"seen_at": seen_at})

    assert response.status_code == 409
    assert "刚被别人修改过" in words(response)
    assert only_product().price == 990


def test_a_picture_is_drawn_again_and_served_for_ever(operator: Visitor) -> None:
    url = location(create(operator, picture=(jpeg(), "me.jpg")))
    digest = queries.picture_digests([only_product()])[only_product().id]
    assert f"/pictures/{digest}" in operator.get(url).text

    for path, width in ((f"/pictures/{digest}", 600), (f"/pictures/{digest}/small", 480)):
        served = operator.get(path)
        assert served.mimetype == "image/webp"
        assert "immutable" in served.headers["Cache-Control"]
        assert served.headers["X-Content-Type-Options"] == "nosniff"
        assert Image.open(io.BytesIO(served.data)).width == width

    operator.post(f"{url}/picture/deletion")
    assert only_product().picture_id is None


def test_what_is_no_picture_is_told_and_nothing_is_saved(operator: Visitor) -> None:
    response = create(operator, picture=(io.BytesIO(b"<svg onload=alert(1)>"), "x.svg"))

    assert response.status_code == 422
    assert "无法读取这张图片" in words(response)
    assert session.scalars(sa.select(Product)).all() == []


def test_an_unknown_picture_is_not_found(operator: Visitor) -> None:
    assert operator.get(f"/pictures/{'0' * 64}").status_code == 404


def test_the_list_is_filtered_and_shows_stock(operator: Visitor) -> None:
    factories.make_product(codes=2, name="快没了", low_stock_at=5)
    factories.make_product(codes=8, name="还很多", low_stock_at=5)

    low = words(operator.get("/admin/products?stock=low"))
    assert "快没了" in low
    assert "还很多" not in low
    for query in ("?q=很多", "?state=on_sale", "?sort=price"):
        assert "还很多" in words(operator.get(f"/admin/products{query}"))
    assert "还很多" not in words(operator.get("/admin/products?state=draft"))


@pytest.mark.parametrize("role", [Role.SUPPORT, Role.FINANCE, Role.AUDITOR])
def test_who_may_look_may_not_change(app: Flask, role: Role) -> None:
    product = factories.make_product(codes=0)
    visitor = Visitor(app, people.make(role))

    page = visitor.get(f"/admin/products/{product.id}")

    assert page.status_code == 200
    assert "保存商品" not in words(page)
    assert create(visitor).status_code == 403
    assert visitor.post(f"/admin/products/{product.id}/sale").status_code == 403


def test_categories_are_added_changed_and_removed(operator: Visitor) -> None:
    operator.post("/admin/categories", {"name": "会员"})
    category = session.scalars(sa.select(Category)).one()
    assert "会员" in words(operator.get("/admin/categories"))

    operator.post(
        f"/admin/categories/{category.id}", {"name": "年卡", "slug": "year", "position": "2"}
    )
    session.rollback()
    assert queries.find_category("year").name == "年卡"

    operator.post(f"/admin/categories/{category.id}/deletion")
    session.rollback()
    assert queries.list_categories() == []


@pytest.mark.parametrize(("name", "status"), [("", 422), ("长" * 21, 422)])
def test_a_category_needs_a_name_of_sane_length(operator: Visitor, name: str, status: int) -> None:
    assert operator.post("/admin/categories", {"name": name}).status_code == status


def test_a_category_in_use_stays(operator: Visitor) -> None:
    category = transaction(lambda: service.create_category("会员"))
    factories.make_product(codes=0, category_id=category.id)

    response = operator.post(f"/admin/categories/{category.id}/deletion")

    assert response.status_code == 409
    assert "分类里还有商品" in words(response)


def test_a_category_that_is_gone_is_not_found(operator: Visitor) -> None:
    assert operator.post("/admin/categories/999/deletion").status_code == 404
    assert operator.post("/admin/categories/999", {"name": "x"}).status_code == 404
