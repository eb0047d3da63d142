"""How Alembic reaches the database: in a transaction, with short lock waits on PostgreSQL."""

import sqlalchemy as sa
from alembic import context

from app.core.db import Instant, Model


def render_item(kind: str, item: object, _context: object) -> str | bool:
    """Write our own column types into migrations as the plain ones they are in the database."""
    if kind == "type" and isinstance(item, Instant):
        return "sa.DateTime(timezone=True)"
    return False


def run() -> None:
    engine = sa.create_engine(context.config.attributes["url"])
    with engine.connect() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        if is_sqlite:
            connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        else:
            connection.execute(sa.text("SET lock_timeout = '5s'"))
        # Alembic opens and commits its own transaction only on a connection that has none.
        connection.commit()
        context.configure(
            connection=connection,
            target_metadata=Model.metadata,
            render_as_batch=context.config.attributes.get("batch", True),
            render_item=render_item,
        )
        with context.begin_transaction():
            context.run_migrations()
    engine.dispose()


run()
