"""What staff change about a rule: its switch, its thresholds, whom it looks at, until when."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from app.core import audit, clock
from app.core.actors import actor
from app.core.db import require_transaction, session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.states import move
from app.domain.risk import conditions, live_rules
from app.domain.risk.models import Rule, RuleMode, RuleVersion
from app.domain.risk.rules import LASTING

# What lasts less is no hindrance, what lasts more is a punishment.
MINUTES = (1, 30 * 24 * 60)


@dataclass(frozen=True)
class RuleFields:
    """What the form of a rule says. Thresholds in the order of `conditions.comparisons`."""

    mode: RuleMode
    thresholds: list[int]
    minutes: int
    rollout: int
    expires_at: datetime | None


def change(slug: str, fields: RuleFields, seen_version: int) -> Rule:
    """Make a rule say this; raises NotFound, Refusal, Conflict when somebody was first."""
    require_transaction()
    rule = session.scalar(
        sa.select(Rule)
        .where(Rule.slug == slug)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if rule is None:
        raise NotFound
    if rule.version != seen_version:
        raise Conflict(N_("这条规则刚刚被别人改过，请按现在的内容再改"))
    before = content_of(rule)
    _take(rule, fields)
    after = content_of(rule)
    if after == before:
        return rule
    rule.version += 1
    write_version(rule)
    changes = {name: [before[name], after[name]] for name in after if before[name] != after[name]}
    audit.record("risk.rule", "risk_rules", rule.id, version=rule.version, changes=changes)
    live_rules.changed()
    return rule


def write_version(rule: Rule) -> None:
    """Keep what the rule says from now on, and who wanted it so."""
    session.add(
        RuleVersion(
            rule_id=rule.id,
            version=rule.version,
            content=content_of(rule),
            author=actor(),
            at=clock.now(),
        )
    )
    session.flush()


def content_of(rule: Rule) -> dict[str, object]:
    """All that decides about when a rule is true and what it does."""
    return {
        "mode": rule.state.value,
        "condition": rule.condition,
        "action": rule.action.value,
        "score": rule.score,
        "minutes": rule.minutes,
        "on_key": rule.on_key.value if rule.on_key else None,
        "rollout": rule.rollout,
        "expires_at": rule.expires_at.isoformat() if rule.expires_at else None,
    }


def all_rules() -> list[Rule]:
    """Every rule, those that are on first."""
    rank = {RuleMode.ON: 0, RuleMode.SHADOW: 1, RuleMode.OFF: 2}
    rows = session.scalars(sa.select(Rule).order_by(Rule.checkpoint, Rule.id))
    return sorted(rows, key=lambda rule: rank[rule.state])


def find(slug: str) -> Rule:
    """A rule by its name; raises NotFound."""
    rule = session.scalar(sa.select(Rule).where(Rule.slug == slug))
    if rule is None:
        raise NotFound
    return rule


def versions_of(rule: Rule) -> list[RuleVersion]:
    """What it said before, the newest first."""
    return list(
        session.scalars(
            sa.select(RuleVersion)
            .where(RuleVersion.rule_id == rule.id)
            .order_by(RuleVersion.version.desc())
        )
    )


def _take(rule: Rule, fields: RuleFields) -> None:
    condition = conditions.parse(rule.condition)
    try:
        changed = conditions.with_thresholds(condition, fields.thresholds)
    except conditions.BadCondition:
        raise Refusal(N_("阈值超出允许的范围"), field="thresholds") from None
    if not 0 <= fields.rollout <= 100:
        raise Refusal(N_("请填写 0 到 100 的百分比"), field="rollout")
    if rule.action in LASTING and not MINUTES[0] <= fields.minutes <= MINUTES[1]:
        raise Refusal(
            N_("请填写 %(least)s 到 %(most)s 分钟"),
            field="minutes",
            least=MINUTES[0],
            most=MINUTES[1],
        )
    if fields.expires_at is not None and fields.expires_at <= clock.now():
        raise Refusal(N_("到期时间要在以后"), field="expires_at")
    rule.condition = conditions.as_json(changed)
    if rule.action in LASTING:
        rule.minutes = fields.minutes
    rule.rollout = fields.rollout
    rule.expires_at = fields.expires_at
    if rule.state != fields.mode:
        move(rule, fields.mode)
