"""Plain functions that make distributors and what they earn: the rows and the books alike."""

import itertools
from datetime import datetime, timedelta

import sqlalchemy as sa

from app.core import clock, ids
from app.core.db import session, transaction
from app.domain.accounts.models import Person
from app.domain.catalog.models import Product
from app.domain.channels.models import (
    Attribution,
    AttributionRule,
    Commission,
    CommissionState,
    Distributor,
    DistributorState,
    Tier,
)
from app.domain.ledger import service as ledger
from app.domain.orders.models import Order
from tests import factories, people

WAITING = (CommissionState.HOLDING, CommissionState.ON_HOLD)
TRACE = [
    {"kind": "rule", "rule": 1, "scope": "DEFAULT", "verdict": "won"},
    {"kind": "step", "name": "percent", "value": 1250, "amount": 375},
    {"kind": "step", "name": "cap_per_order", "value": 300, "amount": 300},
]
_numbers = itertools.count(1)


def distributor(person: Person | None = None, **values: object) -> Distributor:
    """Somebody who sells, in the lowest tier."""
    person_id = (person or people.make()).id

    def make() -> Distributor:
        made = Distributor(
            **{
                "uid": ids.token(),
                "code": f"LAN{next(_numbers):04d}",
                "person_id": person_id,
                "tier_id": lowest_tier().id,
                "state": DistributorState.ACTIVE,
                "name": "阿岚",
                "approved_at": clock.now(),
            }
            | values
        )
        session.add(made)
        session.flush()
        return made

    return transaction(make)


def lowest_tier() -> Tier:
    """The tier of threshold 0, made if it is not there; within a unit of work."""
    found = session.scalar(sa.select(Tier).where(Tier.threshold == 0))
    if found is None:
        found = Tier(name="普通", threshold=0)
        session.add(found)
        session.flush()
    return found


def attributed(product: Product, seller: Distributor) -> Order:
    """A delivered order of somebody's that is hers."""
    order = factories.buy(product)
    order_id, seller_id = order.id, seller.id

    def attribute() -> None:
        session.add(
            Attribution(
                order_id=order_id,
                distributor_id=seller_id,
                rule=AttributionRule.CLICK,
                evidence={},
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
