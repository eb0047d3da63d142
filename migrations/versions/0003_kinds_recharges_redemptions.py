"""Kinds of products and their rules of use; recharges and redemptions."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

IMMUTABLE = ("policies", "redemption_roll_backs", "recharge_calls")


def upgrade() -> None:
    op.create_table(
        "recharge_providers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("adapter", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.Column(
            "concurrency", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "per_minute", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("balance", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("balance_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column(
            "low_balance_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "concurrency > 0", name=op.f("ck_recharge_providers_concurrency_positive")
        ),
        sa.CheckConstraint(
            "per_minute > 0", name=op.f("ck_recharge_providers_per_minute_positive")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recharge_providers")),
        sa.UniqueConstraint("slug", name=op.f("uq_recharge_providers_slug")),
    )
    op.create_table(
        "recharge_statements",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "provider_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("day", sa.Text(), nullable=False),
        sa.Column(
            "row_count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("total", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["provider_id"],
            ["recharge_providers.id"],
            name=op.f("fk_recharge_statements_provider_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recharge_statements")),
        sa.UniqueConstraint(
            "provider_id", "day", name=op.f("uq_recharge_statements_provider_id_day")
        ),
    )
    op.create_table(
        "offers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "product_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "provider_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("cost", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("priority", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("is_on", sa.Boolean(), nullable=False),
        sa.CheckConstraint("cost >= 0", name=op.f("ck_offers_cost_not_negative")),
        sa.ForeignKeyConstraint(["product_id"], ["products.id"], name=op.f("fk_offers_product_id")),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["recharge_providers.id"], name=op.f("fk_offers_provider_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offers")),
        sa.UniqueConstraint(
            "product_id", "provider_id", "sku", name=op.f("uq_offers_product_id_provider_id_sku")
        ),
    )
    op.create_index(op.f("ix_offers_provider_id"), "offers", ["provider_id"], unique=False)

    op.create_table(
        "policies",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "product_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("rules", sa.JSON(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_policies_product_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policies")),
        sa.UniqueConstraint("product_id", "version", name=op.f("uq_policies_product_id_version")),
    )
    op.create_table(
        "redemptions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.LargeBinary(), nullable=False),
        sa.Column("code_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "order_line_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "succeeded",
                "failed",
                name="redemptionstate",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column(
            "way",
            sa.Enum(
                "link",
                "typed",
                "order",
                "api",
                "counter",
                name="way",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column(
            "use_number", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.Column(
            "shown_step", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("account_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("account_masked", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state <> 'failed' OR NOT counts", name=op.f("ck_redemptions_failed_gives_back")
        ),
        sa.CheckConstraint("use_number > 0", name=op.f("ck_redemptions_use_number_positive")),
        sa.ForeignKeyConstraint(["code_id"], ["codes.id"], name=op.f("fk_redemptions_code_id")),
        sa.ForeignKeyConstraint(
            ["order_line_id"], ["order_lines.id"], name=op.f("fk_redemptions_order_line_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemptions")),
        sa.UniqueConstraint(
            "code_id", "shown_step", name=op.f("uq_redemptions_code_id_shown_step")
        ),
        sa.UniqueConstraint("key", name=op.f("uq_redemptions_key")),
    )
    op.create_index(op.f("ix_redemptions_at"), "redemptions", ["at"], unique=False)
    op.create_index(
        op.f("ix_redemptions_order_line_id"), "redemptions", ["order_line_id"], unique=False
    )
    op.create_index(
        "uq_redemptions_use",
        "redemptions",
        ["code_id", "use_number"],
        unique=True,
        postgresql_where=sa.text("counts"),
        sqlite_where=sa.text("counts"),
    )

    op.create_table(
        "recharges",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column(
            "order_line_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "redemption_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "product_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "state",
            sa.Enum(
                "queued",
                "running",
                "review",
                "delivered",
                "failed",
                name="rechargestate",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("quantity", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("account_masked", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "(order_line_id IS NULL) <> (redemption_id IS NULL)",
            name=op.f("ck_recharges_for_a_line_or_a_redemption"),
        ),
        sa.CheckConstraint("quantity > 0", name=op.f("ck_recharges_quantity_positive")),
        sa.ForeignKeyConstraint(
            ["order_line_id"], ["order_lines.id"], name=op.f("fk_recharges_order_line_id")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_recharges_product_id")
        ),
        sa.ForeignKeyConstraint(
            ["redemption_id"], ["redemptions.id"], name=op.f("fk_recharges_redemption_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recharges")),
        sa.UniqueConstraint("order_line_id", name=op.f("uq_recharges_order_line_id")),
        sa.UniqueConstraint("redemption_id", name=op.f("uq_recharges_redemption_id")),
        sa.UniqueConstraint("uid", name=op.f("uq_recharges_uid")),
    )
    op.create_index(op.f("ix_recharges_product_id"), "recharges", ["product_id"], unique=False)
    op.create_index("ix_recharges_state", "recharges", ["state", "id"], unique=False)

    op.create_table(
        "redemption_roll_backs",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "redemption_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["redemption_id"],
            ["redemptions.id"],
            name=op.f("fk_redemption_roll_backs_redemption_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_redemption_roll_backs")),
        sa.UniqueConstraint("redemption_id", name=op.f("uq_redemption_roll_backs_redemption_id")),
    )
    op.create_table(
        "recharge_attempts",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column(
            "recharge_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("offer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "provider_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "state",
            sa.Enum(
                "sending",
                "pending",
                "unknown",
                "review",
                "delivered",
                "refused",
                name="attemptstate",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column(
            "expected_cost", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("cost", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("serial", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("contradiction", sa.Text(), nullable=False),
        sa.Column("queries", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["offer_id"], ["offers.id"], name=op.f("fk_recharge_attempts_offer_id")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"],
            ["recharge_providers.id"],
            name=op.f("fk_recharge_attempts_provider_id"),
        ),
        sa.ForeignKeyConstraint(
            ["recharge_id"], ["recharges.id"], name=op.f("fk_recharge_attempts_recharge_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recharge_attempts")),
        sa.UniqueConstraint("number", name=op.f("uq_recharge_attempts_number")),
    )
    op.create_index(
        "ix_recharge_attempts_of_provider",
        "recharge_attempts",
        ["provider_id", "sent_at"],
        unique=False,
    )
    op.create_index(
        op.f("ix_recharge_attempts_recharge_id"), "recharge_attempts", ["recharge_id"], unique=False
    )
    op.create_index(
        "uq_recharge_attempts_one_live",
        "recharge_attempts",
        ["recharge_id"],
        unique=True,
        postgresql_where=sa.text("state <> 'refused'"),
        sqlite_where=sa.text("state <> 'refused'"),
    )

    op.create_table(
        "recharge_calls",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "provider_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "attempt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("request", sa.Text(), nullable=False),
        sa.Column("response", sa.Text(), nullable=False),
        sa.Column("status", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "milliseconds", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["attempt_id"], ["recharge_attempts.id"], name=op.f("fk_recharge_calls_attempt_id")
        ),
        sa.ForeignKeyConstraint(
            ["provider_id"], ["recharge_providers.id"], name=op.f("fk_recharge_calls_provider_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recharge_calls")),
    )
    op.create_index(
        op.f("ix_recharge_calls_attempt_id"), "recharge_calls", ["attempt_id"], unique=False
    )
    op.create_index(
        "ix_recharge_calls_of_provider", "recharge_calls", ["provider_id", "id"], unique=False
    )

    op.create_table(
        "recharge_statement_rows",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "statement_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column(
            "attempt_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "state",
            sa.Enum(
                "matched",
                "differs",
                "settled",
                name="statementrowstate",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("difference", sa.Text(), nullable=False),
        sa.Column("their_state", sa.Text(), nullable=False),
        sa.Column(
            "their_cost", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("our_state", sa.Text(), nullable=False),
        sa.Column("our_cost", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("settled_by", sa.Text(), nullable=False),
        sa.Column("settled_because", sa.Text(), nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["attempt_id"],
            ["recharge_attempts.id"],
            name=op.f("fk_recharge_statement_rows_attempt_id"),
        ),
        sa.ForeignKeyConstraint(
            ["statement_id"],
            ["recharge_statements.id"],
            name=op.f("fk_recharge_statement_rows_statement_id"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recharge_statement_rows")),
        sa.UniqueConstraint(
            "statement_id", "number", name=op.f("uq_recharge_statement_rows_statement_id_number")
        ),
    )
    op.create_index(
        "ix_recharge_statement_rows_state", "recharge_statement_rows", ["state"], unique=False
    )

    # Rows that are there already are what everything was until now: codes of a third party.
    with op.batch_alter_table("order_lines") as batch:
        batch.add_column(_kind(server_default="key"))
        batch.add_column(
            sa.Column(
                "policy_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
            )
        )
        batch.add_column(sa.Column("account_sealed", sa.LargeBinary(), nullable=True))
        batch.add_column(sa.Column("account_masked", sa.Text(), nullable=False, server_default=""))
        batch.create_foreign_key(
            op.f("fk_order_lines_policy_id"), "policies", ["policy_id"], ["id"]
        )
    with op.batch_alter_table("products") as batch:
        batch.add_column(_kind(server_default="key"))
        batch.add_column(
            sa.Column(
                "account_format",
                sa.Enum(
                    "phone",
                    "qq",
                    "email",
                    "platform",
                    name="accountformat",
                    native_enum=False,
                    create_constraint=True,
                    length=20,
                ),
                nullable=True,
            )
        )
        batch.add_column(sa.Column("account_label", sa.Text(), nullable=False, server_default=""))
    for table, columns in (
        ("order_lines", ("kind", "account_masked")),
        ("products", ("kind", "account_label")),
    ):
        with op.batch_alter_table(table) as batch:
            for column in columns:
                batch.alter_column(column, server_default=None)
    for table in IMMUTABLE:
        for event in ("UPDATE", "DELETE"):
            refuse(table, event)


def _kind(**options: object) -> sa.Column:
    return sa.Column(
        "kind",
        sa.Enum(
            "key",
            "redeem",
            "multi",
            "period",
            "recharge",
            name="productkind",
            native_enum=False,
            create_constraint=True,
            length=20,
        ),
        nullable=False,
        **options,
    )


def downgrade() -> None:
    is_postgres = op.get_bind().dialect.name == "postgresql"
    for table in IMMUTABLE:
        for event in ("update", "delete"):
            on = f" ON {table}" if is_postgres else ""
            op.execute(f"DROP TRIGGER {table}_no_{event}{on}")
    with op.batch_alter_table("products") as batch:
        batch.drop_constraint(op.f("ck_products_accountformat"), type_="check")
        batch.drop_constraint(op.f("ck_products_productkind"), type_="check")
        for column in ("account_label", "account_format", "kind"):
            batch.drop_column(column)
    with op.batch_alter_table("order_lines") as batch:
        batch.drop_constraint(op.f("ck_order_lines_productkind"), type_="check")
        batch.drop_constraint(op.f("fk_order_lines_policy_id"), type_="foreignkey")
        for column in ("account_masked", "account_sealed", "policy_id", "kind"):
            batch.drop_column(column)
    for table in (
        "recharge_statement_rows",
        "recharge_calls",
        "recharge_attempts",
        "redemption_roll_backs",
        "recharges",
        "redemptions",
        "policies",
        "offers",
        "recharge_statements",
        "recharge_providers",
    ):
        op.drop_table(table)


def refuse(table: str, event: str) -> None:
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
