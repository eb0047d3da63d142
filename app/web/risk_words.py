"""Risk in the reader's words: a rule as a sentence, what its comparisons saw, what is done."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from typing import Any

from flask_babel import gettext as _

from app.core.errors import N_
from app.domain.risk import conditions
from app.domain.risk.conditions import Comparison, Condition, Group, Question
from app.domain.risk.models import Action, Checkpoint, Label, Rule, Subject
from app.domain.risk.rules import LASTING
from app.web.filters import money

# What a shopkeeper calls a rule that is delivered; any other is called by its sentence.
NAMES = {
    "many_orders_captcha": N_("同一 IP 短时间下单很多，先验证"),
    "many_orders_limit": N_("同一 IP 下单不付款，限购"),
    "new_account_high_value": N_("新买家大额订单，先审核"),
    "new_account_in_parts": N_("新买家分几单买到大额，先审核"),
    "wrong_codes_captcha": N_("输错几次兑换码，先验证"),
    "wrong_codes_everywhere": N_("很多地方同时猜兑换码，人人先验证"),
    "wrong_codes_lock_device": N_("输错很多次，锁定设备"),
    "wrong_codes_lock_account": N_("输错很多次，锁定账号"),
    "wrong_codes_lock_ip": N_("输错很多次，锁定 IP"),
    "hoarding_device": N_("一个设备囤着不付款"),
    "hoarding_network": N_("一个网段囤着不付款"),
    "hoarding_look": N_("清了 Cookie 的浏览器囤着不付款"),
    "one_device_many_contacts": N_("一个设备换很多联系方式"),
    "one_contact_many_networks": N_("一个联系方式换很多网络"),
    "payer_many_orders": N_("同一付款人买很多单"),
    "payer_many_contacts": N_("同一付款人换很多联系方式"),
    "first_order_far_above_usual": N_("首单金额远高于平时"),
    "night_high_value": N_("深夜大额订单"),
    "much_money_in_a_day": N_("一天付很多钱"),
    "watched": N_("观察名单上的买家"),
    "hoarding_product": N_("一个商品被囤着不付款"),
    "never_pays": N_("总是下单不付款"),
    "code_in_many_hands": N_("一个兑换码很多人在试"),
    "new_account_delay": N_("刚来的买家买得多，晚点发货"),
    "recharge_account_many_payers": N_("一个充值账号很多人付款"),
    "payer_buys_for_commission": N_("一个付款人反复带来佣金"),
    "many_registrations": N_("短时间注册很多账号"),
    "wrong_passwords_captcha": N_("输错几次密码，先验证"),
    "reveals_from_everywhere": N_("一个账号在很多地方看卡密"),
    "new_payout_account": N_("新收款账户提现"),
    "payout_account_shared": N_("几位分销商用同一个收款账户"),
    "many_refunds": N_("推广的订单退款多"),
    "hasty_orders": N_("推广的订单下得太快"),
    "buys_from_herself": N_("分销商总是自己买"),
    "many_payout_accounts": N_("一天加很多收款账户"),
    "disposable_email": N_("一次性邮箱，先验证"),
}
CHECKPOINTS = {
    Checkpoint.CHECKOUT: N_("下单时"),
    Checkpoint.PAID: N_("付款后"),
    Checkpoint.REDEEM: N_("兑换时"),
    Checkpoint.REGISTER: N_("注册时"),
    Checkpoint.SIGN_IN: N_("登录时"),
    Checkpoint.REVEAL: N_("查看卡密时"),
    Checkpoint.WITHDRAW: N_("提现时"),
    Checkpoint.PAYOUT_ACCOUNT: N_("添加收款账户时"),
}
# Keys within a sentence, and by themselves.
KEYS = {
    "ip": N_("同一 IP 地址"),
    "network": N_("同一网段"),
    "device": N_("同一设备"),
    "look": N_("同一网段里同样的浏览器"),
    "contact": N_("同一联系方式"),
    "account": N_("同一账号"),
    "payer": N_("同一付款人"),
    "product": N_("同一商品"),
    "recharge_account": N_("同一充值账号"),
    "code": N_("同一兑换码"),
    "distributor": N_("同一分销商"),
    "payout_account": N_("同一收款账户"),
}
KEY_TITLES = {
    "ip": N_("IP 地址"),
    "network": N_("网络"),
    "device": N_("设备"),
    "look": N_("浏览器特征"),
    "contact": N_("联系方式"),
    "account": N_("账号"),
    "payer": N_("付款账户"),
    "product": N_("商品"),
    "recharge_account": N_("充值账号"),
    "code": N_("兑换码"),
    "distributor": N_("分销商"),
    "payout_account": N_("收款账户"),
}
OF = {
    "ip": N_("个不同的 IP"),
    "network": N_("个不同的网段"),
    "device": N_("个不同的设备"),
    "look": N_("种不同的浏览器"),
    "contact": N_("个不同的联系方式"),
    "account": N_("个不同的账号"),
    "payer": N_("个不同的付款人"),
    "product": N_("个不同的商品"),
    "recharge_account": N_("个不同的充值账号"),
    "code": N_("个不同的兑换码"),
    "distributor": N_("位不同的分销商"),
    "payout_account": N_("个不同的收款账户"),
}
COUNTS = {
    "placed": N_("%(window)s内%(key)s下单%(bound)s 次"),
    "paid": N_("%(window)s内%(key)s付款%(bound)s 次"),
    "wrong_code": N_("%(window)s内%(key)s输错兑换码%(bound)s 次"),
    "unpaid_closed": N_("%(window)s内%(key)s有%(bound)s 单过期或取消"),
    "typed": N_("%(window)s内%(key)s输入兑换码%(bound)s 次"),
    "registered": N_("%(window)s内%(key)s注册%(bound)s 次"),
    "wrong_password": N_("%(window)s内%(key)s输错密码%(bound)s 次"),
    "revealed": N_("%(window)s内%(key)s查看卡密%(bound)s 次"),
    "withdrawn": N_("%(window)s内%(key)s申请提现%(bound)s 次"),
    "payout_account_added": N_("%(window)s内%(key)s添加收款账户%(bound)s 次"),
}
KINDS = {
    "placed": N_("下单记录"),
    "paid": N_("付款记录"),
    "wrong_code": N_("输错兑换码的记录"),
    "unpaid_closed": N_("没有付款的订单"),
    "typed": N_("输入兑换码的记录"),
    "registered": N_("注册记录"),
    "wrong_password": N_("输错密码的记录"),
    "revealed": N_("查看卡密的记录"),
    "withdrawn": N_("提现申请"),
    "payout_account_added": N_("添加收款账户的记录"),
}
FUNCTIONS = {
    "unpaid": N_("%(window)s内%(key)s有%(bound)s 单没有付款"),
    "distinct": N_("%(window)s内%(key)s的%(kind)s里有%(bound)s %(of)s"),
    "sum": N_("%(window)s内%(key)s的%(kind)s合计%(bound)s"),
    "max": N_("%(window)s内%(key)s的%(kind)s单笔最高%(bound)s"),
}
BOUNDS = {"at_least": N_("至少 %(n)s"), "below": N_("少于 %(n)s")}
FACTS = {
    ("amount", "at_least"): N_("订单金额至少 %(n)s"),
    ("amount", "below"): N_("订单金额低于 %(n)s"),
    ("percent_of_usual", "at_least"): N_("订单金额至少是平时的 %(n)s%%"),
    ("percent_of_usual", "below"): N_("订单金额不到平时的 %(n)s%%"),
    ("quantity", "at_least"): N_("一单至少 %(n)s 件"),
    ("quantity", "below"): N_("一单少于 %(n)s 件"),
    ("account_age", "at_least"): N_("买家首次付款或注册已满 %(n)s 小时"),
    ("account_age", "below"): N_("买家首次付款或注册不满 %(n)s 小时"),
    ("hour", "at_least"): N_("店铺时间 %(n)s 点以后"),
    ("hour", "below"): N_("店铺时间 %(n)s 点以前"),
    ("payout_account_age", "at_least"): N_("收款账户添加已满 %(n)s 小时"),
    ("payout_account_age", "below"): N_("收款账户添加不满 %(n)s 小时"),
    ("refunded_percent", "at_least"): N_("30 天内推广的订单至少 %(n)s%% 退款"),
    ("refunded_percent", "below"): N_("30 天内推广的订单退款少于 %(n)s%%"),
    ("hasty_percent", "at_least"): N_("30 天内推广的订单至少 %(n)s%% 在打开链接 3 秒内下单"),
    ("hasty_percent", "below"): N_("30 天内推广的订单在打开链接 3 秒内下单的少于 %(n)s%%"),
    ("own_percent", "at_least"): N_("30 天内推广的订单至少 %(n)s%% 是自己买的"),
    ("own_percent", "below"): N_("30 天内推广的订单自己买的少于 %(n)s%%"),
    ("watched", "at_least"): N_("买家在观察名单上"),
    ("watched", "below"): N_("买家不在观察名单上"),
    ("disposable_email", "at_least"): N_("用的是一次性邮箱"),
    ("disposable_email", "below"): N_("用的不是一次性邮箱"),
    ("wrong_codes_everywhere", "at_least"): N_("全店近期输错兑换码至少 %(n)s 次"),
    ("wrong_codes_everywhere", "below"): N_("全店近期输错兑换码少于 %(n)s 次"),
}
FACT_TITLES = {
    "amount": N_("订单金额"),
    "percent_of_usual": N_("与平时的订单金额相比"),
    "quantity": N_("件数"),
    "account_age": N_("首次付款或注册至今"),
    "hour": N_("店铺时间"),
    "payout_account_age": N_("收款账户添加至今"),
    "refunded_percent": N_("推广订单退款"),
    "hasty_percent": N_("推广订单下得太快"),
    "own_percent": N_("推广订单自己买"),
    "watched": N_("在观察名单上"),
    "disposable_email": N_("一次性邮箱"),
    "wrong_codes_everywhere": N_("全店近期输错兑换码"),
}
DEEDS = {
    Action.ALLOW: N_("只计风险分"),
    Action.NOTIFY: N_("通知店主"),
    Action.HOLD_COMMISSION: N_("暂扣佣金 %(duration)s"),
    Action.CAPTCHA: N_("先完成验证"),
    Action.LIMIT: N_("限购 %(duration)s"),
    Action.DELAY: N_("等 %(duration)s再发货"),
    Action.HOLD: N_("先审核"),
    Action.BLOCK: N_("禁止 %(duration)s"),
    Action.FREEZE: N_("冻结 %(duration)s"),
}
SUBJECTS = {
    Subject.ADDRESS: N_("IP 地址或网段"),
    Subject.DEVICE: N_("设备"),
    Subject.CONTACT: N_("联系方式"),
    Subject.EMAIL_DOMAIN: N_("邮箱域名"),
    Subject.PAYER: N_("付款账户"),
    Subject.ACCOUNT: N_("账号"),
    Subject.KEYWORD: N_("关键词"),
}
LABELS = {
    Label.FRAUD: N_("欺诈"),
    Label.ABUSE: N_("薅羊毛、囤货"),
    Label.FALSE_POSITIVE: N_("误判，是正常买家"),
    Label.UNCLEAR: N_("说不清"),
}
# In Chinese as any other number; in English there is no "1 hours".
ONE = {1: N_("1 分钟"), 60: N_("1 小时")}
IN_MONEY = ("amount", "sum", "max")
# What stands for the number in the label of the field that asks for it.
OPEN = "…"


@dataclass(frozen=True)
class Told:
    """A rule that was judged: its sentence, what each comparison saw (words, value, truth)."""

    slug: str
    name: str
    sentence: str
    seen: list[tuple[str, str, bool]]
    mode: str
    is_true: bool
    action: str
    score: int
    version: int


def name_of(slug: str) -> str:
    """What a rule is called."""
    return str(_(NAMES[slug])) if slug in NAMES else slug


def rule_sentence(rule: Rule) -> str:
    """When a rule is true, and what it does then."""
    try:
        when = sentence(conditions.parse(rule.condition))
    except conditions.BadCondition:
        return str(_("规则 %(name)s 无法读取", name=rule.slug))
    done = deed(rule.action, rule.minutes)
    words = _("%(when)s，就%(deed)s", when=when, deed=done)
    if not rule.score:
        return str(words)
    return str(_("%(words)s，并计 %(score)s 分", words=words, score=rule.score))


def sentence(condition: Condition) -> str:
    """A condition in words; groups within groups stand in brackets."""
    if isinstance(condition, Comparison):
        return comparison_words(condition)
    parts = [
        _("（%(words)s）", words=sentence(part)) if isinstance(part, Group) else sentence(part)
        for part in condition.parts
    ]
    joined = N_("%(one)s，并且%(other)s") if condition.needs_all else N_("%(one)s，或者 %(other)s")
    return reduce(lambda one, other: _(joined, one=one, other=other), parts)


def deed(action: Action, minutes: int) -> str:
    """What is done, and for how long; for ever is as long as the list that says so."""
    if action in LASTING and not minutes:
        return str(_("禁止"))
    return str(_(DEEDS[action], duration=duration(minutes)))


def duration(minutes: int) -> str:
    """A window or an end as people say it."""
    if minutes > 24 * 60 and minutes % (24 * 60) == 0:
        return str(_("%(n)s 天", n=minutes // (24 * 60)))
    if minutes in ONE:
        return str(_(ONE[minutes]))
    if minutes >= 60 and minutes % 60 == 0:
        return str(_("%(n)s 小时", n=minutes // 60))
    return str(_("%(n)s 分钟", n=minutes))


def trial(kept: Mapping[str, Any]) -> Told:
    """A trial as a decision keeps it; one that could not be judged says so."""
    compared = kept["compared"] or ()
    seen = [_seen(one) for one in compared]
    if kept["compared"] is None:
        told = _("规则 %(name)s 无法读取", name=kept["rule"])
    else:
        told = "；".join(words for words, _value, _true in seen)
    return Told(
        kept["rule"],
        name_of(kept["rule"]),
        told,
        seen,
        kept["mode"],
        kept["true"],
        kept["action"],
        kept["score"],
        kept["version"],
    )


def comparison_words(comparison: Comparison, number: str = "") -> str:
    """A comparison in words, with `number` instead of its threshold if one is given."""
    subject = comparison.subject
    n = number or number_words(comparison, comparison.threshold)
    if isinstance(subject, str):
        return str(_(FACTS[subject, comparison.comparison], n=n))
    bound = _(BOUNDS[comparison.comparison], n=n)
    template = COUNTS[subject.kind] if subject.function == "count" else FUNCTIONS[subject.function]
    return str(
        _(
            template,
            window=duration(subject.minutes),
            key=_(KEYS[subject.by]),
            kind=_(KINDS[subject.kind]),
            of=_(OF[subject.of]) if subject.of else "",
            bound=bound,
        )
    )


def is_money(comparison: Comparison) -> bool:
    """Whether its numbers are amounts in minor units."""
    subject = comparison.subject
    return (subject.function if isinstance(subject, Question) else subject) in IN_MONEY


def number_words(comparison: Comparison, value: int | None) -> str:
    """A number of a comparison: an amount as money, the rest as it is."""
    if value is None:
        return str(_("未知"))
    return amount_words(value) if is_money(comparison) else f"{value:,}"


def amount_words(amount: int) -> str:
    """Minor units as people say them: ¥500, ¥12.50."""
    return money(amount).removesuffix(".00")


def fact_words(name: str, value: int | None) -> str:
    """A fact's value with its unit."""
    if value is None:
        return str(_("未知"))
    if name == "amount":
        return amount_words(value)
    if name in ("account_age", "payout_account_age"):
        return duration(value * 60) if value else str(_("不到 1 小时"))
    if name == "hour":
        return f"{value}:00–{value}:59"
    if name.endswith("_percent"):
        return f"{value}%"
    if name in ("watched", "disposable_email"):
        return str(_("是") if value else _("否"))
    return f"{value:,}"


def facts(inputs: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What was known about what was decided on, as names and values."""
    return [
        (str(_(title)), fact_words(name, inputs[name]))
        for name, title in FACT_TITLES.items()
        if name in inputs
    ]


def subjects(wanted: Iterable[Subject]) -> list[tuple[str, str]]:
    """What a list can name, as the options of a select."""
    return [(subject.value, _(SUBJECTS[subject])) for subject in wanted]


def checkpoints() -> list[tuple[str, str]]:
    """Where risk is asked, as the options of a select."""
    return [(checkpoint.value, _(words)) for checkpoint, words in CHECKPOINTS.items()]


def listed(words: Iterable[str]) -> str:
    """Several things in a row."""
    found = list(words) or [""]
    return reduce(lambda one, other: _("%(one)s、%(other)s", one=one, other=other), found)


def labels(wanted: Iterable[Label]) -> list[tuple[str, str]]:
    """Labels as the options of a select."""
    return [(label.value, _(LABELS[label])) for label in wanted]


def _seen(one: Mapping[str, Any]) -> tuple[str, str, bool]:
    bare = {name: value for name, value in one.items() if name not in ("value", "true")}
    comparison = conditions.parse(bare)
    assert isinstance(comparison, Comparison)
    subject, value = comparison.subject, one["value"]
    seen = fact_words(subject, value) if isinstance(subject, str) else ""
    return comparison_words(comparison), seen or number_words(comparison, value), one["true"]
