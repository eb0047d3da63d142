"""Reconciliation: a payment channel's statement of a day against the books, and its differences."""

from collections.abc import Callable
from datetime import timedelta
from functools import partial

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.domain.catalog import preferences
from app.domain.orders import channel_statements, statement_files
from app.domain.orders.models import Order, Payment
from app.domain.orders.statement_models import (
    ChannelRowState,
    ChannelStatement,
    ChannelStatementRow,
    LineKind,
)
from app.providers import payments
from app.web import state_words
from app.web.access import staff
from app.web.admin import todo
from app.web.admin.export import Column, yuan
from app.web.admin.listing import Choice, Listing, Search, Sort
from app.web.admin.typed import Typed
from app.web.errors import words
from app.web.shop import channels

routes = Blueprint("channel_statements", __name__)

DIFFERENCES = {
    "only_theirs": N_("渠道有，账上没有"),
    "only_ours": N_("账上有，渠道没有"),
    "state": N_("结果不同"),
    "amount": N_("金额不同"),
    "twice": N_("渠道列了两次"),
}
KINDS = {
    LineKind.PAYMENT: N_("收款"),
    LineKind.REFUND: N_("退款"),
    LineKind.REMITTANCE: N_("渠道结算"),
}


def options() -> list[tuple[str, str]]:
    """The channels that are connected, with their words."""
    offered = payments.offered("CNY", has_bank_account=True)
    return [(channel.name, _(channel.title)) for channel in offered]


LIST = Listing(
    name="channel-rows",
    model=ChannelStatementRow,
    search=Search(
        lambda text: sa.or_(
            ChannelStatementRow.number == text.upper(), Order.number == text.upper()
        ),
        N_("付款单号、退款单号、订单号"),
    ),
    choices=(
        Choice(
            "state",
            N_("状态"),
            lambda: state_words.options("channel_row"),
            lambda value: ChannelStatementRow.state == ChannelRowState(value),
        ),
        Choice(
            "difference",
            N_("差异"),
            lambda: [(name, _(label)) for name, label in DIFFERENCES.items()],
            lambda value: ChannelStatementRow.difference == value,
        ),
        Choice(
            "channel",
            N_("渠道"),
            options,
            lambda value: ChannelStatement.channel == value,
        ),
    ),
    sorts=(Sort("newest", N_("最新在前"), (ChannelStatementRow.id.desc(),)),),
    columns=(
        Column(N_("渠道"), lambda row: channels.title(row[1].channel)),
        Column(N_("日期"), lambda row: row[1].day),
        Column(N_("类型"), lambda row: _(KINDS[row[0].kind])),
        Column(N_("单号"), lambda row: row[0].number),
        Column(N_("差异"), lambda row: _(DIFFERENCES.get(row[0].difference, ""))),
        Column(N_("渠道说"), lambda row: row[0].their_state),
        Column(N_("渠道金额"), lambda row: yuan(row[0].their_amount or 0)),
        Column(N_("我们的状态"), lambda row: row[0].our_state),
        Column(N_("账上金额"), lambda row: yuan(row[0].our_amount or 0)),
        Column(N_("怎么处理的"), lambda row: row[0].settled_because),
    ),
    export_permission="statements.settle",
)


@routes.get("/admin/channel-statements")
@staff("statements.view")
def index() -> Response:
    return _page(Typed({}))


@routes.post("/admin/channel-statements")
@staff("statements.settle")
def create() -> Response:
    """Take a day's file in and match it."""
    typed = Typed(request.form)
    channel, day = typed.text("channel"), typed.day("day")
    sent = request.files.get("file")
    content = sent.read() if sent else b""
    if channel not in dict(options()):
        typed.errors["channel"] = _("请选择渠道")
    if day is None:
        typed.errors.setdefault("day", _("请填写日期，例如 2026-12-31"))
    if not content:
        typed.errors["file"] = _("请选择渠道的对账文件")
    if typed.errors or day is None:
        return _page(typed, 422)
    try:
        theirs = statement_files.read(content)
        statement = transaction(lambda: channel_statements.take(channel, day, theirs))
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
    return _back()


@routes.post("/admin/channel-statements/rows/<int:row_id>/query")
@staff("statements.settle")
def create_query(row_id: int) -> Response:
    """Compare anew, and ask the channel about what still differs."""

    def look() -> str:
        if transaction(partial(channel_statements.look_again, row_id)):
            return _("两边现在一致了")
        return _("已向渠道查询，稍后再点一次核对")

    return _act(look)


@routes.post("/admin/channel-statements/rows/<int:row_id>/booking")
@staff("statements.settle", step_up=True)
def create_booking(row_id: int) -> Response:
    """Book what the channel says that it remitted to the bank."""

    def book() -> str:
        transaction(partial(channel_statements.book_remittance, row_id))
        return _("渠道结算已入账")

    return _act(book)


@routes.post("/admin/channel-statements/rows/<int:row_id>/settlement")
@staff("statements.settle")
def create_settlement(row_id: int) -> Response:
    reason = request.form.get("reason", "")

    def settle() -> str:
        transaction(partial(channel_statements.settle, row_id, reason))
        return _("已标记为处理过")

    return _act(settle)


def _act(deed: Callable[[], str]) -> Response:
    """Do it and come back to the differences, with a word on what was done or why not."""
    try:
        flash(deed(), "good")
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        todo.forget()
    return _back()


def _back() -> Response:
    return redirect(url_for("admin.channel_statements.index", state="differs"), 303)  # type: ignore[return-value]


def _page(form: Typed, status: int = 200) -> Response:
    found = (
        sa.select(ChannelStatementRow, ChannelStatement, Order.number)
        .join(ChannelStatement, ChannelStatement.id == ChannelStatementRow.statement_id)
        .outerjoin(Payment, Payment.id == ChannelStatementRow.payment_id)
        .outerjoin(Order, Order.id == Payment.order_id)
    )
    yesterday = clock.today(preferences.get().zone) - timedelta(days=1)
    response = LIST.answer(
        found,
        "admin/channel_statements/index.html",
        form=form,
        yesterday=yesterday,
        channels=options(),
        channel_title=channels.title,
        kinds={kind: _(label) for kind, label in KINDS.items()},
        differences={name: _(label) for name, label in DIFFERENCES.items()},
    )
    response.status_code = status
    return response


def _differing(statement_id: int) -> int:
    return int(
        session.scalar(
            sa.select(sa.func.count(ChannelStatementRow.id)).where(
                ChannelStatementRow.statement_id == statement_id,
                ChannelStatementRow.state == ChannelRowState.DIFFERS,
            )
        )
        or 0
    )
