"""A plan as plain values: what arithmetic needs of it, and what a worker may remember."""

from dataclasses import dataclass
from functools import cache

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from app.core import db
from app.core.db import session
from app.domain.channels.models import Plan, PlanState, Rule
from app.domain.channels.rules import RuleTerms


@dataclass(frozen=True)
class PlanTerms:
    """What is decided for the whole of a plan, and its rules; the meaning stands in the models."""

    max_depth: int
    pool_max_bp: int
    rules: tuple[RuleTerms, ...]

    @property
    def needs_cost(self) -> bool:
        """Whether a rule keeps a margin."""
        return any(rule.min_margin_bp is not None for rule in self.rules)

    @property
    def capped_by_month(self) -> list[int]:
        """Ids of the rules that have a cap for the month."""
        return [rule.id for rule in self.rules if rule.cap_per_month is not None]


def of_rule(rule: Rule) -> RuleTerms:
    return RuleTerms(**{name: getattr(rule, name) for name in RuleTerms.__dataclass_fields__})


def of_plan(plan_id: int) -> PlanTerms:
    """The terms of a plan, within a unit; those of one that never changes are remembered."""
    remembered = _known().get(plan_id)
    if remembered is not None:
        return remembered
    plan = session.scalars(
        sa.select(Plan).where(Plan.id == plan_id).options(selectinload(Plan.rules))
    ).one()
    found = PlanTerms(plan.max_depth, plan.pool_max_bp, tuple(of_rule(one) for one in plan.rules))
    if plan.state != PlanState.DRAFT and db.is_in_unit():
        # A unit that is rolled back may have published it.
        db.after_commit(lambda: _remember(plan_id, found))
    return found


@cache
def _known() -> dict[int, PlanTerms]:
    return {}


def _remember(plan_id: int, found: PlanTerms) -> None:
    _known()[plan_id] = found


def forget() -> None:
    """Drop what was remembered: another database is opened."""
    _known.cache_clear()
