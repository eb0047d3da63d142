"""Commissions in the console: who earned what by which order, how the amount came about, what was
booked, and keeping one back while something is looked into."""

from collections.abc import Callable
from typing import NamedTuple

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _

from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.core.states import StateChange
from app.domain.channels import holding
from app.domain.channels.commission import SUSPENDED
from app.domain.channels.models import (
    Attribution,
    Commission,
    CommissionState,
    Distributor,
    Plan,
    Rule,
)
from app.domain.ledger.models import LedgerAccount, LedgerEntry, LedgerTransaction
from app.domain.orders.models import Order, OrderLine
from app.web import commission_words, state_words
from app.web.access import staff
from app.web.admin.actors import named
from app.web.admin.listing import Choice, Days, Listing, Search, Sort
from app.web.admin.order_timeline import Entry
from app.web.errors import words
from app.web.render import render

routes = Blueprint("commissions", __name__)


class Posting(NamedTuple):
    """One event in the books: its entries are (account in words, minor units, debit positive)."""

    transaction: LedgerTransaction
    title: str
    entries: list[tuple[str, int]]


def _matches(text: str) -> sa.ColumnElement[bool]:
    return sa.or_(
        Order.number == text.upper(),
        Distributor.code == text.upper(),
        Distributor.name.icontains(text, autoescape=True),
        OrderLine.product_name.icontains(text, autoescape=True),
    )


LIST = Listing(
    name="commissions",
    model=Commission,
    search=Search(_matches, N_("订单号、推广码、分销商、商品")),
    choices=(
        Choice(
            "state",
            N_("状态"),
            lambda: state_words.options("commission"),
            lambda value: Commission.state == CommissionState(value),
        ),
        Choice(
            "level",
            N_("级别"),
            lambda: [("1", _("一级")), ("2", _("二级"))],
            lambda value: Commission.level == int(value),
        ),
    ),
    days=Days(Commission.created_at),
    sorts=(
        Sort("newest", N_("最新在前"), (Commission.id.desc(),)),
        Sort("amount", N_("金额从高到低"), (Commission.amount.desc(),)),
    ),
)


def commissions() -> sa.Select[Commission, Distributor, Order, OrderLine]:
    """Each commission with who earned it, by which order and line."""
    return (
        sa.select(Commission, Distributor, Order, OrderLine)
        .join(Distributor, Distributor.id == Commission.distributor_id)
        .join(Order, Order.id == Commission.order_id)
        .join(OrderLine, OrderLine.id == Commission.order_line_id)
    )


@routes.get("/admin/commissions")
@staff("channels.view")
def index() -> Response:
    return LIST.answer(commissions(), "admin/commissions/index.html")


@routes.get("/admin/commissions/<int:commission_id>")
@staff("channels.view")
def show(commission_id: int) -> Response:
    row = session.execute(
        commissions()
        .where(Commission.id == commission_id)
        .execution_options(populate_existing=True)
    ).one_or_none()
    if row is None:
        raise NotFound(N_("没有找到这笔佣金"))
    one, distributor, order, line = row
    rule = session.get(Rule, one.rule_id) if one.rule_id else None
    found = session.scalar(sa.select(Attribution).where(Attribution.order_id == order.id))
    return render(
        "admin/commissions/show.html",
        commission=one,
        distributor=distributor,
        order=order,
        line=line,
        plan=session.get(Plan, rule.plan_id) if rule else None,
        rule=commission_words.written([rule])[0] if rule else None,
        candidates=commission_words.candidates(one.trace),
        steps=commission_words.steps(one.trace),
        attribution=found,
        evidence=_(commission_words.EVIDENCE[found.rule]) if found else "",
        postings=postings_of(one),
        timeline=timeline_of(one),
        may_hold=one.state in holding.HOLDABLE,
    )


@routes.post("/admin/commissions/<int:commission_id>/hold")
@staff("channels.manage")
def create_hold(commission_id: int) -> Response:
    return _act(commission_id, holding.hold, _("已暂扣，解除前不能提现"))


@routes.post("/admin/commissions/<int:commission_id>/hold/deletion")
@staff("channels.manage")
def delete_hold(commission_id: int) -> Response:
    return _act(commission_id, holding.release, _("已解除暂扣"))


def postings_of(one: Commission) -> list[Posting]:
    """Everything that was booked for it, newest first."""
    rows = session.execute(
        sa.select(LedgerTransaction, LedgerAccount.code, LedgerEntry.amount)
        .join(LedgerEntry, LedgerEntry.transaction_id == LedgerTransaction.id)
        .join(LedgerAccount, LedgerAccount.id == LedgerEntry.account_id)
        .where(LedgerTransaction.subject == "commissions", LedgerTransaction.subject_id == one.id)
        .order_by(LedgerTransaction.id.desc(), LedgerEntry.amount.desc())
    )
    found: dict[int, Posting] = {}
    for booked, code, amount in rows:
        title = _(commission_words.POSTINGS[booked.kind])
        posting = found.setdefault(booked.id, Posting(booked, title, []))
        posting.entries.append((commission_words.account_words(code), amount))
    return list(found.values())


def timeline_of(one: Commission) -> list[Entry]:
    """What became of it, newest first."""
    moves = session.scalars(
        sa.select(StateChange)
        .where(StateChange.subject == "commissions", StateChange.subject_id == one.id)
        .order_by(StateChange.id.desc())
    ).all()
    names = named(step.actor for step in moves)
    entries = []
    for step in moves:
        look = state_words.look_of("commission", step.to_state)
        tone = look.tone if look.tone in ("good", "wait", "bad") else ""
        note = _("分销商已暂停") if step.note == SUSPENDED else step.note
        entries.append(Entry(step.at, look.word, tone, names[step.actor], note))
    return [*entries, Entry(one.created_at, _("买家付款，算出佣金"), "", "", "")]


def _act(commission_id: int, deed: Callable[[int, str], None], done: str) -> Response:
    """Do it and come back, with a word on what was done or why not."""
    reason = request.form.get("reason", "").replace("\0", "")
    try:
        transaction(lambda: deed(commission_id, reason))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        flash(done, "good")
    url = url_for("admin.commissions.show", commission_id=commission_id)
    return redirect(url, 303)  # type: ignore[return-value]
