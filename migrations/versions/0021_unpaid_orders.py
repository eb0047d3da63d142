"""An event that is an order knows whether its money has come."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"

# What many share, and where nobody shall look through all that was sold.
SHARED = ("ip", "network", "look", "product")


def upgrade() -> None:
    op.add_column(
        "risk_events", sa.Column("unpaid", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.execute(
        "UPDATE risk_events SET unpaid = true WHERE kind = 'placed' AND NOT EXISTS ("
        "SELECT 1 FROM risk_events AS money"
        " WHERE money.order_id = risk_events.order_id AND money.kind = 'paid')"
    )
    for key in SHARED:
        where = sa.text(f"unpaid AND {key} IS NOT NULL")
        op.create_index(
            f"ix_risk_events_unpaid_{key}",
            "risk_events",
            [key, "at"],
            postgresql_where=where,
            sqlite_where=where,
        )


def downgrade() -> None:
    for key in SHARED:
        op.drop_index(f"ix_risk_events_unpaid_{key}", "risk_events")
    with op.batch_alter_table("risk_events") as batch:
        batch.drop_column("unpaid")
