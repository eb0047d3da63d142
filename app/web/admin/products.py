"""Products in the console: the list, the one form, on and off sale, the picture."""

from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.domain.catalog import pictures, preferences, queries, rules, service
from app.domain.catalog.models import AccountFormat, Product, ProductKind, ProductState
from app.domain.catalog.rules import ProductFields
from app.domain.vault import stock
from app.web import state_words
from app.web.access import staff
from app.web.admin.export import Column, yuan
from app.web.admin.listing import Choice, Listing, Search, Sort
from app.web.admin.typed import Typed
from app.web.errors import words
from app.web.render import render

routes = Blueprint("products", __name__)

Choosable = TypeVar("Choosable", bound=StrEnum)

TEXTS = (
    *("name", "slug", "summary", "description", "instructions", "use_url"),
    "account_label",
)
KINDS = {
    ProductKind.KEY: N_("卡密：买家拿到第三方的卡密"),
    ProductKind.RECHARGE: N_("直充：直接充到买家的账号，没有卡密"),
    ProductKind.REDEEM: N_("兑换码：买家凭码兑换，充到任意账号"),
    ProductKind.MULTI: N_("次卡：到店核销，有次数"),
    ProductKind.PERIOD: N_("时长卡：到店核销，有时长"),
}
FORMATS = {
    AccountFormat.PHONE: N_("手机号"),
    AccountFormat.QQ: N_("QQ 号"),
    AccountFormat.EMAIL: N_("邮箱"),
    AccountFormat.PLATFORM: N_("平台账号"),
}
# Beyond this the console says "more".
STOCK_SHOWN = 9999
NUMBERS = ("min_per_order", "max_per_order", "low_stock_at", "position")


def _matches(text: str) -> sa.ColumnElement[bool]:
    return sa.or_(Product.name.icontains(text, autoescape=True), Product.slug == text)


def _categories() -> list[tuple[str, str]]:
    return [(str(category.id), category.name) for category in queries.list_categories()]


def _low(_value: str) -> sa.ColumnElement[bool]:
    """Products on sale that have fewer codes left than their line."""
    today = clock.today(preferences.get().zone)
    on_sale = sa.select(Product).where(
        Product.state == ProductState.ON_SALE, Product.kind != ProductKind.RECHARGE
    )
    lines = {product.id: product.low_stock_at for product in session.scalars(on_sale)}
    left = stock.stock_of(list(lines), today, max(lines.values(), default=0))
    return Product.id.in_([one for one, count in left.items() if count <= lines[one]])


LIST = Listing(
    name="products",
    model=Product,
    search=Search(_matches, N_("名称或网址")),
    choices=(
        Choice(
            "state",
            N_("状态"),
            lambda: state_words.options("product"),
            lambda value: Product.state == ProductState(value),
        ),
        Choice(
            "category", N_("所属分类"), _categories, lambda value: Product.category_id == int(value)
        ),
        Choice("stock", N_("库存"), lambda: [("low", _("库存不足"))], _low),
    ),
    sorts=(
        Sort("position", N_("店铺里的顺序"), (Product.position, Product.id.desc())),
        Sort("newest", N_("最新在前"), (Product.id.desc(),)),
        Sort("price", N_("价格从高到低"), (Product.price.desc(),)),
    ),
    columns=(
        Column(N_("名称"), lambda product: product.name),
        Column(N_("状态"), lambda product: state_words.word("product", product.state)),
        Column(N_("所属分类"), lambda product: product.category.name if product.category else ""),
        Column(N_("售价"), lambda product: yuan(product.price)),
        Column(N_("网址"), lambda product: product.slug),
    ),
    export_permission="products.change",
)


@routes.get("/admin/products")
@staff("products.view")
def index() -> Response:
    found = sa.select(Product).where(Product.kind.in_(KINDS))
    return LIST.answer(found, "admin/products/index.html", beside=_beside)


@routes.get("/admin/products/new")
@staff("products.change")
def new() -> Response:
    blank = ProductFields(name="", price=0, low_stock_at=preferences.get().low_stock_at)
    return _form_page(None, Typed(_as_text(blank) | {"price": ""}))


@routes.post("/admin/products")
@staff("products.change")
def create() -> Response:
    typed = Typed(request.form)
    fields, drawn = _fields(typed), _picture(typed)
    if typed.errors:
        return _form_page(None, typed, 422)
    try:
        product = transaction(lambda: _create(fields, drawn))
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _form_page(None, typed, refusal.status)
    flash(_("商品已保存为草稿。导入卡密后就可以上架"), "good")
    return _to(product.id)


@routes.get("/admin/products/<int:product_id>")
@staff("products.view")
def show(product_id: int) -> Response:
    product = queries.find_product(product_id)
    return _form_page(product, Typed(_as_text(product)))


@routes.post("/admin/products/<int:product_id>")
@staff("products.change")
def update(product_id: int) -> Response:
    typed = Typed(request.form)
    fields, drawn, seen_at = _fields(typed), _picture(typed), _moment(typed.text("seen_at"))
    if typed.errors:
        return _form_page(queries.find_product(product_id), typed, 422)
    try:
        transaction(lambda: _update(product_id, fields, drawn, seen_at))
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _form_page(queries.find_product(product_id), typed, refusal.status)
    flash(_("商品已保存"), "good")
    return _to(product_id)


@routes.post("/admin/products/<int:product_id>/sale")
@staff("products.change")
def create_sale(product_id: int) -> Response:
    return _move(product_id, service.put_on_sale, _("已上架"))


@routes.post("/admin/products/<int:product_id>/sale/deletion")
@staff("products.change")
def create_sale_deletion(product_id: int) -> Response:
    return _move(product_id, service.take_off_sale, _("已下架"))


@routes.post("/admin/products/<int:product_id>/archive")
@staff("products.change")
def create_archive(product_id: int) -> Response:
    return _move(product_id, service.archive, _("已归档"))


@routes.post("/admin/products/<int:product_id>/picture/deletion")
@staff("products.change")
def create_picture_deletion(product_id: int) -> Response:
    return _move(product_id, lambda one: service.set_picture(one, None), _("图片已移除"))


def _create(fields: ProductFields, drawn: pictures.Drawn | None) -> Product:
    product = service.create_product(fields)
    if drawn is not None:
        service.set_picture(product.id, drawn)
    return product


def _update(
    product_id: int,
    fields: ProductFields,
    drawn: pictures.Drawn | None,
    seen_at: datetime | None,
) -> None:
    service.change_product(product_id, fields, seen_at=seen_at)
    if drawn is not None:
        service.set_picture(product_id, drawn)


def _move(product_id: int, verb: Callable[[int], None], done: str) -> Response:
    try:
        transaction(lambda: verb(product_id))
    except NotFound:
        raise
    except Refusal as refusal:
        flash(words(refusal), "bad")
    else:
        flash(done, "good")
    return _to(product_id)


def _to(product_id: int) -> Response:
    return redirect(url_for("admin.products.show", product_id=product_id), 303)  # type: ignore[return-value]


def _beside(products: Sequence[Product]) -> dict[str, Any]:
    today = clock.today(preferences.get().zone)
    return {
        "stock": stock.stock_of([product.id for product in products], today, STOCK_SHOWN),
        "stock_shown": STOCK_SHOWN,
        "pictures": queries.picture_digests(list(products)),
    }


def _form_page(product: Product | None, form: Typed, status: int = 200) -> Response:
    beside: dict[str, Any] = _beside([product]) if product else {}
    return render(
        "admin/products/form.html",
        status=status,
        product=product,
        form=form,
        categories=[("", _("不分类")), *_categories()],
        kinds=[(kind.value, _(label)) for kind, label in KINDS.items()],
        formats=[
            ("", _("不需要账号")),
            *((one.value, _(label)) for one, label in FORMATS.items()),
        ],
        **beside,
    )


def _as_text(given: Product | ProductFields) -> dict[str, str]:
    values = {name: str(getattr(given, name)) for name in (*TEXTS, *NUMBERS)}
    values["description"] = rules.editable_description(given.description)
    values["price"] = f"{given.price / 100:.2f}"
    values["compare_at"] = f"{given.compare_at / 100:.2f}" if given.compare_at else ""
    values["max_per_buyer"] = str(given.max_per_buyer or "")
    values["category_id"] = str(given.category_id or "")
    values["kind"] = given.kind.value
    values["account_format"] = given.account_format.value if given.account_format else ""
    values["codes_case_sensitive"] = "1" if given.codes_case_sensitive else ""
    values["seen_at"] = given.updated_at.isoformat() if isinstance(given, Product) else ""
    return values


def _fields(typed: Typed) -> ProductFields:
    """The form as fields; every fault is noted in `typed`."""
    texts: dict[str, Any] = {name: typed.text(name) for name in TEXTS}
    numbers: dict[str, Any] = {name: typed.whole(name) or 0 for name in NUMBERS}
    fields = ProductFields(
        **texts,
        **numbers,
        price=typed.money("price") or 0,
        compare_at=typed.money("compare_at"),
        max_per_buyer=typed.whole("max_per_buyer") or None,
        category_id=typed.whole("category_id"),
        codes_case_sensitive=typed.text("codes_case_sensitive") == "1",
        kind=_one_of(ProductKind, typed.text("kind")) or ProductKind.KEY,
        account_format=_one_of(AccountFormat, typed.text("account_format")),
    )
    typed.note(rules.faults(fields))
    return fields


def _one_of(options: type[Choosable], text: str) -> Choosable | None:
    """The option that was chosen; None for what is none of them."""
    return next((option for option in options if option.value == text), None)


def _picture(typed: Typed) -> pictures.Drawn | None:
    sent = request.files.get("picture")
    content = sent.read() if sent and sent.filename else b""
    if not content:
        return None
    try:
        return pictures.draw(content)
    except Refusal as refusal:
        typed.note([refusal])
        return None


def _moment(text: str) -> datetime | None:
    """When the page that was sent had been opened; a form without it overwrites what there is."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
