"""Orders in the console: the list, one order with its whole story, and what staff may do."""

from collections.abc import Callable

import sqlalchemy as sa
from flask import Blueprint, Response, current_app, flash, redirect, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from sqlalchemy.orm import selectinload

from app.core import clock
from app.core.db import session, transaction
from app.core.errors import N_, NotFound, Refusal
from app.core.money import fen
from app.domain.accounts.contacts import Contact
from app.domain.catalog import preferences
from app.domain.catalog.models import Product
from app.domain.orders import closing, queries, refunding, service
from app.domain.orders.models import (
    Order,
    OrderLine,
    OrderState,
    Payment,
    Verdict,
)
from app.domain.recharges import queries as recharges
from app.domain.redemptions import aftersales
from app.domain.redemptions import queries as redemptions
from app.domain.risk import cases, decisions
from app.domain.vault import queries as vault_queries
from app.domain.vault import watching
from app.domain.vault.models import Code
from app.domain.vault.rules import split_content
from app.web import client, risk_words, state_words
from app.web.access import staff
from app.web.admin import todo
from app.web.admin.export import Column, local, yuan
from app.web.admin.listing import Choice, Days, Listing, Search, Sort
from app.web.admin.order_timeline import timeline_of
from app.web.errors import words
from app.web.render import render
from app.web.shop import channels

routes = Blueprint("orders", __name__)

# In fen: more than anybody transfers, and well within what a database keeps.
MOST = 10**12


def matches(text: str) -> sa.ColumnElement[bool]:
    """Whatever a buyer or a channel may quote: order, payment or trade number, contact, the last
    symbols of a code, a product's name."""
    found = [
        Order.number == text.upper(),
        sa.exists().where(
            Payment.order_id == Order.id,
            sa.or_(Payment.number == text.upper(), Payment.trade_number == text),
        ),
        sa.exists().where(
            OrderLine.order_id == Order.id, OrderLine.product_name.icontains(text, autoescape=True)
        ),
    ]
    if len(text) <= 4:
        found.append(
            Order.id.in_(
                sa.select(OrderLine.order_id)
                .join(Code, Code.order_line_id == OrderLine.id)
                .where(Code.last_four == text.upper())
            )
        )
    try:
        found.append(Order.contact_index == Contact.parse(text).index)
    except Refusal:
        # Not a phone number or an e-mail address: then it is one of the others.
        return sa.or_(*found)
    return sa.or_(*found)


def _products() -> list[tuple[str, str]]:
    rows = session.execute(sa.select(Product.id, Product.name).order_by(Product.name))
    return [(str(product_id), name) for product_id, name in rows]


def _has_product(value: str) -> sa.ColumnElement[bool]:
    return sa.exists().where(OrderLine.order_id == Order.id, OrderLine.product_id == int(value))


LIST = Listing(
    name="orders",
    model=Order,
    search=Search(matches, N_("订单号、联系方式、卡密后四位、交易号、商品")),
    choices=(
        Choice(
            "state",
            N_("状态"),
            lambda: state_words.options("order"),
            lambda value: Order.state == OrderState(value),
        ),
        Choice("product", N_("商品"), _products, _has_product),
        Choice("needs", N_("待办"), todo.options, todo.needs),
    ),
    days=Days(Order.created_at),
    sorts=(
        Sort("newest", N_("最新在前"), (Order.id.desc(),)),
        Sort("total", N_("金额从高到低"), (Order.total.desc(),)),
    ),
    columns=(
        Column(N_("订单号"), lambda order: order.number),
        Column(N_("状态"), lambda order: state_words.word("order", order.state)),
        Column(N_("商品"), lambda order: "; ".join(line.product_name for line in order.lines)),
        Column(N_("数量"), lambda order: sum(line.quantity for line in order.lines)),
        Column(N_("金额"), lambda order: yuan(order.total)),
        Column(N_("已退"), lambda order: yuan(sum(line.refunded for line in order.lines))),
        Column(N_("联系方式"), lambda order: order.contact_masked),
        Column(N_("下单时间"), lambda order: local(order.created_at)),
        Column(N_("付款时间"), lambda order: local(order.paid_at)),
        Column(N_("发货时间"), lambda order: local(order.delivered_at)),
    ),
    export_permission="orders.export",
)


@routes.get("/admin/orders")
@staff("orders.view")
def index() -> Response:
    found = sa.select(Order).options(selectinload(Order.lines))
    return LIST.answer(found, "admin/orders/index.html")


@routes.get("/admin/orders/<number>")
@staff("orders.view")
def show(number: str) -> Response:
    return page(queries.find(number))


@routes.post("/admin/orders/<number>/payments/<int:payment_id>/confirmation")
@staff("orders.confirm", step_up=True)
def create_confirmation(number: str, payment_id: int) -> Response:
    """Staff saw the transfer on the bank statement."""

    def confirm(order: Order) -> str:
        if payment_id not in {payment.id for payment in queries.payments_of(order.id)}:
            raise NotFound
        amount = _amount()
        trade_number = request.form.get("trade_number", "")
        today = clock.today(preferences.get().zone)
        verdict = transaction(lambda: service.confirm_paid(payment_id, trade_number, amount, today))
        if verdict == Verdict.PAID:
            return _("已确认到账")
        return _("款项已入账，但不能用于这个订单，正在退回")

    return _act(number, confirm)


@routes.post("/admin/orders/<number>/query")
@staff("orders.serve")
def create_query(number: str) -> Response:
    """Ask the channels now what became of the payments."""

    def ask(order: Order) -> str:
        transaction(lambda: service.ask_channel(order.id))
        return _("已向支付渠道查询，结果稍后显示在时间线里")

    return _act(number, ask)


@routes.post("/admin/orders/<number>/delivery")
@staff("orders.serve")
def create_delivery(number: str) -> Response:
    """Deliver a paid order whose delivery was prevented."""

    def deliver(order: Order) -> str:
        today = clock.today(preferences.get().zone)
        transaction(lambda: service.deliver_again(order.id, today))
        return _("已发货")

    return _act(number, deliver)


@routes.post("/admin/orders/<number>/cancellation")
@staff("orders.serve")
def create_cancellation(number: str) -> Response:
    def cancel(order: Order) -> str:
        transaction(lambda: closing.cancel(order.id))
        return _("正在取消，支付渠道确认后释放库存")

    return _act(number, cancel)


@routes.post("/admin/orders/<number>/link")
@staff("orders.serve")
def create_link(number: str) -> Response:
    """A new secret link for a buyer who lost hers; the old one stops working."""
    order = queries.find(number)
    token = transaction(lambda: service.new_link(order.id))
    # Our own address, not the one the request claims: a forged Host would carry the link away.
    base_url: str = current_app.config["SETTINGS"].base_url
    url = base_url + url_for("shop.orders.open", token=token.reveal())
    return page(order, link=url)


@routes.post("/admin/orders/<number>/refunds")
@staff("orders.refund", step_up=True)
def create_refund(number: str) -> Response:
    def refund(order: Order) -> str:
        line_id = request.form.get("line", type=int) or 0
        amount, reason = _amount(), request.form.get("reason", "")
        transaction(lambda: aftersales.request_refund(order.id, line_id, amount, reason))
        return _("退款已提交，会原路退回")

    return _act(number, refund)


@routes.post("/admin/orders/<number>/refunds/<int:refund_id>/confirmation")
@staff("orders.refund", step_up=True)
def create_refund_confirmation(number: str, refund_id: int) -> Response:
    """Staff paid a refund back outside the channel."""

    def confirm(order: Order) -> str:
        _check_refund(order, refund_id)
        reference = request.form.get("reference", "")
        transaction(lambda: refunding.confirm_by_hand(refund_id, reference))
        return _("退款已登记为完成")

    return _act(number, confirm)


@routes.post("/admin/orders/<number>/refunds/<int:refund_id>/sending")
@staff("orders.refund", step_up=True)
def create_refund_sending(number: str, refund_id: int) -> Response:
    """Send a refused refund once more."""

    def send(order: Order) -> str:
        _check_refund(order, refund_id)
        transaction(lambda: refunding.send_again(refund_id))
        return _("已重新提交退款")

    return _act(number, send)


@routes.post("/admin/orders/<number>/codes/<int:code_id>/replacement")
@staff("orders.replace", step_up=True)
def create_replacement(number: str, code_id: int) -> Response:
    """Void a bad code and give the buyer another."""

    def replace(order: Order) -> str:
        code = _code_of(order, code_id)
        reason = request.form.get("reason", "")
        today = clock.today(preferences.get().zone)
        line_id = code.order_line_id or 0
        transaction(lambda: aftersales.replace_code(order.id, code_id, line_id, reason, today))
        return _("已作废坏卡并换上新的，买家在订单页可以看到")

    return _act(number, replace)


@routes.post("/admin/orders/<number>/codes/<int:code_id>/reveal")
@staff("codes.reveal", step_up=True)
def create_reveal(number: str, code_id: int) -> Response:
    """Show one code to a member of staff who says why."""
    order = queries.find(number)
    _code_of(order, code_id)
    reason, ip = request.form.get("reason", ""), client.address()
    buyer = order.contact_index

    try:
        secret = watching.reveal_to_staff(code_id, buyer, reason=reason, ip=ip)
    except Refusal as refusal:
        return _refused(order, refusal)
    return page(queries.find(number), revealed={code_id: split_content(secret.reveal())})


@routes.post("/admin/orders/<number>/problems/<int:problem_id>/answer")
@staff("orders.serve")
def create_answer(number: str, problem_id: int) -> Response:
    def answer(order: Order) -> str:
        if problem_id not in {problem.id for problem in queries.problems_of(order.id)}:
            raise NotFound
        text = request.form.get("answer", "").strip() or request.form.get("canned", "")
        transaction(lambda: service.answer_problem(problem_id, text))
        return _("已回复，买家在订单页可以看到")

    return _act(number, answer)


def page(
    order: Order,
    *,
    revealed: dict[int, object] | None = None,
    link: str = "",
    status: int = 200,
) -> Response:
    """One order: what it is, what happened, and what this member of staff may do now."""
    lines = queries.lines_of(order.id)
    codes = vault_queries.codes_of([line.id for line in lines])
    response = render(
        "admin/orders/show.html",
        status=status,
        order=order,
        lines=lines,
        codes={line.id: [c for c in codes if c.order_line_id == line.id] for line in lines},
        revealed=revealed or {},
        link=link,
        payments=queries.payments_of(order.id),
        refunds=queries.refunds_of(order.id),
        problems=queries.problems_of(order.id),
        channel_title=channels.title,
        recharges=recharges.of_order([line.id for line in lines]),
        uses=redemptions.uses_of_lines([line.id for line in lines]),
        canned=_canned(),
        decisions=decisions.of_order(order.id) if current_user.may("risk.view") else [],
        case=cases.of_order(order.id),
        checkpoints=dict(risk_words.checkpoints()),
        timeline=timeline_of(order),
    )
    response.headers["Cache-Control"] = "no-store"
    return response


def _canned() -> list[tuple[str, str]]:
    """What support says often, as options."""
    lines = preferences.get().canned_replies.splitlines()
    return [(line.strip(), line.strip()) for line in lines if line.strip()]


def _act(number: str, deed: Callable[[Order], str]) -> Response:
    """Do it and come back to the order, with a word on what was done or why not."""
    order = queries.find(number)
    try:
        flash(deed(order), "good")
    except Refusal as refusal:
        return _refused(order, refusal)
    return redirect(url_for("admin.orders.show", number=number), 303)  # type: ignore[return-value]


def _refused(order: Order, refusal: Refusal) -> Response:
    session.rollback()
    flash(words(refusal), "bad")
    return page(queries.find(order.number), status=refusal.status)


def _amount() -> int:
    try:
        amount = fen(request.form.get("amount", ""))
    except ValueError:
        amount = 0
    if not 0 < amount <= MOST:
        raise Refusal(N_("请填写金额，例如 12.50"), field="amount")
    return amount


def _check_refund(order: Order, refund_id: int) -> None:
    if refund_id not in {refund.id for refund in queries.refunds_of(order.id)}:
        raise NotFound


def _code_of(order: Order, code_id: int) -> Code:
    code = session.get(Code, code_id)
    if code is None or code.order_line_id not in {line.id for line in order.lines}:
        raise NotFound
    return code
