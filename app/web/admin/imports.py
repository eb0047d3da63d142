"""Imports in the console: send a file, look at it, start it, watch it, undo it."""

import io
from collections.abc import Callable
from dataclasses import replace
from typing import BinaryIO, cast

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import N_, Refusal
from app.domain.catalog import preferences
from app.domain.catalog.models import Product
from app.domain.vault import importing, taking, undoing
from app.domain.vault.importing import Upload
from app.domain.vault.models import Batch, Import, ImportState
from app.domain.vault.reading import Format
from app.web import state_words
from app.web.access import staff
from app.web.admin import batch_form, refused_lines
from app.web.admin.listing import Choice, Days, Listing, Search, Sort
from app.web.admin.typed import Typed
from app.web.errors import words
from app.web.render import render

routes = Blueprint("imports", __name__)

ENCODING_WORDS = {
    "": N_("自动识别"),
    "utf-8": N_("UTF-8"),
    "gb18030": N_("GBK(中文 Windows)"),
    "utf-16": N_("UTF-16"),
}

LIST = Listing(
    name="imports",
    model=Import,
    search=Search(
        lambda text: sa.or_(
            Import.file_name.icontains(text, autoescape=True),
            Product.name.icontains(text, autoescape=True),
            Batch.name.icontains(text, autoescape=True),
        ),
        N_("文件名、商品、批次"),
    ),
    choices=(
        Choice(
            "state",
            N_("状态"),
            lambda: state_words.options("import"),
            lambda value: Import.state == ImportState(value),
        ),
    ),
    days=Days(Import.created_at),
    sorts=(Sort("newest", N_("最新在前"), (Import.id.desc(),)),),
)


@routes.get("/admin/imports")
@staff("codes.view")
def index() -> Response:
    found = (
        sa.select(Import, Product, Batch)
        .join(Product, Product.id == Import.product_id)
        .outerjoin(Batch, Batch.id == Import.batch_id)
    )
    return LIST.answer(found, "admin/imports/index.html")


@routes.get("/admin/imports/new")
@staff("codes.add")
def new() -> Response:
    return _upload_page(Typed(request.args))


@routes.post("/admin/imports")
@staff("codes.add")
def create() -> Response:
    """Take a file, or what was pasted, as far as the preview."""
    typed = Typed(request.form)
    product_id = batch_form.product_id(typed)
    sent = _sent(typed)
    if typed.errors or sent is None:
        return _upload_page(typed, 422)
    try:
        uid = importing.upload(product_id, sent)
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _upload_page(typed, refusal.status)
    return _to(uid)


@routes.get("/admin/imports/<uid>")
@staff("codes.view")
def show(uid: str) -> Response:
    return _page(importing.find_import(uid), batch_form.blank())


@routes.post("/admin/imports/<uid>/columns")
@staff("codes.add")
def create_columns(uid: str) -> Response:
    """Read the file by other columns, and keep what else was typed."""
    import_ = importing.find_import(uid)
    typed = Typed(request.form)
    wanted = _format(import_, typed)
    refused = _refused(lambda: importing.change_format(import_.id, wanted), typed)
    return _page(importing.find_import(uid), typed, refused.status if refused else 200)


@routes.post("/admin/imports/<uid>/start")
@staff("codes.add")
def create_start(uid: str) -> Response:
    """Start it, by the columns and with the batch that the page shows."""
    import_ = importing.find_import(uid)
    typed = Typed(request.form)
    wanted, details = _format(import_, typed), batch_form.details(typed)
    if typed.errors:
        return _page(import_, typed, 422)
    today = clock.today(preferences.get().zone)

    def start() -> None:
        importing.change_format(import_.id, wanted)
        importing.start(import_.id, details, today)

    refused = _refused(start, typed)
    if refused is None:
        return _to(uid)
    return _page(importing.find_import(uid), typed, refused.status)


@routes.post("/admin/imports/<uid>/resumption")
@staff("codes.add")
def create_resumption(uid: str) -> Response:
    import_ = importing.find_import(uid)
    return _act(uid, lambda: importing.resume(import_.id), _("继续导入"))


@routes.post("/admin/imports/<uid>/undoing")
@staff("codes.add")
def create_undoing(uid: str) -> Response:
    import_ = importing.find_import(uid)
    reason = request.form.get("reason", "")
    return _act(uid, lambda: undoing.undo(import_.id, reason=reason), _("已撤销"))


@routes.post("/admin/imports/<uid>/deletion")
@staff("codes.add")
def create_deletion(uid: str) -> Response:
    """Throw away a file that was not started."""
    import_ = importing.find_import(uid)
    transaction(lambda: importing.discard(import_.id))
    return redirect(url_for("admin.imports.new", product=import_.product_id), 303)  # type: ignore[return-value]


@routes.get("/admin/imports/<uid>/refused")
@staff("codes.view")
def show_refused(uid: str) -> Response:
    """The lines that were not taken, as a file: their numbers and why, never what they held."""
    return refused_lines.send(importing.find_import(uid))


def _sent(typed: Typed) -> Upload | None:
    """The file or the pasted text; when there is neither, or both, a fault is noted."""
    file = request.files.get("file")
    has_file, pasted = file is not None and bool(file.filename), typed.text("pasted")
    if has_file == bool(pasted):
        words_ = N_("文件和粘贴只能选一种") if pasted else N_("请选择文件，或者粘贴卡密")
        typed.note([Refusal(words_, field="file")])
        return None
    if file is not None and has_file:
        stream = cast("BinaryIO", file.stream)
        return Upload(file.filename or "", stream, typed.text("encoding"))
    return Upload("", io.BytesIO(pasted.encode()))


def _format(import_: Import, typed: Typed) -> Format:
    """The format with the columns that were chosen; without a choice it stays as it is."""
    known = Format.from_json(import_.format) if import_.format else Format()
    code, password = typed.whole("code_column"), typed.whole("password_column")
    if code is None:
        return known
    return replace(
        known,
        code_column=code,
        password_column=password,
        has_header=typed.text("has_header") == "1",
    )


def _refused(change: Callable[[], None], typed: Typed) -> Refusal | None:
    """Make the change; what a rule has against it is noted and returned."""
    try:
        transaction(change)
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return refusal
    return None


def _act(uid: str, change: Callable[[], None], done: str) -> Response:
    try:
        transaction(change)
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        flash(done, "good")
    return _to(uid)


def _upload_page(typed: Typed, status: int = 200) -> Response:
    return render(
        "admin/imports/new.html",
        status=status,
        form=typed,
        products=batch_form.product_options(),
        encodings=[(name, _(label)) for name, label in ENCODING_WORDS.items()],
    )


def _page(import_: Import, typed: Typed, status: int = 200) -> Response:
    """What there is to see of an import: its preview, its progress, or what came of it."""
    product = session.get_one(Product, import_.product_id)
    if import_.state == ImportState.UPLOADED and import_.format:
        return render(
            "admin/imports/preview.html",
            status=status,
            import_=import_,
            product=product,
            preview=importing.preview(import_),
            trial=taking.try_out(import_),
            form=typed,
        )
    is_final = import_.state not in (ImportState.UPLOADED, ImportState.RUNNING)
    return render(
        "admin/imports/show.html",
        "admin/imports/_progress.html",
        status=status,
        import_=import_,
        product=product,
        batch=session.get(Batch, import_.batch_id) if import_.batch_id else None,
        failure=importing.failure_of(import_),
        refused=refused_lines.first(import_),
        is_final=is_final,
        can_be_undone=is_final and undoing.can_be_undone(import_),
    )


def _to(uid: str) -> Response:
    return redirect(url_for("admin.imports.show", uid=uid), 303)  # type: ignore[return-value]
