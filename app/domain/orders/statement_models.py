"""What a payment channel says about a day, line by line, and what it remits to the bank."""

from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core import clock, db
from app.domain.orders.models import Payment, Refund


class RemittanceState(StrEnum):
    BOOKED = "booked"
    REVERSED = "reversed"


class Remittance(db.Model):
    """A channel paid what it held for us into the bank, less its fee. Amounts in minor units.

    `number` is the channel's or the bank's; it is booked once. A slip is reversed, with a reason.
    """

    __tablename__ = "channel_remittances"
    __table_args__ = (
        sa.CheckConstraint("net >= 0 AND fee >= 0 AND net + fee > 0", name="some_money"),
        # One that was reversed may be entered again, as it should have been.
        sa.Index(
            "uq_channel_remittances_one_booked",
            "channel",
            "number",
            unique=True,
            postgresql_where=sa.text("state = 'booked'"),
            sqlite_where=sa.text("state = 'booked'"),
        ),
    )

    MOVES = {
        RemittanceState.BOOKED: {RemittanceState.REVERSED},
        RemittanceState.REVERSED: set(),
    }

    id: Mapped[db.PrimaryKey]
    channel: Mapped[str]
    number: Mapped[str]
    state: Mapped[RemittanceState] = mapped_column(default=RemittanceState.BOOKED)
    currency: Mapped[str]
    # What came into the bank, and what the channel kept: together they leave the channel.
    net: Mapped[int]
    fee: Mapped[int]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    reversed_because: Mapped[str] = mapped_column(default="")

    @property
    def gross(self) -> int:
        return self.net + self.fee


class LineKind(StrEnum):
    """What a line of a channel's statement is about."""

    PAYMENT = "payment"
    REFUND = "refund"
    REMITTANCE = "remittance"


class ChannelRowState(StrEnum):
    """A line MATCHED, or DIFFERS until the two sides agree or a person has SETTLED it."""

    MATCHED = "matched"
    DIFFERS = "differs"
    SETTLED = "settled"


class ChannelStatement(db.Model):
    """A channel's account of one day. `total` is what it says came in less what went back."""

    __tablename__ = "channel_statements"
    __table_args__ = (sa.UniqueConstraint("channel", "day"),)

    id: Mapped[db.PrimaryKey]
    channel: Mapped[str]
    day: Mapped[str]
    row_count: Mapped[int]
    total: Mapped[int]
    created_by: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(default=clock.now)


class ChannelStatementRow(db.Model):
    """One number on a statement or, when it stands only with us, missing from it."""

    __tablename__ = "channel_statement_rows"
    __table_args__ = (
        sa.UniqueConstraint("statement_id", "kind", "number"),
        sa.Index("ix_channel_statement_rows_state", "state"),
        sa.Index("ix_channel_statement_rows_number", "number"),
    )

    MOVES = {
        ChannelRowState.DIFFERS: {ChannelRowState.SETTLED, ChannelRowState.MATCHED},
        ChannelRowState.MATCHED: set(),
        ChannelRowState.SETTLED: set(),
    }

    id: Mapped[db.PrimaryKey]
    statement_id: Mapped[int] = mapped_column(sa.ForeignKey(ChannelStatement.id))
    kind: Mapped[LineKind]
    # Ours, under which the channel took or sent the money; a remittance has the channel's.
    number: Mapped[str]
    payment_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Payment.id), index=True)
    refund_id: Mapped[int | None] = mapped_column(sa.ForeignKey(Refund.id), index=True)
    state: Mapped[ChannelRowState]
    # only_theirs, only_ours, state, amount, twice; empty when it matched at once.
    difference: Mapped[str] = mapped_column(default="")
    # What the channel says, in its own words, and what we say; amounts in minor units, positive.
    their_state: Mapped[str] = mapped_column(default="")
    their_amount: Mapped[int | None]
    their_fee: Mapped[int] = mapped_column(default=0)
    our_state: Mapped[str] = mapped_column(default="")
    our_amount: Mapped[int | None]
    settled_by: Mapped[str] = mapped_column(default="")
    settled_because: Mapped[str] = mapped_column(default="")
    settled_at: Mapped[datetime | None]

    statement: Mapped[ChannelStatement] = relationship()
