"""Products in the console: the list, the one form, on and off sale, the picture."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import N_, Refusal
from app.core.money import fen
from app.domain.catalog import pictures, preferences, queries, rules, service
from app.domain.catalog.models import Product, ProductState
from app.domain.catalog.rules import ProductFields
from app.domain.vault import stock
from app.web.access import staff
from app.web.admin.export import Column, yuan
from app.web.admin.listing import Choice, Listing, Search, Sort
from app.web.errors import words
from app.web.render import render

routes = Blueprint("products", __name__)

STATE_WORDS = {
    ProductState.DRAFT: N_("草稿"),
    ProductState.ON_SALE: N_("在售"),
    ProductState.OFF_SALE: N_("已下架"),
    ProductState.ARCHIVED: N_("已归档"),
}
TEXTS = ("name", "slug", "summary", "description", "instructions", "use_url")
# Beyond this the console says "more".
STOCK_SHOWN = 9999
NUMBERS = ("min_per_order", "max_per_order", "low_stock_at", "position")


def _matches(text: str) -> sa.ColumnElement[bool]:
    return sa.or_(Product.name.icontains(text, autoescape=True), Product.slug == text)


def _states() -> list[tuple[str, str]]:
    return [(state.value, _(label)) for state, label in STATE_WORDS.items()]


def _categories() -> list[tuple[str, str]]:
    return [(str(category.id), category.name) for category in queries.list_categories()]


def _low(_value: str) -> sa.ColumnElement[bool]:
    """Products on sale that have fewer codes left than their line."""
    today = clock.today(preferences.get().zone)
    on_sale = sa.select(Product).where(Product.state == ProductState.ON_SALE)
    lines = {product.id: product.low_stock_at for product in session.scalars(on_sale)}
    left = stock.stock_of(list(lines), today, max(lines.values(), default=0))
    return Product.id.in_([one for one, count in left.items() if count <= lines[one]])


LIST = Listing(
    name="products",
    model=Product,
    search=Search(_matches, N_("名称或网址")),
    choices=(
        Choice("state", N_("状态"), _states, lambda value: Product.state == ProductState(value)),
        Choice(
            "category", N_("分类"), _categories, lambda value: Product.category_id == int(value)
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
        Column(N_("状态"), lambda product: _(STATE_WORDS[product.state])),
        Column(N_("分类"), lambda product: product.category.name if product.category else ""),
        Column(N_("售价"), lambda product: yuan(product.price)),
        Column(N_("网址"), lambda product: product.slug),
    ),
    export_permission="orders.export",
)


@dataclass
class ProductForm:
    """What the form shows: the product's fields as text, or what was typed when a rule said no."""

    values: dict[str, str]
    errors: dict[str, str] = field(default_factory=dict)


@routes.get("/admin/products")
@staff("products.view")
def index() -> Response:
    return LIST.answer(sa.select(Product), "admin/products/index.html", beside=_beside)


@routes.get("/admin/products/new")
@staff("products.change")
def new() -> Response:
    blank = ProductFields(name="", price=0, low_stock_at=preferences.get().low_stock_at)
    return _form_page(None, ProductForm(_as_text(blank) | {"price": ""}))


@routes.post("/admin/products")
@staff("products.change")
def create() -> Response:
    try:
        fields = _fields()
        drawn = _picture()
        product = transaction(lambda: _create(fields, drawn))
    except Refusal as refusal:
        session.rollback()
        return _form_page(None, _typed(refusal), refusal.status)
    flash(_("商品已保存为草稿。导入卡密后就可以上架"), "good")
    return redirect(url_for("admin.products.show", product_id=product.id), 303)  # type: ignore[return-value]


@routes.get("/admin/products/<int:product_id>")
@staff("products.view")
def show(product_id: int) -> Response:
    product = queries.find_product(product_id)
    return _form_page(product, ProductForm(_as_text(product)))


@routes.post("/admin/products/<int:product_id>")
@staff("products.change")
def update(product_id: int) -> Response:
    try:
        fields = _fields()
        drawn = _picture()
        transaction(lambda: _update(product_id, fields, drawn))
    except Refusal as refusal:
        session.rollback()
        return _form_page(queries.find_product(product_id), _typed(refusal), refusal.status)
    flash(_("商品已保存"), "good")
    return redirect(url_for("admin.products.show", product_id=product_id), 303)  # type: ignore[return-value]


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


def _update(product_id: int, fields: ProductFields, drawn: pictures.Drawn | None) -> None:
    service.change_product(product_id, fields)
    if drawn is not None:
        service.set_picture(product_id, drawn)


def _move(product_id: int, verb: Callable[[int], None], done: str) -> Response:
    try:
        transaction(lambda: verb(product_id))
    except Refusal as refusal:
        flash(words(refusal), "bad")
    else:
        flash(done, "good")
    return redirect(url_for("admin.products.show", product_id=product_id), 303)  # type: ignore[return-value]


def _beside(products: Sequence[Product]) -> dict[str, Any]:
    today = clock.today(preferences.get().zone)
    return {
        "stock": stock.stock_of([product.id for product in products], today, STOCK_SHOWN),
        "stock_shown": STOCK_SHOWN,
        "pictures": queries.picture_digests(list(products)),
    }


def _form_page(product: Product | None, form: ProductForm, status: int = 200) -> Response:
    beside: dict[str, Any] = _beside([product]) if product else {}
    return render(
        "admin/products/form.html",
        status=status,
        product=product,
        form=form,
        categories=[("", _("不分类")), *_categories()],
        **beside,
    )


def _as_text(given: Product | ProductFields) -> dict[str, str]:
    values = {name: str(getattr(given, name)) for name in (*TEXTS, *NUMBERS)}
    values["description"] = rules.editable_description(given.description)
    values["price"] = f"{given.price / 100:.2f}"
    values["compare_at"] = f"{given.compare_at / 100:.2f}" if given.compare_at else ""
    values["max_per_buyer"] = str(given.max_per_buyer or "")
    values["category_id"] = str(given.category_id or "")
    values["codes_case_sensitive"] = "1" if given.codes_case_sensitive else ""
    return values


def _typed(refusal: Refusal) -> ProductForm:
    return ProductForm(dict(request.form.items()), {refusal.field: words(refusal)})


def _fields() -> ProductFields:
    """The form as fields; raises Refusal for what is not even a number."""
    return ProductFields(
        name=_text("name"),
        slug=_text("slug"),
        summary=_text("summary"),
        description=_text("description"),
        instructions=_text("instructions"),
        use_url=_text("use_url"),
        price=_money("price") or 0,
        compare_at=_money("compare_at"),
        min_per_order=_whole("min_per_order"),
        max_per_order=_whole("max_per_order"),
        max_per_buyer=_whole("max_per_buyer") or None,
        low_stock_at=_whole("low_stock_at"),
        position=_whole("position"),
        category_id=request.form.get("category_id", type=int),
        codes_case_sensitive=request.form.get("codes_case_sensitive") == "1",
    )


def _text(name: str) -> str:
    return request.form.get(name, "").replace("\0", "").replace("\r\n", "\n").strip()


def _money(name: str) -> int | None:
    text = request.form.get(name, "").strip()
    if not text:
        return None
    try:
        return fen(text)
    except ValueError:
        raise Refusal(N_("请填写金额,例如 12.50"), field=name) from None


def _whole(name: str) -> int:
    text = request.form.get(name, "").strip()
    if not text:
        return 0
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise Refusal(N_("请填写整数"), field=name)
    return int(text)


def _picture() -> pictures.Drawn | None:
    sent = request.files.get("picture")
    content = sent.read() if sent and sent.filename else b""
    return pictures.draw(content) if content else None
