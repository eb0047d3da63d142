"""Batches of payouts: gathered by the way they go out, submitted; the bank's file and answer."""

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core import audit, clock
from app.core.db import session, transaction
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.domain.catalog import preferences
from app.domain.payouts import batches, paying, queries
from app.domain.payouts.models import PayoutAccount, PayoutBatch, Withdrawal
from app.providers import payouts
from app.providers.payouts import bank_file
from app.web.access import staff
from app.web.admin import todo
from app.web.admin.actors import named
from app.web.errors import words
from app.web.render import render

routes = Blueprint("payouts", __name__)

SHOWN = 100


@routes.get("/admin/payouts")
@staff("payouts.view")
def index() -> Response:
    return _list()


@routes.post("/admin/payouts")
@staff("payouts.pay")
def create() -> Response:
    """Gather what can go out this way into a batch."""
    method = request.form.get("method", "")
    try:
        number = transaction(lambda: batches.gather(method).number)
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
        return redirect(url_for("admin.payouts.index"), 303)  # type: ignore[return-value]
    return _to(number)


@routes.get("/admin/payouts/<number>")
@staff("payouts.view")
def show(number: str) -> Response:
    return _page(queries.find_batch(number))


@routes.post("/admin/payouts/<number>/submission")
@staff("payouts.pay", step_up=True)
def create_submission(number: str) -> Response:
    """From here on it is paid: by the channel, or by staff with the file."""
    batch_id = queries.find_batch(number).id
    try:
        done = transaction(lambda: batches.submit(batch_id))
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
        return _to(number)
    todo.forget()
    flash(_("已提交 %(n)s 笔", n=done.sent), "good")
    if done.put_back:
        flash(_("%(n)s 笔现在不能打款，已放回，原因在提现里", n=done.put_back), "bad")
    return _to(number)


@routes.get("/admin/payouts/<number>/file")
@staff("payouts.pay", step_up=True)
def show_file(number: str) -> Response:
    """The batch for the bank, with accounts in the open: never without its audit row."""
    batch = queries.find_batch(number)
    template = request.args.get("template", "generic")
    if template not in bank_file.TEMPLATES:
        raise NotFound
    if batch.submitted_at is None or not payouts.provider(batch.method).has_file:
        raise Conflict(N_("提交后才能下载银行文件"))
    batch_id, day = batch.id, clock.today(preferences.get().zone)

    def write() -> bytes:
        found = [one for one in queries.in_batch(batch_id) if one.method == batch.method]
        audit.record(
            "payout_batch.file",
            "payout_batches",
            batch_id,
            rows=len(found),
            template=template,
        )
        return bank_file.write(template, [paying.transfer_of(one) for one in found])

    response = Response(transaction(write), content_type="text/csv; charset=utf-8")
    name = f"payouts-{number}-{template}-{day:%Y%m%d}.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


@routes.post("/admin/payouts/<number>/results")
@staff("payouts.pay", step_up=True)
def create_results(number: str) -> Response:
    """The bank's answer: each line is paid or came back."""
    batch = queries.find_batch(number)
    batch_id, sent = batch.id, request.files.get("file")
    content = sent.read() if sent else b""
    try:
        rows = bank_file.read_results(content)
        paid, returned = transaction(lambda: batches.take_results(batch_id, rows))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        return _page(queries.find_batch(number), words(refusal), refusal.status)
    todo.forget()
    flash(_("已登记 %(n)s 笔打款、%(m)s 笔退回", n=paid, m=returned), "good")
    return _to(number)


def _to(number: str) -> Response:
    return redirect(url_for("admin.payouts.show", number=number), 303)  # type: ignore[return-value]


def _list() -> Response:
    sums = (
        sa.select(
            Withdrawal.batch_id,
            sa.func.count(Withdrawal.id).label("count"),
            sa.func.sum(Withdrawal.net).label("net"),
        )
        .group_by(Withdrawal.batch_id)
        .subquery()
    )
    found = session.execute(
        sa.select(PayoutBatch, sa.func.coalesce(sums.c.count, 0), sa.func.coalesce(sums.c.net, 0))
        .outerjoin(sums, sums.c.batch_id == PayoutBatch.id)
        .order_by(PayoutBatch.id.desc())
        .limit(SHOWN)
    ).all()
    return render(
        "admin/payouts/index.html",
        batches=[(batch, int(count), int(net)) for batch, count, net in found],
        ways=[(one.name, _(one.title), *_waiting(one.kinds)) for one in payouts.offered()],
        titles=_titles(),
    )


def _waiting(kinds: frozenset[str]) -> tuple[int, int]:
    """How many can go out to such accounts now, and how much."""
    row = session.execute(
        sa.select(sa.func.count(Withdrawal.id), sa.func.coalesce(sa.func.sum(Withdrawal.net), 0))
        .join(PayoutAccount, PayoutAccount.id == Withdrawal.account_id)
        .where(queries.can_be_gathered(), PayoutAccount.kind.in_(kinds))
    ).one()
    return int(row[0]), int(row[1])


def _titles() -> dict[str, str]:
    return {one.name: _(one.title) for one in payouts.offered()}


def _page(batch: PayoutBatch, error: str = "", status: int = 200) -> Response:
    found = queries.in_batch(batch.id)
    provider = payouts.provider(batch.method)
    return render(
        "admin/payouts/show.html",
        status=status,
        batch=batch,
        title=_(provider.title),
        withdrawals=found,
        total=sum(one.net for one in found),
        has_file=provider.has_file,
        by_hand=not provider.pays_by_itself,
        templates=[(name, _(one.title)) for name, one in bank_file.TEMPLATES.items()],
        who=named([batch.created_by, batch.submitted_by]),
        error=error,
    )
