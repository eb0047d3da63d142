"""The shop's categories: one page to see, add, rename, reorder and remove them."""

from collections.abc import Callable

from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.db import session, transaction
from app.core.errors import Refusal
from app.domain.catalog import queries, service
from app.web.access import staff
from app.web.admin.typed import Typed
from app.web.errors import words
from app.web.render import render

routes = Blueprint("categories", __name__)


@routes.get("/admin/categories")
@staff("products.view")
def index() -> Response:
    return _page()


@routes.post("/admin/categories")
@staff("products.change")
def create() -> Response:
    name = request.form.get("name", "")
    return _change(lambda: service.create_category(name), _("分类已添加"))


@routes.post("/admin/categories/<int:category_id>")
@staff("products.change")
def update(category_id: int) -> Response:
    name, slug = request.form.get("name", ""), request.form.get("slug", "").strip()
    position = Typed(request.form).whole("position") or 0
    return _change(
        lambda: service.change_category(category_id, name=name, slug=slug, position=position),
        _("分类已保存"),
    )


@routes.post("/admin/categories/<int:category_id>/deletion")
@staff("products.change")
def create_deletion(category_id: int) -> Response:
    return _change(lambda: service.remove_category(category_id), _("分类已删除"))


def _change(change: Callable[[], object], done: str) -> Response:
    try:
        transaction(change)
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
        return _page(refusal.status)
    flash(done, "good")
    return redirect(url_for("admin.categories.index"), 303)  # type: ignore[return-value]


def _page(status: int = 200) -> Response:
    return render(
        "admin/categories/index.html",
        status=status,
        categories=queries.list_categories(),
        counts=queries.count_products_by_category(),
    )
