"""How orders are found, for whom, and locked."""

from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import joinedload, selectinload

from app.core import db, ids, keys
from app.core.crypto import Secret
from app.core.db import session
from app.core.errors import N_, NotFound
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.orders.models import (
    Order,
    OrderLine,
    OrderState,
    Payment,
    PaymentState,
    Problem,
    ProblemState,
    Refund,
)
from app.domain.orders.rules import UNPAID

_ORDERS = db.table_of(Order)
_FIND = (
    sa.select(Order)
    .where(Order.number == sa.bindparam("number"))
    .options(joinedload(Order.lines).joinedload(OrderLine.product, innerjoin=True))
)


def find(number: str) -> Order:
    """The order with its lines; raises NotFound. Who may see it is the caller's to decide."""
    order = session.scalars(_FIND, {"number": number}).unique().one_or_none()
    if order is None:
        raise NotFound(N_("没有找到这个订单"))
    return order


def find_by_token(token: str) -> Order:
    """The order a link leads to; raises NotFound."""
    order = session.scalar(sa.select(Order).where(Order.token_hash == ids.hash_token(token)))
    if order is None:
        raise NotFound(N_("这个订单链接无效"))
    return order


_BY_CHECKOUT_KEY = sa.select(Order.__table__.c.id).where(
    Order.__table__.c.checkout_key == sa.bindparam("key")
)


def find_by_checkout_key(checkout_key: bytes) -> Order | None:
    """The order this very form has already made."""
    found = db.execute(_BY_CHECKOUT_KEY, {"key": checkout_key}).scalar()
    return None if found is None else session.get_one(Order, found)


def find_unpaid(
    numbers: Sequence[str],
    contact_index: bytes,
    product_id: int,
    quantity: int,
    unit_price: int,
    now: datetime,
) -> Order | None:
    """The newest order of `numbers` for just this that can still be paid."""
    found = (
        sa.select(Order)
        .join(OrderLine)
        .where(
            Order.number.in_(numbers),
            Order.contact_index == contact_index,
            Order.state == OrderState.PENDING,
            Order.pickup_hash.is_(None),
            Order.expires_at > now,
            OrderLine.product_id == product_id,
            OrderLine.quantity == quantity,
            OrderLine.unit_price == unit_price,
        )
        .order_by(Order.id.desc())
    )
    return session.scalars(found).first()


def lock(order_id: int) -> Order:
    """The order, locked and read afresh. Locks are taken order first, then payment, then codes."""
    return session.get_one(Order, order_id, with_for_update=True, populate_existing=True)


_WITH_PAYMENT = (
    sa.select(Order, Payment)
    .join(Payment, Payment.order_id == Order.id)
    .where(Payment.number == sa.bindparam("number"))
    .with_for_update()
    .execution_options(populate_existing=True)
)


def lock_with_payment(number: str) -> tuple[Order, Payment] | None:
    """A payment and its order by the payment's number, both locked and read afresh."""
    row = session.execute(_WITH_PAYMENT, {"number": number}).first()
    return (row[0], row[1]) if row else None


_LINES_OF = (
    sa.select(OrderLine)
    .where(OrderLine.order_id == sa.bindparam("order_id"))
    .order_by(OrderLine.id)
)


def lines_of(order_id: int) -> list[OrderLine]:
    return list(session.scalars(_LINES_OF, {"order_id": order_id}))


def payments_of(order_id: int) -> list[Payment]:
    """Every attempt to pay an order, the newest first."""
    return list(
        session.scalars(
            sa.select(Payment).where(Payment.order_id == order_id).order_by(Payment.id.desc())
        )
    )


def seal_account(order: Order, account: RechargeAccount) -> bytes:
    """The account that a line recharges, sealed to its order."""
    return keys.seal_personal(account.value, "order_lines", "account", order.number)


def open_account(order: Order, sealed: bytes) -> Secret:
    """The inverse of `seal_account`; raises Tampered."""
    return keys.open_personal(sealed, "order_lines", "account", order.number)


def open_payment(order_id: int) -> Payment | None:
    """The payment that the buyer can still complete."""
    return session.scalar(
        sa.select(Payment)
        .where(Payment.order_id == order_id, Payment.state == PaymentState.PENDING)
        .order_by(Payment.id.desc())
    )


def refunds_of(order_id: int) -> list[Refund]:
    return list(
        session.scalars(
            sa.select(Refund)
            .join(Payment, Payment.id == Refund.payment_id)
            .where(Payment.order_id == order_id)
            .order_by(Refund.id)
        )
    )


_IS_CONTACT = sa.case((Order.contact_index == sa.bindparam("contact"), 1), else_=0)
_IS_NETWORK = sa.case((Order.network == sa.bindparam("network"), 1), else_=0)
_UNPAID_HOLDS = (
    sa.select(
        sa.func.count(sa.distinct(sa.case((_IS_CONTACT == 1, Order.id)))),
        sa.func.coalesce(sa.func.sum(_IS_CONTACT * OrderLine.quantity), 0),
        sa.func.count(sa.distinct(sa.case((_IS_NETWORK == 1, Order.id)))),
        sa.func.coalesce(sa.func.sum(_IS_NETWORK * OrderLine.quantity), 0),
    )
    .select_from(_ORDERS.join(db.table_of(OrderLine)))
    .where(
        Order.state.in_(UNPAID),
        sa.or_(
            Order.contact_index == sa.bindparam("contact"),
            Order.network == sa.bindparam("network"),
        ),
    )
)


def unpaid_holds(contact_index: bytes, network: str) -> tuple[tuple[int, int], tuple[int, int]]:
    """How many unpaid orders and units a contact holds, and how many its network does."""
    row = db.execute(_UNPAID_HOLDS, {"contact": contact_index, "network": network}).one()
    orders, units, orders_of_network, units_of_network = map(int, row)
    return (orders, units), (orders_of_network, units_of_network)


def bought_before(contact_index: bytes, product_id: int) -> int:
    """How many of a product this contact has bought or is about to."""
    count = session.scalar(
        sa.select(sa.func.coalesce(sa.func.sum(OrderLine.quantity), 0))
        .join(Order, Order.id == OrderLine.order_id)
        .where(
            Order.contact_index == contact_index,
            OrderLine.product_id == product_id,
            Order.state.not_in([OrderState.EXPIRED, OrderState.CANCELLED, OrderState.REFUNDED]),
        )
    )
    return int(count or 0)


def orders_by_numbers(numbers: Sequence[str]) -> list[Order]:
    """The orders this browser has in hand, the newest first."""
    if not numbers:
        return []
    return list(
        session.scalars(
            sa.select(Order)
            .where(Order.number.in_(numbers))
            .options(selectinload(Order.lines))
            .order_by(Order.id.desc())
        )
    )


def orders_of(person_id: int, *, limit: int = 100) -> list[Order]:
    """A signed-in buyer's orders, the newest first; what she trades in is in the portal."""
    return list(
        session.scalars(
            sa.select(Order)
            .where(Order.person_id == person_id, Order.balance_of == "")
            .options(selectinload(Order.lines))
            .order_by(Order.id.desc())
            .limit(limit)
        )
    )


_PROBLEMS_OF = (
    sa.select(Problem).where(Problem.order_id == sa.bindparam("order_id")).order_by(Problem.id)
)


def problems_of(order_id: int) -> list[Problem]:
    return list(session.scalars(_PROBLEMS_OF, {"order_id": order_id}))


def open_problem(order_id: int) -> Problem | None:
    return session.scalar(
        sa.select(Problem).where(Problem.order_id == order_id, Problem.state == ProblemState.OPEN)
    )


_PAYMENTS = db.table_of(Payment)
_OF_TRADE = sa.select(_PAYMENTS.c.id).where(
    _PAYMENTS.c.channel == sa.bindparam("channel"),
    _PAYMENTS.c.trade_number == sa.bindparam("trade_number"),
)


def payment_of_trade(channel: str, trade_number: str) -> int | None:
    """Which payment a channel's trade has paid already."""
    named = {"channel": channel, "trade_number": trade_number}
    found: int | None = db.execute(_OF_TRADE, named).scalar()
    return found
