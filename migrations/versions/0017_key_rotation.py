"""Keys that take the place of others, rotations, and batches whose keys are destroyed."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    with op.batch_alter_table("data_keys") as keys:
        keys.add_column(sa.Column("replaces", _big(), nullable=True))
        keys.create_foreign_key(op.f("fk_data_keys_replaces"), "data_keys", ["replaces"], ["id"])
        keys.create_unique_constraint(op.f("uq_data_keys_replaces"), ["replaces"])
    with op.batch_alter_table("batches") as batch:
        batch.add_column(sa.Column("shredded_at", sa.DateTime(timezone=True), nullable=True))
    _rotations()


def downgrade() -> None:
    op.drop_table("key_rotations")
    with op.batch_alter_table("batches") as batch:
        batch.drop_column("shredded_at")
    with op.batch_alter_table("data_keys") as keys:
        keys.drop_constraint(op.f("uq_data_keys_replaces"), type_="unique")
        keys.drop_constraint(op.f("fk_data_keys_replaces"), type_="foreignkey")
        keys.drop_column("replaces")


def _rotations() -> None:
    op.create_table(
        "key_rotations",
        sa.Column("id", _big(), nullable=False),
        sa.Column("master_key_id", sa.Text(), nullable=False),
        sa.Column(
            "state",
            sa.Enum(
                *("resealing", "settling", "done", "superseded"),
                name="rotationstate",
                native_enum=False,
                create_constraint=True,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("started_by", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_key_id", _big(), nullable=False),
        sa.Column("code_count", _big(), nullable=False),
        sa.Column("rewrapped", _big(), nullable=False),
        sa.Column("after_id", _big(), nullable=False),
        sa.Column("looked_at", _big(), nullable=False),
        sa.Column("resealed", _big(), nullable=False),
        sa.Column("found", _big(), nullable=False),
        sa.Column("unreadable", _big(), nullable=False),
        sa.Column("settles_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("destroyed", _big(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_key_rotations")),
    )


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
