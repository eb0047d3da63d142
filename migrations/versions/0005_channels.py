"""Distributors, attribution, commission."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_table(
        "commission_plans",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "draft",
                "published",
                "retired",
                name="planstate",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column(
            "max_depth", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("depth_accepted_by", sa.Text(), nullable=False),
        sa.Column("depth_accepted_text", sa.Text(), nullable=False),
        sa.Column(
            "pool_max_bp", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "max_depth = 1 OR state = 'draft' OR depth_accepted_by <> ''",
            name=op.f("ck_commission_plans_depth_accepted"),
        ),
        sa.CheckConstraint(
            "max_depth BETWEEN 1 AND 2", name=op.f("ck_commission_plans_depth_within_the_law")
        ),
        sa.CheckConstraint(
            "pool_max_bp BETWEEN 0 AND 10000",
            name=op.f("ck_commission_plans_pool_within_the_price"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commission_plans")),
        sa.UniqueConstraint("version", name=op.f("uq_commission_plans_version")),
    )
    op.create_index(
        "uq_commission_plans_one_published",
        "commission_plans",
        ["state"],
        unique=True,
        postgresql_where=sa.text("state = 'published'"),
        sqlite_where=sa.text("state = 'published'"),
    )
    op.create_table(
        "tiers",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column(
            "threshold", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "discount_bp", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "discount_bp BETWEEN 0 AND 9000", name=op.f("ck_tiers_discount_within_price")
        ),
        sa.CheckConstraint("threshold >= 0", name=op.f("ck_tiers_threshold_not_negative")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tiers")),
        sa.UniqueConstraint("name", name=op.f("uq_tiers_name")),
        sa.UniqueConstraint("threshold", name=op.f("uq_tiers_threshold")),
    )
    op.create_table(
        "distributors",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column(
            "person_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("parent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("tier_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "lower_tier_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "state",
            sa.Enum(
                "applied",
                "active",
                "suspended",
                "refused",
                name="distributorstate",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("introduction", sa.Text(), nullable=False),
        sa.Column("state_reason", sa.Text(), nullable=False),
        sa.Column(
            "low_balance_at", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("applied_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "parent_id IS NULL OR parent_id <> id", name=op.f("ck_distributors_not_her_own_parent")
        ),
        sa.ForeignKeyConstraint(
            ["lower_tier_id"], ["tiers.id"], name=op.f("fk_distributors_lower_tier_id")
        ),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["distributors.id"], name=op.f("fk_distributors_parent_id")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_distributors_person_id")
        ),
        sa.ForeignKeyConstraint(["tier_id"], ["tiers.id"], name=op.f("fk_distributors_tier_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_distributors")),
        sa.UniqueConstraint("code", name=op.f("uq_distributors_code")),
        sa.UniqueConstraint("person_id", name=op.f("uq_distributors_person_id")),
        sa.UniqueConstraint("uid", name=op.f("uq_distributors_uid")),
    )
    op.create_index(op.f("ix_distributors_parent_id"), "distributors", ["parent_id"], unique=False)
    op.create_index("ix_distributors_state", "distributors", ["state", "id"], unique=False)
    op.create_index(op.f("ix_distributors_tier_id"), "distributors", ["tier_id"], unique=False)
    op.create_table(
        "commission_rules",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("plan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("level", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "distributor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "product_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "category_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("tier_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column(
            "percent_bp", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("per_unit", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "cap_per_order", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "cap_per_month", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column(
            "min_margin_bp", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "level BETWEEN 1 AND 2", name=op.f("ck_commission_rules_level_within_the_law")
        ),
        sa.CheckConstraint("per_unit >= 0", name=op.f("ck_commission_rules_per_unit_not_negative")),
        sa.CheckConstraint(
            "percent_bp BETWEEN 0 AND 10000",
            name=op.f("ck_commission_rules_percent_within_the_price"),
        ),
        sa.ForeignKeyConstraint(
            ["category_id"], ["categories.id"], name=op.f("fk_commission_rules_category_id")
        ),
        sa.ForeignKeyConstraint(
            ["distributor_id"], ["distributors.id"], name=op.f("fk_commission_rules_distributor_id")
        ),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["commission_plans.id"], name=op.f("fk_commission_rules_plan_id")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_commission_rules_product_id")
        ),
        sa.ForeignKeyConstraint(
            ["tier_id"], ["tiers.id"], name=op.f("fk_commission_rules_tier_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commission_rules")),
    )
    op.create_index(
        op.f("ix_commission_rules_plan_id"), "commission_rules", ["plan_id"], unique=False
    )
    op.create_table(
        "contact_bindings",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("contact_index", sa.LargeBinary(), nullable=False),
        sa.Column(
            "distributor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["distributor_id"], ["distributors.id"], name=op.f("fk_contact_bindings_distributor_id")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_contact_bindings_order_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_contact_bindings")),
        sa.UniqueConstraint("contact_index", name=op.f("uq_contact_bindings_contact_index")),
    )
    op.create_index(
        op.f("ix_contact_bindings_distributor_id"),
        "contact_bindings",
        ["distributor_id"],
        unique=False,
    )
    op.create_table(
        "distributor_invitations",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("parent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("tier_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "used_by_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["parent_id"], ["distributors.id"], name=op.f("fk_distributor_invitations_parent_id")
        ),
        sa.ForeignKeyConstraint(
            ["tier_id"], ["tiers.id"], name=op.f("fk_distributor_invitations_tier_id")
        ),
        sa.ForeignKeyConstraint(
            ["used_by_id"], ["distributors.id"], name=op.f("fk_distributor_invitations_used_by_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_distributor_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_distributor_invitations_token_hash")),
    )
    op.create_index(
        op.f("ix_distributor_invitations_parent_id"),
        "distributor_invitations",
        ["parent_id"],
        unique=False,
    )
    op.create_table(
        "share_links",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column(
            "distributor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "product_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True
        ),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["distributor_id"], ["distributors.id"], name=op.f("fk_share_links_distributor_id")
        ),
        sa.ForeignKeyConstraint(
            ["product_id"], ["products.id"], name=op.f("fk_share_links_product_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_share_links")),
        sa.UniqueConstraint("code", name=op.f("uq_share_links_code")),
    )
    op.create_index(
        "ix_share_links_distributor", "share_links", ["distributor_id", "id"], unique=False
    )
    op.create_table(
        "clicks",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("uid", sa.Text(), nullable=False),
        sa.Column("link_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("network", sa.Text(), nullable=False),
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("referrer", sa.Text(), nullable=False),
        sa.Column("utm", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["link_id"], ["share_links.id"], name=op.f("fk_clicks_link_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clicks")),
        sa.UniqueConstraint("uid", name=op.f("uq_clicks_uid")),
    )
    op.create_index("ix_clicks_link", "clicks", ["link_id", "at"], unique=False)
    op.create_table(
        "attributions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "distributor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("plan_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column(
            "rule",
            sa.Enum(
                "referral_code",
                "manual",
                "click",
                "binding",
                name="attributionrule",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("click_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("campaign", sa.Text(), nullable=False),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("earns_nothing_because", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["click_id"], ["clicks.id"], name=op.f("fk_attributions_click_id")),
        sa.ForeignKeyConstraint(
            ["distributor_id"], ["distributors.id"], name=op.f("fk_attributions_distributor_id")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_attributions_order_id")),
        sa.ForeignKeyConstraint(
            ["plan_id"], ["commission_plans.id"], name=op.f("fk_attributions_plan_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attributions")),
        sa.UniqueConstraint("order_id", name=op.f("uq_attributions_order_id")),
    )
    op.create_index(
        "ix_attributions_distributor", "attributions", ["distributor_id", "id"], unique=False
    )
    op.create_table(
        "commissions",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("order_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "order_line_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column(
            "distributor_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("level", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                "pending",
                "holding",
                "on_hold",
                "payable",
                "settling",
                "paid",
                "reversed",
                "clawed_back",
                name="commissionstate",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("rule_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("trace", sa.JSON(), nullable=False),
        sa.Column("base", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("amount", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("reversed", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("earned_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("eligible_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("payable_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("base >= 0 AND amount >= 0", name=op.f("ck_commissions_not_negative")),
        sa.CheckConstraint(
            "level BETWEEN 1 AND 2", name=op.f("ck_commissions_level_within_the_law")
        ),
        sa.CheckConstraint(
            "reversed BETWEEN 0 AND amount", name=op.f("ck_commissions_reversed_within_amount")
        ),
        sa.ForeignKeyConstraint(
            ["distributor_id"], ["distributors.id"], name=op.f("fk_commissions_distributor_id")
        ),
        sa.ForeignKeyConstraint(["order_id"], ["orders.id"], name=op.f("fk_commissions_order_id")),
        sa.ForeignKeyConstraint(
            ["order_line_id"], ["order_lines.id"], name=op.f("fk_commissions_order_line_id")
        ),
        sa.ForeignKeyConstraint(
            ["rule_id"], ["commission_rules.id"], name=op.f("fk_commissions_rule_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commissions")),
        sa.UniqueConstraint(
            "order_line_id", "level", name=op.f("uq_commissions_order_line_id_level")
        ),
    )
    op.create_index(
        "ix_commissions_distributor", "commissions", ["distributor_id", "state", "id"], unique=False
    )
    op.create_index(
        "ix_commissions_holding",
        "commissions",
        ["eligible_at"],
        unique=False,
        postgresql_where=sa.text("state = 'holding'"),
        sqlite_where=sa.text("state = 'holding'"),
    )
    op.create_index("ix_commissions_order", "commissions", ["order_id"], unique=False)
    with op.batch_alter_table("orders") as batch:
        batch.add_column(
            sa.Column("is_attributed", sa.Boolean(), nullable=False, server_default=sa.false())
        )
    with op.batch_alter_table("orders") as batch:
        batch.alter_column("is_attributed", server_default=None)
    _keep("distributors", "parent_id")


def _keep(table: str, column: str) -> None:
    """Let the database refuse another value in a column that never changes."""
    name = f"{table}_keep_{column}"
    on = f"BEFORE UPDATE OF {column} ON {table}"
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            f"CREATE TRIGGER {name} {on} FOR EACH ROW"
            f" WHEN (OLD.{column} IS DISTINCT FROM NEW.{column}) EXECUTE FUNCTION refuse_change()"
        )
    else:
        op.execute(
            f"CREATE TRIGGER {name} {on} WHEN OLD.{column} IS NOT NEW.{column}"
            f" BEGIN SELECT RAISE(ABORT, '{table}.{column} is fixed'); END"
        )


def downgrade() -> None:
    is_postgres = op.get_bind().dialect.name == "postgresql"
    op.execute(
        f"DROP TRIGGER distributors_keep_parent_id{' ON distributors' if is_postgres else ''}"
    )
    with op.batch_alter_table("orders") as batch:
        batch.drop_column("is_attributed")
    op.drop_index("ix_commissions_order", table_name="commissions")
    op.drop_index(
        "ix_commissions_holding",
        table_name="commissions",
        postgresql_where=sa.text("state = 'holding'"),
        sqlite_where=sa.text("state = 'holding'"),
    )
    op.drop_index("ix_commissions_distributor", table_name="commissions")
    op.drop_table("commissions")
    op.drop_index("ix_attributions_distributor", table_name="attributions")
    op.drop_table("attributions")
    op.drop_index("ix_clicks_link", table_name="clicks")
    op.drop_table("clicks")
    op.drop_index("ix_share_links_distributor", table_name="share_links")
    op.drop_table("share_links")
    op.drop_index(
        op.f("ix_distributor_invitations_parent_id"), table_name="distributor_invitations"
    )
    op.drop_table("distributor_invitations")
    op.drop_index(op.f("ix_contact_bindings_distributor_id"), table_name="contact_bindings")
    op.drop_table("contact_bindings")
    op.drop_index(op.f("ix_commission_rules_plan_id"), table_name="commission_rules")
    op.drop_table("commission_rules")
    op.drop_index(op.f("ix_distributors_tier_id"), table_name="distributors")
    op.drop_index("ix_distributors_state", table_name="distributors")
    op.drop_index(op.f("ix_distributors_parent_id"), table_name="distributors")
    op.drop_table("distributors")
    op.drop_table("tiers")
    op.drop_index(
        "uq_commission_plans_one_published",
        table_name="commission_plans",
        postgresql_where=sa.text("state = 'published'"),
        sqlite_where=sa.text("state = 'published'"),
    )
    op.drop_table("commission_plans")
