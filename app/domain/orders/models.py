"""Orders, their lines, payments, refunds, and every message a channel ever sent about them."""

from datetime import datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core import clock, db
from app.domain.accounts.models import Person
from app.domain.catalog.models import PolicyVersion, Product, ProductKind


class OrderState(StrEnum):
    PENDING = "pending"
    CLOSING = "closing"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    PAID = "paid"
    # Paid, and not delivered before a person has looked (risk).
    HELD = "held"
    FULFILLING = "fulfilling"
    DELIVERED = "delivered"
    REFUNDING = "refunding"
    REFUNDED = "refunded"


class Order(db.Model):
    """One purchase. Amounts in minor units of `currency`; what the buyer saw is what it keeps."""

    __tablename__ = "orders"
    __table_args__ = (
        sa.CheckConstraint("total > 0", name="total_positive"),
        sa.Index("ix_orders_created_at", "created_at", "id"),
        sa.Index("ix_orders_state", "state", "id"),
        sa.Index("ix_orders_contact", "contact_index", "id"),
        sa.Index(
            "ix_orders_balance_of",
            "balance_of",
            "id",
            postgresql_where=sa.text("balance_of <> ''"),
            sqlite_where=sa.text("balance_of <> ''"),
        ),
        sa.Index(
            "ix_orders_unpaid_network",
            "network",
            postgresql_where=sa.text("state IN ('pending', 'closing')"),
            sqlite_where=sa.text("state IN ('pending', 'closing')"),
        ),
    )

    MOVES = {
        OrderState.PENDING: {OrderState.PAID, OrderState.CLOSING},
        OrderState.CLOSING: {OrderState.EXPIRED, OrderState.CANCELLED, OrderState.PAID},
        OrderState.EXPIRED: {OrderState.PAID},
        OrderState.CANCELLED: {OrderState.PAID},
        OrderState.PAID: {OrderState.FULFILLING, OrderState.HELD, OrderState.REFUNDING},
        OrderState.HELD: {OrderState.FULFILLING, OrderState.REFUNDING},
        OrderState.FULFILLING: {OrderState.DELIVERED, OrderState.REFUNDING},
        OrderState.DELIVERED: {OrderState.REFUNDING},
        OrderState.REFUNDING: {OrderState.REFUNDED, OrderState.DELIVERED, OrderState.FULFILLING},
        OrderState.REFUNDED: set(),
    }

    id: Mapped[db.PrimaryKey]
    number: Mapped[str] = mapped_column(unique=True)
    token_hash: Mapped[bytes] = mapped_column(unique=True)
    # The form's one-time key: a double tap, the back button, a second tab find this same order.
    checkout_key: Mapped[bytes] = mapped_column(unique=True)
    state: Mapped[OrderState] = mapped_column(default=OrderState.PENDING)
    # Why a closing order closes: by its deadline or by its buyer.
    closes_as: Mapped[str] = mapped_column(default="")
    person_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Person.id), index=True)
    contact_sealed: Mapped[bytes]
    contact_index: Mapped[bytes]
    contact_masked: Mapped[str]
    pickup_hash: Mapped[str | None]
    currency: Mapped[str]
    total: Mapped[int]
    # How the total came about, step by step (pricing.Quote), for the buyer and for staff.
    price_steps: Mapped[list[Any]]
    language: Mapped[str]
    # Whether it is a distributor's: what happens to it is rung to `channels` then, and only then.
    is_attributed: Mapped[bool] = mapped_column(default=False)
    # Whose balance it fills or is paid from: the uid of the ledger's `balance:<uid>`, or empty.
    balance_of: Mapped[str] = mapped_column(default="")
    # The buyer's address and the network it is in: what the hold budget counts by.
    ip: Mapped[str]
    network: Mapped[str]
    created_at: Mapped[datetime]
    # Until when stock is held for it.
    expires_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]
    delivered_at: Mapped[datetime | None]

    lines: Mapped[list["OrderLine"]] = relationship(order_by="OrderLine.id", back_populates="order")


class OrderLine(db.Model):
    """So many of one product at one price, as they were called when they were bought."""

    __tablename__ = "order_lines"
    __table_args__ = (
        sa.CheckConstraint("quantity > 0", name="quantity_positive"),
        sa.CheckConstraint("refunded >= 0 AND refunded <= amount", name="refunded_within_amount"),
    )

    id: Mapped[db.PrimaryKey]
    order_id: Mapped[int] = mapped_column(sa.ForeignKey(Order.id), index=True)
    product_id: Mapped[int] = mapped_column(sa.ForeignKey(Product.id), index=True)
    product_name: Mapped[str]
    # What was bought, and under which rules of use: as they were then.
    kind: Mapped[ProductKind] = mapped_column(default=ProductKind.KEY)
    policy_id: Mapped[int | None] = mapped_column(sa.ForeignKey(PolicyVersion.id))
    # Whose account is recharged, for kinds without a code.
    account_sealed: Mapped[bytes | None]
    account_masked: Mapped[str] = mapped_column(default="")
    unit_price: Mapped[int]
    quantity: Mapped[int]
    amount: Mapped[int]
    refunded: Mapped[int] = mapped_column(default=0)
    delivered_at: Mapped[datetime | None]

    order: Mapped[Order] = relationship(back_populates="lines")
    product: Mapped[Product] = relationship()


class PaymentState(StrEnum):
    PENDING = "pending"
    PAID = "paid"
    CLOSED = "closed"
    SUSPENSE = "suspense"
    REFUNDED = "refunded"


# What the channel says of play money: it is everybody's account and so nobody's.
NOBODYS_ACCOUNTS = ("", "play money")


class Payment(db.Model):
    """One attempt to pay an order through one channel.

    `number` is ours and the channel's idempotency key; `trade_number` is the channel's. Money that
    no order can take (late, a second time, of a wrong amount) is in SUSPENSE until it is sent back.
    """

    __tablename__ = "payments"
    __table_args__ = (
        sa.UniqueConstraint("channel", "trade_number"),
        sa.CheckConstraint("amount > 0", name="amount_positive"),
        sa.CheckConstraint(
            "refunded >= 0 AND refunded <= received", name="refunded_within_received"
        ),
        sa.Index(
            "uq_payments_one_paid_per_order",
            "order_id",
            unique=True,
            postgresql_where=sa.text("state = 'paid'"),
            sqlite_where=sa.text("state = 'paid'"),
        ),
    )

    MOVES = {
        PaymentState.PENDING: {PaymentState.PAID, PaymentState.CLOSED, PaymentState.SUSPENSE},
        PaymentState.CLOSED: {PaymentState.PAID, PaymentState.SUSPENSE},
        PaymentState.SUSPENSE: {PaymentState.REFUNDED},
        PaymentState.PAID: {PaymentState.REFUNDED},
        PaymentState.REFUNDED: set(),
    }

    id: Mapped[db.PrimaryKey]
    number: Mapped[str] = mapped_column(unique=True)
    order_id: Mapped[int] = mapped_column(sa.ForeignKey(Order.id), index=True)
    channel: Mapped[str]
    state: Mapped[PaymentState] = mapped_column(default=PaymentState.PENDING)
    currency: Mapped[str]
    # What was asked for, what the channel says came, and what of it was sent back.
    amount: Mapped[int]
    received: Mapped[int] = mapped_column(default=0)
    refunded: Mapped[int] = mapped_column(default=0)
    trade_number: Mapped[str | None]
    payer: Mapped[str] = mapped_column(default="")
    # How often the channel was asked; decides when it is asked next.
    queries: Mapped[int] = mapped_column(default=0)
    created_at: Mapped[datetime]
    paid_at: Mapped[datetime | None]

    order: Mapped[Order] = relationship()


class Verdict(StrEnum):
    """What became of a channel's message."""

    PAID = "paid"
    ALREADY = "already"
    LATE = "late"
    SECOND = "second"
    MISMATCH = "mismatch"
    UNKNOWN = "unknown"
    IGNORED = "ignored"


class PaymentEvent(db.Model):
    """A genuine message of a channel about a payment; the same one twice is refused by UNIQUE."""

    __tablename__ = "payment_events"
    __table_args__ = (sa.UniqueConstraint("channel", "event_id"),)

    id: Mapped[db.PrimaryKey]
    channel: Mapped[str]
    event_id: Mapped[str]
    payment_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Payment.id), index=True)
    number: Mapped[str]
    trade_number: Mapped[str]
    amount: Mapped[int]
    currency: Mapped[str]
    source: Mapped[str]
    verdict: Mapped[Verdict]
    received_at: Mapped[datetime]


class RefundState(StrEnum):
    REQUESTED = "requested"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SUCCEEDED = "succeeded"
    REFUSED = "refused"


class Refund(db.Model):
    """Money on its way back to where it came from; `number` is the channel's idempotency key."""

    __tablename__ = "refunds"
    __table_args__ = (sa.CheckConstraint("amount > 0", name="amount_positive"),)

    MOVES = {
        RefundState.REQUESTED: {RefundState.SENDING},
        RefundState.SENDING: {RefundState.SUCCEEDED, RefundState.UNKNOWN, RefundState.REFUSED},
        RefundState.UNKNOWN: {RefundState.SUCCEEDED, RefundState.REFUSED, RefundState.SENDING},
        RefundState.REFUSED: {RefundState.SENDING},
        RefundState.SUCCEEDED: set(),
    }

    id: Mapped[db.PrimaryKey]
    number: Mapped[str] = mapped_column(unique=True)
    payment_id: Mapped[int] = mapped_column(sa.ForeignKey(Payment.id), index=True)
    # Which line it is for; NULL for money in suspense, which bought nothing.
    order_line_id: Mapped[int | None] = mapped_column(sa.ForeignKey(OrderLine.id), index=True)
    state: Mapped[RefundState] = mapped_column(default=RefundState.REQUESTED)
    currency: Mapped[str]
    amount: Mapped[int]
    reason: Mapped[str]
    requested_by: Mapped[str]
    refused_because: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]

    payment: Mapped[Payment] = relationship()


class ProblemState(StrEnum):
    OPEN = "open"
    SOLVED = "solved"


class Problem(db.Model):
    """A buyer says that something is wrong with an order; staff answer on the order's page."""

    __tablename__ = "problems"

    MOVES = {
        ProblemState.OPEN: {ProblemState.SOLVED},
        ProblemState.SOLVED: {ProblemState.OPEN},
    }

    id: Mapped[db.PrimaryKey]
    order_id: Mapped[int] = mapped_column(sa.ForeignKey(Order.id), index=True)
    state: Mapped[ProblemState] = mapped_column(default=ProblemState.OPEN, index=True)
    text: Mapped[str]
    answer: Mapped[str] = mapped_column(default="")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    answered_at: Mapped[datetime | None]
