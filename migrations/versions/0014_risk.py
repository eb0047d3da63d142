"""Risk: what happened, rules, decisions and what follows; orders that are held."""

import sqlalchemy as sa
from alembic import op

revision = '0014'
down_revision = '0013'

ORDER_STATES = (
    *("pending", "closing", "expired", "cancelled", "paid", "fulfilling"),
    *("delivered", "refunding", "refunded"),
)
VERSIONS = "risk_rule_versions"


def upgrade() -> None:
    op.create_table('risk_decisions',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('uid', sa.Text(), nullable=False),
    sa.Column('checkpoint', sa.Enum('checkout', 'paid', 'redeem', name='checkpoint', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('action', sa.Enum('allow', 'captcha', 'limit', 'hold', 'block', name='action', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('score', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('trusted', sa.Boolean(), nullable=False),
    sa.Column('failed_as', sa.Text(), nullable=False),
    sa.Column('order_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('inputs', sa.JSON(), nullable=False),
    sa.Column('keys', sa.JSON(), nullable=False),
    sa.Column('trials', sa.JSON(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_risk_decisions')),
    sa.UniqueConstraint('uid', name=op.f('uq_risk_decisions_uid'))
    )
    op.create_index(op.f('ix_risk_decisions_action'), 'risk_decisions', ['action'], unique=False)
    op.create_index(op.f('ix_risk_decisions_at'), 'risk_decisions', ['at'], unique=False)
    op.create_index('ix_risk_decisions_order', 'risk_decisions', ['order_id'], unique=False)
    op.create_table('risk_events',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('kind', sa.Enum('placed', 'paid', 'wrong_code', name='eventkind', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('ip', sa.LargeBinary(), nullable=True),
    sa.Column('network', sa.LargeBinary(), nullable=True),
    sa.Column('device', sa.LargeBinary(), nullable=True),
    sa.Column('contact', sa.LargeBinary(), nullable=True),
    sa.Column('account', sa.LargeBinary(), nullable=True),
    sa.Column('payer', sa.LargeBinary(), nullable=True),
    sa.Column('order_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=True),
    sa.Column('amount', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_risk_events'))
    )
    op.create_index('ix_risk_events_account', 'risk_events', ['kind', 'account', 'at'], unique=False, postgresql_where=sa.text('account IS NOT NULL'), sqlite_where=sa.text('account IS NOT NULL'))
    op.create_index(op.f('ix_risk_events_at'), 'risk_events', ['at'], unique=False)
    op.create_index('ix_risk_events_contact', 'risk_events', ['kind', 'contact', 'at'], unique=False, postgresql_where=sa.text('contact IS NOT NULL'), sqlite_where=sa.text('contact IS NOT NULL'))
    op.create_index('ix_risk_events_device', 'risk_events', ['kind', 'device', 'at'], unique=False, postgresql_where=sa.text('device IS NOT NULL'), sqlite_where=sa.text('device IS NOT NULL'))
    op.create_index('ix_risk_events_ip', 'risk_events', ['kind', 'ip', 'at'], unique=False, postgresql_where=sa.text('ip IS NOT NULL'), sqlite_where=sa.text('ip IS NOT NULL'))
    op.create_index('ix_risk_events_network', 'risk_events', ['kind', 'network', 'at'], unique=False, postgresql_where=sa.text('network IS NOT NULL'), sqlite_where=sa.text('network IS NOT NULL'))
    op.create_index('ix_risk_events_order', 'risk_events', ['order_id'], unique=False)
    op.create_index('ix_risk_events_payer', 'risk_events', ['kind', 'payer', 'at'], unique=False, postgresql_where=sa.text('payer IS NOT NULL'), sqlite_where=sa.text('payer IS NOT NULL'))
    op.create_table('risk_list_entries',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('list', sa.Enum('trust', 'block', 'watch', name='listkind', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('subject', sa.Enum('address', 'device', 'contact', 'email_domain', 'payer', 'account', name='subject', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('value_hash', sa.LargeBinary(), nullable=False),
    sa.Column('shown', sa.Text(), nullable=False),
    sa.Column('reason', sa.Text(), nullable=False),
    sa.Column('source', sa.Text(), nullable=False),
    sa.Column('added_by', sa.Text(), nullable=False),
    sa.Column('added_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('removed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('hits', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_risk_list_entries'))
    )
    op.create_index('uq_risk_list_entries_live', 'risk_list_entries', ['subject', 'value_hash', 'list'], unique=True, postgresql_where=sa.text('removed_at IS NULL'), sqlite_where=sa.text('removed_at IS NULL'))
    op.create_table('risk_restrictions',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('action', sa.Enum('allow', 'captcha', 'limit', 'hold', 'block', name='action', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('checkpoint', sa.Enum('checkout', 'paid', 'redeem', name='checkpoint', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('key', sa.Enum('ip', 'network', 'device', 'contact', 'account', 'payer', name='key', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('key_hash', sa.LargeBinary(), nullable=False),
    sa.Column('since', sa.DateTime(timezone=True), nullable=False),
    sa.Column('until', sa.DateTime(timezone=True), nullable=False),
    sa.Column('rule_slug', sa.Text(), nullable=False),
    sa.Column('decision_uid', sa.Text(), nullable=False),
    sa.Column('lifted_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('lifted_by', sa.Text(), nullable=False),
    sa.Column('lifted_because', sa.Text(), nullable=False),
    sa.CheckConstraint('until > since', name=op.f('ck_risk_restrictions_ends_after_it_began')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_risk_restrictions'))
    )
    op.create_index(op.f('ix_risk_restrictions_until'), 'risk_restrictions', ['until'], unique=False)
    op.create_index('ix_risk_restrictions_whose', 'risk_restrictions', ['key_hash', 'until'], unique=False)
    op.create_table('risk_rules',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('slug', sa.Text(), nullable=False),
    sa.Column('state', sa.Enum('off', 'shadow', 'on', name='rulemode', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('checkpoint', sa.Enum('checkout', 'paid', 'redeem', name='checkpoint', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('condition', sa.JSON(), nullable=False),
    sa.Column('action', sa.Enum('allow', 'captcha', 'limit', 'hold', 'block', name='action', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('score', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('minutes', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('on_key', sa.Enum('ip', 'network', 'device', 'contact', 'account', 'payer', name='key', native_enum=False, create_constraint=True, length=20), nullable=True),
    sa.Column('rollout', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('expires_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('version', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.CheckConstraint('rollout BETWEEN 0 AND 100', name=op.f('ck_risk_rules_rollout_percent')),
    sa.CheckConstraint('score BETWEEN -100 AND 100', name=op.f('ck_risk_rules_score_bounded')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_risk_rules')),
    sa.UniqueConstraint('slug', name=op.f('uq_risk_rules_slug'))
    )
    op.create_table('risk_spent_proofs',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('nonce', sa.LargeBinary(), nullable=False),
    sa.Column('waited_by', sa.LargeBinary(), nullable=True),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_risk_spent_proofs')),
    sa.UniqueConstraint('nonce', name=op.f('uq_risk_spent_proofs_nonce'))
    )
    op.create_index(op.f('ix_risk_spent_proofs_at'), 'risk_spent_proofs', ['at'], unique=False)
    op.create_index(op.f('ix_risk_spent_proofs_waited_by'), 'risk_spent_proofs', ['waited_by'], unique=False)
    op.create_table('risk_cases',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('uid', sa.Text(), nullable=False),
    sa.Column('order_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('decision_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('state', sa.Enum('open', 'in_review', 'approved', 'rejected', name='casestate', native_enum=False, create_constraint=True, length=20), nullable=False),
    sa.Column('label', sa.Enum('fraud', 'abuse', 'false_positive', 'unclear', name='label', native_enum=False, create_constraint=True, length=20), nullable=True),
    sa.Column('note', sa.Text(), nullable=False),
    sa.Column('assignee', sa.Text(), nullable=False),
    sa.Column('opened_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('due_at', sa.DateTime(timezone=True), nullable=False),
    sa.Column('closed_at', sa.DateTime(timezone=True), nullable=True),
    sa.Column('closed_by', sa.Text(), nullable=False),
    sa.CheckConstraint("(state IN ('approved', 'rejected')) = (label IS NOT NULL)", name=op.f('ck_risk_cases_closed_with_label')),
    sa.ForeignKeyConstraint(['decision_id'], ['risk_decisions.id'], name=op.f('fk_risk_cases_decision_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_risk_cases')),
    sa.UniqueConstraint('order_id', name=op.f('uq_risk_cases_order_id')),
    sa.UniqueConstraint('uid', name=op.f('uq_risk_cases_uid'))
    )
    op.create_index(op.f('ix_risk_cases_state'), 'risk_cases', ['state'], unique=False)
    op.create_table('risk_rule_versions',
    sa.Column('id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('rule_id', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('version', sa.BigInteger().with_variant(sa.Integer(), 'sqlite'), nullable=False),
    sa.Column('content', sa.JSON(), nullable=False),
    sa.Column('author', sa.Text(), nullable=False),
    sa.Column('at', sa.DateTime(timezone=True), nullable=False),
    sa.ForeignKeyConstraint(['rule_id'], ['risk_rules.id'], name=op.f('fk_risk_rule_versions_rule_id')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_risk_rule_versions')),
    sa.UniqueConstraint('rule_id', 'version', name=op.f('uq_risk_rule_versions_rule_id_version'))
    )
    for event in ("UPDATE", "DELETE"):
        _refuse(VERSIONS, event)
    _let_orders_be(*ORDER_STATES, "held")


def downgrade() -> None:
    # Before, nothing was held: what is becomes paid, and staff deliver it.
    op.execute("UPDATE orders SET state = 'paid' WHERE state = 'held'")
    _let_orders_be(*ORDER_STATES)
    is_postgres = op.get_bind().dialect.name == "postgresql"
    for event in ("update", "delete"):
        on = f" ON {VERSIONS}" if is_postgres else ""
        op.execute(f"DROP TRIGGER {VERSIONS}_no_{event}{on}")
    op.drop_table('risk_rule_versions')
    op.drop_index(op.f('ix_risk_cases_state'), table_name='risk_cases')
    op.drop_table('risk_cases')
    op.drop_index(op.f('ix_risk_spent_proofs_waited_by'), table_name='risk_spent_proofs')
    op.drop_index(op.f('ix_risk_spent_proofs_at'), table_name='risk_spent_proofs')
    op.drop_table('risk_spent_proofs')
    op.drop_table('risk_rules')
    op.drop_index('ix_risk_restrictions_whose', table_name='risk_restrictions')
    op.drop_index(op.f('ix_risk_restrictions_until'), table_name='risk_restrictions')
    op.drop_table('risk_restrictions')
    op.drop_index('uq_risk_list_entries_live', table_name='risk_list_entries', postgresql_where=sa.text('removed_at IS NULL'), sqlite_where=sa.text('removed_at IS NULL'))
    op.drop_table('risk_list_entries')
    op.drop_index('ix_risk_events_payer', table_name='risk_events', postgresql_where=sa.text('payer IS NOT NULL'), sqlite_where=sa.text('payer IS NOT NULL'))
    op.drop_index('ix_risk_events_order', table_name='risk_events')
    op.drop_index('ix_risk_events_network', table_name='risk_events', postgresql_where=sa.text('network IS NOT NULL'), sqlite_where=sa.text('network IS NOT NULL'))
    op.drop_index('ix_risk_events_ip', table_name='risk_events', postgresql_where=sa.text('ip IS NOT NULL'), sqlite_where=sa.text('ip IS NOT NULL'))
    op.drop_index('ix_risk_events_device', table_name='risk_events', postgresql_where=sa.text('device IS NOT NULL'), sqlite_where=sa.text('device IS NOT NULL'))
    op.drop_index('ix_risk_events_contact', table_name='risk_events', postgresql_where=sa.text('contact IS NOT NULL'), sqlite_where=sa.text('contact IS NOT NULL'))
    op.drop_index(op.f('ix_risk_events_at'), table_name='risk_events')
    op.drop_index('ix_risk_events_account', table_name='risk_events', postgresql_where=sa.text('account IS NOT NULL'), sqlite_where=sa.text('account IS NOT NULL'))
    op.drop_table('risk_events')
    op.drop_index('ix_risk_decisions_order', table_name='risk_decisions')
    op.drop_index(op.f('ix_risk_decisions_at'), table_name='risk_decisions')
    op.drop_index(op.f('ix_risk_decisions_action'), table_name='risk_decisions')
    op.drop_table('risk_decisions')


def _let_orders_be(*states: str) -> None:
    listed = ", ".join(f"'{state}'" for state in states)
    with op.batch_alter_table("orders") as batch:
        batch.drop_constraint(op.f("ck_orders_orderstate"), type_="check")
        batch.create_check_constraint(
            op.f("ck_orders_orderstate"), sa.text(f"state IN ({listed})")
        )


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
