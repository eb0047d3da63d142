"""The console's first page: what waits for a person, and a new shop's first hour."""

from dataclasses import dataclass

import sqlalchemy as sa
from flask import Blueprint, Response, current_app, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app import backup
from app.core.db import session
from app.domain.accounts.models import Person, Role
from app.domain.catalog import preferences
from app.domain.catalog.models import Product, ProductState
from app.domain.ledger import queries
from app.domain.ledger.models import AccountKind
from app.domain.orders.models import Order
from app.domain.vault.models import Batch
from app.providers import payments
from app.web.access import staff
from app.web.admin import days, todo
from app.web.render import render

routes = Blueprint("home", __name__)


@dataclass(frozen=True)
class Step:
    """One thing to do in the first hour; it ticks itself when it is done."""

    title: str
    note: str
    url: str
    done: bool


@dataclass(frozen=True)
class Money:
    """A figure of the books, in minor units; its address has the entries that it is the sum of."""

    label: str
    amount: int
    url: str


@routes.get("/admin/")
@staff("console.view")
def show() -> Response:
    todo.forget()
    steps = first_hour() if current_user.may("settings.change") else []
    is_open = any(not step.done for step in steps)
    return render(
        "admin/home.html", tasks=todo.mine(), steps=steps if is_open else [], money=books()
    )


def books() -> list[Money]:
    """What came in today, what the shop has and what it owes, for who may read the books."""
    if not current_user.may("books.view"):
        return []
    day = preferences.today()
    today = {"day": day.isoformat()}
    totals = dict.fromkeys(AccountKind, 0)
    for group in queries.groups():
        totals[group.kind] += group.balance
    income = queries.moved_since(days.midnight(day), AccountKind.INCOME)
    return [
        Money(_("今日收入"), income, url_for("admin.reports.show", **today)),  # type: ignore[arg-type]
        Money(_("手上的钱"), totals[AccountKind.ASSET], url_for("admin.ledger.index")),
        Money(_("欠着的钱"), totals[AccountKind.LIABILITY], url_for("admin.ledger.index")),
    ]


def first_hour() -> list[Step]:
    """From an empty house to a shop that has sold something, in the order it is best done."""
    shop = preferences.get()
    has_channel = bool(payments.offered("CNY", has_bank_account=bool(shop.bank_account)))
    backups = current_app.config["SETTINGS"].data_dir / "backups"
    owner = sa.and_(Person.role == Role.OWNER, Person.totp_sealed.is_not(None))
    products, settings = url_for("admin.products.index"), url_for("admin.settings.show")
    return [
        Step(
            _("打开两步验证"),
            _("店主的账号只凭密码进不来"),
            url_for("admin.profile.show"),
            _exists(Person, owner),
        ),
        Step(
            _("给小店起个名字"), _("买家在每一页都会看到"), settings, "name" in preferences.chosen()
        ),
        Step(_("添加第一件商品"), _("名称、价格、使用说明"), products, _exists(Product)),
        Step(
            _("导入第一批卡密"),
            _("CSV、TXT、XLSX 或直接粘贴"),
            url_for("admin.imports.index"),
            _exists(Batch),
        ),
        Step(
            _("上架商品"),
            _("上架后买家就能看到"),
            products,
            _exists(Product, Product.state == ProductState.ON_SALE),
        ),
        Step(_("设置收款方式"), _("填写收款账号，或接入支付渠道"), settings, has_channel),
        Step(
            _("完成一笔测试订单"),
            _("自己买一件，看到卡密为止"),
            url_for("shop.home.index"),
            _exists(Order, Order.delivered_at.is_not(None)),
        ),
        Step(
            _("做第一次备份"),
            _("在服务器上运行 flask backup"),
            url_for("admin.health.show"),
            backup.newest(backups) is not None,
        ),
    ]


def _exists(model: type, *conditions: sa.ColumnElement[bool]) -> bool:
    found = sa.select(sa.literal(1)).select_from(model).where(*conditions).limit(1)
    return session.scalar(found) is not None
