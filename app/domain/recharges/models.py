"""Recharges: what is to arrive in whose account, each attempt to have it done, and each call."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core import clock, db
from app.domain.catalog.models import Offer, Product, RechargeProvider
from app.domain.orders.models import OrderLine
from app.domain.redemptions.models import Redemption


class RechargeState(StrEnum):
    """QUEUED looks for an offer; RUNNING has an open attempt; REVIEW waits for a person."""

    QUEUED = "queued"
    RUNNING = "running"
    REVIEW = "review"
    DELIVERED = "delivered"
    FAILED = "failed"


class Recharge(db.Model):
    """One benefit for one account: a paid order line's or a redeemed code's."""

    __tablename__ = "recharges"
    __table_args__ = (
        sa.CheckConstraint(
            "(order_line_id IS NULL) <> (redemption_id IS NULL)", name="for_a_line_or_a_redemption"
        ),
        sa.CheckConstraint("quantity > 0", name="quantity_positive"),
        sa.Index("ix_recharges_state", "state", "id"),
    )

    MOVES = {
        RechargeState.QUEUED: {RechargeState.RUNNING, RechargeState.FAILED, RechargeState.REVIEW},
        RechargeState.RUNNING: {
            RechargeState.QUEUED,
            RechargeState.REVIEW,
            RechargeState.DELIVERED,
            RechargeState.FAILED,
        },
        RechargeState.REVIEW: {
            RechargeState.QUEUED,
            RechargeState.RUNNING,
            RechargeState.DELIVERED,
            RechargeState.FAILED,
        },
        RechargeState.DELIVERED: set(),
        RechargeState.FAILED: set(),
    }

    id: Mapped[db.PrimaryKey]
    # In the addresses of the console, and what account_sealed is sealed to.
    uid: Mapped[str] = mapped_column(unique=True)
    order_line_id: Mapped[int | None] = mapped_column(sa.ForeignKey(OrderLine.id), unique=True)
    redemption_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Redemption.id), unique=True)
    product_id: Mapped[int] = mapped_column(sa.ForeignKey(Product.id), index=True)
    state: Mapped[RechargeState] = mapped_column(default=RechargeState.QUEUED)
    quantity: Mapped[int] = mapped_column(default=1)
    account_sealed: Mapped[bytes]
    account_masked: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    settled_at: Mapped[datetime | None]

    product: Mapped[Product] = relationship()


class AttemptState(StrEnum):
    """SENDING is the intent; UNKNOWN is doubt, which is asked about and never assumed."""

    SENDING = "sending"
    PENDING = "pending"
    UNKNOWN = "unknown"
    REVIEW = "review"
    DELIVERED = "delivered"
    REFUSED = "refused"


OPEN = (AttemptState.SENDING, AttemptState.PENDING, AttemptState.UNKNOWN, AttemptState.REVIEW)


class Attempt(db.Model):
    """One provider was asked under one number of ours, which is its idempotency key."""

    __tablename__ = "recharge_attempts"
    __table_args__ = (
        # Whoever asks a second provider while the first may still deliver pays twice.
        sa.Index(
            "uq_recharge_attempts_one_live",
            "recharge_id",
            unique=True,
            postgresql_where=sa.text("state <> 'refused'"),
            sqlite_where=sa.text("state <> 'refused'"),
        ),
        sa.Index("ix_recharge_attempts_of_provider", "provider_id", "sent_at"),
    )

    MOVES = {
        AttemptState.SENDING: {
            AttemptState.PENDING,
            AttemptState.UNKNOWN,
            AttemptState.DELIVERED,
            AttemptState.REFUSED,
        },
        AttemptState.PENDING: {
            AttemptState.UNKNOWN,
            AttemptState.REVIEW,
            AttemptState.DELIVERED,
            AttemptState.REFUSED,
        },
        AttemptState.UNKNOWN: {
            # Sent again, under the same number.
            AttemptState.SENDING,
            AttemptState.PENDING,
            AttemptState.REVIEW,
            AttemptState.DELIVERED,
            AttemptState.REFUSED,
        },
        AttemptState.REVIEW: {
            AttemptState.PENDING,
            AttemptState.DELIVERED,
            AttemptState.REFUSED,
        },
        AttemptState.DELIVERED: set(),
        # The provider says afterwards that it delivered, and nobody else was asked.
        AttemptState.REFUSED: {AttemptState.REVIEW},
    }

    id: Mapped[db.PrimaryKey]
    number: Mapped[str] = mapped_column(unique=True)
    recharge_id: Mapped[int] = mapped_column(sa.ForeignKey(Recharge.id), index=True)
    offer_id: Mapped[int] = mapped_column(sa.ForeignKey(Offer.id))
    provider_id: Mapped[int] = mapped_column(sa.ForeignKey(RechargeProvider.id))
    state: Mapped[AttemptState] = mapped_column(default=AttemptState.SENDING)
    sku: Mapped[str]
    # What it was to cost and what the provider says it cost, in minor units.
    expected_cost: Mapped[int]
    cost: Mapped[int | None]
    # The provider's number, the account operator's, and the provider's words.
    reference: Mapped[str] = mapped_column(default="")
    serial: Mapped[str] = mapped_column(default="")
    reason: Mapped[str] = mapped_column(default="")
    # Why a person should look although it is settled: the provider said two different things.
    contradiction: Mapped[str] = mapped_column(default="")
    queries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    # When it was last sent: "not found" counts from here.
    sent_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]

    recharge: Mapped[Recharge] = relationship()
    offer: Mapped[Offer] = relationship()
    provider: Mapped[RechargeProvider] = relationship()


class Call(db.Model):
    """One call to or from a provider, masked: for staff, for its health, for its breaker."""

    __tablename__ = "recharge_calls"
    __table_args__ = (sa.Index("ix_recharge_calls_of_provider", "provider_id", "id"),)

    id: Mapped[db.PrimaryKey]
    provider_id: Mapped[int] = mapped_column(sa.ForeignKey(RechargeProvider.id))
    attempt_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Attempt.id), index=True)
    what: Mapped[str]
    # An Outcome's name in lower case; for a balance or a catalogue `answered` or `unknown`.
    outcome: Mapped[str]
    request: Mapped[str]
    response: Mapped[str]
    status: Mapped[int]
    milliseconds: Mapped[int]
    at: Mapped[datetime] = mapped_column(default=clock.now)


class StatementRowState(StrEnum):
    """A line of a provider's statement: it MATCHED, or DIFFERS until a person SETTLED it."""

    MATCHED = "matched"
    DIFFERS = "differs"
    SETTLED = "settled"


class Statement(db.Model):
    """A provider's own list of what it delivered on a day, matched against our attempts."""

    __tablename__ = "recharge_statements"
    __table_args__ = (sa.UniqueConstraint("provider_id", "day"),)

    id: Mapped[db.PrimaryKey]
    provider_id: Mapped[int] = mapped_column(sa.ForeignKey(RechargeProvider.id))
    day: Mapped[str]
    row_count: Mapped[int]
    total: Mapped[int]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)

    provider: Mapped[RechargeProvider] = relationship()


class StatementRow(db.Model):
    """One number on a statement or, when it stands only with us, missing from it."""

    __tablename__ = "recharge_statement_rows"
    __table_args__ = (
        sa.UniqueConstraint("statement_id", "number"),
        sa.Index("ix_recharge_statement_rows_state", "state"),
    )

    MOVES = {
        StatementRowState.DIFFERS: {StatementRowState.SETTLED},
        StatementRowState.MATCHED: set(),
        StatementRowState.SETTLED: set(),
    }

    id: Mapped[db.PrimaryKey]
    statement_id: Mapped[int] = mapped_column(sa.ForeignKey(Statement.id))
    number: Mapped[str]
    attempt_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Attempt.id))
    state: Mapped[StatementRowState]
    # only_theirs, only_ours, state, cost, twice; empty when it matched.
    difference: Mapped[str] = mapped_column(default="")
    # What the provider says and what we say, in minor units and its own words.
    their_state: Mapped[str] = mapped_column(default="")
    their_cost: Mapped[int | None]
    our_state: Mapped[str] = mapped_column(default="")
    our_cost: Mapped[int | None]
    settled_by: Mapped[str] = mapped_column(default="")
    settled_because: Mapped[str] = mapped_column(default="")
    settled_at: Mapped[datetime | None]
