"""What is for sale: categories, products and their pictures; and the merchant's preferences."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core import clock, db


class Category(db.Model):
    __tablename__ = "categories"

    id: Mapped[db.PrimaryKey]
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    position: Mapped[int] = mapped_column(default=0)


class ProductState(StrEnum):
    """Drafts and products off sale cannot be bought; an archived one is gone from every list."""

    DRAFT = "draft"
    ON_SALE = "on_sale"
    OFF_SALE = "off_sale"
    ARCHIVED = "archived"


class Picture(db.Model):
    """A product's picture, re-encoded by us, so nothing of the uploaded file is served."""

    __tablename__ = "pictures"

    id: Mapped[db.PrimaryKey]
    digest: Mapped[str] = mapped_column(unique=True)
    content_type: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    content: Mapped[bytes] = mapped_column(deferred=True)


class Product(db.Model):
    """Money in minor units of `currency`. How many are left is counted from codes."""

    __tablename__ = "products"
    __table_args__ = (
        sa.CheckConstraint("price > 0", name="price_positive"),
        sa.CheckConstraint("compare_at IS NULL OR compare_at > price", name="compare_at_higher"),
        sa.CheckConstraint("min_per_order >= 1", name="min_per_order"),
        sa.CheckConstraint("max_per_order >= min_per_order", name="max_per_order"),
    )

    MOVES = {
        ProductState.DRAFT: {ProductState.ON_SALE, ProductState.ARCHIVED},
        ProductState.ON_SALE: {ProductState.OFF_SALE},
        ProductState.OFF_SALE: {ProductState.ON_SALE, ProductState.ARCHIVED},
        ProductState.ARCHIVED: {ProductState.OFF_SALE},
    }

    id: Mapped[db.PrimaryKey]
    slug: Mapped[str] = mapped_column(unique=True)
    state: Mapped[ProductState] = mapped_column(default=ProductState.DRAFT, index=True)
    category_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Category.id), index=True)
    picture_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Picture.id))
    name: Mapped[str]
    summary: Mapped[str] = mapped_column(default="")
    # Sanitised HTML.
    description: Mapped[str] = mapped_column(default="")
    # How to use the code, shown with it; plain text.
    instructions: Mapped[str] = mapped_column(default="")
    # Where the code is used.
    use_url: Mapped[str] = mapped_column(default="")
    currency: Mapped[str] = mapped_column(default="CNY")
    price: Mapped[int]
    compare_at: Mapped[int | None]
    min_per_order: Mapped[int] = mapped_column(default=1)
    max_per_order: Mapped[int] = mapped_column(default=10)
    # In the whole of a buyer's history (by contact); NULL is no limit.
    max_per_buyer: Mapped[int | None]
    low_stock_at: Mapped[int] = mapped_column(default=10)
    # Whether letter case tells two of its codes apart.
    codes_case_sensitive: Mapped[bool] = mapped_column(default=True)
    position: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    updated_at: Mapped[datetime] = mapped_column(default=clock.now, onupdate=clock.now)

    category: Mapped[Category | None] = relationship(lazy="joined")


class Preference(db.Model):
    """One thing the merchant decides, in the words of the console's settings page."""

    __tablename__ = "preferences"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
