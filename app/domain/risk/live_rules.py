"""The rules as they are judged: read once for a while by each process, not by each decision."""

import time
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
import structlog

from app.core.db import after_commit, session
from app.domain.risk import conditions
from app.domain.risk.conditions import Condition
from app.domain.risk.models import Action, Checkpoint, Key, Rule, RuleMode

log = structlog.get_logger()

# Long enough that a decision need not read the rules, short enough that a switch works at once.
FRESH_FOR = 2.0


@dataclass(frozen=True)
class LiveRule:
    """A rule as it is judged; `condition` is None when what it says cannot be read."""

    slug: str
    mode: RuleMode
    condition: Condition | None
    action: Action
    score: int
    minutes: int
    on_key: Key | None
    rollout: int
    expires_at: datetime | None
    version: int


_rules: dict[Checkpoint, list[LiveRule]] = {}
_read_at = -FRESH_FOR


def forget() -> None:
    """Read the rules anew: after a change, or when another database is opened."""
    global _read_at  # noqa: PLW0603  one copy of the rules a process, like the preferences
    _read_at = -FRESH_FOR


def changed() -> None:
    """The rules were changed in this unit: this process reads them anew once it is committed."""
    after_commit(forget)


def of(checkpoint: Checkpoint) -> list[LiveRule]:
    """Those that are judged there, on or in shadow, by their names."""
    global _read_at  # noqa: PLW0603
    if time.monotonic() - _read_at >= FRESH_FOR:
        _rules.clear()
        for row in session.scalars(sa.select(Rule).where(Rule.state != RuleMode.OFF)):
            _rules.setdefault(row.checkpoint, []).append(_live(row))
        _read_at = time.monotonic()
    return sorted(_rules.get(checkpoint, []), key=lambda rule: rule.slug)


def _live(row: Rule) -> LiveRule:
    try:
        condition = conditions.parse(row.condition)
    except conditions.BadCondition as fault:
        log.error("risk.bad_rule", rule=row.slug, version=row.version, fault=str(fault))
        condition = None
    return LiveRule(
        *(row.slug, row.state, condition, row.action, row.score, row.minutes, row.on_key),
        *(row.rollout, row.expires_at, row.version),
    )
