"""How a commission came about, in the reader's language: arithmetic, reason, entries."""

from collections.abc import Iterator, Mapping
from typing import Any

from flask_babel import gettext as _

from app.core.errors import N_
from app.domain.channels.figures import Posting
from app.domain.channels.models import Attribution, AttributionRule, Commission
from app.web.filters import money
from app.web.moments import when

RULES = {
    AttributionRule.REFERRAL_CODE: N_("买家下单时填了你的推广码"),
    AttributionRule.MANUAL: N_("店员核对后，把这个订单归到你名下"),
    AttributionRule.CLICK: N_("买家下单前最后打开的是你的分享链接"),
    AttributionRule.BINDING: N_("买家的联系方式绑定在你名下"),
}

# What a step of the arithmetic says; `value` is the rule's own, a rate or an amount.
STEPS = {
    "percent": N_("实付 %(base)s 的 %(rate)s，是 %(amount)s"),
    "per_unit": N_("每件 %(value)s，加上后是 %(amount)s"),
    "cap_per_order": N_("每单最多 %(value)s，取 %(amount)s"),
    "cap_per_month": N_("每月最多 %(value)s，这个月还剩 %(amount)s"),
    "min_margin": N_("店家至少留 %(rate)s 的利润，取 %(amount)s"),
    "pool_max": N_("一个订单的佣金合计最多 %(rate)s，取 %(amount)s"),
}

POSTINGS = {
    "commission_earned": N_("发货后入账"),
    "commission_ripe": N_("等待期结束，可以提现"),
    "commission_reversed": N_("退款扣回"),
    "commission_hold": N_("店家暂扣"),
    "commission_release": N_("暂扣解除"),
}


def steps(one: Commission) -> list[str]:
    """The arithmetic that led from what was paid to the amount, a sentence each."""
    return list(_steps(one))


def reasons(found: tuple[Attribution, int | None] | None, level: int) -> list[str]:
    """Why it is hers, a sentence each."""
    if found is None:
        return []
    attribution, version = found
    first = (
        _(RULES[attribution.rule])
        if level == 1
        else _("订单是你团队成员的，按第 %(level)s 级计算", level=level)
    )
    frozen = _("下单时（%(at)s）就已确定", at=when(attribution.created_at))
    by_plan = [_("按第 %(n)s 版佣金规则计算", n=version)] if version is not None else []
    return [first, frozen, *by_plan]


def posting(one: Posting) -> str:
    """What an entry in the books was for."""
    known = POSTINGS.get(one.kind)
    if known is not None:
        return str(_(known))
    return _("入账") if one.pending + one.payable >= 0 else _("扣回")


def rate(basis_points: int) -> str:
    """1250 → "12.5%"."""
    whole, rest = divmod(basis_points, 100)
    return f"{whole}.{rest:02}".rstrip("0").rstrip(".") + "%"


def _steps(one: Commission) -> Iterator[str]:
    for entry in one.trace:
        known = STEPS.get(entry.get("name", "")) if entry.get("kind") == "step" else None
        if known is not None:
            yield _(known) % _values(one, entry)


def _values(one: Commission, entry: Mapping[str, Any]) -> dict[str, str]:
    return {
        "base": money(one.base),
        "rate": rate(entry["value"]),
        "value": money(entry["value"]),
        "amount": money(entry["amount"]),
    }
