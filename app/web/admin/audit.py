"""The audit log: who did what to what, and why."""

import re

import sqlalchemy as sa
from flask import Blueprint, Response
from flask_babel import gettext as _

from app.core import audit_chain
from app.core.audit import AuditEntry
from app.core.errors import N_
from app.web.access import staff
from app.web.admin.actors import named
from app.web.admin.audit_words import ACTIONS, SUBJECTS, action_words
from app.web.admin.export import Column, local
from app.web.admin.listing import Choice, Days, Listing, Search, Sort

routes = Blueprint("audit", __name__)


def matches(text: str) -> sa.ColumnElement[bool]:
    """In the reason, the address, the action; `12` also finds entry 12, and what was done to number
    12."""
    found = [
        AuditEntry.reason.icontains(text, autoescape=True),
        AuditEntry.ip == text,
        AuditEntry.action == text,
        AuditEntry.actor == text,
    ]
    if re.fullmatch(r"\d{1,15}", text):
        found += [AuditEntry.id == int(text), AuditEntry.subject_id == int(text)]
    return sa.or_(*found)


def details(entry: AuditEntry) -> str:
    """The rest of an entry in one line: `price: 100 → 200, name: …`."""
    return ", ".join(f"{name}: {_change(value)}" for name, value in entry.detail.items())


def _change(value: object) -> str:
    if isinstance(value, list) and len(value) == 2:
        return f"{value[0]} → {value[1]}"
    return str(value)


def done_by(kind: str) -> sa.ColumnElement[bool]:
    person = AuditEntry.actor.startswith("person:")
    guest = AuditEntry.actor == "guest"
    return {"person": person, "guest": guest}.get(kind, sa.not_(sa.or_(person, guest)))


LIST = Listing(
    name="audit",
    model=AuditEntry,
    search=Search(matches, N_("原因、IP、编号")),
    choices=(
        Choice(
            "action",
            N_("操作"),
            lambda: [(name, _(text)) for name, text in ACTIONS.items()],
            lambda value: AuditEntry.action == value,
        ),
        Choice(
            "subject",
            N_("对象"),
            lambda: [(name, _(text)) for name, text in SUBJECTS.items()],
            lambda value: AuditEntry.subject == value,
        ),
        Choice(
            "by",
            N_("操作者"),
            lambda: [("person", _("登录的人")), ("system", _("系统与渠道")), ("guest", _("访客"))],
            done_by,
        ),
    ),
    days=Days(AuditEntry.at),
    sorts=(
        Sort("newest", N_("最新在前"), (AuditEntry.id.desc(),)),
        Sort("oldest", N_("最早在前"), (AuditEntry.id.asc(),)),
    ),
    columns=(
        Column(N_("时间"), lambda entry: local(entry.at)),
        Column(N_("操作者"), lambda entry: entry.actor),
        Column(N_("操作"), lambda entry: action_words(entry.action)),
        Column(N_("对象"), lambda entry: entry.subject),
        Column(N_("编号"), lambda entry: entry.subject_id),
        Column(N_("原因"), lambda entry: entry.reason),
        Column("IP", lambda entry: entry.ip),
        Column(N_("详情"), details),
        Column(N_("日志编号"), lambda entry: entry.id),
    ),
    export_permission="audit.export",
)


@routes.get("/admin/audit")
@staff("audit.view")
def index() -> Response:
    return LIST.answer(
        sa.select(AuditEntry),
        "admin/audit.html",
        beside=lambda rows: {
            "actors": named(entry.actor for entry in rows),
            "head": audit_chain.head(),
        },
        action_words=action_words,
        details=details,
        subjects=SUBJECTS,
    )
