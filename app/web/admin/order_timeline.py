"""Everything that ever happened to an order, in one line of time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from flask_babel import gettext as _

from app.core.audit import AuditEntry
from app.core.db import session
from app.core.errors import N_
from app.core.states import StateChange
from app.domain.accounts.models import Person
from app.domain.messages import queries as messages
from app.domain.messages.models import Kind
from app.domain.orders import queries
from app.domain.orders.models import Order, PaymentEvent
from app.domain.recharges import queries as recharges
from app.domain.vault.models import Code, Reveal
from app.web.admin.actors import kind_words
from app.web.state_words import look_of

TITLES = {
    ("orders", "closing"): N_("订单开始关闭"),
    ("orders", "expired"): N_("订单过期，库存已放回"),
    ("orders", "cancelled"): N_("订单已取消，库存已放回"),
    ("orders", "paid"): N_("订单已付款"),
    ("orders", "held"): N_("暂缓发货，等待审核"),
    ("orders", "fulfilling"): N_("开始发货"),
    ("orders", "delivered"): N_("已发货"),
    ("orders", "refunding"): N_("开始退款"),
    ("orders", "refunded"): N_("订单已全额退款"),
    ("payments", "paid"): N_("收到款项"),
    ("payments", "closed"): N_("支付已在渠道关闭"),
    ("payments", "suspense"): N_("收到不能用于订单的款项"),
    ("payments", "refunded"): N_("款项已全部退回"),
    ("refunds", "sending"): N_("向渠道提交退款"),
    ("refunds", "unknown"): N_("退款结果未知，正在查询"),
    ("refunds", "succeeded"): N_("退款成功"),
    ("refunds", "refused"): N_("渠道拒绝退款"),
    ("codes", "void"): N_("作废一条卡密"),
    ("recharges", "running"): N_("充值提交给供应商"),
    ("recharges", "queued"): N_("供应商拒绝，换下一个"),
    ("recharges", "review"): N_("充值转人工核实"),
    ("recharges", "delivered"): N_("充值到账"),
    ("recharges", "failed"): N_("充值失败"),
    ("problems", "solved"): N_("已回复买家的问题"),
    ("problems", "open"): N_("问题重新打开"),
}
GOOD = {"paid", "delivered", "succeeded", "solved"}
BAD = {"suspense", "refused", "review", "failed"}
AUDITED = {
    "attribution.correct": N_("店员更正订单归属"),
    "order.undelivered": N_("没能发货"),
    "order.deliver": N_("店员重新发货"),
    "order.link": N_("店员补发订单链接"),
    "payment.confirm": N_("店员确认到账"),
    "payment.ignored": N_("渠道通知说的是另一笔钱，没有入账，请到渠道后台核对"),
    "order.refund": N_("店员申请退款"),
    "refund.confirm": N_("店员登记退款完成"),
    "refund.resend": N_("店员重新提交退款"),
    "code.replace": N_("店员更换坏卡"),
    "recharge.account": N_("充值账号已更正"),
    "recharge.contradiction": N_("供应商前后说法不一"),
    "recharge.give_up": N_("店员放弃充值并退款"),
    "recharge.mark_delivered": N_("店员标记已到账"),
    "recharge.reroute": N_("店员改走下一个供应商"),
}
VERDICTS = {
    "already": N_("渠道重复通知，已忽略"),
    "mismatch": N_("渠道通知的金额不符"),
    "late": N_("订单关闭后到账"),
    "second": N_("同一订单重复付款"),
}
TOLD = {
    Kind.PAID: N_("告诉买家：已付款"),
    Kind.ARRIVED: N_("告诉买家：已到货"),
    Kind.FAILED: N_("告诉买家：没能送达，正在退款"),
    Kind.REFUNDED: N_("告诉买家：退款已退回"),
    Kind.LOW_BALANCE: N_("告诉分销商：进货余额不多了"),
    Kind.GIVEN_BACK: N_("告诉买家：兑换没有成功，次数已退回"),
    Kind.REPLACED: N_("告诉买家：可能泄漏的卡密已换新"),
    Kind.EXPIRING: N_("告诉买家：快到期了"),
}
CHANNELS = {"smtp": N_("邮件"), "sms": N_("短信"), "console": N_("写入日志")}


@dataclass(frozen=True)
class Entry:
    """One moment, in the words of the component `timeline`."""

    at: datetime
    title: str
    tone: str
    actor: str
    note: str


def timeline_of(order: Order) -> list[Entry]:
    """Newest first."""
    payments = [payment.id for payment in queries.payments_of(order.id)]
    refunds = [refund.id for refund in queries.refunds_of(order.id)]
    lines = [line.id for line in queries.lines_of(order.id)]
    codes = list(session.scalars(sa.select(Code.id).where(Code.order_line_id.in_(lines))))
    problems = [problem.id for problem in queries.problems_of(order.id)]
    subjects = {
        "orders": [order.id],
        "payments": payments,
        "refunds": refunds,
        "codes": codes,
        "problems": problems,
        "recharges": [recharge.id for recharge in recharges.of_order(lines)],
    }
    names = _names()
    entries = [
        *_steps(subjects, names),
        *_acts(subjects, names),
        *_reveals(lines, names),
        *_messages(payments),
        *_told(order),
        Entry(order.created_at, _("下单"), "", "", ""),
    ]
    return sorted(entries, key=lambda entry: entry.at, reverse=True)


def _steps(subjects: dict[str, list[int]], names: dict[str, str]) -> Iterator[Entry]:
    found = session.scalars(sa.select(StateChange).where(_about(StateChange, subjects)))
    for step in found:
        title = TITLES.get((step.subject, step.to_state))
        if title:
            tone = "good" if step.to_state in GOOD else "bad" if step.to_state in BAD else ""
            yield Entry(step.at, _(title), tone, _who(step.actor, names), step.note)


def _acts(subjects: dict[str, list[int]], names: dict[str, str]) -> Iterator[Entry]:
    found = session.scalars(
        sa.select(AuditEntry).where(
            _about(AuditEntry, subjects), AuditEntry.action.in_(list(AUDITED))
        )
    )
    for act in found:
        tone = "bad" if act.action in ("order.undelivered", "payment.ignored") else ""
        yield Entry(act.at, _(AUDITED[act.action]), tone, _who(act.actor, names), act.reason)


def _reveals(lines: Sequence[int], names: dict[str, str]) -> Iterator[Entry]:
    for seen in session.scalars(sa.select(Reveal).where(Reveal.order_line_id.in_(lines))):
        words = (
            _("店员查看卡密") if seen.by_staff else _("买家查看卡密 %(n)s 条", n=seen.code_count)
        )
        note = f"{seen.ip} {seen.reason}".strip()
        yield Entry(seen.at, words, "", _who(seen.actor, names), note)


def _messages(payments: Sequence[int]) -> Iterator[Entry]:
    found = session.scalars(
        sa.select(PaymentEvent).where(
            PaymentEvent.payment_id.in_(payments), PaymentEvent.verdict.in_(list(VERDICTS))
        )
    )
    for event in found:
        tone = "" if event.verdict == "already" else "bad"
        yield Entry(event.received_at, _(VERDICTS[event.verdict]), tone, "", event.trade_number)


def _told(order: Order) -> Iterator[Entry]:
    for message in messages.of_order(order.id):
        look = look_of("message", message.state)
        tone = look.tone if look.tone in ("good", "wait", "bad") else ""
        way = _(CHANNELS.get(message.channel, message.channel))
        parts = (look.word, way, message.recipient_masked, message.reason)
        note = " · ".join(part for part in parts if part)
        yield Entry(message.sent_at or message.created_at, _(TOLD[message.kind]), tone, "", note)


def _about(
    model: type[StateChange] | type[AuditEntry], subjects: dict[str, list[int]]
) -> sa.ColumnElement[bool]:
    return sa.or_(
        *(
            sa.and_(model.subject == subject, model.subject_id.in_(ids))
            for subject, ids in subjects.items()
            if ids
        )
    )


def _names() -> dict[str, str]:
    """Staff by actor, for the few there are."""
    rows = session.execute(sa.select(Person.id, Person.name).where(Person.role.is_not(None)))
    return {f"person:{person_id}": name for person_id, name in rows}


def _who(actor: str, names: dict[str, str]) -> str:
    if actor in names:
        return names[actor]
    # Whoever is not staff and acts on an order is its buyer, signed in or not.
    is_buyer = actor.partition(":")[0] in ("guest", "person")
    return _("买家") if is_buyer else kind_words(actor)
