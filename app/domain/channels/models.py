"""Distributors, what they share, which order is whose, and the commission it earns."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core import clock, db
from app.domain.accounts.models import Person
from app.domain.catalog.models import Category, Product
from app.domain.orders.models import Order, OrderLine

# 禁止传销条例 art. 7 forbids pay on a downline's sales as such; the criminal line
# (公通字〔2013〕37号) begins at three levels, the organiser's own counted. So one level by default,
# two at most, and no setting for a third.
MAX_DEPTH = 2


class Tier(db.Model):
    """A level of distributors (等级), reached by net attributed sales in the last 90 days.

    Never by headcount: that would be pay for recruiting. `threshold` in minor units; `discount_bp`
    is what comes off the price when buying from balance, in basis points.
    """

    __tablename__ = "tiers"
    __table_args__ = (
        sa.CheckConstraint("threshold >= 0", name="threshold_not_negative"),
        sa.CheckConstraint("discount_bp BETWEEN 0 AND 9000", name="discount_within_price"),
    )

    id: Mapped[db.PrimaryKey]
    name: Mapped[str] = mapped_column(unique=True)
    threshold: Mapped[int] = mapped_column(unique=True)
    discount_bp: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class DistributorState(StrEnum):
    APPLIED = "applied"
    ACTIVE = "active"
    SUSPENDED = "suspended"
    REFUSED = "refused"


class Distributor(db.Model):
    """A person who sells for the shop.

    `code` is what links and typed referral codes carry; `uid` names her in the console's addresses
    and in the ledger (`commission_payable:<uid>`). The parent is fixed at joining: the database
    refuses a change.
    """

    __tablename__ = "distributors"
    __table_args__ = (
        sa.CheckConstraint("parent_id IS NULL OR parent_id <> id", name="not_her_own_parent"),
        sa.Index("ix_distributors_state", "state", "id"),
    )

    MOVES = {
        DistributorState.APPLIED: {DistributorState.ACTIVE, DistributorState.REFUSED},
        DistributorState.ACTIVE: {DistributorState.SUSPENDED},
        DistributorState.SUSPENDED: {DistributorState.ACTIVE},
        # She may apply again.
        DistributorState.REFUSED: {DistributorState.APPLIED},
    }

    id: Mapped[db.PrimaryKey]
    uid: Mapped[str] = mapped_column(unique=True)
    code: Mapped[str] = mapped_column(unique=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey(Person.id), unique=True)
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey("distributors.id"), index=True)
    tier_id: Mapped[int] = mapped_column(sa.ForeignKey(Tier.id), index=True)
    # A downgrade waits for the first of the next month.
    lower_tier_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Tier.id))
    state: Mapped[DistributorState] = mapped_column(default=DistributorState.APPLIED)
    name: Mapped[str]
    # Where she will sell, in her words; and why she was refused or suspended.
    introduction: Mapped[str] = mapped_column(default="")
    state_reason: Mapped[str] = mapped_column(default="")
    # Below this balance for purchases she is told; minor units, 0 is never.
    low_balance_at: Mapped[int] = mapped_column(default=0)
    applied_at: Mapped[datetime] = mapped_column(default=clock.now)
    approved_at: Mapped[datetime | None]

    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)
    parent: Mapped["Distributor | None"] = relationship(
        foreign_keys=parent_id, remote_side="Distributor.id"
    )
    tier: Mapped[Tier] = relationship(foreign_keys=tier_id, lazy="joined", innerjoin=True)


class DistributorInvitation(db.Model):
    """A link by which somebody joins under a parent, or under the shop; only its hash is stored."""

    __tablename__ = "distributor_invitations"

    id: Mapped[db.PrimaryKey]
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    parent_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Distributor.id), index=True)
    tier_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Tier.id))
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]
    used_by_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Distributor.id))
    used_at: Mapped[datetime | None]


class ShareLink(db.Model):
    """What a distributor shares: `/s/<code>`, to a product or, without one, to the shop."""

    __tablename__ = "share_links"
    __table_args__ = (sa.Index("ix_share_links_distributor", "distributor_id", "id"),)

    id: Mapped[db.PrimaryKey]
    code: Mapped[str] = mapped_column(unique=True)
    distributor_id: Mapped[int] = mapped_column(sa.ForeignKey(Distributor.id))
    product_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Product.id))
    # What the distributor calls it, such as the group it is shared in; rules may name it.
    campaign: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    distributor: Mapped[Distributor] = relationship()
    product: Mapped[Product | None] = relationship()


class Click(db.Model):
    """A link was opened. The visitor's cookie holds `uid`; an address is kept as its network."""

    __tablename__ = "clicks"
    __table_args__ = (sa.Index("ix_clicks_link", "link_id", "at"),)

    id: Mapped[db.PrimaryKey]
    uid: Mapped[str] = mapped_column(unique=True)
    link_id: Mapped[int] = mapped_column(sa.ForeignKey(ShareLink.id))
    at: Mapped[datetime] = mapped_column(default=clock.now)
    network: Mapped[str]
    # A keyed hash of the visitor's device cookie, so that her own device is known again.
    device: Mapped[str] = mapped_column(default="")
    # The host alone: a whole address may hold somebody's secret.
    referrer: Mapped[str] = mapped_column(default="")
    # utm_source, utm_medium, utm_campaign, as they came.
    utm: Mapped[dict[str, Any]]

    link: Mapped[ShareLink] = relationship()


class ContactBinding(db.Model):
    """A buyer's contact that stays a distributor's, as the shop's binding says."""

    __tablename__ = "contact_bindings"

    id: Mapped[db.PrimaryKey]
    contact_index: Mapped[bytes] = mapped_column(unique=True)
    distributor_id: Mapped[int] = mapped_column(sa.ForeignKey(Distributor.id), index=True)
    order_id: Mapped[int] = mapped_column(sa.ForeignKey(Order.id))
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime | None]


class PlanState(StrEnum):
    """A DRAFT is changed and simulated; one plan is PUBLISHED; the ones before it are RETIRED."""

    DRAFT = "draft"
    PUBLISHED = "published"
    RETIRED = "retired"


class Plan(db.Model):
    """A version of all commission rules. Published, it never changes again.

    `pool_max_bp`: what all levels of an order may earn together, in basis points of its base.
    """

    __tablename__ = "commission_plans"
    __table_args__ = (
        sa.CheckConstraint(f"max_depth BETWEEN 1 AND {MAX_DEPTH}", name="depth_within_the_law"),
        sa.CheckConstraint("pool_max_bp BETWEEN 0 AND 10000", name="pool_within_the_price"),
        sa.CheckConstraint(
            "max_depth = 1 OR state = 'draft' OR depth_accepted_by <> ''", name="depth_accepted"
        ),
        sa.Index(
            "uq_commission_plans_one_published",
            "state",
            unique=True,
            postgresql_where=sa.text("state = 'published'"),
            sqlite_where=sa.text("state = 'published'"),
        ),
    )

    MOVES = {
        PlanState.DRAFT: {PlanState.PUBLISHED},
        PlanState.PUBLISHED: {PlanState.RETIRED},
        PlanState.RETIRED: set(),
    }

    id: Mapped[db.PrimaryKey]
    # Given when it is published: 1, 2, 3 …
    version: Mapped[int | None] = mapped_column(unique=True)
    state: Mapped[PlanState] = mapped_column(default=PlanState.DRAFT)
    note: Mapped[str] = mapped_column(default="")
    max_depth: Mapped[int] = mapped_column(default=1)
    # Who read and accepted the text about two levels, the text itself, and when.
    depth_accepted_by: Mapped[str] = mapped_column(default="")
    depth_accepted_text: Mapped[str] = mapped_column(default="")
    depth_accepted_at: Mapped[datetime | None]
    pool_max_bp: Mapped[int] = mapped_column(default=3000)
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    published_at: Mapped[datetime | None]

    rules: Mapped[list["Rule"]] = relationship(order_by="Rule.id", back_populates="plan")


class Rule(db.Model):
    """What one level earns on what it applies to: percent of the base, so much a unit, or both.

    The most specific rule wins: distributor and product, distributor, campaign and tier, product,
    category, tier, and the one that names nothing. Amounts in minor units, rates in basis points.
    """

    __tablename__ = "commission_rules"
    __table_args__ = (
        sa.CheckConstraint(f"level BETWEEN 1 AND {MAX_DEPTH}", name="level_within_the_law"),
        sa.CheckConstraint("percent_bp BETWEEN 0 AND 10000", name="percent_within_the_price"),
        sa.CheckConstraint("per_unit >= 0", name="per_unit_not_negative"),
    )

    id: Mapped[db.PrimaryKey]
    plan_id: Mapped[int] = mapped_column(sa.ForeignKey(Plan.id), index=True)
    level: Mapped[int] = mapped_column(default=1)
    distributor_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Distributor.id))
    product_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Product.id))
    category_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Category.id))
    tier_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Tier.id))
    campaign: Mapped[str] = mapped_column(default="")
    percent_bp: Mapped[int] = mapped_column(default=0)
    per_unit: Mapped[int] = mapped_column(default=0)
    cap_per_order: Mapped[int | None]
    cap_per_month: Mapped[int | None]
    # What the shop keeps above its cost at the least, in basis points of the base.
    min_margin_bp: Mapped[int | None]
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]

    plan: Mapped[Plan] = relationship(back_populates="rules")


class AttributionRule(StrEnum):
    """Why an order is a distributor's; the first that there is evidence for counts."""

    REFERRAL_CODE = "referral_code"
    MANUAL = "manual"
    CLICK = "click"
    BINDING = "binding"


class Attribution(db.Model):
    """An order is a distributor's, by this evidence, under this plan: frozen when it is placed.

    `earns_nothing_because` names why it brings no commission all the same (self-purchase, …).
    """

    __tablename__ = "attributions"
    __table_args__ = (sa.Index("ix_attributions_distributor", "distributor_id", "id"),)

    id: Mapped[db.PrimaryKey]
    order_id: Mapped[int] = mapped_column(sa.ForeignKey(Order.id), unique=True)
    distributor_id: Mapped[int] = mapped_column(sa.ForeignKey(Distributor.id))
    plan_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Plan.id))
    rule: Mapped[AttributionRule]
    click_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Click.id))
    campaign: Mapped[str] = mapped_column(default="")
    # What was seen, in ids and times: for "why is it mine".
    evidence: Mapped[dict[str, Any]]
    earns_nothing_because: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    order: Mapped[Order] = relationship()
    distributor: Mapped[Distributor] = relationship()
    click: Mapped[Click | None] = relationship()


class CommissionState(StrEnum):
    """PENDING: paid and not delivered, nothing is booked yet. HOLDING until `eligible_at`.

    PAYABLE can be withdrawn; SETTLING is in a withdrawal; PAID went out with one. Nothing is left
    of a REVERSED one (before it was paid) and a CLAWED_BACK one (after).
    """

    PENDING = "pending"
    HOLDING = "holding"
    ON_HOLD = "on_hold"
    PAYABLE = "payable"
    SETTLING = "settling"
    PAID = "paid"
    REVERSED = "reversed"
    CLAWED_BACK = "clawed_back"


class Commission(db.Model):
    """What one level earns on one order line; minor units of the order's currency.

    `amount` is the rule's arithmetic on `base`, what was really paid for the line; `reversed` is
    what refunds took back of it, so `amount − reversed` is what she keeps. When staff find that
    the order is somebody else's, nothing of hers stands: `handed_over_at` says since when.
    """

    __tablename__ = "commissions"
    __table_args__ = (
        sa.Index(
            "uq_commissions_one_standing",
            "order_line_id",
            "level",
            unique=True,
            postgresql_where=sa.text("handed_over_at IS NULL"),
            sqlite_where=sa.text("handed_over_at IS NULL"),
        ),
        sa.CheckConstraint("handed_over_at IS NULL OR reversed = amount", name="handed_over_whole"),
        sa.CheckConstraint(f"level BETWEEN 1 AND {MAX_DEPTH}", name="level_within_the_law"),
        sa.CheckConstraint("base >= 0 AND amount >= 0", name="not_negative"),
        sa.CheckConstraint("reversed BETWEEN 0 AND amount", name="reversed_within_amount"),
        sa.Index("ix_commissions_distributor", "distributor_id", "state", "id"),
        # What she earned today, and last.
        sa.Index("ix_commissions_earned", "distributor_id", "earned_at"),
        sa.Index("ix_commissions_order", "order_id"),
        # What a rule with a monthly cap has given her this month.
        sa.Index("ix_commissions_of_rule", "distributor_id", "rule_id", "created_at"),
        sa.Index(
            "ix_commissions_holding",
            "eligible_at",
            postgresql_where=sa.text("state = 'holding'"),
            sqlite_where=sa.text("state = 'holding'"),
        ),
    )

    MOVES = {
        CommissionState.PENDING: {
            CommissionState.HOLDING,
            CommissionState.PAYABLE,
            CommissionState.ON_HOLD,
            CommissionState.REVERSED,
        },
        CommissionState.HOLDING: {
            CommissionState.PAYABLE,
            CommissionState.ON_HOLD,
            CommissionState.REVERSED,
        },
        CommissionState.ON_HOLD: {
            CommissionState.HOLDING,
            CommissionState.PAYABLE,
            CommissionState.REVERSED,
        },
        CommissionState.PAYABLE: {
            CommissionState.SETTLING,
            CommissionState.ON_HOLD,
            CommissionState.REVERSED,
        },
        CommissionState.SETTLING: {
            CommissionState.PAYABLE,
            CommissionState.PAID,
            CommissionState.CLAWED_BACK,
        },
        # The withdrawal it went out with came back from the payee's bank.
        CommissionState.PAID: {CommissionState.SETTLING, CommissionState.CLAWED_BACK},
        CommissionState.REVERSED: set(),
        CommissionState.CLAWED_BACK: set(),
    }

    id: Mapped[db.PrimaryKey]
    order_id: Mapped[int] = mapped_column(sa.ForeignKey(Order.id))
    order_line_id: Mapped[int] = mapped_column(sa.ForeignKey(OrderLine.id))
    distributor_id: Mapped[int] = mapped_column(sa.ForeignKey(Distributor.id))
    level: Mapped[int]
    state: Mapped[CommissionState] = mapped_column(default=CommissionState.PENDING)
    rule_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Rule.id))
    # How the amount came about, step by step; every rule that was looked at, and why it lost.
    trace: Mapped[list[Any]]
    base: Mapped[int]
    amount: Mapped[int]
    reversed: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    # When the line was delivered, from when it can be withdrawn, and since when it is payable.
    earned_at: Mapped[datetime | None]
    eligible_at: Mapped[datetime | None]
    payable_at: Mapped[datetime | None]
    handed_over_at: Mapped[datetime | None]

    distributor: Mapped[Distributor] = relationship()
    order: Mapped[Order] = relationship()
    order_line: Mapped[OrderLine] = relationship()
