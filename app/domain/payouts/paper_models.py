"""Who a payee is for the tax office, what is withheld, invoices, and settlement statements."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core import clock, db
from app.domain.channels.models import Distributor
from app.domain.ledger.models import LedgerEntry
from app.domain.payouts.models import Withdrawal


class TaxMode(StrEnum):
    """How a payee's income is taxed.

    INDIVIDUAL_PER_MONTH is labour remuneration; INDIVIDUAL_CUMULATIVE is for shops that are a
    platform by law; a BUSINESS sends an invoice; OUTSOURCED is withheld by another company;
    a NON_RESIDENT at a rate that finance fixes.
    """

    INDIVIDUAL_PER_MONTH = "individual_per_month"
    INDIVIDUAL_CUMULATIVE = "individual_cumulative"
    BUSINESS_INVOICE = "business_invoice"
    OUTSOURCED = "outsourced"
    NON_RESIDENT = "non_resident"


class IdentityKind(StrEnum):
    """What the number of a tax profile is."""

    RESIDENT_ID = "resident_id"
    PASSPORT = "passport"
    PERMIT = "permit"
    CREDIT_CODE = "credit_code"


# Longer words than the registry's enumerations have room for.
MODE = sa.Enum(
    TaxMode,
    native_enum=False,
    create_constraint=True,
    length=30,
    values_callable=lambda kind: [member.value for member in kind],
)


class TaxProfile(db.Model):
    """Who a distributor is for the tax office. Never edited: another entry is another row.

    Name and number are sealed to the row's `uid`; `identity_index` finds the same person behind
    several distributors, because a month's income is one person's. `rate_bp` is finance's, for a
    non-resident.
    """

    __tablename__ = "tax_profiles"
    __table_args__ = (
        sa.Index("ix_tax_profiles_identity", "identity_index"),
        sa.Index(
            "uq_tax_profiles_one_current",
            "distributor_id",
            unique=True,
            postgresql_where=sa.text("replaced_at IS NULL"),
            sqlite_where=sa.text("replaced_at IS NULL"),
        ),
        sa.CheckConstraint(
            "(mode = 'business_invoice') = (identity_kind = 'credit_code')",
            name="companies_have_credit_codes",
        ),
        sa.CheckConstraint("rate_bp BETWEEN 0 AND 4500", name="rate_within_the_law"),
    )

    id: Mapped[db.PrimaryKey]
    uid: Mapped[str] = mapped_column(unique=True)
    distributor_id: Mapped[int] = mapped_column(sa.ForeignKey(Distributor.id))
    mode: Mapped[TaxMode] = mapped_column(MODE)
    name_sealed: Mapped[bytes]
    name_masked: Mapped[str]
    identity_kind: Mapped[IdentityKind]
    identity_sealed: Mapped[bytes]
    identity_masked: Mapped[str]
    identity_index: Mapped[bytes]
    rate_bp: Mapped[int | None]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    replaced_at: Mapped[datetime | None]

    distributor: Mapped[Distributor] = relationship()


class Withholding(db.Model):
    """What is kept from one withdrawal, in minor units; a released one counts for no month.

    `month` is the first day of the month in the shop's zone in which it was submitted. `trace` is a
    list of `tax_rules.Step`.
    """

    __tablename__ = "withholdings"
    __table_args__ = (
        sa.CheckConstraint("tax BETWEEN 0 AND income", name="tax_within_income"),
        sa.Index("ix_withholdings_month", "month", "distributor_id"),
    )

    id: Mapped[db.PrimaryKey]
    withdrawal_id: Mapped[int] = mapped_column(sa.ForeignKey(Withdrawal.id), unique=True)
    distributor_id: Mapped[int] = mapped_column(sa.ForeignKey(Distributor.id))
    profile_id: Mapped[int] = mapped_column(sa.ForeignKey(TaxProfile.id), index=True)
    month: Mapped[date]
    income: Mapped[int]
    tax: Mapped[int]
    method: Mapped[TaxMode] = mapped_column(MODE)
    trace: Mapped[list[Any]]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    released_at: Mapped[datetime | None]

    profile: Mapped[TaxProfile] = relationship()


class InvoiceState(StrEnum):
    SUBMITTED = "submitted"
    ACCEPTED = "accepted"
    REFUSED = "refused"


class Invoice(db.Model):
    """A company's invoice (发票) for a withdrawal; the file is sealed to the row's `uid`.

    A refused one makes room for another, of the same number too.
    """

    __tablename__ = "invoices"
    __table_args__ = (
        sa.Index(
            "uq_invoices_one_a_withdrawal",
            "withdrawal_id",
            unique=True,
            postgresql_where=sa.text("state <> 'refused'"),
            sqlite_where=sa.text("state <> 'refused'"),
        ),
        sa.Index(
            "uq_invoices_number",
            "number",
            unique=True,
            postgresql_where=sa.text("state <> 'refused'"),
            sqlite_where=sa.text("state <> 'refused'"),
        ),
        sa.Index("ix_invoices_withdrawal", "withdrawal_id"),
        sa.Index("ix_invoices_state", "state", "id"),
    )

    MOVES = {
        InvoiceState.SUBMITTED: {InvoiceState.ACCEPTED, InvoiceState.REFUSED},
        InvoiceState.ACCEPTED: set(),
        InvoiceState.REFUSED: set(),
    }

    id: Mapped[db.PrimaryKey]
    uid: Mapped[str] = mapped_column(unique=True)
    withdrawal_id: Mapped[int] = mapped_column(sa.ForeignKey(Withdrawal.id))
    state: Mapped[InvoiceState] = mapped_column(default=InvoiceState.SUBMITTED)
    # The invoice's own number (发票号码), as its issuer wrote it.
    number: Mapped[str]
    media_type: Mapped[str]
    size: Mapped[int]
    content_sealed: Mapped[bytes] = mapped_column(deferred=True)
    reason: Mapped[str] = mapped_column(default="")
    uploaded_at: Mapped[datetime] = mapped_column(default=clock.now)
    decided_by: Mapped[str] = mapped_column(default="")
    decided_at: Mapped[datetime | None]

    withdrawal: Mapped[Withdrawal] = relationship()


class SettlementStatement(db.Model):
    """A settlement statement (结算单). The database refuses to change or delete it.

    `content_sealed` is its canonical JSON, sealed to its number, and `sha256` the hash of that.
    A correction names the statement it takes the place of (`corrects_id`) and the first of its
    line (`root_id`), to which the entries of the ledger belong. What stands beside the content is
    for lists and for the page that verifies; minor units.
    """

    __tablename__ = "settlement_statements"
    __table_args__ = (
        sa.Index("ix_settlement_statements_distributor", "distributor_id", "id"),
        sa.Index("ix_settlement_statements_withdrawal", "withdrawal_id", "id"),
        sa.CheckConstraint(
            "(root_id IS NULL) = (corrects_id IS NULL)", name="corrections_have_a_root"
        ),
        sa.CheckConstraint("gross = tax + fee + net", name="adds_up"),
    )

    id: Mapped[db.PrimaryKey]
    number: Mapped[str] = mapped_column(unique=True)
    distributor_id: Mapped[int] = mapped_column(sa.ForeignKey(Distributor.id))
    withdrawal_id: Mapped[int] = mapped_column(sa.ForeignKey(Withdrawal.id))
    root_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("settlement_statements.id"), index=True
    )
    corrects_id: Mapped[int | None] = mapped_column(
        sa.ForeignKey("settlement_statements.id"), unique=True
    )
    reason: Mapped[str] = mapped_column(default="")
    content_sealed: Mapped[bytes] = mapped_column(deferred=True)
    sha256: Mapped[str]
    payer_name: Mapped[str]
    payee_masked: Mapped[str]
    opening: Mapped[int]
    closing: Mapped[int]
    gross: Mapped[int]
    tax: Mapped[int]
    fee: Mapped[int]
    net: Mapped[int]
    currency: Mapped[str] = mapped_column(default="CNY")
    issued_by: Mapped[str]
    issued_at: Mapped[datetime] = mapped_column(default=clock.now)

    distributor: Mapped[Distributor] = relationship()
    withdrawal: Mapped[Withdrawal] = relationship()


class StatementEntry(db.Model):
    """An entry of the ledger stands on a statement: on one line of statements, for ever."""

    __tablename__ = "statement_entries"

    entry_id: Mapped[int] = mapped_column(sa.ForeignKey(LedgerEntry.id), primary_key=True)
    statement_id: Mapped[int] = mapped_column(sa.ForeignKey(SettlementStatement.id), index=True)


class StatementAnswer(db.Model):
    """What the payee said of a statement, and what staff said to that."""

    __tablename__ = "statement_answers"
    __table_args__ = (
        sa.CheckConstraint(
            "confirmed_at IS NULL OR disputed_at IS NULL OR settled_at IS NOT NULL",
            name="one_answer_at_a_time",
        ),
    )

    id: Mapped[db.PrimaryKey]
    statement_id: Mapped[int] = mapped_column(sa.ForeignKey(SettlementStatement.id), unique=True)
    confirmed_at: Mapped[datetime | None]
    confirmed_ip: Mapped[str] = mapped_column(default="")
    disputed_at: Mapped[datetime | None]
    dispute: Mapped[str] = mapped_column(default="")
    settled_at: Mapped[datetime | None]
    settled_by: Mapped[str] = mapped_column(default="")
    settled_because: Mapped[str] = mapped_column(default="")
