"""Rows that the database itself refuses to change or delete: the books and the trails."""

from alembic import op

revision = "0002"
down_revision = "0001"

IMMUTABLE = (
    "audit_log",
    "ledger_accounts",
    "ledger_entries",
    "ledger_transactions",
    "payment_events",
    "reveals",
    "state_changes",
)


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN RAISE EXCEPTION '% is append-only', TG_TABLE_NAME; END $$"
        )
    for table in IMMUTABLE:
        for event in ("UPDATE", "DELETE"):
            _refuse(table, event)


def downgrade() -> None:
    is_postgres = op.get_bind().dialect.name == "postgresql"
    for table in IMMUTABLE:
        for event in ("update", "delete"):
            on = f" ON {table}" if is_postgres else ""
            op.execute(f"DROP TRIGGER {table}_no_{event}{on}")
    if is_postgres:
        op.execute("DROP FUNCTION refuse_change()")


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
