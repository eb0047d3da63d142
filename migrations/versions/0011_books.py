"""Closed periods of the books; channels' statements and what they remit."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"

# What `ledger.service` recognises the refusal by.
CLOSED = "the period is closed"


def upgrade() -> None:
    op.create_table(
        "channel_remittances",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "booked",
                "reversed",
                name="remittancestate",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("net", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("fee", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reversed_because", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "net >= 0 AND fee >= 0 AND net + fee > 0",
            name=op.f("ck_channel_remittances_some_money"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_remittances")),
    )
    op.create_index(
        "uq_channel_remittances_one_booked",
        "channel_remittances",
        ["channel", "number"],
        unique=True,
        postgresql_where=sa.text("state = 'booked'"),
        sqlite_where=sa.text("state = 'booked'"),
    )
    op.create_table(
        "channel_statements",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column(
            "row_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("total", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_statements")),
        sa.UniqueConstraint("channel", "day", name=op.f("uq_channel_statements_channel_day")),
    )
    op.create_table(
        "ledger_periods",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("month", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "transactions", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "last_transaction_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=True,
        ),
        sa.Column("totals", sa.JSON(), nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("closed_by", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "transactions >= 0", name=op.f("ck_ledger_periods_transactions_not_negative")
        ),
        sa.ForeignKeyConstraint(
            ["last_transaction_id"],
            ["ledger_transactions.id"],
            name=op.f("fk_ledger_periods_last_transaction_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ledger_periods")),
        sa.UniqueConstraint("ends_at", name=op.f("uq_ledger_periods_ends_at")),
        sa.UniqueConstraint("hash", name=op.f("uq_ledger_periods_hash")),
        sa.UniqueConstraint("month", name=op.f("uq_ledger_periods_month")),
    )
    op.create_table(
        "channel_statement_rows",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "statement_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "kind",
            sa.Enum(
                "payment",
                "refund",
                "remittance",
                name="linekind",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column(
            "payment_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("refund_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "matched",
                "differs",
                "settled",
                name="channelrowstate",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("difference", sa.Text(), nullable=False),
        sa.Column("their_state", sa.Text(), nullable=False),
        sa.Column(
            "their_amount", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "their_fee", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("our_state", sa.Text(), nullable=False),
        sa.Column(
            "our_amount", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("settled_by", sa.Text(), nullable=False),
        sa.Column("settled_because", sa.Text(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["payment_id"], ["payments.id"], name=op.f("fk_channel_statement_rows_payment_id")
        ),
        sa.ForeignKeyConstraint(
            ["refund_id"], ["refunds.id"], name=op.f("fk_channel_statement_rows_refund_id")
        ),
        sa.ForeignKeyConstraint(
            ["statement_id"],
            ["channel_statements.id"],
            name=op.f("fk_channel_statement_rows_statement_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_statement_rows")),
        sa.UniqueConstraint(
            "statement_id",
            "kind",
            "number",
            name=op.f("uq_channel_statement_rows_statement_id_kind_number"),
        ),
    )
    op.create_index(
        "ix_channel_statement_rows_number", "channel_statement_rows", ["number"], unique=False
    )
    op.create_index(
        op.f("ix_channel_statement_rows_payment_id"),
        "channel_statement_rows",
        ["payment_id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_channel_statement_rows_refund_id"),
        "channel_statement_rows",
        ["refund_id"],
        unique=False,
    )
    op.create_index(
        "ix_channel_statement_rows_state", "channel_statement_rows", ["state"], unique=False
    )
    op.drop_index(op.f("ix_ledger_entries_account_id"), table_name="ledger_entries")
    op.create_index(
        "ix_ledger_entries_of_account", "ledger_entries", ["account_id", "id"], unique=False
    )
    _refuse_changes_of_periods()
    _refuse_postings_into_periods()


def downgrade() -> None:
    is_postgres = op.get_bind().dialect.name == "postgresql"
    on = " ON ledger_transactions" if is_postgres else ""
    op.execute(f"DROP TRIGGER ledger_transactions_in_open_period{on}")
    if is_postgres:
        op.execute("DROP FUNCTION refuse_closed_period()")
    op.drop_index("ix_ledger_entries_of_account", table_name="ledger_entries")
    op.create_index(
        op.f("ix_ledger_entries_account_id"), "ledger_entries", ["account_id"], unique=False
    )
    op.drop_index("ix_channel_statement_rows_state", table_name="channel_statement_rows")
    op.drop_index(op.f("ix_channel_statement_rows_refund_id"), table_name="channel_statement_rows")
    op.drop_index(op.f("ix_channel_statement_rows_payment_id"), table_name="channel_statement_rows")
    op.drop_index("ix_channel_statement_rows_number", table_name="channel_statement_rows")
    op.drop_table("channel_statement_rows")
    op.drop_table("ledger_periods")
    op.drop_table("channel_statements")
    op.drop_index(
        "uq_channel_remittances_one_booked",
        table_name="channel_remittances",
        postgresql_where=sa.text("state = 'booked'"),
        sqlite_where=sa.text("state = 'booked'"),
    )
    op.drop_table("channel_remittances")


def _refuse_changes_of_periods() -> None:
    """As migration 0002 does for the books themselves."""
    for event in ("UPDATE", "DELETE"):
        name = f"ledger_periods_no_{event.lower()}"
        if op.get_bind().dialect.name == "postgresql":
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON ledger_periods"
                " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
            )
        else:
            op.execute(
                f"CREATE TRIGGER {name} BEFORE {event} ON ledger_periods"
                " BEGIN SELECT RAISE(ABORT, 'ledger_periods is append-only'); END"
            )


def _refuse_postings_into_periods() -> None:
    is_closed = "EXISTS (SELECT 1 FROM ledger_periods WHERE ends_at > NEW.posted_at)"
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE OR REPLACE FUNCTION refuse_closed_period() RETURNS trigger LANGUAGE plpgsql AS"
            f" $$ BEGIN IF {is_closed} THEN RAISE EXCEPTION '{CLOSED}'; END IF;"
            " RETURN NEW; END $$"
        )
        op.execute(
            "CREATE TRIGGER ledger_transactions_in_open_period BEFORE INSERT"
            " ON ledger_transactions FOR EACH ROW EXECUTE FUNCTION refuse_closed_period()"
        )
    else:
        op.execute(
            "CREATE TRIGGER ledger_transactions_in_open_period BEFORE INSERT"
            f" ON ledger_transactions WHEN {is_closed}"
            f" BEGIN SELECT RAISE(ABORT, '{CLOSED}'); END"
        )
