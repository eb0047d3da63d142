"""What is for sale: categories, products, their pictures, rules of use and suppliers' offers; and
the merchant's preferences."""

from datetime import datetime
from enum import StrEnum
from typing import Any

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


class ProductKind(StrEnum):
    """What a buyer gets.

    KEY: a third party's code, sold as it is. REDEEM: our code, good for a benefit that a provider
    delivers. MULTI: a pass of so many uses at the counter. PERIOD: a pass for a time. RECHARGE: no
    code at all, the benefit arrives in the account she names. BALANCE: a distributor's top-up; one
    such product there is, which is in no list and which nobody edits.
    """

    KEY = "key"
    REDEEM = "redeem"
    MULTI = "multi"
    PERIOD = "period"
    RECHARGE = "recharge"
    BALANCE = "balance"


# What is delivered as codes from the vault.
CODED = (ProductKind.KEY, ProductKind.REDEEM, ProductKind.MULTI, ProductKind.PERIOD)
# What is ours to honour: such a code is redeemed here.
REDEEMABLE = (ProductKind.REDEEM, ProductKind.MULTI, ProductKind.PERIOD)
PASSES = (ProductKind.MULTI, ProductKind.PERIOD)
# What a provider delivers into somebody's account.
RECHARGED = (ProductKind.REDEEM, ProductKind.RECHARGE)


class AccountFormat(StrEnum):
    """What an account that is recharged looks like; PLATFORM is any short name."""

    PHONE = "phone"
    QQ = "qq"
    EMAIL = "email"
    PLATFORM = "platform"


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
    # Fixed once something was sold or stocked: it decides what a line of an order means.
    kind: Mapped[ProductKind] = mapped_column(default=ProductKind.KEY)
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
    # What is recharged, for kinds that are; and what it is called, if not by its format's name.
    account_format: Mapped[AccountFormat | None]
    account_label: Mapped[str] = mapped_column(default="")
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


class PolicyVersion(db.Model):
    """One version of a product's rules of use. The newest holds for what is sold from now on; none
    is ever changed, because what was sold names its own."""

    __tablename__ = "policies"
    __table_args__ = (sa.UniqueConstraint("product_id", "version"),)

    id: Mapped[db.PrimaryKey]
    product_id: Mapped[int] = mapped_column(sa.ForeignKey(Product.id))
    version: Mapped[int]
    # redemptions.validity.Policy, as JSON.
    rules: Mapped[dict[str, Any]]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class RechargeProvider(db.Model):
    """Our account at one supplier that recharges: which adapter speaks to it, and how."""

    __tablename__ = "recharge_providers"
    __table_args__ = (
        sa.CheckConstraint("concurrency > 0", name="concurrency_positive"),
        sa.CheckConstraint("per_minute > 0", name="per_minute_positive"),
    )

    id: Mapped[db.PrimaryKey]
    # In its callback's address.
    slug: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    adapter: Mapped[str]
    # The adapter's fields as JSON, secrets among them, sealed to this row's slug.
    sealed: Mapped[bytes]
    is_on: Mapped[bool] = mapped_column(default=True)
    # How many calls may be under way at once, and begun within a minute.
    concurrency: Mapped[int] = mapped_column(default=8)
    per_minute: Mapped[int] = mapped_column(default=600)
    # What is left of our deposit, as the provider last said; and when staff want to be told.
    balance: Mapped[int | None]
    balance_at: Mapped[datetime | None]
    low_balance_at: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class Offer(db.Model):
    """A provider can deliver a product: under which number there, at what cost, in which order."""

    __tablename__ = "offers"
    __table_args__ = (
        sa.UniqueConstraint("product_id", "provider_id", "sku"),
        sa.CheckConstraint("cost >= 0", name="cost_not_negative"),
    )

    id: Mapped[db.PrimaryKey]
    product_id: Mapped[int] = mapped_column(sa.ForeignKey(Product.id))
    provider_id: Mapped[int] = mapped_column(sa.ForeignKey(RechargeProvider.id), index=True)
    sku: Mapped[str]
    # What one costs, in minor units of the product's currency.
    cost: Mapped[int]
    # The lowest is asked first; among equals the cheapest.
    priority: Mapped[int] = mapped_column(default=1)
    is_on: Mapped[bool] = mapped_column(default=True)

    provider: Mapped[RechargeProvider] = relationship(lazy="joined")


class Preference(db.Model):
    """One thing the merchant decides, in the words of the console's settings page."""

    __tablename__ = "preferences"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str]
