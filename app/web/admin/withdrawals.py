"""Withdrawals in the console: the list, one with its steps, its review, and what staff paid."""

from collections.abc import Callable

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.core.states import StateChange
from app.domain.channels.models import Distributor
from app.domain.payouts import batches, paying, queries, statements, withdrawals
from app.domain.payouts.models import PayoutAccount, Withdrawal, WithdrawalItem, WithdrawalState
from app.domain.payouts.rules import CHECKS
from app.providers import payouts
from app.web import state_words
from app.web.access import staff
from app.web.admin import todo
from app.web.admin.actors import named
from app.web.admin.export import Column, local, yuan
from app.web.admin.listing import Choice, Days, Listing, Search, Sort
from app.web.errors import words
from app.web.render import render
from app.web.tax_words import steps_of

routes = Blueprint("withdrawals", __name__)

LIST = Listing(
    name="withdrawals",
    model=Withdrawal,
    search=Search(
        lambda text: sa.or_(
            Withdrawal.number == text.upper(),
            Withdrawal.reference == text,
            Distributor.name.icontains(text, autoescape=True),
            PayoutAccount.account_masked.endswith(text, autoescape=True),
        ),
        N_("单号、流水号、分销商、账号尾号"),
    ),
    choices=(
        Choice(
            "state",
            N_("状态"),
            lambda: state_words.options("withdrawal"),
            lambda value: Withdrawal.state == WithdrawalState(value),
        ),
    ),
    days=Days(Withdrawal.requested_at),
    sorts=(Sort("newest", N_("最新在前"), (Withdrawal.id.desc(),)),),
    columns=(
        Column(N_("单号"), lambda row: row[0].number),
        Column(N_("分销商"), lambda row: row[1].name),
        Column(N_("收款账户"), lambda row: row[2].account_masked),
        Column(N_("状态"), lambda row: state_words.word("withdrawal", row[0].state)),
        Column(N_("提现金额"), lambda row: yuan(row[0].gross)),
        Column(N_("代扣税款"), lambda row: yuan(row[0].tax)),
        Column(N_("手续费"), lambda row: yuan(row[0].fee)),
        Column(N_("实际到账"), lambda row: yuan(row[0].net)),
        Column(N_("流水号"), lambda row: row[0].reference),
        Column(N_("申请时间"), lambda row: local(row[0].requested_at)),
        Column(N_("完成时间"), lambda row: local(row[0].settled_at)),
    ),
    export_permission="payouts.view",
)


@routes.get("/admin/withdrawals")
@staff("payouts.view")
def index() -> Response:
    found = (
        sa.select(Withdrawal, Distributor, PayoutAccount)
        .join(Distributor, Distributor.id == Withdrawal.distributor_id)
        .join(PayoutAccount, PayoutAccount.id == Withdrawal.account_id)
    )
    return LIST.answer(found, "admin/withdrawals/index.html")


@routes.get("/admin/withdrawals/<number>")
@staff("payouts.view")
def show(number: str) -> Response:
    return _page(queries.find(number))


@routes.post("/admin/withdrawals/<number>/approval")
@staff("payouts.review")
def create_approval(number: str) -> Response:
    def approve(withdrawal_id: int, _reason: str) -> str:
        done = withdrawals.approve(withdrawal_id)
        return _("已通过，等待打款") if done else _("初审已通过，还要另一位同事复核")

    return _act(number, approve)


@routes.post("/admin/withdrawals/<number>/refusal")
@staff("payouts.review")
def create_refusal(number: str) -> Response:
    return _act(number, withdrawals.refuse, _("已拒绝，金额回到对方余额"))


@routes.post("/admin/withdrawals/<number>/removal")
@staff("payouts.pay")
def create_removal(number: str) -> Response:
    """Keep it back from a batch that was not submitted yet."""
    return _act(number, lambda one, _why: batches.take_out(one), _("已从批次中取出"))


@routes.post("/admin/withdrawals/<number>/resubmission")
@staff("payouts.pay", step_up=True)
def create_resubmission(number: str) -> Response:
    return _act(number, withdrawals.pay_again, _("会进入下一个打款批次，单号不变"))


@routes.post("/admin/withdrawals/<number>/payment")
@staff("payouts.pay", step_up=True)
def create_payment(number: str) -> Response:
    """Staff paid it themselves and enter the reference."""
    reference = request.form.get("reference", "")
    return _act(number, lambda one, _why: paying.confirm_by_hand(one, reference), _("已登记打款"))


@routes.post("/admin/withdrawals/<number>/return")
@staff("payouts.pay", step_up=True)
def create_return(number: str) -> Response:
    return _act(number, paying.return_by_hand, _("已登记退回"))


@routes.post("/admin/withdrawals/<number>/query")
@staff("payouts.pay")
def create_query(number: str) -> Response:
    return _act(number, lambda one, _why: paying.ask_now(one), _("已向渠道查询，结果稍后显示"))


def _act(number: str, act: Callable[[int, str], str | None], done: str = "") -> Response:
    withdrawal_id, reason = queries.find(number).id, request.form.get("reason", "")[:200]
    try:
        said = transaction(lambda: act(withdrawal_id, reason))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        todo.forget()
        flash(said or done, "good")
    return redirect(url_for("admin.withdrawals.show", number=number), 303)  # type: ignore[return-value]


def _page(withdrawal: Withdrawal) -> Response:
    steps = session.scalars(
        sa.select(StateChange)
        .where(StateChange.subject == "withdrawals", StateChange.subject_id == withdrawal.id)
        .order_by(StateChange.id.desc())
    ).all()
    items = session.execute(
        sa.select(sa.func.count(WithdrawalItem.id), sa.func.sum(WithdrawalItem.amount)).where(
            WithdrawalItem.withdrawal_id == withdrawal.id
        )
    ).one()
    is_open = withdrawal.state == WithdrawalState.REQUESTED
    provider = payouts.provider(withdrawal.method) if withdrawal.method else None
    return render(
        "admin/withdrawals/show.html",
        withdrawal=withdrawal,
        account=withdrawal.account,
        distributor=withdrawal.distributor,
        steps=steps,
        who=named([*(step.actor for step in steps), withdrawal.checked_by, withdrawal.approved_by]),
        checks=[_(CHECKS[name]) for name in queries.reasons_to_check(withdrawal)]
        if is_open
        else [],
        commissions=(int(items[0]), int(items[1] or 0)),
        method=_(provider.title) if provider else "",
        by_hand=provider is not None and not provider.pays_by_itself,
        can_pay_again=withdrawals.can_pay_again(withdrawal),
        tax_steps=steps_of(withdrawal.tax_trace),
        statement=statements.number_of(withdrawal.id),
    )
