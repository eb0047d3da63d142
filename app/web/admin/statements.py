"""Reconciliation: a provider's statement of a day against our recharges, and its differences."""

from datetime import timedelta

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.domain.catalog import preferences
from app.domain.catalog.models import RechargeProvider
from app.domain.recharges import reconciling
from app.domain.recharges.models import (
    Attempt,
    Recharge,
    Statement,
    StatementRow,
    StatementRowState,
)
from app.web import state_words
from app.web.access import staff
from app.web.admin import todo
from app.web.admin.export import Column, yuan
from app.web.admin.listing import Choice, Listing, Search, Sort
from app.web.admin.typed import Typed
from app.web.errors import words

routes = Blueprint("statements", __name__)

DIFFERENCES = {
    "only_theirs": N_("供应商有，我们没有"),
    "only_ours": N_("我们有，供应商没有"),
    "state": N_("结果不同"),
    "cost": N_("成本不同"),
    "twice": N_("供应商列了两次"),
}

LIST = Listing(
    name="statement-rows",
    model=StatementRow,
    search=Search(
        lambda text: sa.or_(
            StatementRow.number == text.upper(),
            RechargeProvider.name.icontains(text, autoescape=True),
        ),
        N_("充值单号、供应商"),
    ),
    choices=(
        Choice(
            "state",
            N_("状态"),
            lambda: state_words.options("statement_row"),
            lambda value: StatementRow.state == StatementRowState(value),
        ),
        Choice(
            "difference",
            N_("差异"),
            lambda: [(name, _(label)) for name, label in DIFFERENCES.items()],
            lambda value: StatementRow.difference == value,
        ),
    ),
    sorts=(Sort("newest", N_("最新在前"), (StatementRow.id.desc(),)),),
    columns=(
        Column(N_("供应商"), lambda row: row[2].name),
        Column(N_("日期"), lambda row: row[1].day),
        Column(N_("充值单号"), lambda row: row[0].number),
        Column(N_("差异"), lambda row: _(DIFFERENCES.get(row[0].difference, ""))),
        Column(N_("供应商说"), lambda row: row[0].their_state),
        Column(N_("供应商金额"), lambda row: yuan(row[0].their_cost or 0)),
        Column(N_("我们的状态"), lambda row: row[0].our_state),
        Column(N_("我们的成本"), lambda row: yuan(row[0].our_cost or 0)),
        Column(N_("怎么处理的"), lambda row: row[0].settled_because),
    ),
    export_permission="statements.settle",
)


@routes.get("/admin/statements")
@staff("statements.view")
def index() -> Response:
    return _page(Typed({}))


@routes.post("/admin/statements")
@staff("statements.settle")
def create() -> Response:
    """Take a day's file in and match it."""
    typed = Typed(request.form)
    provider_id, day = typed.whole("provider_id"), typed.day("day")
    sent = request.files.get("file")
    content = sent.read() if sent else b""
    if provider_id is None or session.get(RechargeProvider, provider_id) is None:
        typed.errors["provider_id"] = _("请选择供应商")
    if day is None:
        typed.errors.setdefault("day", _("请填写日期，例如 2026-12-31"))
    if not content:
        typed.errors["file"] = _("请选择供应商的对账文件")
    if typed.errors or provider_id is None or day is None:
        return _page(typed, 422)
    try:
        theirs = reconciling.read(content)
        statement = transaction(lambda: reconciling.take(provider_id, day, theirs))
    except Refusal as refusal:
        session.rollback()
        typed.note([refusal])
        return _page(typed, refusal.status)
    todo.forget()
    differing = _differing(statement.id)
    if differing:
        flash(_("已导入 %(n)s 行，有 %(m)s 条差异", n=statement.row_count, m=differing), "bad")
    else:
        flash(_("已导入 %(n)s 行，全部一致", n=statement.row_count), "good")
    return redirect(url_for("admin.statements.index", state="differs"), 303)  # type: ignore[return-value]


@routes.post("/admin/statements/rows/<int:row_id>/settlement")
@staff("statements.settle")
def create_settlement(row_id: int) -> Response:
    reason = request.form.get("reason", "")
    try:
        transaction(lambda: reconciling.settle(row_id, reason))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        todo.forget()
        flash(_("已标记为处理过"), "good")
    return redirect(url_for("admin.statements.index", state="differs"), 303)  # type: ignore[return-value]


def _page(form: Typed, status: int = 200) -> Response:
    found = (
        sa.select(StatementRow, Statement, RechargeProvider, Recharge.uid)
        .join(Statement, Statement.id == StatementRow.statement_id)
        .join(RechargeProvider, RechargeProvider.id == Statement.provider_id)
        .outerjoin(Attempt, Attempt.id == StatementRow.attempt_id)
        .outerjoin(Recharge, Recharge.id == Attempt.recharge_id)
    )
    yesterday = clock.today(preferences.get().zone) - timedelta(days=1)
    providers = session.scalars(sa.select(RechargeProvider).order_by(RechargeProvider.name))
    response = LIST.answer(
        found,
        "admin/statements/index.html",
        form=form,
        yesterday=yesterday,
        providers=[(str(one.id), one.name) for one in providers],
        differences={name: _(label) for name, label in DIFFERENCES.items()},
    )
    response.status_code = status
    return response


def _differing(statement_id: int) -> int:
    return int(
        session.scalar(
            sa.select(sa.func.count(StatementRow.id)).where(
                StatementRow.statement_id == statement_id,
                StatementRow.state == StatementRowState.DIFFERS,
            )
        )
        or 0
    )
