"""The verbs of the catalogue: what they change, refuse and write down."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.core.errors import Conflict, NotFound, Refusal
from app.domain.catalog import queries, service
from app.domain.catalog.models import Product, ProductState
from app.domain.catalog.rules import ProductFields

FIELDS = ProductFields(name="视频会员月卡", price=1500)


def create(fields: ProductFields = FIELDS) -> Product:
    return transaction(lambda: service.create_product(fields))


def put_on_sale(fields: ProductFields = FIELDS) -> Product:
    product = create(fields)
    transaction(lambda: service.put_on_sale(product.id))
    return product


def last_audit() -> tuple[str, dict[str, Any]]:
    entry = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    return entry.action, entry.detail


def names(found: sa.Select[tuple[Product]]) -> list[str]:
    return [product.name for product in session.scalars(found)]


def test_a_product_begins_as_a_draft_with_a_slug_of_its_own(app: Flask) -> None:
    product, other = create(), create()

    assert product.state == ProductState.DRAFT
    assert product.slug
    assert product.slug != other.slug
    with pytest.raises(NotFound):
        queries.find_public(product.slug)


def test_the_first_fault_is_refused_and_nothing_is_kept(app: Flask) -> None:
    with pytest.raises(Refusal) as refused:
        create(replace(FIELDS, price=0))

    assert refused.value.field == "price"
    assert names(queries.products()) == []


def test_a_price_change_is_written_down_before_and_after(app: Flask) -> None:
    product = create()

    transaction(lambda: service.change_product(product.id, replace(FIELDS, price=1200)))

    assert last_audit() == ("product.change", {"price": [1500, 1200]})


def test_saving_without_a_change_writes_nothing_down(app: Flask) -> None:
    product = create()

    transaction(lambda: service.change_product(product.id, FIELDS))

    assert last_audit()[0] == "product.create"


def test_a_colleagues_change_is_not_undone_unseen(app: Flask) -> None:
    product = create()
    seen_at = product.updated_at
    transaction(lambda: service.change_product(product.id, replace(FIELDS, price=1200)))

    with pytest.raises(Conflict):
        transaction(lambda: service.change_product(product.id, FIELDS, seen_at=seen_at))

    assert queries.find_product(product.id).price == 1200


def test_what_was_seen_just_now_may_be_changed(app: Flask) -> None:
    product = create()
    session.rollback()
    seen_at = queries.find_product(product.id).updated_at

    changed = transaction(
        lambda: service.change_product(product.id, replace(FIELDS, name="年卡"), seen_at=seen_at)
    )

    assert changed.name == "年卡"
    assert changed.updated_at - seen_at < timedelta(minutes=1)


def test_a_slug_belongs_to_one_product(app: Flask) -> None:
    create(replace(FIELDS, slug="vip"))

    with pytest.raises(Refusal) as refused:
        create(replace(FIELDS, slug="vip"))

    assert refused.value.field == "slug"


def test_a_shared_link_survives_an_emptied_slug_field(app: Flask) -> None:
    product = create(replace(FIELDS, slug="vip"))

    transaction(lambda: service.change_product(product.id, FIELDS))

    assert queries.find_product(product.id).slug == "vip"


def test_on_sale_off_sale_archived(app: Flask) -> None:
    product = put_on_sale()
    assert names(queries.on_sale()) == ["视频会员月卡"]

    transaction(lambda: service.take_off_sale(product.id))
    assert names(queries.on_sale()) == []
    assert queries.find_public(product.slug).state == ProductState.OFF_SALE

    transaction(lambda: service.archive(product.id))
    assert names(queries.products()) == []
    assert names(queries.products(state=ProductState.ARCHIVED)) == ["视频会员月卡"]
    with pytest.raises(NotFound):
        queries.find_public(product.slug)


def test_a_second_tap_changes_nothing_and_a_wrong_move_is_refused(app: Flask) -> None:
    product = put_on_sale()

    transaction(lambda: service.put_on_sale(product.id))

    with pytest.raises(Conflict):
        transaction(lambda: service.archive(product.id))


def test_search_takes_signs_for_what_they_are(app: Flask) -> None:
    put_on_sale(replace(FIELDS, name="100%_纯卡"))
    put_on_sale(replace(FIELDS, name="1000 点"))

    assert names(queries.on_sale(text="100%_")) == ["100%_纯卡"]


def test_a_category_shows_in_the_shop_once_something_in_it_is_on_sale(app: Flask) -> None:
    category = transaction(lambda: service.create_category("会员"))
    transaction(lambda: service.create_category("空的"))
    product = put_on_sale(replace(FIELDS, category_id=category.id))

    assert [found.name for found in queries.list_categories()] == ["会员", "空的"]
    assert [found.name for found in queries.list_categories_on_sale()] == ["会员"]
    assert names(queries.on_sale(category_id=category.id)) == [product.name]
    assert queries.count_products_by_category() == {category.id: 1}


def test_a_category_in_use_is_not_removed(app: Flask) -> None:
    category = transaction(lambda: service.create_category("会员"))
    create(replace(FIELDS, category_id=category.id))

    with pytest.raises(Conflict):
        transaction(lambda: service.remove_category(category.id))


def test_an_empty_category_is_renamed_and_removed(app: Flask) -> None:
    category = transaction(lambda: service.create_category("会员", slug="vip"))

    transaction(lambda: service.change_category(category.id, name="年卡", slug="year", position=5))
    assert queries.find_category("year").name == "年卡"

    transaction(lambda: service.remove_category(category.id))
    assert queries.list_categories() == []
    assert last_audit() == ("category.remove", {"name": "年卡"})


def test_a_category_that_is_gone_is_refused(app: Flask) -> None:
    with pytest.raises(Refusal) as refused:
        create(replace(FIELDS, category_id=99))

    assert refused.value.field == "category_id"
