"""How products and categories are found and locked."""

from collections.abc import Sequence

import sqlalchemy as sa

from app.core.db import session
from app.core.errors import N_, NotFound
from app.domain.catalog.models import (
    Category,
    Offer,
    Picture,
    PolicyVersion,
    Product,
    ProductKind,
    ProductState,
    RechargeProvider,
)

# A link that was shared stays good after the product went off sale; the page then says so.
PUBLIC = (ProductState.ON_SALE, ProductState.OFF_SALE)


def products(
    *, text: str = "", state: ProductState | None = None, category_id: int | None = None
) -> sa.Select[Product]:
    """Products for the console, newest first in their position; archived ones only by `state`."""
    found = sa.select(Product).order_by(Product.position, Product.id.desc())
    if text:
        found = found.where(_matches(text))
    if category_id is not None:
        found = found.where(Product.category_id == category_id)
    if state is not None:
        return found.where(Product.state == state)
    return found.where(Product.state != ProductState.ARCHIVED)


def on_sale(*, text: str = "", category_id: int | None = None) -> sa.Select[Product]:
    """Products a buyer may choose from, in the merchant's order."""
    return products(text=text, state=ProductState.ON_SALE, category_id=category_id)


_FIND_PUBLIC = sa.select(Product).where(
    Product.slug == sa.bindparam("slug"), Product.state.in_(PUBLIC)
)


def find_public(slug: str) -> Product:
    """The product behind a shop link, on sale or no longer; raises NotFound."""
    product = session.scalar(_FIND_PUBLIC, {"slug": slug})
    if product is None:
        raise NotFound(N_("没有找到这个商品"))
    return product


def find_product(product_id: int) -> Product:
    """Any product, for staff; raises NotFound."""
    product = session.get(Product, product_id)
    if product is None or product.kind == ProductKind.BALANCE:
        raise NotFound(N_("没有找到这个商品"))
    return product


def lock_product(product_id: int) -> Product:
    """The product as it is now, locked until the unit ends; raises NotFound."""
    product = session.scalar(
        sa.select(Product)
        .where(Product.id == product_id, Product.kind != ProductKind.BALANCE)
        .with_for_update(of=Product)
        .execution_options(populate_existing=True)
    )
    if product is None:
        raise NotFound(N_("没有找到这个商品"))
    return product


def list_categories() -> list[Category]:
    """Every category in the merchant's order."""
    return list(session.scalars(sa.select(Category).order_by(Category.position, Category.id)))


def list_categories_on_sale() -> list[Category]:
    """The categories in which there is something to buy."""
    has_product = sa.exists().where(
        Product.category_id == Category.id, Product.state == ProductState.ON_SALE
    )
    ordered = sa.select(Category).where(has_product).order_by(Category.position, Category.id)
    return list(session.scalars(ordered))


def find_category(slug: str) -> Category:
    """The category behind a shop link; raises NotFound."""
    category = session.scalar(sa.select(Category).where(Category.slug == slug))
    if category is None:
        raise NotFound(N_("没有找到这个分类"))
    return category


def lock_category(category_id: int) -> Category:
    """The category as it is now, locked until the unit ends; raises NotFound."""
    category = session.get(Category, category_id, with_for_update=True, populate_existing=True)
    if category is None:
        raise NotFound(N_("没有找到这个分类"))
    return category


def count_products_by_category() -> dict[int, int]:
    """How many products that are not archived each category has."""
    rows = session.execute(
        sa.select(Product.category_id, sa.func.count())
        .where(Product.category_id.is_not(None), Product.state != ProductState.ARCHIVED)
        .group_by(Product.category_id)
    )
    return {category_id: count for category_id, count in rows if category_id is not None}


def picture_digests(product_list: list[Product]) -> dict[int, str]:
    """The picture's digest of each product that has one, by product id; never loads a picture."""
    wanted = [product.picture_id for product in product_list if product.picture_id]
    rows = session.execute(sa.select(Picture.id, Picture.digest).where(Picture.id.in_(wanted)))
    digests = dict(rows.all())
    return {
        product.id: digests[product.picture_id]
        for product in product_list
        if product.picture_id in digests
    }


def _matches(text: str) -> sa.ColumnElement[bool]:
    return sa.or_(
        Product.name.icontains(text, autoescape=True),
        Product.summary.icontains(text, autoescape=True),
        Product.slug == text,
    )


def policy_of(product_id: int) -> PolicyVersion | None:
    """The rules of use under which the product is sold now: the newest version."""
    return session.scalar(
        sa.select(PolicyVersion)
        .where(PolicyVersion.product_id == product_id)
        .order_by(PolicyVersion.version.desc())
        .limit(1)
    )


def offers_of(product_id: int) -> list[Offer]:
    """Every offer of a product, in the order in which they are asked."""
    return list(
        session.scalars(
            sa.select(Offer)
            .where(Offer.product_id == product_id)
            .order_by(Offer.priority, Offer.cost, Offer.id)
        )
    )


def live_offers_of(product_ids: Sequence[int]) -> set[int]:
    """Which of these products have an offer that is switched on, at a provider that is."""
    rows = session.scalars(
        sa.select(Offer.product_id)
        .join(RechargeProvider, RechargeProvider.id == Offer.provider_id)
        .where(Offer.product_id.in_(product_ids), Offer.is_on, RechargeProvider.is_on)
        .distinct()
    )
    return set(rows)
