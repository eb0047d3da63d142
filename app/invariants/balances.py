"""Distributors' balances for purchases: what was paid in, less what was bought."""

import sqlalchemy as sa

from app.core.db import session
from app.domain.catalog.models import ProductKind
from app.domain.ledger.models import LedgerAccount, LedgerBalance
from app.domain.ledger.queries import has_prefix
from app.domain.orders.models import Order, OrderLine, Payment
from app.domain.orders.rules import BALANCE, balance_account


def balances_are_what_was_paid_in(_full: bool) -> tuple[int, int]:
    """Each account is its top-ups less its purchases, both after refunds."""
    booked = _by_key(
        sa.select(LedgerAccount.code, -LedgerBalance.balance)
        .join(LedgerBalance, LedgerBalance.account_id == LedgerAccount.id)
        .where(has_prefix(BALANCE))
    )
    paid_in = _by_key(
        sa.select(Order.balance_of, sa.func.sum(OrderLine.amount - OrderLine.refunded))
        .join(OrderLine, OrderLine.order_id == Order.id)
        .where(OrderLine.kind == ProductKind.BALANCE, OrderLine.delivered_at.is_not(None))
        .group_by(Order.balance_of)
    )
    bought = _by_key(
        sa.select(Order.balance_of, sa.func.sum(Payment.received - Payment.refunded))
        .join(Payment, Payment.order_id == Order.id)
        .where(Payment.channel == BALANCE)
        .group_by(Order.balance_of)
    )
    due = {
        balance_account(uid): paid_in.get(uid, 0) - bought.get(uid, 0)
        for uid in paid_in.keys() | bought.keys()
    }
    codes = booked.keys() | due.keys()
    return len(codes), sum(booked.get(code, 0) != due.get(code, 0) for code in codes)


def _by_key(found: sa.Select[str, int]) -> dict[str, int]:
    return {key: int(amount) for key, amount in session.execute(found)}
