"""Whom the shop trusts, blocks or watches: added by hand, from a file, or from a case."""

from collections.abc import Sequence
from typing import TypeVar

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.domain.catalog import preferences
from app.domain.risk import list_files, lists
from app.domain.risk.models import ListEntry, ListKind, Subject
from app.web import risk_words, state_words
from app.web.access import staff
from app.web.admin.actors import named
from app.web.admin.export import Column, local
from app.web.admin.listing import Choice, Listing, Search, Sort
from app.web.admin.typed import Typed
from app.web.errors import words

routes = Blueprint("risk_lists", __name__)

Chosen = TypeVar("Chosen", Subject, ListKind)

SOURCES = {"staff": N_("店员"), "case": N_("审核")}
NEW = {"list": ListKind.BLOCK.value, "subject": Subject.ADDRESS.value, "days": "90"}
# What a line may be wrong in without anybody reading all of them.
MOST_FAULTS = 100


def matches(text: str) -> sa.ColumnElement[bool]:
    """What is shown or written as the reason; or what was typed is it, or lies within it."""
    found = [
        ListEntry.shown.icontains(text, autoescape=True),
        ListEntry.reason.icontains(text, autoescape=True),
    ]
    hashes = lists.hashes_of(text)
    if hashes:
        found.append(ListEntry.value_hash.in_(hashes))
    return sa.or_(*found)


LIST = Listing(
    name="risk-lists",
    model=ListEntry,
    search=Search(matches, N_("地址、联系方式、域名、原因")),
    choices=(
        Choice(
            "list",
            N_("哪个名单"),
            lambda: state_words.options("risk_list"),
            lambda value: ListEntry.list == ListKind(value),
        ),
        Choice(
            "subject",
            N_("类型"),
            lambda: risk_words.subjects(Subject),
            lambda value: ListEntry.subject == Subject(value),
        ),
    ),
    sorts=(
        Sort("newest", N_("最新在前"), (ListEntry.id.desc(),)),
        Sort("hits", N_("命中最多在前"), (ListEntry.hits.desc(),)),
        Sort("expiry", N_("快到期的在前"), (ListEntry.expires_at.asc(),)),
    ),
    columns=(
        Column(N_("哪个名单"), lambda entry: state_words.word("risk_list", entry.list)),
        Column(N_("类型"), lambda entry: _(risk_words.SUBJECTS[entry.subject])),
        Column(N_("内容"), lambda entry: entry.shown),
        Column(N_("原因"), lambda entry: entry.reason),
        Column(N_("来源"), lambda entry: _(SOURCES[entry.source])),
        Column(N_("加入时间"), lambda entry: local(entry.added_at)),
        Column(N_("到期时间"), lambda entry: local(entry.expires_at)),
        Column(N_("命中"), lambda entry: entry.hits),
        Column(N_("校验值"), list_files.check_of),
    ),
    export_permission="risk.change",
)


@routes.get("/admin/risk/lists")
@staff("risk.view")
def index() -> Response:
    return _page(Typed(NEW))


@routes.post("/admin/risk/lists")
@staff("risk.change")
def create() -> Response:
    typed = Typed(request.form)
    kind, subject = typed.text("list"), typed.text("subject")
    try:
        value = lists.parse(_one_of(Subject, subject, "subject"), typed.text("value"))
        wanted, days = _one_of(ListKind, kind, "list"), typed.whole("days") or 0
        transaction(lambda: lists.add(wanted, value, typed.text("reason"), days))
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _page(typed, status=refusal.status)
    flash(_("已加入名单，立即生效"), "good")
    return _to_index()


@routes.post("/admin/risk/lists/<int:entry_id>/removal")
@staff("risk.change")
def create_removal(entry_id: int) -> Response:
    try:
        transaction(lambda: lists.remove(entry_id))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        flash(_("已移出名单"), "good")
    return _to_index()


@routes.post("/admin/risk/lists/file")
@staff("risk.change", step_up=True)
def create_file() -> Response:
    """Take a file in; the lines that are wrong are named, the others are taken."""
    sent = request.files.get("file")
    content = sent.read(list_files.MOST_BYTES + 1) if sent else b""
    typed = Typed(NEW)
    if not content:
        typed.errors["file"] = _("请选择文件")
        return _page(typed, status=422)
    try:
        lines = list_files.read(content)
        zone = preferences.get().zone
        faults = transaction(lambda: list_files.take(lines, zone))
    except Refusal as refusal:
        session.rollback()
        typed.errors["file"] = words(refusal)
        return _page(typed, status=refusal.status)
    taken = len(lines) - len(faults)
    if not faults:
        flash(_("已加入 %(n)s 条", n=taken), "good")
        return _to_index()
    return _page(
        typed,
        taken=taken,
        faults=[(fault.line, words(fault.refusal)) for fault in faults],
    )


def _page(
    form: Typed, taken: int = 0, faults: Sequence[tuple[int, str]] = (), status: int = 200
) -> Response:
    response = LIST.answer(
        lists.holding(clock.now()),
        "admin/risk_lists/index.html",
        beside=lambda rows: {"who": named(entry.added_by for entry in rows)},
        subject_words={key.value: _(text) for key, text in risk_words.SUBJECTS.items()},
        kinds=state_words.options("risk_list"),
        subjects=risk_words.subjects(lists.TYPED),
        days=[(str(n), risk_words.duration(n * 24 * 60)) for n in lists.DAYS],
        form=form,
        taken=taken,
        faults=faults[:MOST_FAULTS],
        more_faults=max(len(faults) - MOST_FAULTS, 0),
    )
    if status != 200:
        response.status_code = status
    return response


def _one_of(kind: type[Chosen], text: str, field: str) -> Chosen:
    try:
        return kind(text)
    except ValueError:
        raise Refusal(N_("名单或类型写得不对"), field=field) from None


def _to_index() -> Response:
    return redirect(url_for("admin.risk_lists.index"), 303)  # type: ignore[return-value]
