"""The words of messages to buyers: templates in the order's language, without any request."""

import gettext
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from flask import Flask

from app.core.errors import N_
from app.domain.messages.alerts import AlertWriter, Event, News
from app.domain.messages.models import Kind
from app.domain.messages.rules import Facts, Words, Writer
from app.web.filters import money

TRANSLATIONS = Path(__file__).parent.parent / "translations"

SUBJECTS: Mapping[Kind, str] = {
    Kind.PAID: N_("订单 %(number)s 已付款"),
    Kind.ARRIVED: N_("订单 %(number)s 已到货"),
    Kind.FAILED: N_("订单 %(number)s 没能完成，正在退款"),
    Kind.REFUNDED: N_("订单 %(number)s 的退款已退回"),
    Kind.EXPIRING: N_("订单 %(number)s 快到期了"),
    Kind.GIVEN_BACK: N_("订单 %(number)s 的兑换没有成功，次数已退回"),
    Kind.REPLACED: N_("订单 %(number)s 的卡密已为你换新"),
    Kind.LOW_BALANCE: N_("订单 %(number)s 之后，进货余额不多了"),
}
# What staff are told: the subject and the text.
NEWS: Mapping[Event, tuple[str, str]] = {
    Event.ALARM: (
        N_("%(shop)s：泄漏警报"),
        N_("可能有卡密泄漏，相关的已自动停止。请打开后台查看并处理：%(url)s"),
    ),
    Event.ANCHOR: (
        N_("%(shop)s：操作日志的锚点"),
        N_(
            "请把这封信留着，不用回复。下面一行是 %(shop)s 操作日志今天的锚点：\n\n%(line)s\n\n"
            "它的用处：以后就算有人拿到数据库和密钥，截短或重做操作日志，也对不上这一行。"
            "要核对，在店铺的服务器上运行：\n\nflask --app wsgi audit --anchor %(line)s\n\n"
            "操作日志：%(url)s"
        ),
    ),
    Event.CASES_OVERDUE: (
        N_("%(shop)s：有订单等待审核"),
        N_(
            "%(count)s 个已付款的订单等待审核，已经超过 30 分钟。没有人处理就不会发货。"
            "请打开后台放行或拒绝：%(url)s"
        ),
    ),
    Event.RISK_RULE: (
        N_("%(shop)s：风控提醒"),
        N_("有人触发了一条只提醒的风控规则，没有被阻止。请看看是不是正常：%(url)s"),
    ),
    Event.EXPORT_REQUESTED: (
        N_("%(shop)s：有人申请导出卡密"),
        N_("有人申请导出没卖出的卡密，等你批准。请核对是谁、为什么、多少条：%(url)s"),
    ),
    Event.EXPORT_APPROVED: (
        N_("%(shop)s：导出已批准"),
        N_("你申请的导出已批准，请在 30 分钟内下载，只能下载一次：%(url)s"),
    ),
    Event.EXPORT_REFUSED: (
        N_("%(shop)s：导出被拒绝"),
        N_("你申请的导出被拒绝，原因见后台：%(url)s"),
    ),
    Event.EXPORT_DOWNLOADED: (
        N_("%(shop)s：卡密已导出"),
        N_("一批没卖出的卡密已被下载，离开了本店。如果你不知情，请马上查看：%(url)s"),
    ),
}


def writer(app: Flask, base_url: str) -> Writer:
    """What puts facts into words, with links to the shop at `base_url`."""

    def write(facts: Facts, is_short: bool) -> Words:
        say = _Speech(facts.language)
        path = app.url_map.bind("").build("shop.orders.show", {"number": facts.number})
        known: dict[str, Any] = {
            "_": say,
            "facts": facts,
            "url": base_url + path,
            "subject": say(SUBJECTS[facts.kind], number=facts.number),
            "amount": money(facts.amount, facts.currency),
            "ends_at": _moment(facts),
        }

        def render(name: str) -> str:
            return app.jinja_env.get_template(f"messages/{name}").render(known).strip() + "\n"

        if is_short:
            return Words(known["subject"], render("short.txt").strip(), "")
        return Words(known["subject"], render(f"{facts.kind}.txt"), render(f"{facts.kind}.html"))

    return write


def alert_writer(app: Flask, base_url: str) -> AlertWriter:
    """What puts news for staff into words, with a link to the console of the shop at `base_url`."""

    def write(news: News, language: str, shop: str) -> Words:
        say = _Speech(language)
        url = base_url + app.url_map.bind("").build(*_place_of(news))
        subject, text = NEWS[news.event]
        known = {"shop": shop, "url": url, "count": news.count, "line": news.line}
        return Words(say(subject, shop=shop), say(text, **known), "")

    return write


def _place_of(news: News) -> tuple[str, dict[str, int | str]]:
    """The page of the console that it is about: endpoint and arguments."""
    if news.event == Event.CASES_OVERDUE:
        return "admin.cases.index", {}
    if news.event == Event.RISK_RULE:
        return "admin.decisions.show", {"uid": news.number}
    if news.event == Event.ANCHOR:
        return "admin.audit.index", {}
    if news.event == Event.ALARM:
        return "admin.alarms.show", {"alarm_id": news.subject_id}
    return "admin.exports.show", {"export_id": news.subject_id}


class _Speech:
    """`_()` in a language that no request has chosen. Plain texts: the template escapes them."""

    def __init__(self, language: str) -> None:
        self._catalogue = _catalogue(language)

    def __call__(self, message: str, **values: object) -> str:
        spoken = self._catalogue.gettext(message)
        return spoken % values if values else spoken


@cache
def _catalogue(language: str) -> gettext.NullTranslations:
    # The message ids are the Chinese sentences, so Chinese needs no catalogue.
    return gettext.translation("messages", TRANSLATIONS, [language], fallback=True)


def _moment(facts: Facts) -> str:
    """When it is over, on the shop's wall clock."""
    if facts.ends_at is None:
        return ""
    return f"{facts.ends_at.astimezone(ZoneInfo(facts.zone)):%Y-%m-%d %H:%M}"
