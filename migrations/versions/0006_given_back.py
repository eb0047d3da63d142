"""A message that a redemption came to nothing."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

KINDS = ("paid", "arrived", "failed", "refunded", "expiring")


def upgrade() -> None:
    _let_kinds_be(*KINDS, "given_back")


def downgrade() -> None:
    op.execute("DELETE FROM messages WHERE kind = 'given_back'")
    _let_kinds_be(*KINDS)


def _let_kinds_be(*kinds: str) -> None:
    listed = ", ".join(f"'{kind}'" for kind in kinds)
    with op.batch_alter_table("messages") as batch:
        batch.drop_constraint(op.f("ck_messages_kind"), type_="check")
        batch.create_check_constraint(op.f("ck_messages_kind"), sa.text(f"kind IN ({listed})"))
