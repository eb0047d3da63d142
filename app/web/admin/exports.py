"""Controlled exports in the console: asked for, looked at by somebody else, downloaded once."""

from collections.abc import Callable

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.core.crypto import Secret
from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.domain.accounts import queries as people
from app.domain.catalog.queries import find_product
from app.domain.vault import batches, exporting, watching
from app.domain.vault.export_models import CodeExport, ExportState
from app.domain.vault.models import Batch, CodeState
from app.web import client, limits, state_words
from app.web.access import staff
from app.web.admin import todo
from app.web.admin.actors import named
from app.web.admin.export import Column, local
from app.web.admin.listing import Choice, Days, Listing, Search, Sort
from app.web.admin.typed import Typed
from app.web.errors import words
from app.web.papers import ZIP, attachment
from app.web.render import render

routes = Blueprint("exports", __name__)

OVER = "over"


def standing(export: CodeExport) -> str:
    """Its state for people, who also want to hear that its time went by."""
    return OVER if exporting.is_over(export) else export.state.value


LIST = Listing(
    name="code-exports",
    model=CodeExport,
    search=Search(
        lambda text: sa.or_(
            Batch.name.icontains(text, autoescape=True),
            CodeExport.reason.icontains(text, autoescape=True),
        ),
        N_("批次、原因"),
    ),
    choices=(
        Choice(
            "state",
            N_("状态"),
            lambda: [one for one in state_words.options("code_export") if one[0] != OVER],
            lambda value: CodeExport.state == ExportState(value),
        ),
    ),
    days=Days(CodeExport.requested_at),
    sorts=(Sort("newest", N_("最新在前"), (CodeExport.id.desc(),)),),
    columns=(
        Column(N_("提出时间"), lambda row: local(row[0].requested_at)),
        Column(N_("批次"), lambda row: row[1].name),
        Column(N_("状态"), lambda row: state_words.word("code_export", standing(row[0]))),
        Column(N_("条数"), lambda row: row[0].code_count or row[0].quantity or ""),
        Column(N_("申请人"), lambda row: row[0].requested_by),
        Column(N_("审批人"), lambda row: row[0].checked_by or ""),
        Column(N_("原因"), lambda row: row[0].reason),
        Column(N_("下载时间"), lambda row: local(row[0].downloaded_at)),
    ),
    export_permission="audit.export",
)


@routes.get("/admin/exports")
@staff("exports.view")
def index() -> Response:
    found = sa.select(CodeExport, Batch).join(Batch, Batch.id == CodeExport.batch_id)
    return LIST.answer(
        found,
        "admin/exports/index.html",
        beside=lambda rows: {"who": named(row[0].requested_by for row in rows)},
        standing=standing,
    )


@routes.get("/admin/batches/<int:batch_id>/exports/new")
@staff("codes.export")
def new(batch_id: int) -> Response:
    return _form(batches.find_batch(batch_id), Typed({}))


@routes.post("/admin/batches/<int:batch_id>/exports")
@staff("codes.export")
def create(batch_id: int) -> Response:
    typed = Typed(request.form)
    batch = batches.find_batch(batch_id)
    quantity = typed.whole("quantity")
    if typed.text("all"):
        quantity = None
    elif quantity is None:
        typed.note([Refusal(N_("请填写数量，或选择全部"), field="quantity")])
    if typed.errors:
        return _form(batch, typed, 422)
    try:
        export = watching.request_export(
            batch_id, quantity, reason=typed.text("reason"), ip=client.address()
        )
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _form(batch, typed, refusal.status)
    todo.forget()
    flash(_("已提交，等待另一个人批准"), "good")
    return _to(export.id)


@routes.get("/admin/exports/<int:export_id>")
@staff("exports.view")
def show(export_id: int) -> Response:
    return _page(exporting.find(export_id))


@routes.post("/admin/exports/<int:export_id>/approval")
@staff("exports.approve", step_up=True)
def create_approval(export_id: int) -> Response:
    return _change(export_id, lambda _why: exporting.approve(export_id), _("已批准"))


@routes.post("/admin/exports/<int:export_id>/refusal")
@staff("exports.approve")
def create_refusal(export_id: int) -> Response:
    return _change(export_id, lambda why: exporting.refuse(export_id, reason=why), _("已拒绝"))


@routes.post("/admin/exports/<int:export_id>/cancellation")
@staff("codes.export")
def create_cancellation(export_id: int) -> Response:
    return _change(export_id, lambda _why: exporting.cancel(export_id), _("已撤回"))


@routes.post("/admin/exports/<int:export_id>/password")
@staff("codes.export", step_up=True)
def create_password(export_id: int) -> Response:
    """The file's password: on this page once, and nowhere in clear after it."""
    try:
        password = transaction(lambda: exporting.new_password(export_id))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        return _page(exporting.find(export_id), words(refusal), refusal.status)
    return _page(exporting.find(export_id), password=password)


@routes.post("/admin/exports/<int:export_id>/download")
@staff("codes.export", step_up=True)
@limits.per_address("reveal")
def create_download(export_id: int) -> Response:
    try:
        file = watching.download_export(export_id, ip=client.address())
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        return _page(exporting.find(export_id), words(refusal), refusal.status)
    return attachment(file.name, ZIP, file.content)


def _change(export_id: int, change: Callable[[str], None], done: str) -> Response:
    reason = request.form.get("reason", "")
    try:
        transaction(lambda: change(reason))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        todo.forget()
        flash(done, "good")
    return _to(export_id)


def _to(export_id: int) -> Response:
    return redirect(url_for("admin.exports.show", export_id=export_id), 303)  # type: ignore[return-value]


def _form(batch: Batch, typed: Typed, status: int = 200) -> Response:
    left = batches.count_codes([batch.id])[batch.id][CodeState.AVAILABLE]
    return render(
        "admin/exports/new.html",
        status=status,
        batch=batch,
        form=typed,
        left=left,
        most=min(left, exporting.MOST),
        can_take_all=left <= exporting.MOST,
        has_checker=people.count_who_may("exports.approve", but=current_user.id) > 0,
        minutes=exporting.APPROVAL_LASTS.seconds // 60,
    )


def _page(
    export: CodeExport, error: str = "", status: int = 200, password: Secret | None = None
) -> Response:
    batch = batches.find_batch(export.batch_id)
    who = named([export.requested_by, export.checked_by or ""])
    response = render(
        "admin/exports/show.html",
        status=status,
        export=export,
        batch=batch,
        product=find_product(batch.product_id),
        standing=standing(export),
        ends_at=exporting.ends_at(export),
        maker=who[export.requested_by],
        checker=who[export.checked_by or ""],
        is_mine=export.requested_by == f"person:{current_user.id}",
        password=password.reveal() if password is not None else "",
        error=error,
    )
    response.headers["Cache-Control"] = "no-store"
    return response
