"""What the merchant decides about the shop."""

from collections.abc import Callable

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.db import transaction
from app.core.errors import N_, Refusal
from app.domain.catalog import preferences
from app.domain.messages import anchoring
from app.providers import messages
from app.web.access import staff
from app.web.admin.typed import Typed
from app.web.errors import words
from app.web.render import render

routes = Blueprint("settings", __name__)

ACCENT_WORDS = {
    "pine": N_("松绿"),
    "indigo": N_("靛蓝"),
    "cinnabar": N_("朱红"),
    "plum": N_("梅紫"),
    "ochre": N_("赭黄"),
    "ink": N_("墨黑"),
}
BIND_WORDS = {
    "none": N_("不绑定"),
    "first_order": N_("首单后长期绑定"),
    "days365": N_("下单后绑定 365 天"),
}
TEXTS = ("name", "support", "announcement", "accent", "zone", "canned_replies", "bind_mode")
NUMBERS = ("hold_minutes", "low_stock_at", "attribution_days", "commission_holding_days")
SWITCHES = ("messages",)
PAYOUT_AMOUNTS = ("payout_minimum", "payout_fee", "payout_daily_amount", "payout_check_above")


@routes.get("/admin/settings")
@staff("settings.view")
def show() -> Response:
    return _page()


@routes.post("/admin/settings")
@staff("settings.change")
def update() -> Response:
    wanted: dict[str, object] = {
        name: request.form[name].replace("\r\n", "\n").replace("\0", "").strip()
        for name in TEXTS
        if name in request.form
    }
    for name in NUMBERS:
        if name in request.form:
            wanted[name] = request.form.get(name, -1, type=int)
    for name in SWITCHES:
        if name in request.form:
            wanted[name] = request.form[name] == "on"
    return _change(wanted)


@routes.post("/admin/settings/bank-account")
@staff("settings.change", step_up=True)
def update_bank_account() -> Response:
    """Where buyers transfer their money to: whoever changes it must be who they say."""
    text = request.form.get("bank_account", "").replace("\r\n", "\n").replace("\0", "").strip()
    return _change({"bank_account": text})


@routes.post("/admin/settings/payouts")
@staff("settings.change", step_up=True)
def update_payouts() -> Response:
    """The limits of withdrawals, amounts in yuan."""
    typed = Typed(request.form)
    wanted: dict[str, object] = {name: typed.money(name) for name in PAYOUT_AMOUNTS}
    wanted["payout_daily_count"] = typed.whole("payout_daily_count")
    for name, value in wanted.items():
        if value is None:
            typed.errors.setdefault(name, _("请填写数字"))
    if typed.errors:
        return _page({name: typed.text(name) for name in wanted}, typed.errors, 422)
    return _change(wanted)


@routes.post("/admin/settings/payer")
@staff("settings.change", step_up=True)
def update_payer() -> Response:
    """Who pays distributors, and how the tax office sees the shop."""
    typed = Typed(request.form)
    return _change(
        {
            "payer_name": typed.text("payer_name"),
            "payer_code": typed.text("payer_code").upper(),
            "is_platform": typed.text("is_platform") == "on",
            "tax_gap_restarts": typed.text("tax_gap_restarts") != "off",
        }
    )


@routes.post("/admin/settings/anchor")
@staff("settings.change", step_up=True)
def update_anchor() -> Response:
    """Whether the audit log's anchor is sent out every day, and where to."""
    typed = Typed(request.form)
    return _change(
        {"anchor_mail": typed.text("anchor_mail") == "on", "anchor_to": typed.text("anchor_to")},
        anchoring.watch,
    )


def _change(wanted: dict[str, object], besides: Callable[[], None] | None = None) -> Response:
    """`besides` is done in the same unit."""

    def change() -> None:
        preferences.change(wanted)
        if besides is not None:
            besides()

    try:
        transaction(change)
    except Refusal as refusal:
        typed = {name: request.form.get(name, "") for name in wanted}
        return _page(typed, {refusal.field: words(refusal)}, refusal.status)
    flash(_("设置已保存"), "good")
    return redirect(url_for("admin.settings.show"), 303)  # type: ignore[return-value]


def _page(
    typed: dict[str, str] | None = None, errors: dict[str, str] | None = None, status: int = 200
) -> Response:
    return render(
        "admin/settings.html",
        status=status,
        preferences=preferences.fresh(),
        typed=typed or {},
        ways=_ways(),
        windows=[(str(days), _("%(n)s 天", n=days)) for days in preferences.ATTRIBUTION_DAYS],
        bindings=[(mode, _(BIND_WORDS[mode])) for mode in preferences.BIND_MODES],
        accents=[(accent, _(ACCENT_WORDS[accent])) for accent in preferences.ACCENTS],
        errors=errors or {},
    )


def _ways() -> str:
    """How buyers are reached, in one line."""
    words = {"smtp": _("已配置"), "sms": _("已配置"), "console": _("只写入日志"), "": _("未配置")}
    mail, phone = (
        words[sender.name if (sender := messages.sender_for(kind)) else ""]
        for kind in (messages.EMAIL, messages.PHONE)
    )
    return str(_("邮件：%(mail)s；短信：%(phone)s。在服务器的设置里配置", mail=mail, phone=phone))
