"""Payout accounts, withdrawals, batches."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.create_table(
        "payout_batches",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted_by", sa.Text(), nullable=False),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout_batches")),
        sa.UniqueConstraint("number", name=op.f("uq_payout_batches_number")),
    )
    op.create_table(
        "payout_accounts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column(
            "distributor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "kind",
            sa.Enum(
                "bank_card",
                "alipay",
                "company",
                name="accountkind",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column(
            "state",
            sa.Enum(
                "active",
                "retired",
                name="accountstate",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("holder_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("holder_masked", sa.Text(), nullable=False),
        sa.Column("account_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("account_masked", sa.Text(), nullable=False),
        sa.Column("account_index", sa.LargeBinary(), nullable=False),
        sa.Column("bank", sa.Text(), nullable=False),
        sa.Column("branch", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("usable_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("retired_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state = 'active' OR NOT is_default", name=op.f("ck_payout_accounts_default_is_active")
        ),
        sa.ForeignKeyConstraint(
            ["distributor_id"], ["distributors.id"], name=op.f("fk_payout_accounts_distributor_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_payout_accounts")),
        sa.UniqueConstraint("uid", name=op.f("uq_payout_accounts_uid")),
    )
    op.create_index(
        "ix_payout_accounts_account", "payout_accounts", ["account_index"], unique=False
    )
    op.create_index(
        "ix_payout_accounts_distributor", "payout_accounts", ["distributor_id", "id"], unique=False
    )
    op.create_index(
        "uq_payout_accounts_one_default",
        "payout_accounts",
        ["distributor_id"],
        unique=True,
        postgresql_where=sa.text("is_default"),
        sqlite_where=sa.text("is_default"),
    )
    op.create_table(
        "withdrawals",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("request_key", sa.LargeBinary(), nullable=False),
        sa.Column(
            "distributor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "account_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("batch_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "requested",
                "approved",
                "paying",
                "awaiting_payee",
                "unknown",
                "paid",
                "returned",
                "refused",
                name="withdrawalstate",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("gross", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tax", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("fee", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("net", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tax_method", sa.Text(), nullable=False),
        sa.Column("tax_trace", sa.JSON(), nullable=False),
        sa.Column("checked_by", sa.Text(), nullable=False),
        sa.Column("approved_by", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("tries", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("queries", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("submitted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("gross = tax + fee + net", name=op.f("ck_withdrawals_adds_up")),
        sa.CheckConstraint(
            "gross > 0 AND net > 0 AND tax >= 0 AND fee >= 0", name=op.f("ck_withdrawals_positive")
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["payout_accounts.id"], name=op.f("fk_withdrawals_account_id")
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["payout_batches.id"], name=op.f("fk_withdrawals_batch_id")
        ),
        sa.ForeignKeyConstraint(
            ["distributor_id"], ["distributors.id"], name=op.f("fk_withdrawals_distributor_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawals")),
        sa.UniqueConstraint("number", name=op.f("uq_withdrawals_number")),
        sa.UniqueConstraint("request_key", name=op.f("uq_withdrawals_request_key")),
    )
    op.create_index(op.f("ix_withdrawals_account_id"), "withdrawals", ["account_id"], unique=False)
    op.create_index("ix_withdrawals_batch", "withdrawals", ["batch_id"], unique=False)
    op.create_index(
        "ix_withdrawals_distributor", "withdrawals", ["distributor_id", "id"], unique=False
    )
    op.create_index("ix_withdrawals_state", "withdrawals", ["state", "id"], unique=False)
    op.create_table(
        "withdrawal_items",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "withdrawal_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "commission_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("amount", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.CheckConstraint("amount > 0", name=op.f("ck_withdrawal_items_amount_positive")),
        sa.ForeignKeyConstraint(
            ["commission_id"], ["commissions.id"], name=op.f("fk_withdrawal_items_commission_id")
        ),
        sa.ForeignKeyConstraint(
            ["withdrawal_id"], ["withdrawals.id"], name=op.f("fk_withdrawal_items_withdrawal_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_withdrawal_items")),
        sa.UniqueConstraint(
            "withdrawal_id",
            "commission_id",
            name=op.f("uq_withdrawal_items_withdrawal_id_commission_id"),
        ),
    )
    op.create_index(
        op.f("ix_withdrawal_items_commission_id"),
        "withdrawal_items",
        ["commission_id"],
        unique=False,
    )


def downgrade() -> None:
    op.drop_index(op.f("ix_withdrawal_items_commission_id"), table_name="withdrawal_items")
    op.drop_table("withdrawal_items")
    op.drop_index("ix_withdrawals_state", table_name="withdrawals")
    op.drop_index("ix_withdrawals_distributor", table_name="withdrawals")
    op.drop_index("ix_withdrawals_batch", table_name="withdrawals")
    op.drop_index(op.f("ix_withdrawals_account_id"), table_name="withdrawals")
    op.drop_table("withdrawals")
    op.drop_index(
        "uq_payout_accounts_one_default",
        table_name="payout_accounts",
        postgresql_where=sa.text("is_default"),
        sqlite_where=sa.text("is_default"),
    )
    op.drop_index("ix_payout_accounts_distributor", table_name="payout_accounts")
    op.drop_index("ix_payout_accounts_account", table_name="payout_accounts")
    op.drop_table("payout_accounts")
    op.drop_table("payout_batches")
