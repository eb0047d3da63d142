"""Commission plans: drafts are edited and tried out; one is published, and then never changes.

What an order earns follows the plan that was published when it was placed, so publishing another
one changes nothing that was sold before.
"""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import selectinload

from app.core import audit, clock
from app.core.actors import actor
from app.core.db import require_transaction, session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.states import move
from app.domain.catalog.models import Category, Product
from app.domain.channels.models import MAX_DEPTH, Distributor, Plan, PlanState, Rule, Tier
from app.domain.channels.rules import NAMES, SCOPES, WHOLE_BP

NOTE_LENGTH = 60
CAMPAIGN_LENGTH = 60
MOST_AMOUNT = 10**9
# Each point is one that the law or a channel makes; see MAX_DEPTH.
DEPTH_TEXT = N_(
    "《禁止传销条例》第七条禁止按下线的销售业绩计算上线报酬（团队计酬），行政认定没有层级下限；"
    "达到三级并且三十人以上（组织者本人算一级）可能构成组织、领导传销活动罪"
    "（公通字〔2013〕37号）。微信等平台禁止多级分销，可能停用收款和商家转账。"
    "因此本店最多两级，没有第三级；加入不收费，也不要求先买东西；不按发展人数给钱；"
    "佣金只来自买家真实付款、已经发货的订单。开启二级前请咨询律师。以上不是法律意见。"
)


@dataclass(frozen=True)
class PlanFields:
    """What is decided for the whole plan; the pool in basis points of an order's base."""

    note: str
    pool_max_bp: int


@dataclass(frozen=True)
class RuleFields:
    """A rule as staff write it: the columns of `models.Rule`, None or "" where it names nothing."""

    level: int = 1
    distributor_id: int | None = None
    product_id: int | None = None
    category_id: int | None = None
    tier_id: int | None = None
    campaign: str = ""
    percent_bp: int = 0
    per_unit: int = 0
    cap_per_order: int | None = None
    cap_per_month: int | None = None
    min_margin_bp: int | None = None
    starts_at: datetime | None = None
    ends_at: datetime | None = None


def find(plan_id: int) -> Plan:
    """The plan with its rules; raises NotFound."""
    plan = session.get(Plan, plan_id, options=[selectinload(Plan.rules)], populate_existing=True)
    if plan is None:
        raise NotFound(N_("没有找到这个佣金方案"))
    return plan


def find_published() -> Plan | None:
    """The plan that new orders are placed under."""
    return session.scalar(
        sa.select(Plan)
        .where(Plan.state == PlanState.PUBLISHED)
        .options(selectinload(Plan.rules))
        .execution_options(populate_existing=True)
    )


def find_rule(plan_id: int, rule_id: int) -> Rule:
    """A rule of this plan; raises NotFound."""
    rule = session.get(Rule, rule_id)
    if rule is None or rule.plan_id != plan_id:
        raise NotFound(N_("没有找到这条规则"))
    return rule


def make_draft() -> Plan:
    """A draft with the rules of the published plan; without one it is empty."""
    require_transaction()
    before = find_published()
    draft = Plan(created_by=actor())
    if before is not None:
        draft.pool_max_bp, draft.max_depth = before.pool_max_bp, before.max_depth
        draft.depth_accepted_by = before.depth_accepted_by
        draft.depth_accepted_text = before.depth_accepted_text
        draft.depth_accepted_at = before.depth_accepted_at
    session.add(draft)
    session.flush()
    if before is not None:
        session.add_all(Rule(plan_id=draft.id, **asdict(fields_of(rule))) for rule in before.rules)
    audit.record("plan.draft", "commission_plans", draft.id, of=before.version if before else None)
    session.flush()
    return draft


def change(plan_id: int, fields: PlanFields) -> None:
    """Another note or pool of a draft; raises Refusal, Conflict."""
    plan = _lock_draft(plan_id)
    note = fields.note.strip()
    if len(note) > NOTE_LENGTH:
        raise Refusal(N_("最多 %(most)s 个字"), field="note", most=NOTE_LENGTH)
    if not 0 <= fields.pool_max_bp <= WHOLE_BP:
        raise Refusal(N_("佣金总额上限要在 0 到 100 之间"), field="pool_max")
    before = [plan.note, plan.pool_max_bp]
    plan.note, plan.pool_max_bp = note, fields.pool_max_bp
    audit.record(
        "plan.change",
        "commission_plans",
        plan.id,
        note=[before[0], note],
        pool_max_bp=[before[1], fields.pool_max_bp],
    )
    session.flush()


def accept_two_levels(plan_id: int) -> None:
    """Let a draft pay the parent too; who accepted the text about it, when, and the text are kept
    with the plan and in the audit log."""
    plan = _lock_draft(plan_id)
    plan.max_depth = MAX_DEPTH
    plan.depth_accepted_by = actor()
    plan.depth_accepted_at = clock.now()
    plan.depth_accepted_text = DEPTH_TEXT
    audit.record("plan.accept_two_levels", "commission_plans", plan.id, text=DEPTH_TEXT)
    session.flush()


def use_one_level(plan_id: int) -> None:
    """Let a draft pay nobody but who sells; raises Conflict while it has rules for the parent."""
    plan = _lock_draft(plan_id)
    if any(rule.level > 1 for rule in plan.rules):
        raise Conflict(N_("请先删除二级的规则，再关闭二级佣金"))
    plan.max_depth = 1
    plan.depth_accepted_by = plan.depth_accepted_text = ""
    plan.depth_accepted_at = None
    audit.record("plan.use_one_level", "commission_plans", plan.id)
    session.flush()


def add_rule(plan_id: int, fields: RuleFields) -> Rule:
    """One rule more in a draft; raises Refusal for the first field that is not good, Conflict."""
    plan = _lock_draft(plan_id)
    fields = _checked(plan, fields, but=0)
    rule = Rule(plan_id=plan.id, **asdict(fields))
    session.add(rule)
    session.flush()
    audit.record("plan.add_rule", "commission_plans", plan.id, rule=rule.id, **_as_json(fields))
    return rule


def change_rule(plan_id: int, rule_id: int, fields: RuleFields) -> None:
    """Another rule in its place; raises Refusal, Conflict, NotFound."""
    plan = _lock_draft(plan_id)
    rule = find_rule(plan_id, rule_id)
    fields, before = _checked(plan, fields, but=rule_id), fields_of(rule)
    for name, value in asdict(fields).items():
        setattr(rule, name, value)
    was, now = _as_json(before), _as_json(fields)
    changed: dict[str, Any] = {
        name: [was[name], now[name]] for name in now if was[name] != now[name]
    }
    audit.record("plan.change_rule", "commission_plans", plan.id, rule=rule.id, **changed)
    session.flush()


def remove_rule(plan_id: int, rule_id: int) -> None:
    """Take a rule out of a draft; raises Conflict, NotFound."""
    plan = _lock_draft(plan_id)
    rule = find_rule(plan_id, rule_id)
    audit.record(
        "plan.remove_rule", "commission_plans", plan.id, rule=rule.id, **_as_json(fields_of(rule))
    )
    session.delete(rule)
    session.flush()


def discard(plan_id: int) -> None:
    """Throw a draft away; raises Conflict for one that was published."""
    plan = _lock_draft(plan_id)
    audit.record("plan.discard", "commission_plans", plan.id, note=plan.note)
    session.execute(sa.delete(Rule).where(Rule.plan_id == plan.id))
    session.execute(sa.delete(Plan).where(Plan.id == plan.id))
    session.expunge_all()


def publish(plan_id: int) -> None:
    """From now on orders are placed under this plan; the one before is retired.

    Raises Conflict for a draft that cannot be published as it is, and says why.
    """
    plan = _lock_draft(plan_id)
    if not plan.rules:
        raise Conflict(N_("方案里还没有规则，请先添加一条"))
    if plan.max_depth > 1 and plan.depth_accepted_text != DEPTH_TEXT:
        raise Conflict(N_("二级佣金的说明已经更新，请重新阅读并接受后再发布"))
    before = session.scalar(
        sa.select(Plan).where(Plan.state == PlanState.PUBLISHED).with_for_update()
    )
    if before is not None:
        move(before, PlanState.RETIRED)
        # Two are never published at once, not even within the unit.
        session.flush()
    plan.version = 1 + (session.scalar(sa.select(sa.func.max(Plan.version))) or 0)
    plan.published_at = clock.now()
    move(plan, PlanState.PUBLISHED)
    audit.record(
        "plan.publish",
        "commission_plans",
        plan.id,
        version=plan.version,
        retired=before.version if before else None,
    )
    session.flush()


def fields_of(rule: Rule) -> RuleFields:
    """The rule as staff wrote it."""
    return RuleFields(**{name: getattr(rule, name) for name in RuleFields.__dataclass_fields__})


def _lock_draft(plan_id: int) -> Plan:
    require_transaction()
    plan = session.get(
        Plan,
        plan_id,
        options=[selectinload(Plan.rules)],
        with_for_update=True,
        populate_existing=True,
    )
    if plan is None:
        raise NotFound(N_("没有找到这个佣金方案"))
    if plan.state != PlanState.DRAFT:
        raise Conflict(N_("已发布的方案不能再改，请新建一个草稿"))
    return plan


def _as_json(fields: RuleFields) -> dict[str, Any]:
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in asdict(fields).items()
    }


# What a rule may be


def _checked(plan: Plan, fields: RuleFields, but: int) -> RuleFields:
    fields = RuleFields(**asdict(fields) | {"campaign": fields.campaign.strip()})
    if not 1 <= fields.level <= plan.max_depth:
        raise Refusal(N_("这个方案只有一级佣金。要给上级佣金，请先开启二级"), field="level")
    _check_names(fields)
    _check_amounts(fields)
    if fields.starts_at and fields.ends_at and fields.starts_at >= fields.ends_at:
        raise Refusal(N_("结束日期要晚于开始日期"), field="ends_on")
    for other in plan.rules:
        if other.id != but and _is_same(fields_of(other), fields):
            raise Refusal(N_("已经有一条对象相同、时间重叠的规则，请直接修改那一条"), field="scope")
    return fields


def _check_names(fields: RuleFields) -> None:
    if frozenset(name for name in NAMES if getattr(fields, name)) not in SCOPES:
        raise Refusal(
            N_(
                "可以写：所有商品、等级、分类、商品、活动加等级、分销商、分销商加商品。"
                "请去掉多余的条件"
            ),
            field="scope",
        )
    if len(fields.campaign) > CAMPAIGN_LENGTH:
        raise Refusal(N_("最多 %(most)s 个字"), field="campaign", most=CAMPAIGN_LENGTH)
    known = (
        (Distributor, "distributor_id"),
        (Product, "product_id"),
        (Category, "category_id"),
        (Tier, "tier_id"),
    )
    for model, name in known:
        named = getattr(fields, name)
        if named is not None and session.get(model, named) is None:
            raise Refusal(N_("没有找到，请重新选择"), field=name)


def _check_amounts(fields: RuleFields) -> None:
    if not 0 <= fields.percent_bp <= WHOLE_BP:
        raise Refusal(N_("比例要在 0 到 100 之间"), field="percent")
    if fields.min_margin_bp is not None and not 0 <= fields.min_margin_bp <= WHOLE_BP:
        raise Refusal(N_("比例要在 0 到 100 之间"), field="min_margin")
    for name in ("per_unit", "cap_per_order", "cap_per_month"):
        amount = getattr(fields, name)
        if amount is not None and not 0 <= amount <= MOST_AMOUNT:
            raise Refusal(N_("金额要在 0 到 1,000 万元之间"), field=name)


def _is_same(one: RuleFields, other: RuleFields) -> bool:
    """Whether both name the same at the same time."""
    if any(getattr(one, name) != getattr(other, name) for name in ("level", *NAMES)):
        return False
    starts = [rule.starts_at for rule in (one, other) if rule.starts_at]
    ends = [rule.ends_at for rule in (one, other) if rule.ends_at]
    return not starts or not ends or max(starts) < min(ends)
