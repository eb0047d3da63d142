"""A rule as a sentence, and what each of its comparisons saw, in the reader's words."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from flask_babel import gettext as _

from app.core.errors import N_
from app.domain.risk import conditions
from app.domain.risk.conditions import Comparison, Question
from app.domain.risk.models import Label

KEYS = {
    "ip": N_("同一 IP"),
    "network": N_("同一网段"),
    "device": N_("同一设备"),
    "contact": N_("同一联系方式"),
    "account": N_("同一账号"),
    "payer": N_("同一付款人"),
}
KINDS = {
    "placed": N_("下单"),
    "paid": N_("付款"),
    "wrong_code": N_("输错兑换码"),
}
FUNCTIONS = {
    "count": N_("%(minutes)s 分钟内%(key)s%(kind)s次数"),
    "unpaid": N_("%(minutes)s 分钟内%(key)s未付款的订单数"),
    "distinct": N_("%(minutes)s 分钟内%(key)s%(kind)s时不同的%(of)s数"),
    "sum": N_("%(minutes)s 分钟内%(key)s%(kind)s金额合计（元）"),
    "max": N_("%(minutes)s 分钟内%(key)s%(kind)s最大金额（元）"),
}
OF = {
    "ip": N_("IP"),
    "network": N_("网段"),
    "device": N_("设备"),
    "contact": N_("联系方式"),
    "account": N_("账号"),
    "payer": N_("付款人"),
}
FACTS = {
    "amount": N_("订单金额（元）"),
    "quantity": N_("件数"),
    "account_age": N_("买家首次付款或注册至今的小时数"),
    "hour": N_("店铺时区的钟点"),
    "watched": N_("在观察名单上"),
}
COMPARISONS = {"at_least": N_("%(what)s ≥ %(threshold)s"), "below": N_("%(what)s < %(threshold)s")}
LABELS = {
    Label.FRAUD: N_("欺诈"),
    Label.ABUSE: N_("薅羊毛、囤货"),
    Label.FALSE_POSITIVE: N_("误判，是正常买家"),
    Label.UNCLEAR: N_("说不清"),
}
IN_MONEY = ("amount", "sum", "max")


@dataclass(frozen=True)
class Told:
    """A rule that was judged: its sentence, what each comparison saw, its mode."""

    sentence: str
    seen: list[tuple[str, str]]
    mode: str


def trial(kept: Mapping[str, Any]) -> Told:
    """A trial as a decision keeps it; one that could not be judged says so."""
    if kept["compared"] is None:
        return Told(_("规则 %(name)s 无法读取", name=kept["rule"]), [], kept["mode"])
    seen = []
    for one in kept["compared"]:
        bare = {name: value for name, value in one.items() if name not in ("value", "true")}
        comparison = conditions.parse(bare)
        assert isinstance(comparison, Comparison)
        value = _("未知") if one["value"] is None else _number(comparison, one["value"])
        seen.append((_comparison(comparison), value))
    return Told("；".join(words for words, _value in seen), seen, kept["mode"])


def labels(wanted: Iterable[Label]) -> list[tuple[str, str]]:
    """Labels as the options of a select."""
    return [(label.value, _(LABELS[label])) for label in wanted]


def _comparison(comparison: Comparison) -> str:
    subject = comparison.subject
    what = _question(subject) if isinstance(subject, Question) else _(FACTS[subject])
    threshold = _number(comparison, comparison.threshold)
    return _(COMPARISONS[comparison.comparison], what=what, threshold=threshold)


def _question(asked: Question) -> str:
    return _(
        FUNCTIONS[asked.function],
        minutes=asked.minutes,
        key=_(KEYS[asked.by]),
        kind=_(KINDS[asked.kind]),
        of=_(OF[asked.of]) if asked.of else "",
    )


def _number(comparison: Comparison, value: int) -> str:
    subject = comparison.subject
    name = subject.function if isinstance(subject, Question) else subject
    return f"{value / 100:g}" if name in IN_MONEY else str(value)
