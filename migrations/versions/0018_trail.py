"""Seals of the audit log; controlled exports of codes; replacements after an alarm."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"

KINDS = ("paid", "arrived", "failed", "refunded", "expiring", "given_back", "low_balance")
IMMUTABLE = ("audit_seals", "exported_codes")


def upgrade() -> None:
    _seals()
    _exports()
    _replacements()
    _let_kinds_be(*KINDS, "replaced")
    for table in IMMUTABLE:
        for event in ("UPDATE", "DELETE"):
            _refuse(table, event)


def downgrade() -> None:
    on_postgres = op.get_bind().dialect.name == "postgresql"
    for table in IMMUTABLE:
        for event in ("update", "delete"):
            op.execute(f"DROP TRIGGER {table}_no_{event}" + (f" ON {table}" if on_postgres else ""))
    op.execute("DELETE FROM messages WHERE kind = 'replaced'")
    _let_kinds_be(*KINDS)
    for table in ("leak_replacements", "exported_codes", "code_exports", "audit_seals"):
        op.drop_table(table)


def _seals() -> None:
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


def _exports() -> None:
    states = ("requested", "approved", "downloaded", "refused", "cancelled")
    op.create_table(
        "code_exports",
        sa.Column("id", _big(), nullable=False),
        sa.Column("uid", sa.LargeBinary(), nullable=False),
        sa.Column("state", _enum("exportstate", *states), nullable=False),
        sa.Column("batch_id", _big(), nullable=False),
        sa.Column("quantity", _big(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("requested_by", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("checked_by", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("password_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("watermark_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("code_count", _big(), nullable=False),
        sa.Column("downloaded_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("told", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "checked_by IS NULL OR checked_by <> requested_by",
            name=op.f("ck_code_exports_two_people"),
        ),
        sa.ForeignKeyConstraint(
            ["batch_id"], ["batches.id"], name=op.f("fk_code_exports_batch_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_code_exports")),
        sa.UniqueConstraint("uid", name=op.f("uq_code_exports_uid")),
    )
    op.create_index(op.f("ix_code_exports_batch_id"), "code_exports", ["batch_id"])
    op.create_index(op.f("ix_code_exports_requested_by"), "code_exports", ["requested_by"])
    op.create_table(
        "exported_codes",
        sa.Column("code_id", _big(), autoincrement=False, nullable=False),
        sa.Column("export_id", _big(), nullable=False),
        sa.ForeignKeyConstraint(["code_id"], ["codes.id"], name=op.f("fk_exported_codes_code_id")),
        sa.ForeignKeyConstraint(
            ["export_id"], ["code_exports.id"], name=op.f("fk_exported_codes_export_id")
        ),
        sa.PrimaryKeyConstraint("code_id", name=op.f("pk_exported_codes")),
    )
    op.create_index(op.f("ix_exported_codes_export_id"), "exported_codes", ["export_id"])


def _replacements() -> None:
    op.create_table(
        "leak_replacements",
        sa.Column("id", _big(), nullable=False),
        sa.Column("alarm_id", _big(), nullable=False),
        sa.Column("code_id", _big(), nullable=False),
        sa.Column("order_id", _big(), nullable=False),
        sa.Column(
            "state", _enum("replacementstate", "waiting", "replaced", "left"), nullable=False
        ),
        sa.Column("why", _enum("why", "sold_out", "used", "gone"), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["alarm_id"], ["leak_alarms.id"], name=op.f("fk_leak_replacements_alarm_id")
        ),
        sa.ForeignKeyConstraint(
            ["code_id"], ["codes.id"], name=op.f("fk_leak_replacements_code_id")
        ),
        sa.ForeignKeyConstraint(
            ["order_id"], ["orders.id"], name=op.f("fk_leak_replacements_order_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_leak_replacements")),
        sa.UniqueConstraint(
            "alarm_id", "code_id", name=op.f("uq_leak_replacements_alarm_id_code_id")
        ),
    )
    for name, columns in (
        (op.f("ix_leak_replacements_code_id"), ["code_id"]),
        (op.f("ix_leak_replacements_order_id"), ["order_id"]),
        ("ix_leak_replacements_state", ["alarm_id", "state", "order_id"]),
    ):
        op.create_index(name, "leak_replacements", columns)


def _let_kinds_be(*kinds: str) -> None:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    with op.batch_alter_table("messages") as batch:
        batch.drop_constraint(op.f("ck_messages_kind"), type_="check")
        batch.create_check_constraint(op.f("ck_messages_kind"), sa.text(f"kind IN ({listed})"))


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


def _enum(name: str, *values: str) -> sa.Enum:
    return sa.Enum(*values, name=name, native_enum=False, create_constraint=True, length=20)
