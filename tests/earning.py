"""Plain functions that make distributors and what they earn: the rows and the books alike."""

from datetime import datetime, timedelta

from app.core import clock
from app.core.db import session, transaction
from app.domain.catalog.models import Product
from app.domain.channels import attribution
from app.domain.channels.models import (
    Attribution,
    AttributionRule,
    Commission,
    CommissionState,
    Distributor,
)
from app.domain.ledger import service as ledger
from app.domain.orders.models import Order
from tests import factories

WAITING = (CommissionState.HOLDING, CommissionState.ON_HOLD)
TRACE = [
    {"kind": "rule", "rule": 1, "scope": "DEFAULT", "verdict": "won"},
    {"kind": "step", "name": "percent", "value": 1250, "amount": 375},
    {"kind": "step", "name": "cap_per_order", "value": 300, "amount": 300},
]


def attributed(product: Product, seller: Distributor) -> Order:
    """A delivered order of somebody's that is hers."""
    order = factories.buy(product)
    order_id, seller_id, code = order.id, seller.id, seller.code

    def attribute() -> None:
        session.add(
            Attribution(
                order_id=order_id,
                distributor_id=seller_id,
                plan_id=attribution.plan_at(clock.now()),
                rule=AttributionRule.REFERRAL_CODE,
                evidence={"code": code, "at": clock.now().isoformat()},
            )
        )

    transaction(attribute)
    return factories.fresh(order)


def earn(
    order: Order,
    seller: Distributor,
    state: CommissionState = CommissionState.PAYABLE,
    amount: int = 300,
    *,
    earned_at: datetime | None = None,
    held_for: timedelta = timedelta(),
) -> Commission:
    """Her commission on an order's first line, booked unless the line is not delivered yet."""
    seller_id, uid = seller.id, seller.uid
    line, order_id = order.lines[0], order.id
    at = earned_at or clock.now()
    is_booked = state != CommissionState.PENDING

    def make() -> Commission:
        made = Commission(
            order_id=order_id,
            order_line_id=line.id,
            distributor_id=seller_id,
            level=1,
            state=state,
            trace=TRACE,
            base=line.amount,
            amount=amount,
            earned_at=at if is_booked else None,
            eligible_at=at + held_for if is_booked else None,
        )
        session.add(made)
        session.flush()
        if is_booked:
            account = f"commission_{'pending' if state in WAITING else 'payable'}:{uid}"
            ledger.post(
                f"commission:{made.id}:earned",
                "commission_earned",
                "commissions",
                made.id,
                {"commission": amount, account: -amount},
            )
        return made

    return transaction(make)


def take_back(one: Commission, seller: Distributor, amount: int) -> None:
    """A refund takes so much of a payable commission back."""
    one_id, uid = one.id, seller.uid

    def take() -> None:
        session.get_one(Commission, one_id).reversed += amount
        ledger.post(
            f"commission:{one_id}:reversed:{amount}",
            "commission_reversed",
            "commissions",
            one_id,
            {f"commission_payable:{uid}": amount, "commission": -amount},
        )

    transaction(take)
