"""What risk remembers: what happened, by what it is counted; rules, decisions, what follows."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from app.core import clock, db


class Checkpoint(StrEnum):
    """Where risk is asked; what a new one needs stands in docs/risk.md."""

    CHECKOUT = "checkout"
    PAID = "paid"
    REDEEM = "redeem"
    REGISTER = "register"
    SIGN_IN = "sign_in"
    REVEAL = "reveal"
    WITHDRAW = "withdraw"
    PAYOUT_ACCOUNT = "payout_account"


class EventKind(StrEnum):
    """What happened, and is counted. `unpaid_closed`: an order that ended without its money;
    `typed`: a code, whether it was one or not; `withdrawn`: asked for."""

    PLACED = "placed"
    PAID = "paid"
    UNPAID_CLOSED = "unpaid_closed"
    TYPED = "typed"
    WRONG_CODE = "wrong_code"
    REGISTERED = "registered"
    WRONG_PASSWORD = "wrong_password"  # noqa: S105  a kind of event
    REVEALED = "revealed"
    WITHDRAWN = "withdrawn"
    PAYOUT_ACCOUNT_ADDED = "payout_account_added"


class Key(StrEnum):
    """What somebody, or what she acts on, is known by.

    `network` is what one person can hop within (client.network), `look` browsers of one kind in one
    network, `code` one that was typed, `recharge_account` where a recharge goes.
    """

    IP = "ip"
    NETWORK = "network"
    DEVICE = "device"
    LOOK = "look"
    CONTACT = "contact"
    ACCOUNT = "account"
    PAYER = "payer"
    PRODUCT = "product"
    RECHARGE_ACCOUNT = "recharge_account"
    CODE = "code"
    DISTRIBUTOR = "distributor"
    PAYOUT_ACCOUNT = "payout_account"


class Action(StrEnum):
    """What is done, from the mildest to the most severe: the order is `rules.SEVERITY`."""

    ALLOW = "allow"
    NOTIFY = "notify"
    HOLD_COMMISSION = "hold_commission"
    CAPTCHA = "captcha"
    LIMIT = "limit"
    DELAY = "delay"
    HOLD = "hold"
    BLOCK = "block"
    FREEZE = "freeze"


def _unpaid(key: Key) -> sa.ColumnElement[bool]:
    return sa.and_(sa.column("unpaid"), sa.column(key.value).is_not(None))


class RiskEvent(db.Model):
    """One thing that happened; counters count these and nothing else.

    The keys are keyed hashes (`events.hashed`): they find the same again and can be read by nobody.
    `amount` is in minor units of the shop's currency. `unpaid`: an order was placed, and its money
    has not come; nothing else of an event ever changes. Old ones are removed.
    """

    __tablename__ = "risk_events"
    __table_args__ = (
        *(
            sa.Index(
                f"ix_risk_events_{key.value}",
                "kind",
                key.value,
                "at",
                postgresql_where=sa.column(key.value).is_not(None),
                sqlite_where=sa.column(key.value).is_not(None),
            )
            for key in Key
        ),
        # Of what many share: orders that sell fast are many, those that nobody paid are few.
        *(
            sa.Index(
                f"ix_risk_events_unpaid_{key.value}",
                key.value,
                "at",
                postgresql_where=_unpaid(key),
                sqlite_where=_unpaid(key),
            )
            for key in (Key.IP, Key.NETWORK, Key.LOOK, Key.PRODUCT)
        ),
        sa.Index("ix_risk_events_order", "order_id"),
    )

    id: Mapped[db.PrimaryKey]
    kind: Mapped[EventKind]
    at: Mapped[datetime] = mapped_column(index=True)
    ip: Mapped[bytes | None]
    network: Mapped[bytes | None]
    device: Mapped[bytes | None]
    look: Mapped[bytes | None]
    contact: Mapped[bytes | None]
    account: Mapped[bytes | None]
    payer: Mapped[bytes | None]
    product: Mapped[bytes | None]
    recharge_account: Mapped[bytes | None]
    code: Mapped[bytes | None]
    distributor: Mapped[bytes | None]
    payout_account: Mapped[bytes | None]
    order_id: Mapped[int | None]
    amount: Mapped[int] = mapped_column(default=0)
    unpaid: Mapped[bool] = mapped_column(default=False, server_default=sa.false())


class RuleMode(StrEnum):
    """`shadow`: judged and written down, and nothing is done about it."""

    OFF = "off"
    SHADOW = "shadow"
    ON = "on"


class Rule(db.Model):
    """A rule as it holds now. What it said before stands in its versions."""

    __tablename__ = "risk_rules"
    __table_args__ = (
        sa.CheckConstraint("rollout BETWEEN 0 AND 100", name="rollout_percent"),
        sa.CheckConstraint("score BETWEEN -100 AND 100", name="score_bounded"),
    )

    MOVES: ClassVar = {
        RuleMode.OFF: {RuleMode.SHADOW, RuleMode.ON},
        RuleMode.SHADOW: {RuleMode.OFF, RuleMode.ON},
        RuleMode.ON: {RuleMode.OFF, RuleMode.SHADOW},
    }

    id: Mapped[db.PrimaryKey]
    slug: Mapped[str] = mapped_column(unique=True)
    state: Mapped[RuleMode] = mapped_column(default=RuleMode.SHADOW)
    checkpoint: Mapped[Checkpoint]
    # The condition tree as `conditions.parse` reads it.
    condition: Mapped[dict[str, Any]]
    action: Mapped[Action]
    score: Mapped[int] = mapped_column(default=0)
    # For how long what it does holds, and which key it is put on.
    minutes: Mapped[int] = mapped_column(default=0)
    on_key: Mapped[Key | None]
    # Of how many in a hundred it is true at all: chosen by a stable hash.
    rollout: Mapped[int] = mapped_column(default=100)
    expires_at: Mapped[datetime | None]
    version: Mapped[int] = mapped_column(default=1)


class RuleVersion(db.Model):
    """What a rule said from a moment on, and who wanted it so. Never updated."""

    __tablename__ = "risk_rule_versions"
    __table_args__ = (sa.UniqueConstraint("rule_id", "version"),)

    id: Mapped[db.PrimaryKey]
    rule_id: Mapped[int] = mapped_column(sa.ForeignKey(Rule.id))
    version: Mapped[int]
    content: Mapped[dict[str, Any]]
    author: Mapped[str]
    at: Mapped[datetime]


class ListKind(StrEnum):
    """What a list does to whom it names: nothing mild, everything, or only a mark."""

    TRUST = "trust"
    BLOCK = "block"
    WATCH = "watch"


class Subject(StrEnum):
    """What a list names. A `keyword` stands in what somebody typed, and is shown as it is."""

    ADDRESS = "address"
    DEVICE = "device"
    CONTACT = "contact"
    EMAIL_DOMAIN = "email_domain"
    PAYER = "payer"
    ACCOUNT = "account"
    KEYWORD = "keyword"


class ListEntry(db.Model):
    """Somebody on a list. What is personal is found by `value_hash`, and shown masked."""

    __tablename__ = "risk_list_entries"
    __table_args__ = (
        sa.Index(
            "uq_risk_list_entries_live",
            "subject",
            "value_hash",
            "list",
            unique=True,
            postgresql_where=sa.text("removed_at IS NULL"),
            sqlite_where=sa.text("removed_at IS NULL"),
        ),
    )

    id: Mapped[db.PrimaryKey]
    list: Mapped[ListKind]
    subject: Mapped[Subject]
    value_hash: Mapped[bytes]
    shown: Mapped[str]
    reason: Mapped[str]
    # Who or what put it there: "staff", "case".
    source: Mapped[str]
    added_by: Mapped[str]
    added_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]
    hits: Mapped[int] = mapped_column(default=0)


class Decision(db.Model):
    """One answer of `engine.decide`, with everything it was made of. Never updated.

    `inputs` are the facts; `trials` each rule's truth with the values that were compared; `keys`
    the hashed keys, by which decisions about the same somebody are found.
    """

    __tablename__ = "risk_decisions"
    __table_args__ = (
        sa.Index("ix_risk_decisions_order", "order_id"),
        sa.Index(
            "ix_risk_decisions_idle",
            "at",
            postgresql_where=sa.text("order_id IS NULL AND action = 'allow'"),
            sqlite_where=sa.text("order_id IS NULL AND action = 'allow'"),
        ),
    )

    id: Mapped[db.PrimaryKey]
    uid: Mapped[str] = mapped_column(unique=True)
    checkpoint: Mapped[Checkpoint]
    at: Mapped[datetime] = mapped_column(index=True)
    action: Mapped[Action] = mapped_column(index=True)
    # The sum of the scores of what was true, 0 to 100.
    score: Mapped[int]
    trusted: Mapped[bool]
    # Not empty when the answer is that of the failure mode.
    failed_as: Mapped[str] = mapped_column(default="")
    order_id: Mapped[int | None]
    # Until when what the order earns its distributors is kept back.
    commission_held_until: Mapped[datetime | None]
    inputs: Mapped[dict[str, Any]]
    keys: Mapped[dict[str, Any]]
    trials: Mapped[list[Any]]


# The end of what has none: it sorts, and is compared, as any other.
UNTIL_LIFTED = datetime(9999, 12, 31, tzinfo=UTC)


class Restriction(db.Model):
    """Something that somebody may not do for a time: it ends by itself, or is lifted before.

    One without a checkpoint holds everywhere: who, or what, is frozen.
    """

    __tablename__ = "risk_restrictions"
    __table_args__ = (
        sa.Index("ix_risk_restrictions_whose", "key_hash", "until"),
        sa.CheckConstraint("until > since", name="ends_after_it_began"),
        sa.CheckConstraint(
            "(action = 'freeze') = (checkpoint IS NULL)", name="frozen_is_everywhere"
        ),
    )

    id: Mapped[db.PrimaryKey]
    action: Mapped[Action]
    checkpoint: Mapped[Checkpoint | None]
    key: Mapped[Key]
    key_hash: Mapped[bytes]
    since: Mapped[datetime]
    until: Mapped[datetime] = mapped_column(index=True)
    # Empty when a person put it there, who says why in `reason`.
    rule_slug: Mapped[str]
    decision_uid: Mapped[str]
    reason: Mapped[str] = mapped_column(default="")
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str] = mapped_column(default="")
    lifted_because: Mapped[str] = mapped_column(default="")

    @property
    def ends_at(self) -> datetime | None:
        """When it ends by itself; None when only lifting ends it."""
        return None if self.until == UNTIL_LIFTED else self.until


class CaseState(StrEnum):
    OPEN = "open"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    REJECTED = "rejected"
    # It was only to wait for a time, and nobody had looked when that was over.
    RELEASED = "released"


class Label(StrEnum):
    """What it turned out to be: what rules are measured against."""

    FRAUD = "fraud"
    ABUSE = "abuse"
    FALSE_POSITIVE = "false_positive"
    UNCLEAR = "unclear"


class Case(db.Model):
    """A paid order that a person has to look at before it is delivered."""

    __tablename__ = "risk_cases"
    __table_args__ = (
        sa.CheckConstraint(
            "(state IN ('approved', 'rejected')) = (label IS NOT NULL)", name="closed_with_label"
        ),
        sa.CheckConstraint(
            "(state <> 'open' OR assignee = '') AND (state <> 'in_review' OR assignee <> '')",
            name="in_review_by_somebody",
        ),
    )

    MOVES: ClassVar = {
        CaseState.OPEN: {
            CaseState.IN_REVIEW,
            CaseState.APPROVED,
            CaseState.REJECTED,
            CaseState.RELEASED,
        },
        CaseState.IN_REVIEW: {CaseState.OPEN, CaseState.APPROVED, CaseState.REJECTED},
        CaseState.APPROVED: set(),
        CaseState.REJECTED: set(),
        CaseState.RELEASED: set(),
    }

    id: Mapped[db.PrimaryKey]
    uid: Mapped[str] = mapped_column(unique=True)
    order_id: Mapped[int] = mapped_column(unique=True)
    decision_id: Mapped[int] = mapped_column(sa.ForeignKey(Decision.id))
    state: Mapped[CaseState] = mapped_column(default=CaseState.OPEN, index=True)
    label: Mapped[Label | None]
    note: Mapped[str] = mapped_column(default="")
    # Who is looking at it, or was when it was closed.
    assignee: Mapped[str] = mapped_column(default="")
    opened_at: Mapped[datetime]
    due_at: Mapped[datetime]
    # When it goes on by itself, unless somebody looks at it; None: never.
    release_at: Mapped[datetime | None]
    # When the owners were told that it is overdue; written before they are.
    told_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    closed_by: Mapped[str] = mapped_column(default="")


class SpentProof(db.Model):
    """A solved captcha that was used: it opens nothing a second time."""

    __tablename__ = "risk_spent_proofs"

    id: Mapped[db.PrimaryKey]
    nonce: Mapped[bytes] = mapped_column(unique=True)
    # Whom a proof by waiting was for: one network waits for one at a time.
    waited_by: Mapped[bytes | None] = mapped_column(index=True)
    at: Mapped[datetime] = mapped_column(index=True)
