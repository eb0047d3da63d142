"""Commission: an order may be handed over; two levels are accepted at a moment; rules stay."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

RULES = "commission_rules"
EVENTS = ("INSERT", "UPDATE", "DELETE")


def upgrade() -> None:
    with op.batch_alter_table("commission_plans") as batch:
        batch.add_column(sa.Column("depth_accepted_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("commissions") as batch:
        batch.add_column(sa.Column("handed_over_at", sa.DateTime(timezone=True), nullable=True))
        batch.drop_constraint(op.f("uq_commissions_order_line_id_level"), type_="unique")
        batch.create_check_constraint(
            op.f("ck_commissions_handed_over_whole"),
            "handed_over_at IS NULL OR reversed = amount",
        )
    op.create_index(
        "uq_commissions_one_standing",
        "commissions",
        ["order_line_id", "level"],
        unique=True,
        postgresql_where=sa.text("handed_over_at IS NULL"),
        sqlite_where=sa.text("handed_over_at IS NULL"),
    )
    op.create_index(
        "ix_commissions_of_rule", "commissions", ["distributor_id", "rule_id", "created_at"]
    )
    _keep_published_rules()


def _keep_published_rules() -> None:
    """Let the database refuse any change to the rules of a plan that is no draft any more."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE OR REPLACE FUNCTION refuse_published_rule() RETURNS trigger LANGUAGE plpgsql AS $$"
            " BEGIN"
            " IF EXISTS (SELECT 1 FROM commission_plans WHERE state <> 'draft'"
            " AND id IN (OLD.plan_id, NEW.plan_id)) THEN"
            " RAISE EXCEPTION 'the rules of a published plan never change'; END IF;"
            " RETURN coalesce(NEW, OLD); END $$"
        )
        events = " OR ".join(EVENTS)
        op.execute(
            f"CREATE TRIGGER {RULES}_keep BEFORE {events} ON {RULES}"
            " FOR EACH ROW EXECUTE FUNCTION refuse_published_rule()"
        )
        return
    for event in EVENTS:
        rows = {"INSERT": "NEW.plan_id", "DELETE": "OLD.plan_id"}
        plans = rows.get(event, "OLD.plan_id, NEW.plan_id")
        op.execute(
            f"CREATE TRIGGER {RULES}_keep_{event.lower()} BEFORE {event} ON {RULES}"
            f" WHEN EXISTS (SELECT 1 FROM commission_plans WHERE state <> 'draft'"
            f" AND id IN ({plans}))"
            " BEGIN SELECT RAISE(ABORT, 'the rules of a published plan never change'); END"
        )


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(f"DROP TRIGGER {RULES}_keep ON {RULES}")
        op.execute("DROP FUNCTION refuse_published_rule()")
    else:
        for event in EVENTS:
            op.execute(f"DROP TRIGGER {RULES}_keep_{event.lower()}")
    op.drop_index("ix_commissions_of_rule", table_name="commissions")
    op.drop_index("uq_commissions_one_standing", table_name="commissions")
    with op.batch_alter_table("commissions") as batch:
        batch.drop_constraint(op.f("ck_commissions_handed_over_whole"), type_="check")
        batch.create_unique_constraint(
            op.f("uq_commissions_order_line_id_level"), ["order_line_id", "level"]
        )
        batch.drop_column("handed_over_at")
    with op.batch_alter_table("commission_plans") as batch:
        batch.drop_column("depth_accepted_at")
