"""Alembic, seen from the app: is the database at head, and bring it there."""

from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from app.core.db import db, session

DIRECTORY = Path(__file__).parent.parent.parent / "migrations"


def config(url: str = "") -> Config:
    """Alembic's configuration for a database, which is the app's own unless `url` is given."""
    made = Config()
    made.set_main_option("script_location", str(DIRECTORY))
    made.attributes["url"] = url or db.engine.url.render_as_string(hide_password=False)
    return made


@cache
def head() -> str:
    """The newest revision there is."""
    return ScriptDirectory(str(DIRECTORY)).get_current_head() or ""


def is_at_head() -> bool:
    """Whether the database has every migration."""
    context = MigrationContext.configure(session.connection())
    return context.get_current_revision() == head()


def upgrade(url: str = "") -> None:
    """Run every migration that is missing."""
    command.upgrade(config(url), "head")
