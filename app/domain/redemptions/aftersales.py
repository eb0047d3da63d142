"""Refunds and replacements of what may have been used: what support does goes through here.

An order does not know what its codes were redeemed for; whoever gives money or a fresh code back
has to ask that first, or the buyer has the benefit and the money.
"""

from datetime import date

from app.core.errors import N_, Conflict
from app.domain.orders import queries as orders
from app.domain.orders import refunding
from app.domain.orders import service as orders_service
from app.domain.orders.models import Refund
from app.domain.redemptions import queries
from app.domain.redemptions.models import RedemptionState


def request_refund(order_id: int, line_id: int, amount: int, reason: str) -> Refund:
    """As `refunding.request_refund`, but not while a code of the line is being redeemed: its
    benefit may still arrive. Raises Refusal, Conflict."""
    orders.lock(order_id)
    if any(use.state == RedemptionState.PENDING for use in queries.uses_of_lines([line_id])):
        raise Conflict(N_("卡密正在兑换，有了结果才能退款；兑换失败会把卡密还给买家"))
    return refunding.request_refund(order_id, line_id, amount, reason)


def replace_code(order_id: int, code_id: int, line_id: int, reason: str, today: date) -> None:
    """As `orders.service.replace_code`, for a code that was never used: a fresh pass for one that
    is half used up is a gift. Raises Refusal, Conflict, NotFound."""
    orders.lock(order_id)
    if queries.uses_of(code_id):
        raise Conflict(N_("这条卡密已经用过，不能换新。可以部分退款，或给买家补发一件"))
    orders_service.replace_code(order_id, code_id, line_id, reason, today)


def was_used(line_id: int) -> bool:
    """Whether a use of one of the line's codes counts."""
    return any(use.counts for use in queries.uses_of_lines([line_id]))
