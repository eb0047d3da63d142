"""Risk is asked wherever somebody comes in or money goes out; actions that freeze, delay, tell."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"

CHECKPOINTS = ("checkout", "paid", "redeem")
MORE_CHECKPOINTS = ("register", "sign_in", "reveal", "withdraw", "payout_account")
KINDS = ("placed", "paid", "wrong_code")
MORE_KINDS = (
    *("unpaid_closed", "typed", "registered", "wrong_password", "revealed", "withdrawn"),
    "payout_account_added",
)
KEYS = ("ip", "network", "device", "contact", "account", "payer")
MORE_KEYS = ("product", "recharge_account", "code", "distributor", "payout_account")
ACTIONS = ("allow", "captcha", "limit", "hold", "block")
MORE_ACTIONS = ("notify", "hold_commission", "delay", "freeze")
STATES = ("open", "in_review", "approved", "rejected")
# Which columns hold one of these, by table: the column and the name of its constraint.
HOLD = {
    "risk_decisions": [("checkpoint", "checkpoint", CHECKPOINTS, MORE_CHECKPOINTS)],
    "risk_events": [("kind", "eventkind", KINDS, MORE_KINDS)],
    "risk_restrictions": [
        ("checkpoint", "checkpoint", CHECKPOINTS, MORE_CHECKPOINTS),
        ("key", "key", KEYS, MORE_KEYS),
        ("action", "action", ACTIONS, MORE_ACTIONS),
    ],
    "risk_rules": [
        ("checkpoint", "checkpoint", CHECKPOINTS, MORE_CHECKPOINTS),
        ("on_key", "key", KEYS, MORE_KEYS),
        ("action", "action", ACTIONS, MORE_ACTIONS),
    ],
    "risk_cases": [("state", "casestate", STATES, ("released",))],
}
HOLD["risk_decisions"].append(("action", "action", ACTIONS, MORE_ACTIONS))


def upgrade() -> None:
    for table, columns in HOLD.items():
        with op.batch_alter_table(table) as batch:
            for column, name, words, more in columns:
                _allow(batch, table, column, name, words + more)
    with op.batch_alter_table("risk_events") as batch:
        for key in MORE_KEYS:
            batch.add_column(sa.Column(key, sa.LargeBinary(), nullable=True))
    for key in MORE_KEYS:
        is_there = sa.text(f"{key} IS NOT NULL")
        op.create_index(
            f"ix_risk_events_{key}",
            "risk_events",
            ["kind", key, "at"],
            postgresql_where=is_there,
            sqlite_where=is_there,
        )
    with op.batch_alter_table("risk_decisions") as batch:
        batch.add_column(
            sa.Column("commission_held_until", sa.DateTime(timezone=True), nullable=True)
        )
    with op.batch_alter_table("risk_restrictions") as batch:
        batch.alter_column("checkpoint", existing_type=sa.String(20), nullable=True)
        batch.add_column(sa.Column("reason", sa.Text(), nullable=False, server_default=""))
        batch.create_check_constraint(
            op.f("ck_risk_restrictions_frozen_is_everywhere"),
            "(action = 'freeze') = (checkpoint IS NULL)",
        )
    with op.batch_alter_table("risk_restrictions") as batch:
        batch.alter_column("reason", existing_type=sa.Text(), server_default=None)
    with op.batch_alter_table("risk_cases") as batch:
        batch.add_column(sa.Column("release_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("withdrawals") as batch:
        batch.add_column(sa.Column("risk_decision", sa.Text(), nullable=False, server_default=""))
    with op.batch_alter_table("withdrawals") as batch:
        batch.alter_column("risk_decision", existing_type=sa.Text(), server_default=None)


def downgrade() -> None:
    # What only the newer words can say is not kept; a case that released itself was approved.
    op.execute(
        "UPDATE risk_cases SET state = 'approved', label = 'unclear' WHERE state = 'released'"
    )
    for table, columns in HOLD.items():
        for column, _, _, more in columns:
            listed = ", ".join(f"'{word}'" for word in more)
            if table != "risk_cases":
                op.execute(f"DELETE FROM {table} WHERE {column} IN ({listed})")
    with op.batch_alter_table("withdrawals") as batch:
        batch.drop_column("risk_decision")
    with op.batch_alter_table("risk_cases") as batch:
        batch.drop_column("release_at")
    with op.batch_alter_table("risk_restrictions") as batch:
        batch.drop_constraint(op.f("ck_risk_restrictions_frozen_is_everywhere"), type_="check")
        batch.drop_column("reason")
        batch.alter_column("checkpoint", existing_type=sa.String(20), nullable=False)
    with op.batch_alter_table("risk_decisions") as batch:
        batch.drop_column("commission_held_until")
    for key in MORE_KEYS:
        op.drop_index(f"ix_risk_events_{key}", table_name="risk_events")
    with op.batch_alter_table("risk_events") as batch:
        for key in MORE_KEYS:
            batch.drop_column(key)
    for table, columns in HOLD.items():
        with op.batch_alter_table(table) as batch:
            for column, name, words, _ in columns:
                _allow(batch, table, column, name, words)


def _allow(batch, table: str, column: str, name: str, words: tuple[str, ...]) -> None:
    listed = ", ".join(f"'{word}'" for word in words)
    batch.drop_constraint(op.f(f"ck_{table}_{name}"), type_="check")
    batch.create_check_constraint(
        op.f(f"ck_{table}_{name}"), sa.text(f"{column} IN ({listed})")
    )
