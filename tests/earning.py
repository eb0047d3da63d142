"""Plain functions that make distributors and what they earn: the rows and the books alike."""

from datetime import datetime, timedelta

from app.core import clock
from app.core.db import session, transaction
from app.domain.catalog.models import Product
from app.domain.channels import attribution, plans, rules, terms
from app.domain.channels.models import (
    Attribution,
    AttributionRule,
    Commission,
    CommissionState,
    Distributor,
    Rule,
)
from app.domain.channels.rules import WHOLE_BP, Candidate, Earner, Earning, Sale
from app.domain.ledger import service as ledger
from app.domain.orders import queries as orders
from app.domain.orders.models import Order, OrderLine
from tests import channels, factories

WAITING = (CommissionState.HOLDING, CommissionState.ON_HOLD)


def attributed(product: Product, seller: Distributor) -> Order:
    """A delivered order of somebody's that is hers."""
    return attribute(factories.buy(product), seller)


def attribute(order: Order, seller: Distributor) -> Order:
    """The order is hers by her code."""
    order_id, seller_id, code = order.id, seller.id, seller.code

    def add() -> None:
        session.add(
            Attribution(
                order_id=order_id,
                distributor_id=seller_id,
                plan_id=attribution.plan_at(clock.now()),
                rule=AttributionRule.REFERRAL_CODE,
                evidence={"code": code, "at": clock.now().isoformat()},
            )
        )

    transaction(add)
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
    line, order_id = orders.lines_of(order.id)[0], order.id
    draft = channels.draft({"percent_bp": WHOLE_BP, "cap_per_order": amount})
    rule = plans.find(draft.id).rules[0]
    earned = _earning(rule, line, seller)
    at = earned_at or clock.now()
    is_booked = state != CommissionState.PENDING

    def make() -> Commission:
        made = Commission(
            order_id=order_id,
            order_line_id=line.id,
            distributor_id=seller_id,
            level=1,
            state=state,
            rule_id=rule.id,
            trace=earned.trace(),
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


def _earning(rule: Rule, line: OrderLine, seller: Distributor) -> Earning:
    """What the rule alone gives for the line, with all it came from."""
    sale, of_rule = Sale(line.amount, line.quantity), terms.of_rule(rule)
    amount, steps = rules.amount(of_rule, sale)
    won = Candidate(rule.id, of_rule.scope, "won")
    earner = Earner(1, seller.id, seller.tier_id)
    return Earning(line.id, earner, of_rule, (won,), sale, amount, steps)
