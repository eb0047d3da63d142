"""Decisions about orders that need no database."""

from datetime import datetime, timedelta

from app.domain.catalog.models import ProductKind
from app.domain.orders.models import Order, OrderLine, OrderState, Payment

# What a payment's channel is called that takes from a distributor's balance: no provider has it.
BALANCE = "balance"

# Money for an order that has closed still buys it for so long, if stock allows; then it goes back.
LATE_MONEY_DELIVERS = timedelta(hours=12)

# When a channel is asked about a payment that it has not called back about.
QUERY_AFTER = tuple(timedelta(seconds=s) for s in (15, 45, 120, 300, 900))
QUERY_EVERY = timedelta(minutes=15)
# While a channel does not answer to "close", it is asked again this often and stock stays held.
CLOSE_AGAIN = timedelta(seconds=30)

UNPAID = (OrderState.PENDING, OrderState.CLOSING)
CLOSED = (OrderState.EXPIRED, OrderState.CANCELLED)
TAKES_MONEY = (*UNPAID, *CLOSED)
REFUNDABLE = (OrderState.PAID, OrderState.FULFILLING, OrderState.DELIVERED, OrderState.REFUNDING)


def next_query(created_at: datetime, queries: int, expires_at: datetime) -> datetime:
    """When to ask a channel for the (queries + 1)-th time; at the deadline at the latest."""
    if queries < len(QUERY_AFTER):
        at = created_at + QUERY_AFTER[queries]
    else:
        at = created_at + QUERY_AFTER[-1] + QUERY_EVERY * (queries - len(QUERY_AFTER) + 1)
    return min(at, expires_at)


def late_money_delivers(order: Order, now: datetime) -> bool:
    """Whether money that came after an order's end may still buy it."""
    return order.state in CLOSED and now - order.expires_at <= LATE_MONEY_DELIVERS


def refundable(amount: int, refunded: int) -> int:
    """What can still be sent back of a line, in minor units."""
    return amount - refunded


def holds_money_of(order: Order, payment: Payment) -> str:
    """The account that a payment was made into: a channel's, or the distributor's own balance."""
    is_own = payment.channel == BALANCE
    return balance_account(order.balance_of) if is_own else f"channel:{payment.channel}"


def earned_by(order: Order, line: OrderLine) -> str:
    """The account that a delivered line adds to. A top-up is owed to her who paid it: a liability,
    and never a sale."""
    return balance_account(order.balance_of) if line.kind == ProductKind.BALANCE else "sales"


def balance_account(uid: str) -> str:
    """A distributor's balance for purchases, in the ledger."""
    return f"balance:{uid}"


def is_owed(line: OrderLine) -> bool:
    """Whether a paid line still waits for what it bought: not delivered, not refunded in full."""
    return line.delivered_at is None and line.refunded < line.amount
