"""What waits for a person: counted in one place, each count a link to just what it counts."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa
from flask import url_for
from flask_babel import gettext as _
from flask_login import current_user

from app.core import clock
from app.core.db import session
from app.core.errors import N_
from app.core.outbox import OutboxRow, OutboxState
from app.domain.catalog import preferences
from app.domain.catalog.models import Product, ProductKind, ProductState, RechargeProvider
from app.domain.channels.models import Distributor, DistributorState
from app.domain.orders.models import (
    Order,
    OrderLine,
    OrderState,
    Payment,
    PaymentState,
    Problem,
    ProblemState,
    Refund,
    RefundState,
)
from app.domain.orders.statement_models import ChannelRowState, ChannelStatementRow
from app.domain.payouts.models import Withdrawal, WithdrawalState
from app.domain.payouts.paper_models import Invoice, InvoiceState, StatementAnswer
from app.domain.payouts.statements import is_disputed
from app.domain.recharges.models import (
    Attempt,
    Recharge,
    RechargeState,
    StatementRow,
    StatementRowState,
)
from app.domain.risk import cases
from app.domain.vault import exporting, stock
from app.domain.vault.alarm_models import Alarm, AlarmState
from app.domain.vault.export_models import ExportState
from app.providers import payments

FRESH_FOR = 5.0
# A delivery takes a second; one that takes this long will not happen by itself.
DELIVERY_OVERDUE = timedelta(minutes=2)
# A threshold above this still counts as this many: counting further would cost more than it tells.
MOST_COUNTED = 1000


@dataclass(frozen=True)
class Task:
    """Something for staff to do: how many of it there are, and where."""

    label: str
    count: int
    url: str
    tone: str


def _with_open_problem() -> sa.ColumnElement[bool]:
    open_problems = sa.select(Problem.order_id).where(Problem.state == ProblemState.OPEN)
    return Order.id.in_(open_problems)


def _with_refund_for_staff() -> sa.ColumnElement[bool]:
    """Refused by its channel, or of a channel through which only a person can pay."""
    by_hand = sa.and_(
        Payment.channel.in_(_channels_by_hand()), Refund.state != RefundState.SUCCEEDED
    )
    waiting = (
        sa.select(Payment.order_id)
        .join(Refund, Refund.payment_id == Payment.id)
        .where(sa.or_(Refund.state == RefundState.REFUSED, by_hand))
    )
    return Order.id.in_(waiting)


def _with_transfer_to_confirm() -> sa.ColumnElement[bool]:
    waiting = sa.select(Payment.order_id).where(
        Payment.state == PaymentState.PENDING, Payment.channel.in_(_channels_by_hand())
    )
    return Order.id.in_(waiting)


def _undelivered() -> sa.ColumnElement[bool]:
    # A recharge takes as long as its provider does, and has a review of its own.
    has_codes_owed = sa.exists().where(
        OrderLine.order_id == Order.id,
        OrderLine.delivered_at.is_(None),
        OrderLine.kind != ProductKind.RECHARGE,
    )
    return sa.and_(
        Order.state.in_([OrderState.PAID, OrderState.FULFILLING]),
        Order.paid_at < clock.now() - DELIVERY_OVERDUE,
        has_codes_owed,
    )


@dataclass(frozen=True)
class Need:
    """A reason why an order needs somebody with this permission."""

    label: str
    permission: str
    tone: str
    condition: Callable[[], sa.ColumnElement[bool]]


NEEDS = {
    "problem": Need(N_("买家反馈的问题"), "orders.serve", "wait", _with_open_problem),
    "delivery": Need(N_("已付款未发货"), "orders.serve", "bad", _undelivered),
    "transfer": Need(N_("等待确认的转账"), "orders.confirm", "wait", _with_transfer_to_confirm),
    "refund": Need(N_("等待处理的退款"), "orders.refund", "wait", _with_refund_for_staff),
}


def options() -> list[tuple[str, str]]:
    """The reasons, for the filter `needs` of the list of orders."""
    return [(name, _(need.label)) for name, need in NEEDS.items()]


def needs(name: str) -> sa.ColumnElement[bool]:
    """True of an order that needs somebody for this reason."""
    return NEEDS[name].condition()


def low_on_stock() -> list[int]:
    """Ids of the products on sale of which no more are left than the line their merchant drew."""
    rows = session.execute(
        sa.select(Product.id, Product.low_stock_at).where(
            Product.state == ProductState.ON_SALE, Product.kind != ProductKind.RECHARGE
        )
    )
    wanted = {product_id: min(least, MOST_COUNTED) for product_id, least in rows}
    if not wanted:
        return []
    today = clock.today(preferences.get().zone)
    left = stock.stock_of(list(wanted), today, cap=max(wanted.values()))
    return [product_id for product_id, least in wanted.items() if left.get(product_id, 0) <= least]


def mine() -> Sequence[Task]:
    """What waits for the one who is signed in, by what their role may do."""
    return [task for permission, task in _tasks(_counts()) if current_user.may(permission)]


_counted: tuple[dict[str, int], float, object] | None = None


def forget() -> None:
    """Count anew the next time: somebody has just done something."""
    global _counted  # noqa: PLW0603
    _counted = None


def _counts() -> dict[str, int]:
    """The numbers as they were at most some seconds ago: every page of the console shows them."""
    global _counted  # noqa: PLW0603  one value a process, replaced whole
    bind = session.get_bind()
    if _counted is not None:
        counts, read_at, source = _counted
        if source is bind and time.monotonic() - read_at < FRESH_FOR:
            return counts
    counts = {
        name: _count(sa.select(Order.id).where(need.condition())) for name, need in NEEDS.items()
    }
    counts["stock"] = len(low_on_stock())
    counts["recharges"] = _count(
        sa.select(Recharge.id).where(Recharge.state == RechargeState.REVIEW)
    )
    counts["contradictions"] = _count(sa.select(Attempt.id).where(Attempt.contradiction != ""))
    counts["balances"] = _count(
        sa.select(RechargeProvider.id).where(
            RechargeProvider.is_on, RechargeProvider.balance < RechargeProvider.low_balance_at
        )
    )
    counts["statements"] = _count(
        sa.select(StatementRow.id).where(StatementRow.state == StatementRowState.DIFFERS)
    )
    counts["applications"] = _count(
        sa.select(Distributor.id).where(Distributor.state == DistributorState.APPLIED)
    )
    counts["cases"] = cases.count_open()
    counts["withdrawals"] = _withdrawals(WithdrawalState.REQUESTED)
    counts["payouts"] = _withdrawals(WithdrawalState.APPROVED)
    counts["returned"] = _withdrawals(WithdrawalState.RETURNED)
    counts["invoices"] = _count(
        sa.select(Invoice.id).where(Invoice.state == InvoiceState.SUBMITTED)
    )
    counts["disputes"] = _count(sa.select(StatementAnswer.id).where(is_disputed()))
    counts["channel_statements"] = _count(
        sa.select(ChannelStatementRow.id).where(
            ChannelStatementRow.state == ChannelRowState.DIFFERS
        )
    )
    counts["exports"] = exporting.count_waiting()
    counts["alarms"] = _count(sa.select(Alarm.id).where(Alarm.state == AlarmState.OPEN))
    counts["jobs"] = _count(sa.select(OutboxRow.id).where(OutboxRow.state == OutboxState.DEAD))
    _counted = (counts, time.monotonic(), bind)
    return counts


def _tasks(counts: dict[str, int]) -> list[tuple[str, Task]]:
    """Each task behind the permission it takes to do it."""
    of_orders = [
        (
            need.permission,
            Task(_(need.label), counts[name], url_for("admin.orders.index", needs=name), need.tone),
        )
        for name, need in NEEDS.items()
    ]
    stock_url = url_for("admin.products.index", stock="low")
    applications_url = url_for("admin.distributors.index", state=DistributorState.APPLIED)
    jobs_url = url_for("admin.health.show")
    review_url = url_for("admin.recharges.index", needs="review")
    alarms_url = url_for("admin.alarms.index", state=AlarmState.OPEN)
    exports_url = url_for("admin.exports.index", state=ExportState.REQUESTED)
    contradiction_url = url_for("admin.recharges.index", needs="contradiction")
    return [
        *of_orders,
        (
            "recharges.settle",
            Task(_("待人工核实的充值"), counts["recharges"], review_url, "bad"),
        ),
        (
            "recharges.settle",
            Task(_("供应商前后说法不一"), counts["contradictions"], contradiction_url, "bad"),
        ),
        (
            "providers.view",
            Task(
                _("余额不足的供应商"), counts["balances"], url_for("admin.providers.index"), "bad"
            ),
        ),
        (
            "statements.settle",
            Task(
                _("对账差异"),
                counts["statements"],
                url_for("admin.statements.index"),
                "wait",
            ),
        ),
        (
            "risk.review",
            Task(_("等待审核的订单"), counts["cases"], url_for("admin.cases.index"), "bad"),
        ),
        (
            "channels.manage",
            Task(_("待审核的分销商"), counts["applications"], applications_url, "wait"),
        ),
        *_of_payouts(counts),
        (
            "statements.settle",
            Task(
                _("渠道对账差异"),
                counts["channel_statements"],
                url_for("admin.channel_statements.index", state="differs"),
                "wait",
            ),
        ),
        ("codes.add", Task(_("库存不足的商品"), counts["stock"], stock_url, "wait")),
        ("exports.approve", Task(_("待批准的导出"), counts["exports"], exports_url, "wait")),
        ("alarms.view", Task(_("泄漏警报"), counts["alarms"], alarms_url, "bad")),
        ("health.view", Task(_("失败的任务"), counts["jobs"], jobs_url, "bad")),
    ]


def _of_payouts(counts: dict[str, int]) -> list[tuple[str, Task]]:
    def url(state: WithdrawalState) -> str:
        return url_for("admin.withdrawals.index", state=state)

    review, back = url(WithdrawalState.REQUESTED), url(WithdrawalState.RETURNED)
    invoices = url_for("admin.invoices.index", state=InvoiceState.SUBMITTED)
    disputes = url_for("admin.settlements.index", needs="answer")
    return [
        ("payouts.review", Task(_("待审核的提现"), counts["withdrawals"], review, "wait")),
        (
            "payouts.pay",
            Task(_("待打款的提现"), counts["payouts"], url_for("admin.payouts.index"), "wait"),
        ),
        ("payouts.pay", Task(_("被退回的提现"), counts["returned"], back, "bad")),
        ("payouts.review", Task(_("待核对的发票"), counts["invoices"], invoices, "wait")),
        ("payouts.review", Task(_("结算单异议"), counts["disputes"], disputes, "bad")),
    ]


def _withdrawals(state: WithdrawalState) -> int:
    return _count(sa.select(Withdrawal.id).where(Withdrawal.state == state))


def _channels_by_hand() -> list[str]:
    channels = payments.offered("CNY", has_bank_account=True)
    return [found.name for found in channels if found.is_confirmed_by_staff]


def _count(select: sa.Select[int]) -> int:
    return int(session.scalar(sa.select(sa.func.count()).select_from(select.subquery())) or 0)
