"""Alarms in the console: what was touched, who has codes of the same batch, what to do at once."""

from collections.abc import Callable
from datetime import timedelta

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.domain.catalog import preferences
from app.domain.catalog.queries import find_product
from app.domain.orders import leaks
from app.domain.redemptions import replacing
from app.domain.vault import alarms, batches, stock, watching
from app.domain.vault.alarm_models import Alarm, AlarmKind, AlarmState
from app.domain.vault.models import Batch
from app.web import state_words
from app.web.access import staff
from app.web.admin import todo
from app.web.admin.actors import named
from app.web.admin.export import Column, local
from app.web.admin.listing import Choice, Days, Listing, Search, Sort
from app.web.errors import words
from app.web.render import render

routes = Blueprint("alarms", __name__)

KINDS = {AlarmKind.CANARY: N_("诱饵卡密被使用"), AlarmKind.STAFF: N_("店员查看异常多")}
EXPORTS_UNUSUALLY = N_("店员导出异常多")
CHANNELS = {
    "typed": N_("兑换页输入"),
    "counter": N_("柜台输入"),
    "staff": N_("后台查看"),
    "export": N_("后台申请导出"),
}
# Whoever bought before that has used it or will complain; the list is for those to warn.
LATELY = timedelta(days=30)


def kind_words(alarm: Alarm) -> str:
    if alarm.kind == AlarmKind.STAFF and alarm.channel == watching.EXPORT:
        return str(_(EXPORTS_UNUSUALLY))
    return str(_(KINDS[alarm.kind]))


def channel_words(channel: str) -> str:
    return str(_(CHANNELS[channel]))


LIST = Listing(
    name="alarms",
    model=Alarm,
    search=Search(
        lambda text: sa.or_(Alarm.ip == text, Batch.name.icontains(text, autoescape=True)),
        N_("批次、地址"),
    ),
    choices=(
        Choice(
            "state",
            N_("状态"),
            lambda: state_words.options("alarm"),
            lambda value: Alarm.state == AlarmState(value),
        ),
    ),
    days=Days(Alarm.at),
    sorts=(Sort("newest", N_("最新在前"), (Alarm.id.desc(),)),),
    columns=(
        Column(N_("时间"), lambda row: local(row[0].at)),
        Column(N_("警报"), lambda row: kind_words(row[0])),
        Column(N_("状态"), lambda row: state_words.word("alarm", row[0].state)),
        Column(N_("批次"), lambda row: row[1].name if row[1] else ""),
        Column(N_("方式"), lambda row: channel_words(row[0].channel)),
        Column(N_("地址"), lambda row: row[0].ip),
        Column(N_("次数"), lambda row: row[0].times),
    ),
    export_permission="audit.export",
)


@routes.get("/admin/alarms")
@staff("alarms.view")
def index() -> Response:
    found = sa.select(Alarm, Batch).outerjoin(Batch, Batch.id == Alarm.batch_id)
    return LIST.answer(
        found, "admin/alarms/index.html", kind_words=kind_words, channel_words=channel_words
    )


@routes.get("/admin/alarms/<int:alarm_id>")
@staff("alarms.view")
def show(alarm_id: int) -> Response:
    alarm = alarms.find(alarm_id)
    batch = session.get(Batch, alarm.batch_id) if alarm.batch_id else None
    since, today = clock.now() - LATELY, clock.today(preferences.get().zone)
    sold = leaks.sold_lately(batch.id, since) if batch else []
    export = alarms.export_of(alarm)
    who = alarm.about.removeprefix("staff:") if alarm.kind == AlarmKind.STAFF else alarm.actor
    return render(
        "admin/alarms/show.html",
        alarm=alarm,
        batch=batch,
        product=find_product(batch.product_id) if batch else None,
        counts=batches.count_codes([batch.id])[batch.id] if batch else {},
        sold=sold,
        sold_count=leaks.count_sold(batch.id, since) if batch else 0,
        replacements=replacing.counts(alarm, since),
        stands={
            code_id: (one.why or one.state).value
            for code_id, one in replacing.stands_of([code.id for code, _ in sold], alarm.id).items()
        },
        others=stock.stock_of([batch.product_id], today)[batch.product_id] if batch else 0,
        cap=stock.CAP,
        who=named([who])[who],
        export=export,
        handled_by=named([export.requested_by, export.checked_by or ""]) if export else {},
        kind=kind_words(alarm),
        channel=channel_words(alarm.channel),
        days=LATELY.days,
        most=leaks.MOST_LISTED,
    )


@routes.post("/admin/alarms/<int:alarm_id>/recall")
@staff("alarms.handle", step_up=True)
def create_recall(alarm_id: int) -> Response:
    """The unsold rest off the shelf for ever; of our own codes as many are made anew."""

    def recall(reason: str) -> str:
        uid = transaction(
            lambda: alarms.recall(alarm_id, clock.today(preferences.get().zone), reason=reason)
        )
        return _("已召回，正在生成同样数量的新卡密") if uid else _("已召回没卖出的卡密")

    return _change(alarm_id, recall)


@routes.post("/admin/alarms/<int:alarm_id>/replacement")
@staff("alarms.handle", step_up=True)
def create_replacement(alarm_id: int) -> Response:
    """Another code for everybody who bought one of the batch lately."""

    def replace(reason: str) -> str:
        since = clock.now() - LATELY
        count = transaction(lambda: replacing.start(alarm_id, since, reason=reason))
        return _("正在为 %(n)s 条卡密换新，每笔订单换完会告诉买家", n=f"{count:,}")

    return _change(alarm_id, replace)


@routes.post("/admin/alarms/<int:alarm_id>/closing")
@staff("alarms.handle", step_up=True)
def create_closing(alarm_id: int) -> Response:
    def close(reason: str) -> str:
        transaction(lambda: alarms.close(alarm_id, reason=reason))
        return _("警报已关闭")

    return _change(alarm_id, close)


def _change(alarm_id: int, change: Callable[[str], str]) -> Response:
    try:
        flash(change(request.form.get("reason", "")), "good")
        todo.forget()
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    return redirect(url_for("admin.alarms.show", alarm_id=alarm_id), 303)  # type: ignore[return-value]
