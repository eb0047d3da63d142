"""Canaries of a batch, and alarms that they were touched."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"

IS_OPEN = sa.text("state = 'open'")


def upgrade() -> None:
    with op.batch_alter_table("batches") as batch:
        batch.add_column(sa.Column("canaries_sealed", sa.LargeBinary(), nullable=True))
    _alarms()


def downgrade() -> None:
    op.drop_table("leak_alarms")
    with op.batch_alter_table("batches") as batch:
        batch.drop_column("canaries_sealed")


def _alarms() -> None:
    op.create_table(
        "leak_alarms",
        sa.Column("id", _big(), nullable=False),
        sa.Column("kind", _enum("alarmkind", "canary", "staff"), nullable=False),
        sa.Column("state", _enum("alarmstate", "open", "closed"), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("batch_id", _big(), nullable=True),
        sa.Column("code_id", _big(), nullable=True),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("ip", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("times", _big(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("told_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_leak_alarms_batch_id")
        ),
        sa.ForeignKeyConstraint(["code_id"], ["codes.id"], name=op.f("fk_leak_alarms_code_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leak_alarms")),
    )
    with op.batch_alter_table("leak_alarms") as batch:
        batch.create_index(op.f("ix_leak_alarms_batch_id"), ["batch_id"])
        batch.create_index(
            "ix_leak_alarms_open",
            ["about"],
            unique=True,
            postgresql_where=IS_OPEN,
            sqlite_where=IS_OPEN,
        )


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=20)
