"""The verbs of the catalogue. Each leaves an audit row that says what was before and after."""

from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from app.core import audit, db
from app.core.db import require_transaction, session
from app.core.errors import N_, Conflict, Refusal
from app.core.states import can_move, move
from app.domain.catalog import pictures, rules
from app.domain.catalog.models import Category, Product, ProductKind, ProductState
from app.domain.catalog.queries import lock_category, lock_product, policy_of
from app.domain.catalog.rules import ProductFields

# No product of a merchant's can be called so.
TOP_UP_SLUG = "~balance"
# Written to the audit log as "changed" only: they are long, and the page shows them anyway.
LONG_TEXTS = {"description", "instructions"}


def create_product(fields: ProductFields) -> Product:
    """A new draft; raises Refusal for the first fault of its fields."""
    product = Product(**_checked(fields))
    product.slug = product.slug or _free_slug()
    _refuse_taken_slug(product.slug, None)
    session.add(product)
    session.flush()
    audit.record("product.create", "products", product.id, name=product.name, price=product.price)
    return product


def change_product(
    product_id: int, fields: ProductFields, *, seen_at: datetime | None = None
) -> Product:
    """Change what staff decide about a product.

    Raises Refusal for the first fault, and Conflict when it was changed after `seen_at`: whoever
    typed over an old page would undo a colleague's price without knowing.
    """
    product = lock_product(product_id)
    if seen_at is not None and product.updated_at != seen_at:
        raise Conflict(N_("这个商品刚被别人修改过，请刷新页面后再改"))
    values = _checked(fields)
    if fields.kind != product.kind and _is_in_use(product.id):
        raise Conflict(N_("已经有批次或订单的商品不能改类型，请新建一个商品"), field="kind")
    values["slug"] = values["slug"] or product.slug
    _refuse_taken_slug(values["slug"], product.id)
    changes = _apply(product, values)
    if changes:
        audit.record("product.change", "products", product.id, **changes)
    session.flush()
    session.expire(product, ["category"])
    return product


def top_up_product(name: str) -> Product:
    """What a distributor's top-up is a line of; made at the first one, in no list of any face."""
    db.insert_once(
        Product,
        "slug",
        slug=TOP_UP_SLUG,
        kind=ProductKind.BALANCE,
        state=ProductState.ARCHIVED,
        name=name,
        price=1,
    )
    return session.scalars(sa.select(Product).where(Product.slug == TOP_UP_SLUG)).one()


def set_picture(product_id: int, drawn: pictures.Drawn | None) -> None:
    """Give the product a picture, or with None take it away."""
    product = lock_product(product_id)
    product.picture_id = None if drawn is None else pictures.keep(drawn)
    audit.record("product.picture", "products", product.id, has_picture=drawn is not None)


def put_on_sale(product_id: int) -> None:
    """Show and sell it from now on; without stock it is shown as sold out. Raises Conflict."""
    product = lock_product(product_id)
    policy = policy_of(product_id)
    if product.kind == ProductKind.MULTI and not (policy and policy.rules.get("uses_total")):
        raise Conflict(N_("次卡要先在“使用规则”里填写总次数"))
    _move(product_id, ProductState.ON_SALE)


def take_off_sale(product_id: int) -> None:
    """Sell no more of it; orders that were placed go on."""
    _move(product_id, ProductState.OFF_SALE)


def archive(product_id: int) -> None:
    """Take it out of every list; it must be off sale."""
    _move(product_id, ProductState.ARCHIVED)


def create_category(name: str, *, slug: str = "") -> Category:
    """A new category behind the others."""
    require_transaction()
    last = session.scalar(sa.select(sa.func.max(Category.position))) or 0
    category = Category(
        name=_category_name(name), slug=_category_slug(slug, None), position=last + 1
    )
    session.add(category)
    session.flush()
    audit.record("category.create", "categories", category.id, name=category.name)
    return category


def change_category(category_id: int, *, name: str, slug: str, position: int) -> None:
    category = lock_category(category_id)
    values = {"name": _category_name(name), "slug": slug or category.slug, "position": position}
    _category_slug(str(values["slug"]), category_id)
    changes = _apply(category, values)
    if changes:
        audit.record("category.change", "categories", category_id, **changes)
    session.flush()


def remove_category(category_id: int) -> None:
    """Remove an empty category; raises Conflict while products, archived ones too, are in it."""
    require_transaction()
    category = lock_category(category_id)
    in_use = sa.select(Product.id).where(Product.category_id == category_id).limit(1)
    if session.scalar(in_use) is not None:
        raise Conflict(N_("分类里还有商品，请先把它们移到别的分类"))
    session.delete(category)
    session.flush()
    audit.record("category.remove", "categories", category_id, name=category.name)


def _checked(fields: ProductFields) -> dict[str, Any]:
    for fault in rules.faults(fields):
        raise fault
    if fields.category_id is not None and session.get(Category, fields.category_id) is None:
        raise Refusal(N_("这个分类已经不在了，请重新选择"), field="category_id")
    return asdict(fields) | {"description": rules.safe_description(fields.description)}


def _apply(thing: Product | Category, values: dict[str, Any]) -> dict[str, Any]:
    """Set what differs; returns it as before → after, for the audit log."""
    changes: dict[str, Any] = {}
    for name, after in values.items():
        before = getattr(thing, name)
        if before != after:
            setattr(thing, name, after)
            changes[name] = "changed" if name in LONG_TEXTS else [before, after]
    return changes


def _move(product_id: int, to: ProductState) -> None:
    product = lock_product(product_id)
    if product.state == to:
        return
    if not can_move(product, to):
        raise Conflict(N_("商品现在的状态不能这样操作，请刷新页面查看"))
    before = product.state
    move(product, to)
    audit.record("product.state", "products", product.id, state=[before, to])


def _is_in_use(product_id: int) -> bool:
    """Whether anything was stocked or sold: the tables are of packages below, known by name."""
    return any(
        session.scalar(
            sa.select(sa.literal(1))
            .select_from(sa.table(table, sa.column("product_id")))
            .where(sa.column("product_id") == product_id)
            .limit(1)
        )
        for table in ("batches", "order_lines")
    )


def _free_slug() -> str:
    slug = rules.new_slug()
    while _slug_owner(Product, slug) is not None:
        slug = rules.new_slug()
    return slug


def _refuse_taken_slug(slug: str, product_id: int | None) -> None:
    if _slug_owner(Product, slug) not in (None, product_id):
        raise Refusal(N_("这个网址已经被别的商品用了"), field="slug")


def _category_name(name: str) -> str:
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= 20:
        raise Refusal(N_("分类名称要有 1 到 20 个字"), field="name")
    return cleaned


def _category_slug(slug: str, category_id: int | None) -> str:
    if slug and not rules.is_slug(slug):
        raise Refusal(N_("网址只能用小写字母、数字和连字符，最多 60 位"), field="slug")
    if slug and _slug_owner(Category, slug) not in (None, category_id):
        raise Refusal(N_("这个网址已经被别的分类用了"), field="slug")
    return slug or rules.new_slug()


def _slug_owner(model: type[Product] | type[Category], slug: str) -> int | None:
    return session.scalar(sa.select(model.id).where(model.slug == slug))
