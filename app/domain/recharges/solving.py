"""A buyer's problem solved in one tap: the deed and the answer, in one unit.

Each solution is a deed that staff could do by hand on the order's page; what the deed refuses is
refused here too, and then nothing is answered.
"""

from datetime import date

from app.core.db import session
from app.core.errors import N_, Conflict, NotFound
from app.domain.orders import queries as orders
from app.domain.orders import service as orders_service
from app.domain.orders.models import Order, OrderLine, Problem
from app.domain.orders.rules import refundable
from app.domain.recharges import queries, service
from app.domain.redemptions import aftersales
from app.domain.redemptions import queries as redemptions
from app.domain.vault import queries as vault
from app.domain.vault.models import CodeState

REASON = "buyer's problem"


def replace_codes(problem_id: int, answer: str, today: date) -> None:
    """Void every code of the order that is not used, and give others; raises Refusal, Conflict."""
    order = _order_of(problem_id)
    bad = [
        (line, code)
        for line in orders.lines_of(order.id)
        for code in vault.codes_of([line.id])
        if code.state == CodeState.SOLD and not redemptions.uses_of(code.id)
    ]
    if not bad:
        raise Conflict(N_("这个订单没有可以更换的卡密"))
    for line, code in bad:
        aftersales.replace_code(order.id, code.id, line.id, _reason(problem_id), today)
    orders_service.answer_problem(problem_id, answer)


def refund_all(problem_id: int, answer: str) -> None:
    """Give back all that is left of the order's price; raises Refusal, Conflict."""
    order = _order_of(problem_id)
    left = [(line, refundable(line.amount, line.refunded)) for line in orders.lines_of(order.id)]
    if not any(amount for _, amount in left):
        raise Conflict(N_("这个订单已经全部退款"))
    if any(aftersales.was_used(line.id) for line, _ in left):
        raise Conflict(N_("这个订单的卡密已经用过，请核对后在下面手工退款"))
    for line, amount in left:
        if amount:
            aftersales.request_refund(order.id, line.id, amount, _reason(problem_id))
    orders_service.answer_problem(problem_id, answer)


def ask_providers(problem_id: int, answer: str) -> None:
    """Ask every provider about the order's open recharges at once; raises Conflict."""
    order = _order_of(problem_id)
    lines: list[OrderLine] = orders.lines_of(order.id)
    open_ones = [
        recharge
        for recharge in queries.of_order([line.id for line in lines])
        if recharge.state in service.BY_STAFF
    ]
    if not open_ones:
        raise Conflict(N_("这个订单没有进行中的充值"))
    for recharge in open_ones:
        service.query_now(recharge.id)
    orders_service.answer_problem(problem_id, answer)


def _order_of(problem_id: int) -> Order:
    problem = session.get(Problem, problem_id)
    if problem is None:
        raise NotFound
    return orders.lock(problem.order_id)


def _reason(problem_id: int) -> str:
    return f"{REASON} {problem_id}"
