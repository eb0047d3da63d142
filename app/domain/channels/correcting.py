"""Whose order it is, put right by staff: with a reason, audited, and its commission follows."""

from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from app.core import audit, clock
from app.core.actors import actor
from app.core.db import require_transaction, session
from app.core.errors import N_, Conflict, Refusal
from app.core.outbox import hasten, later
from app.domain.channels import attribution
from app.domain.channels.models import (
    Attribution,
    AttributionRule,
    Commission,
    CommissionState,
    Distributor,
    DistributorState,
)
from app.domain.orders import queries
from app.domain.orders.models import Order

# From here on the money is on its way out.
TOO_LATE = (CommissionState.SETTLING, CommissionState.PAID, CommissionState.CLAWED_BACK)


@dataclass(frozen=True)
class Correction:
    """What staff decided about an order: whose it is (None: nobody's), and why."""

    distributor: Distributor | None
    reason: str = field(repr=False)


def correct(order_id: int, correction: Correction, ip: str = "") -> None:
    """Make it another distributor's order, or nobody's; audited, and its commission follows.

    Raises Refusal without a reason, Conflict once its commission is being paid out.
    """
    require_transaction()
    reason = correction.reason.strip()
    if not 2 <= len(reason) <= 200:
        raise Refusal(N_("请写明原因，2 到 200 个字"), field="reason")
    order = queries.lock(order_id)
    before = attribution.of_order(order.id)
    _check_correctable(order, before, correction.distributor)
    audit.record(
        "attribution.correct",
        "orders",
        order.id,
        reason=reason,
        ip=ip,
        distributor=[
            before.distributor.uid if before else None,
            correction.distributor.uid if correction.distributor else None,
        ],
    )
    if correction.distributor is None:
        session.delete(before)
        order.is_attributed = False
    else:
        _hand_over(order, before, correction.distributor)
    session.flush()
    key = f"correct_commission:{order.id}"
    later("app.domain.channels.jobs.settle_commission", order.id, key=key)
    # A second correction of the same order wants it once more.
    hasten(key)


def _check_correctable(
    order: Order, before: Attribution | None, distributor: Distributor | None
) -> None:
    if order.paid_at is None:
        raise Conflict(N_("订单付款后才能更正归属"))
    if (before.distributor_id if before else None) == (distributor.id if distributor else None):
        raise Refusal(N_("它现在就是这样归属的，不用更正"), field="code")
    if distributor is not None and distributor.state != DistributorState.ACTIVE:
        raise Refusal(N_("这位分销商没有启用，不能把订单归给她"), field="code")
    too_late = session.scalar(
        sa.select(Commission.id)
        .where(Commission.order_id == order.id, Commission.state.in_(TOO_LATE))
        .limit(1)
    )
    if too_late is not None:
        raise Conflict(N_("这个订单的佣金已经进入结算，不能再更正归属"))


def _hand_over(order: Order, before: Attribution | None, distributor: Distributor) -> None:
    """The same row, if there is one: the plan it was placed under and its device stay."""
    kept = before or Attribution(
        order_id=order.id, plan_id=attribution.plan_at(order.created_at), evidence={}
    )
    evidence: dict[str, Any] = {"by": actor(), "at": clock.now().isoformat()}
    if before is not None:
        evidence["before"] = {"rule": before.rule, "distributor_id": before.distributor_id}
    if "device" in kept.evidence:
        evidence["device"] = kept.evidence["device"]
    kept.distributor_id = distributor.id
    kept.rule = AttributionRule.MANUAL
    kept.click_id, kept.campaign, kept.evidence = None, "", evidence
    kept.earns_nothing_because = attribution.own_purchase(order, distributor, ())
    order.is_attributed = True
    session.add(kept)
