"""Batches in the console: what came in, where its codes are, what can be done with all of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import clock
from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.domain.catalog import preferences, queries
from app.domain.catalog.models import Product
from app.domain.vault import batches, shredding
from app.domain.vault.models import Batch, BatchState, Import
from app.web import state_words
from app.web.access import staff
from app.web.admin.actors import named
from app.web.admin.audit_words import action_words
from app.web.admin.export import Column, local, yuan
from app.web.admin.listing import Choice, Days, Listing, Search, Sort
from app.web.admin.typed import Typed
from app.web.errors import words
from app.web.render import render

routes = Blueprint("batches", __name__)


def _products() -> list[tuple[str, str]]:
    rows = session.execute(sa.select(Product.id, Product.name).order_by(Product.name))
    return [(str(product_id), name) for product_id, name in rows]


LIST = Listing(
    name="batches",
    model=Batch,
    search=Search(
        lambda text: sa.or_(
            Batch.name.icontains(text, autoescape=True),
            Batch.supplier.icontains(text, autoescape=True),
            Product.name.icontains(text, autoescape=True),
        ),
        N_("批次、供应商、商品"),
    ),
    choices=(
        Choice(
            "state",
            N_("状态"),
            lambda: state_words.options("batch"),
            lambda value: Batch.state == BatchState(value),
        ),
        Choice("product", N_("所属商品"), _products, lambda value: Batch.product_id == int(value)),
    ),
    days=Days(Batch.created_at),
    sorts=(
        Sort("newest", N_("最新在前"), (Batch.id.desc(),)),
        Sort("expiry", N_("快到期的在前"), (Batch.expires_on.asc().nulls_last(),)),
    ),
    columns=(
        Column(N_("批次名称"), lambda row: row[0].name),
        Column(N_("所属商品"), lambda row: row[1].name),
        Column(N_("状态"), lambda row: state_words.word("batch", row[0].state)),
        Column(N_("供应商"), lambda row: row[0].supplier),
        Column(N_("条数"), lambda row: row[0].code_count),
        Column(N_("每条成本"), lambda row: yuan(row[0].unit_cost)),
        Column(N_("最后可售日期"), lambda row: row[0].expires_on or ""),
        Column(N_("备注"), lambda row: row[0].note),
        Column(N_("时间"), lambda row: local(row[0].created_at)),
    ),
    export_permission="codes.view",
)


@dataclass(frozen=True)
class Entry:
    """One line of a batch's timeline."""

    title: str
    at: datetime
    actor: str
    note: str
    tone: str = ""


@routes.get("/admin/batches")
@staff("codes.view")
def index() -> Response:
    return LIST.answer(batches.batches(), "admin/batches/index.html", beside=_counts)


@routes.get("/admin/batches/<int:batch_id>")
@staff("codes.view")
def show(batch_id: int) -> Response:
    return _page(batches.find_batch(batch_id))


@routes.post("/admin/batches/<int:batch_id>/freezing")
@staff("codes.change")
def create_freezing(batch_id: int) -> Response:
    return _change(batch_id, lambda why: batches.freeze(batch_id, reason=why), _("已冻结"))


@routes.post("/admin/batches/<int:batch_id>/freezing/deletion")
@staff("codes.change")
def create_freezing_deletion(batch_id: int) -> Response:
    return _change(batch_id, lambda why: batches.unfreeze(batch_id, reason=why), _("已恢复出售"))


@routes.post("/admin/batches/<int:batch_id>/voiding")
@staff("codes.change", step_up=True)
def create_voiding(batch_id: int) -> Response:
    return _change(batch_id, lambda why: batches.void(batch_id, reason=why), _("已作废"))


@routes.post("/admin/batches/<int:batch_id>/shredding")
@staff("codes.shred", step_up=True)
def create_shredding(batch_id: int) -> Response:
    return _change(
        batch_id,
        lambda why: shredding.shred(batch_id, reason=why),
        _("密钥已销毁，这一批谁也打不开了"),
    )


@routes.post("/admin/batches/<int:batch_id>/expiry")
@staff("codes.change")
def update_expiry(batch_id: int) -> Response:
    typed = Typed(request.form)
    expires_on = typed.day("expires_on")
    if typed.errors:
        flash(typed.errors["expires_on"], "bad")
        return _to(batch_id)
    return _change(
        batch_id,
        lambda why: batches.change_expiry(batch_id, expires_on, reason=why),
        _("日期已更改"),
    )


def _change(batch_id: int, change: Callable[[str], None], done: str) -> Response:
    reason = request.form.get("reason", "")
    try:
        transaction(lambda: change(reason))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        flash(done, "good")
    return _to(batch_id)


def _to(batch_id: int) -> Response:
    return redirect(url_for("admin.batches.show", batch_id=batch_id), 303)  # type: ignore[return-value]


def _counts(rows: Sequence[tuple[Batch, Product]]) -> dict[str, object]:
    return {
        "counts": batches.count_codes([batch.id for batch, _product in rows]),
        "today": clock.today(preferences.get().zone),
    }


def _page(batch: Batch) -> Response:
    return render(
        "admin/batches/show.html",
        batch=batch,
        product=queries.find_product(batch.product_id),
        counts=batches.count_codes([batch.id])[batch.id],
        imports=session.scalars(
            sa.select(Import).where(Import.batch_id == batch.id).order_by(Import.id)
        ).all(),
        timeline=_timeline(batch),
        can_be_shredded=shredding.can_be_shredded(batch),
        today=clock.today(preferences.get().zone),
    )


def _timeline(batch: Batch) -> list[Entry]:
    """What was done to it, newest first; its beginning last."""
    acts = session.scalars(
        sa.select(AuditEntry)
        .where(AuditEntry.subject == "batches", AuditEntry.subject_id == batch.id)
        .order_by(AuditEntry.id.desc())
    ).all()
    who = named([*(act.actor for act in acts), batch.created_by])
    entries = [Entry(action_words(act.action), act.at, who[act.actor], act.reason) for act in acts]
    created = Entry(action_words("batch.create"), batch.created_at, who[batch.created_by], "")
    return [*entries, created]
