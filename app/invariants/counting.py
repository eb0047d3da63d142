"""How a check counts: what it looked at, and what breaks its rule."""

import sqlalchemy as sa

from app.core.db import session


def count(select: sa.Select[int]) -> int:
    """How many rows a query finds."""
    return int(session.scalar(sa.select(sa.func.count()).select_from(select.subquery())) or 0)


def total(model: type) -> int:
    """How many rows a table has."""
    return int(session.scalar(sa.select(sa.func.count()).select_from(model)) or 0)
