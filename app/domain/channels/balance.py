"""A distributor's balance for purchases: what is there, its entries, topping it up, the notice.

The balance is the ledger's account `balance:<uid>` and nothing besides; what is on this page is
what is in the books.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from app.core.db import session
from app.core.errors import N_, Refusal
from app.core.money import LARGEST
from app.domain.channels import queries
from app.domain.channels.models import Distributor
from app.domain.ledger import queries as books
from app.domain.ledger.models import LedgerTransaction
from app.domain.ledger.queries import Entries, Wanted
from app.domain.orders import balances, telling
from app.domain.orders.models import Order, Payment
from app.domain.orders.placing import Placed, Purchase
from app.domain.orders.rules import balance_account

# Minor units.
LEAST_TOP_UP = 1_000
MOST_TOP_UP = 5_000_000
QUICK = (10_000, 50_000, 100_000, 500_000)


@dataclass(frozen=True)
class Account:
    """A page of a balance: its entries, and by transaction the order that each is about."""

    entries: Entries
    orders: Mapping[int, Order]


def of(uid: str) -> int:
    """What there is to buy from, in minor units."""
    return books.balance_of(balance_account(uid))


def is_low(distributor: Distributor) -> bool:
    """Whether there is less than she wants to be told of."""
    limit = distributor.low_balance_at
    return limit > 0 and of(distributor.uid) < limit


def account_of(uid: str, wanted: Wanted, size: int = books.PAGE) -> Account:
    """Her entries with the balance after each; empty before the first."""
    code = balance_account(uid)
    if not books.has_account(code):
        return Account(Entries(0), {})
    entries = books.entries_of(books.find_account(code), wanted, size)
    return Account(entries, _orders_of([line.transaction for line in entries.lines]))


def top_up(purchase: Purchase, amount: int, name: str) -> Placed:
    """An order that puts `amount` (minor units) on her balance once it is paid. Raises Refusal."""
    if not LEAST_TOP_UP <= amount <= MOST_TOP_UP:
        raise Refusal(
            N_("每次可以充值 %(least)s 到 %(most)s 元"),
            field="amount",
            least=LEAST_TOP_UP // 100,
            most=MOST_TOP_UP // 100,
        )
    return balances.top_up(purchase, amount, name)


def change_limit(distributor_id: int, limit: int) -> None:
    """Tell her when there is less than `limit` (minor units); 0 is never."""
    if limit > LARGEST:
        raise Refusal(N_("金额太大"), field="limit")
    queries.lock(distributor_id).low_balance_at = limit


def tell_if_low(distributor: Distributor, order: Order) -> None:
    """Ask for the message when this purchase brought the balance below her limit, and only this
    one: the next below it says nothing new."""
    limit, now = distributor.low_balance_at, of(distributor.uid)
    if now < limit <= now + order.total:
        telling.low_balance(order)


def _orders_of(transactions: Sequence[LedgerTransaction]) -> dict[int, Order]:
    """What each of these is about: an order, or a payment's order."""
    payments = [one.subject_id for one in transactions if one.subject == "payments"]
    found = sa.select(Payment.id, Payment.order_id).where(Payment.id.in_(payments))
    by_payment = dict(iter(session.execute(found)))
    order_ids = {
        one.id: by_payment[one.subject_id] if one.subject == "payments" else one.subject_id
        for one in transactions
    }
    of_ids = sa.select(Order).where(Order.id.in_(order_ids.values()))
    orders = {order.id: order for order in session.scalars(of_ids)}
    return {transaction_id: orders[order_id] for transaction_id, order_id in order_ids.items()}
