"""What a distributor earned on a day is found without reading all she ever earned."""

from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    op.create_index("ix_commissions_earned", "commissions", ["distributor_id", "earned_at"])


def downgrade() -> None:
    op.drop_index("ix_commissions_earned", table_name="commissions")
