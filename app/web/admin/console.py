"""The console's frame: the rail of places, and what waits for a person."""

from dataclasses import dataclass
from functools import cached_property

from flask import request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.core.errors import N_
from app.domain.accounts.rules import ROLE_WORDS
from app.web.admin import todo


@dataclass(frozen=True)
class Place:
    """One entry of the rail: shown to those who may open it. `parts` are others of its pages."""

    label: str
    icon: str
    endpoint: str
    permission: str
    parts: tuple[str, ...] = ()


RISK = ("cases", "risk_rules", "risk_lists", "restrictions", "decisions")
SECTIONS: tuple[tuple[str, tuple[Place, ...]], ...] = (
    ("", (Place(N_("首页"), "house", "admin.home.show", "console.view"),)),
    (
        N_("销售"),
        (
            Place(N_("订单"), "receipt-text", "admin.orders.index", "orders.view"),
            Place(N_("商品"), "shopping-bag", "admin.products.index", "products.view"),
            Place(N_("风控"), "shield-check", "admin.risk.show", "risk.view", RISK),
            Place(N_("柜台核销"), "scan-line", "admin.counter.show", "passes.use"),
        ),
    ),
    (
        N_("充值"),
        (
            Place(N_("充值记录"), "smartphone", "admin.recharges.index", "recharges.view"),
            Place(N_("供应商"), "store", "admin.providers.index", "providers.view"),
            Place(N_("对账"), "file-spreadsheet", "admin.statements.index", "statements.view"),
        ),
    ),
    (
        N_("分销"),
        (
            Place(N_("分销商"), "send", "admin.distributors.index", "channels.view"),
            Place(N_("等级"), "tag", "admin.tiers.index", "channels.view"),
            Place(N_("佣金"), "wallet-minimal", "admin.commissions.index", "channels.view"),
            Place(N_("佣金方案"), "layout-grid", "admin.plans.index", "channels.view"),
            Place(N_("提现"), "wallet-cards", "admin.withdrawals.index", "payouts.view"),
            Place(N_("打款批次"), "send", "admin.payouts.index", "payouts.view"),
            Place(N_("结算单"), "file-text", "admin.settlements.index", "payouts.view"),
            Place(N_("发票"), "scroll-text", "admin.invoices.index", "payouts.view"),
            Place(N_("代扣税款"), "landmark", "admin.taxes.index", "payouts.view"),
        ),
    ),
    (
        N_("卡密"),
        (
            Place(N_("批次"), "layers", "admin.batches.index", "codes.view"),
            Place(N_("导入"), "upload", "admin.imports.index", "codes.view"),
            Place(N_("泄漏警报"), "circle-alert", "admin.alarms.index", "alarms.view"),
            Place(N_("查看记录"), "eye", "admin.reveals.index", "reveals.view"),
        ),
    ),
    (
        N_("账目"),
        (
            Place(N_("账本"), "scroll-text", "admin.ledger.index", "books.view"),
            Place(N_("财务报表"), "file-text", "admin.reports.show", "books.view"),
            Place(N_("结账"), "lock", "admin.periods.index", "books.view"),
            Place(
                N_("渠道对账"),
                "file-spreadsheet",
                "admin.channel_statements.index",
                "statements.view",
            ),
            Place(N_("渠道结算"), "landmark", "admin.remittances.index", "statements.view"),
        ),
    ),
    (
        N_("店铺"),
        (
            Place(N_("成员"), "users", "admin.people.index", "people.view"),
            Place(N_("操作日志"), "scroll-text", "admin.audit.index", "audit.view"),
            Place(N_("运行状况"), "activity", "admin.health.show", "health.view"),
            Place(N_("加密密钥"), "key-round", "admin.keys.show", "keys.view"),
            Place(N_("设置"), "settings", "admin.settings.show", "settings.view"),
        ),
    ),
)


class Console:
    """What the layout asks for; nothing is looked up before it is asked for."""

    @property
    def sections(self) -> list[dict[str, object]]:
        here = (request.endpoint or "").rpartition(".")[0]
        return [
            {"label": _(label) if label else "", "links": links}
            for label, places in SECTIONS
            if (
                links := [
                    _link(place, here) for place in places if current_user.may(place.permission)
                ]
            )
        ]

    @cached_property
    def attention(self) -> int:
        """How many things need a person now."""
        return sum(task.count for task in todo.mine())

    @property
    def attention_url(self) -> str:
        return url_for("admin.home.show")

    @property
    def search_url(self) -> str:
        return url_for("admin.orders.index")

    @property
    def search_text(self) -> str:
        return request.args.get("q", "") if request.endpoint == "admin.orders.index" else ""

    @property
    def staff(self) -> dict[str, str]:
        role = _(ROLE_WORDS[current_user.role]) if current_user.role else ""
        return {"name": current_user.name or current_user.contact_masked, "role": role}

    @property
    def profile_url(self) -> str:
        return url_for("admin.profile.show")

    @property
    def sign_out_url(self) -> str:
        return url_for("admin.sign_in.delete")


def _link(place: Place, here: str) -> dict[str, object]:
    own = place.endpoint.rpartition(".")[0]
    return {
        "label": _(place.label),
        "icon": place.icon,
        "url": url_for(place.endpoint),
        "is_current": here in (own, *(f"admin.{part}" for part in place.parts)),
        "count": None,
    }
