"""Orders that fill a distributor's balance or are paid from it, and the message that it is low."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0011"

KINDS = ("key", "redeem", "multi", "period", "recharge")
MESSAGES = ("paid", "arrived", "failed", "refunded", "expiring", "given_back")
HAS_ONE = sa.text("balance_of <> ''")


def upgrade() -> None:
    with op.batch_alter_table("orders") as batch:
        batch.add_column(sa.Column("balance_of", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("orders") as batch:
        batch.alter_column("balance_of", server_default=None)
        batch.create_index(
            "ix_orders_balance_of",
            ["balance_of", "id"],
            postgresql_where=HAS_ONE,
            sqlite_where=HAS_ONE,
        )
    for table in ("products", "order_lines"):
        _let_kinds_be(table, "productkind", *KINDS, "balance")
    _let_kinds_be("messages", "kind", *MESSAGES, "low_balance")


def downgrade() -> None:
    op.execute("DELETE FROM messages WHERE kind = 'low_balance'")
    _let_kinds_be("messages", "kind", *MESSAGES)
    for table in ("order_lines", "products"):
        # Before, there was no such kind: what was paid in stays an order that is in nobody's way.
        op.execute(f"UPDATE {table} SET kind = 'key' WHERE kind = 'balance'")  # noqa: S608
        _let_kinds_be(table, "productkind", *KINDS)
    with op.batch_alter_table("orders") as batch:
        batch.drop_index("ix_orders_balance_of")
        batch.drop_column("balance_of")


def _let_kinds_be(table: str, name: str, *kinds: str) -> None:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    with op.batch_alter_table(table) as batch:
        batch.drop_constraint(op.f(f"ck_{table}_{name}"), type_="check")
        batch.create_check_constraint(op.f(f"ck_{table}_{name}"), sa.text(f"kind IN ({listed})"))
