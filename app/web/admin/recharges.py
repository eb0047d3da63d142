"""Recharges in the console: the list, one recharge with every attempt and call, and what staff may
do about it: each with a reason, each in the audit log."""

from collections.abc import Callable

import sqlalchemy as sa
from flask import Blueprint, Response, flash, redirect, request, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import aliased

from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.core.states import StateChange
from app.domain.catalog.models import Product, RechargeProvider
from app.domain.orders.models import Order, OrderLine
from app.domain.recharges import queries, service
from app.domain.recharges.models import Attempt, AttemptState, Recharge, RechargeState
from app.domain.redemptions.models import Redemption
from app.web import state_words
from app.web.access import staff
from app.web.admin import todo
from app.web.admin.export import Column, local, yuan
from app.web.admin.listing import Choice, Days, Listing, Search, Sort
from app.web.errors import words
from app.web.render import render

routes = Blueprint("recharges", __name__)


def _matches(text: str) -> sa.ColumnElement[bool]:
    """Whatever a provider or a buyer may quote: order number, our number, the provider's, the end
    of the account, the product."""
    return sa.or_(
        Order.number == text.upper(),
        Product.name.icontains(text, autoescape=True),
        Recharge.account_masked.endswith(text, autoescape=True),
        sa.exists().where(
            Attempt.recharge_id == Recharge.id,
            sa.or_(
                Attempt.number == text.upper(), Attempt.reference == text, Attempt.serial == text
            ),
        ),
    )


def _providers() -> list[tuple[str, str]]:
    rows = session.execute(
        sa.select(RechargeProvider.id, RechargeProvider.name).order_by(RechargeProvider.name)
    )
    return [(str(provider_id), name) for provider_id, name in rows]


def _asked(value: str) -> sa.ColumnElement[bool]:
    return sa.exists().where(Attempt.recharge_id == Recharge.id, Attempt.provider_id == int(value))


def _needs(value: str) -> sa.ColumnElement[bool]:
    return CONDITIONS[value]()


def in_review() -> sa.ColumnElement[bool]:
    """Doubt that only a person can end."""
    return Recharge.state == RechargeState.REVIEW


def contradicted() -> sa.ColumnElement[bool]:
    """A provider said two different things about one number."""
    return sa.exists().where(Attempt.recharge_id == Recharge.id, Attempt.contradiction != "")


CONDITIONS = {"review": in_review, "contradiction": contradicted}

LIST = Listing(
    name="recharges",
    model=Recharge,
    search=Search(_matches, N_("订单号、充值单号、供应商单号、账号尾号、商品")),
    choices=(
        Choice(
            "state",
            N_("状态"),
            lambda: state_words.options("recharge"),
            lambda value: Recharge.state == RechargeState(value),
        ),
        Choice("provider", N_("供应商"), _providers, _asked),
        Choice(
            "needs",
            N_("待办"),
            lambda: [("review", _("待人工核实")), ("contradiction", _("供应商前后说法不一"))],
            _needs,
        ),
    ),
    days=Days(Recharge.created_at),
    sorts=(Sort("newest", N_("最新在前"), (Recharge.id.desc(),)),),
    columns=(
        Column(N_("订单号"), lambda row: row[1].number),
        Column(N_("商品"), lambda row: row[2].name),
        Column(N_("状态"), lambda row: state_words.word("recharge", row[0].state)),
        Column(N_("充值账号"), lambda row: row[0].account_masked),
        Column(N_("数量"), lambda row: row[0].quantity),
        Column(N_("成本"), lambda row: yuan(row[3])),
        Column(N_("时间"), lambda row: local(row[0].created_at)),
        Column(N_("完成时间"), lambda row: local(row[0].settled_at)),
    ),
    export_permission="recharges.export",
)


def recharges() -> sa.Select[Recharge, Order, Product, int]:
    """Each recharge with the order that paid for it, its product, and what its delivery cost as
    far as that is known, in minor units."""
    line_id = sa.func.coalesce(Recharge.order_line_id, Redemption.order_line_id)
    # Under a name of its own: the filters look for attempts, too.
    live = aliased(Attempt)
    cost = sa.func.coalesce(live.cost, live.expected_cost, 0)
    return (
        sa.select(Recharge, Order, Product, cost)
        .outerjoin(
            live, sa.and_(live.recharge_id == Recharge.id, live.state != AttemptState.REFUSED)
        )
        .outerjoin(Redemption, Redemption.id == Recharge.redemption_id)
        .join(OrderLine, OrderLine.id == line_id)
        .join(Order, Order.id == OrderLine.order_id)
        .join(Product, Product.id == Recharge.product_id)
    )


@routes.get("/admin/recharges")
@staff("recharges.view")
def index() -> Response:
    return LIST.answer(recharges(), "admin/recharges/index.html")


@routes.get("/admin/recharges/<uid>")
@staff("recharges.view")
def show(uid: str) -> Response:
    return _page(queries.find(uid))


@routes.post("/admin/recharges/<uid>/query")
@staff("recharges.serve")
def create_query(uid: str) -> Response:
    """Ask the provider now."""
    return _act(
        uid,
        lambda recharge_id, _reason: service.query_now(recharge_id),
        _("已向供应商查询，结果稍后显示在下面"),
    )


@routes.post("/admin/recharges/<uid>/review")
@staff("recharges.serve")
def create_review(uid: str) -> Response:
    """Take a doubt into staff's own hands."""
    return _act(uid, service.to_review, _("已转人工核实，现在可以改路、标记到账或退款"))


@routes.post("/admin/recharges/<uid>/reroute")
@staff("recharges.settle", step_up=True)
def create_reroute(uid: str) -> Response:
    return _act(uid, service.reroute, _("正在改走下一个供应商"))


@routes.post("/admin/recharges/<uid>/delivery")
@staff("recharges.settle", step_up=True)
def create_delivery(uid: str) -> Response:
    return _act(uid, service.mark_delivered, _("已标记为到账"))


@routes.post("/admin/recharges/<uid>/giving-up")
@staff("recharges.settle", step_up=True)
def create_giving_up(uid: str) -> Response:
    return _act(uid, service.give_up, _("已放弃充值，款项或次数正在退回"))


@routes.post("/admin/recharges/<uid>/contradiction")
@staff("recharges.settle")
def create_contradiction_settlement(uid: str) -> Response:
    """What the provider said twice has been cleared up with it."""
    return _act(uid, service.settle_contradiction, _("已标记为对清"))


def _act(uid: str, deed: Callable[[int, str], None], done: str) -> Response:
    """Do it and come back, with a word on what was done or why not."""
    recharge_id = queries.find(uid).id
    reason = request.form.get("reason", "")
    try:
        transaction(lambda: deed(recharge_id, reason))
    except NotFound:
        raise
    except Refusal as refusal:
        session.rollback()
        flash(words(refusal), "bad")
    else:
        todo.forget()
        flash(done, "good")
    return redirect(url_for("admin.recharges.show", uid=uid), 303)  # type: ignore[return-value]


def _page(recharge: Recharge) -> Response:
    line = session.get_one(OrderLine, queries.order_line_id_of(recharge))
    attempts = queries.attempts_of(recharge.id)
    live = next((one for one in attempts if one.state != AttemptState.REFUSED), None)
    return render(
        "admin/recharges/show.html",
        recharge=recharge,
        order=session.get_one(Order, line.order_id),
        line=line,
        attempts=attempts,
        live=live,
        calls=queries.calls_of([attempt.id for attempt in attempts]),
        steps=_steps(recharge),
    )


def _steps(recharge: Recharge) -> list[StateChange]:
    return list(
        session.scalars(
            sa.select(StateChange)
            .where(StateChange.subject == "recharges", StateChange.subject_id == recharge.id)
            .order_by(StateChange.id.desc())
        )
    )
