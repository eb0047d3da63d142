"""Commission in words: what a rule gives and to whom, and how an amount came about."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from flask_babel import gettext as _

from app.core.db import session
from app.core.errors import N_
from app.domain.catalog.models import Category, Product
from app.domain.channels import terms
from app.domain.channels.models import AttributionRule, Distributor, Rule, Tier
from app.domain.channels.plans import RuleFields
from app.web.filters import money
from app.web.moments import shop

VERDICTS = {
    "won": N_("用了这一条"),
    "not_started": N_("还没有开始"),
    "ended": N_("已经结束"),
    "less_specific": N_("有更具体的规则"),
    "older": N_("同样具体，有更新的规则"),
}
SCOPES = {
    "DISTRIBUTOR_AND_PRODUCT": N_("分销商加商品"),
    "DISTRIBUTOR": N_("分销商"),
    "CAMPAIGN_AND_TIER": N_("活动加等级"),
    "PRODUCT": N_("商品"),
    "CATEGORY": N_("分类"),
    "TIER": N_("等级"),
    "DEFAULT": N_("所有商品"),
}
EVIDENCE = {
    AttributionRule.REFERRAL_CODE: N_("买家填写了推广码"),
    AttributionRule.MANUAL: N_("店员更正"),
    AttributionRule.CLICK: N_("买家打开了分享链接"),
    AttributionRule.BINDING: N_("买家的联系方式已绑定"),
}
POSTINGS = {
    "commission_earned": N_("发货，佣金入账"),
    "commission_ripe": N_("过了待结算期，可以提现"),
    "commission_reversed": N_("退款，扣回佣金"),
    "commission_hold": N_("暂扣"),
    "commission_release": N_("解除暂扣"),
}
ACCOUNTS = {
    "commission": N_("佣金支出"),
    "commission_pending": N_("待结算佣金"),
    "commission_payable": N_("可提现佣金"),
}
NAMED: dict[str, tuple[type[Any], str]] = {
    "distributor_id": (Distributor, "name"),
    "product_id": (Product, "name"),
    "category_id": (Category, "name"),
    "tier_id": (Tier, "name"),
}


@dataclass(frozen=True)
class Written:
    """A rule in words: for what, what it gives, within which limits."""

    rule: Rule
    scope: str
    pays: str
    limits: Sequence[str]


def written(rules: Sequence[Rule]) -> list[Written]:
    """Each rule in words, those that win over the others first."""
    names = _names(rules)
    return [
        Written(rule, " · ".join(_scope(rule, names)), _pays(rule), list(_limits(rule)))
        for rule in sorted(
            rules, key=lambda rule: (rule.level, -terms.of_rule(rule).scope, rule.id)
        )
    ]


def _names(rules: Iterable[Rule]) -> dict[str, dict[int, str]]:
    """What the things that rules name are called."""
    found: dict[str, dict[int, str]] = {}
    for column, (model, name) in NAMED.items():
        ids = {named for rule in rules if (named := getattr(rule, column))}
        called = sa.select(model.id, getattr(model, name)).where(model.id.in_(ids))
        found[column] = {row[0]: row[1] for row in session.execute(called)} if ids else {}
    return found


def _scope(rule: Rule, names: Mapping[str, Mapping[int, str]]) -> Iterator[str]:
    of = {column: known.get(getattr(rule, column), "") for column, known in names.items()}
    if rule.distributor_id:
        yield _("分销商 %(name)s", name=of["distributor_id"])
    if rule.campaign:
        yield _("活动 %(name)s", name=rule.campaign)
    if rule.tier_id:
        yield _("等级 %(name)s", name=of["tier_id"])
    if rule.product_id:
        yield _("商品 %(name)s", name=of["product_id"])
    if rule.category_id:
        yield _("分类 %(name)s", name=of["category_id"])
    if not any(getattr(rule, name) for name in (*NAMED, "campaign")):
        yield _("所有商品")


def _pays(rule: Rule) -> str:
    if rule.percent_bp and rule.per_unit:
        return _(
            "每件 %(amount)s，加实付的 %(rate)s",
            amount=money(rule.per_unit),
            rate=percent(rule.percent_bp),
        )
    if rule.per_unit:
        return _("每件 %(amount)s", amount=money(rule.per_unit))
    if rule.percent_bp:
        return _("实付的 %(rate)s", rate=percent(rule.percent_bp))
    return _("不给佣金")


def _limits(rule: Rule) -> Iterator[str]:
    if rule.cap_per_order is not None:
        yield _("每单最多 %(amount)s", amount=money(rule.cap_per_order))
    if rule.cap_per_month is not None:
        yield _("每月最多 %(amount)s", amount=money(rule.cap_per_month))
    if rule.min_margin_bp is not None:
        yield _("成本之外至少留下实付的 %(rate)s", rate=percent(rule.min_margin_bp))
    if rule.starts_at is not None:
        yield _("从 %(day)s 起", day=day_of(rule.starts_at))
    if rule.ends_at is not None:
        # A rule ends with its last day.
        yield _("到 %(day)s 为止", day=day_of(rule.ends_at - timedelta(microseconds=1)))


def percent(rate_bp: int) -> str:
    """250 basis points → "2.5%"."""
    return f"{rate_bp / 100:g}%"


def day_of(at: datetime) -> str:
    """The shop's day of a moment, as a date field takes it."""
    return f"{at.astimezone(ZoneInfo(shop().zone)):%Y-%m-%d}"


# How an amount came about


def candidates(trace: Sequence[Mapping[str, Any]]) -> list[tuple[int, str, str, bool]]:
    """(rule, how specific it is, why it won or lost, whether it won) of all that were looked at."""
    looked_at = [
        (entry["rule"], SCOPES[entry["scope"]], entry["verdict"])
        for entry in trace
        if entry["kind"] == "rule"
    ]
    return [
        (rule_id, _(scope), _(VERDICTS[verdict]), verdict == "won")
        for rule_id, scope, verdict in looked_at
    ]


def steps(trace: Sequence[Mapping[str, Any]]) -> list[tuple[str, int]]:
    """(what was done, the amount after it) of each step."""
    return [
        (_step(entry["name"], entry["value"]), entry["amount"])
        for entry in trace
        if entry["kind"] == "step"
    ]


def _step(name: str, value: int) -> str:
    words = {
        "percent": lambda: _("实付的 %(rate)s", rate=percent(value)),
        "per_unit": lambda: _("每件 %(amount)s", amount=money(value)),
        "cap_per_order": lambda: _("每单最多 %(amount)s，已到上限", amount=money(value)),
        "cap_per_month": lambda: _("每月最多 %(amount)s，已到上限", amount=money(value)),
        "min_margin": lambda: _("成本之外要留下实付的 %(rate)s", rate=percent(value)),
        "cost_unknown": lambda: _("不知道成本，没有按毛利限制"),
        "pool_max": lambda: _("各级佣金合计不超过实付的 %(rate)s", rate=percent(value)),
    }
    return words[name]()


def account_words(code: str) -> str:
    """A ledger account of commission, in the reader's language."""
    return str(_(ACCOUNTS[code.partition(":")[0]]))


def blank(fields: RuleFields | Rule | None) -> dict[str, str]:
    """A rule as its form is filled in; None is an empty form."""
    if fields is None:
        return {"level": "1"}
    seller = session.get(Distributor, fields.distributor_id) if fields.distributor_id else None
    amounts = ("per_unit", "cap_per_order", "cap_per_month")
    rates = {"percent": fields.percent_bp, "min_margin": fields.min_margin_bp}
    texts = {name: str(getattr(fields, name) or "") for name in ("product_id", "category_id")}
    ends_at = fields.ends_at - timedelta(microseconds=1) if fields.ends_at else None
    return (
        texts
        | {name: _yuan(getattr(fields, name)) for name in amounts}
        | {name: f"{rate / 100:g}" if rate is not None else "" for name, rate in rates.items()}
        | {
            "level": str(fields.level),
            "tier_id": str(fields.tier_id or ""),
            "campaign": fields.campaign,
            "code": seller.code if seller else "",
            "starts_on": day_of(fields.starts_at) if fields.starts_at else "",
            "ends_on": day_of(ends_at) if ends_at else "",
        }
    )


def _yuan(amount: int | None) -> str:
    return f"{amount // 100}.{amount % 100:02d}" if amount else "" if amount is None else "0"
