"""Seals of the audit log."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0015"

IMMUTABLE = ("audit_seals",)


def upgrade() -> None:
    op.create_table(
        "audit_seals",
        sa.Column("seq", _big(), autoincrement=False, nullable=False),
        sa.Column("entry_id", _big(), nullable=True),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("reached_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["entry_id"], ["audit_log.id"], name=op.f("fk_audit_seals_entry_id")
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_seals")),
        sa.UniqueConstraint("entry_id", name=op.f("uq_audit_seals_entry_id")),
    )
    for table in IMMUTABLE:
        for event in ("UPDATE", "DELETE"):
            _refuse(table, event)


def downgrade() -> None:
    on_postgres = op.get_bind().dialect.name == "postgresql"
    for table in IMMUTABLE:
        for event in ("update", "delete"):
            op.execute(f"DROP TRIGGER {table}_no_{event}" + (f" ON {table}" if on_postgres else ""))
    op.drop_table("audit_seals")


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


def _big() -> sa.types.TypeEngine[int]:
    return sa.BigInteger().with_variant(sa.Integer(), "sqlite")
