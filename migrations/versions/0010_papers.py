"""Tax profiles, what is withheld, invoices, settlement statements."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"

# What is never changed: a statement, and which entries of the ledger stand on it.
IMMUTABLE = ("settlement_statements", "statement_entries")


def upgrade() -> None:
    op.create_table(
        "tax_profiles",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column(
            "distributor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "mode",
            sa.Enum(
                "individual_per_month",
                "individual_cumulative",
                "business_invoice",
                "outsourced",
                "non_resident",
                name="taxmode",
                native_enum=False,
                create_constraint=True,
                length=30,
            ),
            nullable=False,
        ),
        sa.Column("name_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("name_masked", sa.Text(), nullable=False),
        sa.Column(
            "identity_kind",
            sa.Enum(
                "resident_id",
                "passport",
                "permit",
                "credit_code",
                name="identitykind",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("identity_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("identity_masked", sa.Text(), nullable=False),
        sa.Column("identity_index", sa.LargeBinary(), nullable=False),
        sa.Column("rate_bp", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("replaced_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(mode = 'business_invoice') = (identity_kind = 'credit_code')",
            name=op.f("ck_tax_profiles_companies_have_credit_codes"),
        ),
        sa.CheckConstraint(
            "rate_bp BETWEEN 0 AND 4500", name=op.f("ck_tax_profiles_rate_within_the_law")
        ),
        sa.ForeignKeyConstraint(
            ["distributor_id"], ["distributors.id"], name=op.f("fk_tax_profiles_distributor_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tax_profiles")),
        sa.UniqueConstraint("uid", name=op.f("uq_tax_profiles_uid")),
    )
    op.create_index("ix_tax_profiles_identity", "tax_profiles", ["identity_index"], unique=False)
    op.create_index(
        "uq_tax_profiles_one_current",
        "tax_profiles",
        ["distributor_id"],
        unique=True,
        postgresql_where=sa.text("replaced_at IS NULL"),
        sqlite_where=sa.text("replaced_at IS NULL"),
    )
    op.create_table(
        "invoices",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column(
            "withdrawal_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "state",
            sa.Enum(
                "submitted",
                "accepted",
                "refused",
                name="invoicestate",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("media_type", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("content_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["withdrawal_id"], ["withdrawals.id"], name=op.f("fk_invoices_withdrawal_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invoices")),
        sa.UniqueConstraint("uid", name=op.f("uq_invoices_uid")),
    )
    op.create_index("ix_invoices_state", "invoices", ["state", "id"], unique=False)
    op.create_index("ix_invoices_withdrawal", "invoices", ["withdrawal_id"], unique=False)
    op.create_index(
        "uq_invoices_number",
        "invoices",
        ["number"],
        unique=True,
        postgresql_where=sa.text("state <> 'refused'"),
        sqlite_where=sa.text("state <> 'refused'"),
    )
    op.create_index(
        "uq_invoices_one_a_withdrawal",
        "invoices",
        ["withdrawal_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'refused'"),
        sqlite_where=sa.text("state <> 'refused'"),
    )
    op.create_table(
        "settlement_statements",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column(
            "distributor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "withdrawal_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("root_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "corrects_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("content_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("payer_name", sa.Text(), nullable=False),
        sa.Column("payee_masked", sa.Text(), nullable=False),
        sa.Column("opening", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("closing", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("gross", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tax", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("fee", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("net", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("issued_by", sa.Text(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "(root_id IS NULL) = (corrects_id IS NULL)",
            name=op.f("ck_settlement_statements_corrections_have_a_root"),
        ),
        sa.CheckConstraint(
            "gross = tax + fee + net", name=op.f("ck_settlement_statements_adds_up")
        ),
        sa.ForeignKeyConstraint(
            ["corrects_id"],
            ["settlement_statements.id"],
            name=op.f("fk_settlement_statements_corrects_id"),
        ),
        sa.ForeignKeyConstraint(
            ["distributor_id"],
            ["distributors.id"],
            name=op.f("fk_settlement_statements_distributor_id"),
        ),
        sa.ForeignKeyConstraint(
            ["root_id"], ["settlement_statements.id"], name=op.f("fk_settlement_statements_root_id")
        ),
        sa.ForeignKeyConstraint(
            ["withdrawal_id"],
            ["withdrawals.id"],
            name=op.f("fk_settlement_statements_withdrawal_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_settlement_statements")),
        sa.UniqueConstraint("corrects_id", name=op.f("uq_settlement_statements_corrects_id")),
        sa.UniqueConstraint("number", name=op.f("uq_settlement_statements_number")),
    )
    op.create_index(
        "ix_settlement_statements_distributor",
        "settlement_statements",
        ["distributor_id", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_settlement_statements_root_id"), "settlement_statements", ["root_id"], unique=False
    )
    op.create_index(
        "ix_settlement_statements_withdrawal",
        "settlement_statements",
        ["withdrawal_id", "id"],
        unique=False,
    )
    op.create_table(
        "withholdings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "withdrawal_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "distributor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "profile_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("income", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tax", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "method",
            sa.Enum(
                "individual_per_month",
                "individual_cumulative",
                "business_invoice",
                "outsourced",
                "non_resident",
                name="taxmode",
                native_enum=False,
                create_constraint=True,
                length=30,
            ),
            nullable=False,
        ),
        sa.Column("trace", sa.JSON(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "tax BETWEEN 0 AND income", name=op.f("ck_withholdings_tax_within_income")
        ),
        sa.ForeignKeyConstraint(
            ["distributor_id"], ["distributors.id"], name=op.f("fk_withholdings_distributor_id")
        ),
        sa.ForeignKeyConstraint(
            ["profile_id"], ["tax_profiles.id"], name=op.f("fk_withholdings_profile_id")
        ),
        sa.ForeignKeyConstraint(
            ["withdrawal_id"], ["withdrawals.id"], name=op.f("fk_withholdings_withdrawal_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withholdings")),
        sa.UniqueConstraint("withdrawal_id", name=op.f("uq_withholdings_withdrawal_id")),
    )
    op.create_index(
        "ix_withholdings_month", "withholdings", ["month", "distributor_id"], unique=False
    )
    op.create_index(
        op.f("ix_withholdings_profile_id"), "withholdings", ["profile_id"], unique=False
    )
    op.create_table(
        "statement_answers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "statement_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_ip", sa.Text(), nullable=False),
        sa.Column("disputed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dispute", sa.Text(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=False),
        sa.Column("settled_because", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "confirmed_at IS NULL OR disputed_at IS NULL OR settled_at IS NOT NULL",
            name=op.f("ck_statement_answers_one_answer_at_a_time"),
        ),
        sa.ForeignKeyConstraint(
            ["statement_id"],
            ["settlement_statements.id"],
            name=op.f("fk_statement_answers_statement_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_statement_answers")),
        sa.UniqueConstraint("statement_id", name=op.f("uq_statement_answers_statement_id")),
    )
    op.create_table(
        "statement_entries",
        sa.Column("entry_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "statement_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["ledger_entries.id"], name=op.f("fk_statement_entries_entry_id")
        ),
        sa.ForeignKeyConstraint(
            ["statement_id"],
            ["settlement_statements.id"],
            name=op.f("fk_statement_entries_statement_id"),
        ),
        sa.PrimaryKeyConstraint("entry_id", name=op.f("pk_statement_entries")),
    )
    op.create_index(
        op.f("ix_statement_entries_statement_id"),
        "statement_entries",
        ["statement_id"],
        unique=False,
    )

    for table in IMMUTABLE:
        for event in ("UPDATE", "DELETE"):
            _refuse(table, event)


def _refuse(table: str, event: str) -> None:
    name = f"{table}_no_{event.lower()}"
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_change()"
        )
    else:
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {event} ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
        )


def downgrade() -> None:
    is_postgres = op.get_bind().dialect.name == "postgresql"
    for table in IMMUTABLE:
        for event in ("update", "delete"):
            on = f" ON {table}" if is_postgres else ""
            op.execute(f"DROP TRIGGER {table}_no_{event}{on}")
    op.drop_index(op.f("ix_statement_entries_statement_id"), table_name="statement_entries")
    op.drop_table("statement_entries")
    op.drop_table("statement_answers")
    op.drop_index(op.f("ix_withholdings_profile_id"), table_name="withholdings")
    op.drop_index("ix_withholdings_month", table_name="withholdings")
    op.drop_table("withholdings")
    op.drop_index("ix_settlement_statements_withdrawal", table_name="settlement_statements")
    op.drop_index(op.f("ix_settlement_statements_root_id"), table_name="settlement_statements")
    op.drop_index("ix_settlement_statements_distributor", table_name="settlement_statements")
    op.drop_table("settlement_statements")
    op.drop_index(
        "uq_invoices_one_a_withdrawal",
        table_name="invoices",
        postgresql_where=sa.text("state <> 'refused'"),
        sqlite_where=sa.text("state <> 'refused'"),
    )
    op.drop_index(
        "uq_invoices_number",
        table_name="invoices",
        postgresql_where=sa.text("state <> 'refused'"),
        sqlite_where=sa.text("state <> 'refused'"),
    )
    op.drop_index("ix_invoices_withdrawal", table_name="invoices")
    op.drop_index("ix_invoices_state", table_name="invoices")
    op.drop_table("invoices")
    op.drop_index(
        "uq_tax_profiles_one_current",
        table_name="tax_profiles",
        postgresql_where=sa.text("replaced_at IS NULL"),
        sqlite_where=sa.text("replaced_at IS NULL"),
    )
    op.drop_index("ix_tax_profiles_identity", table_name="tax_profiles")
    op.drop_table("tax_profiles")
