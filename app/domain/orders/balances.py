"""Orders about a distributor's balance: a top-up, which fills it, and a purchase, which is paid
from it in the unit that places it.

A top-up is an order like any other, of one line that delivers money instead of a code. So whatever
a channel can do with an order's payment (call back twice, be asked, pay late, pay too much, send it
back) it can do with hers, by the same code.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from app.core import clock, ids
from app.core.db import require_transaction, session
from app.core.errors import N_, Refusal
from app.core.money import yuan
from app.domain.catalog.models import CODED, Product, ProductKind
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.catalog.service import top_up_product
from app.domain.ledger import queries as books
from app.domain.ledger.service import Insufficient
from app.domain.orders import placing, queries, settling
from app.domain.orders.models import Order, OrderLine, Payment
from app.domain.orders.placing import Holds, Placed, Purchase
from app.domain.orders.rules import BALANCE, balance_account
from app.domain.pricing.rules import Item, quote
from app.domain.vault import service as vault

# One order from a balance may have more than the product's own most, which keeps buyers from
# holding a shelf that they have not paid for: this is paid for in the same unit.
MOST = 500
# A bank transfer may take until the next day, and nothing is held meanwhile.
TOP_UP_LASTS = timedelta(hours=24)


@dataclass(frozen=True)
class Recipient:
    """Whose account gets how many."""

    account: RechargeAccount
    quantity: int


def top_up(purchase: Purchase, amount: int, name: str) -> Placed:
    """An order that puts `amount` (minor units) on a balance once it is paid.

    `name` is what the top-up is called in the buyer's language. The same form gives the same order.
    Raises Refusal when too many are unpaid already.
    """
    require_transaction()
    now = clock.now()
    product = top_up_product(name)
    named = replace(purchase, product_id=product.id, quantity=1, shown_price=amount)
    already = queries.find_by_checkout_key(placing.checkout_key(named))
    if already is not None:
        return Placed(already, placing.payment_again(already.id, named.channel, now), None)
    placing.check_hold_budget(named, Holds())
    item = Item(product.id, amount, 1)
    token = ids.token()
    order = placing.new_order(named, quote([item]), token, now + TOP_UP_LASTS)
    line = placing.new_line(order, product, item, None)
    line.product_name = name
    session.add_all([order, line])
    session.flush()
    return Placed(order, placing.add_payment(order, named.channel, now), token)


def buy(
    purchase: Purchase, discount_bp: int, recipients: Sequence[Recipient], today: date
) -> Order:
    """An order that is paid from its buyer's balance and delivered as any other, in this unit.

    A product without a code has a line for each recipient: a line is what a recharge is about, what
    fails by itself and what is refunded by itself. The same form gives the same order. Raises
    Refusal, Conflict, and changes nothing then; the money is missing with the field `balance`.
    """
    require_transaction()
    accounts = [f"{one.account.value}\n{one.quantity}" for one in recipients]
    already = queries.find_by_checkout_key(placing.checkout_key(purchase, *accounts))
    if already is not None:
        return already
    product = placing.product_on_sale(purchase.product_id)
    item = placing.agreed_item(product, purchase, discount_bp)
    _check_limits(product, purchase, recipients)
    now = clock.now()
    priced = quote([item], product.currency)
    order = placing.new_order(purchase, priced, ids.token(), now, *accounts)
    lines = _lines(order, product, item, recipients)
    session.add_all([order, *lines])
    session.flush()
    for line in lines:
        if line.kind in CODED:
            vault.reserve(line.id, product.id, line.quantity, today)
    _pay(order, now, today)
    return order


def _check_limits(product: Product, purchase: Purchase, recipients: Sequence[Recipient]) -> None:
    """How many a recharge may be of is said for one account, and was read with it."""
    is_recharge = product.kind == ProductKind.RECHARGE
    if is_recharge and not recipients:
        raise Refusal(N_("请填写要充值的账号"), field="accounts")
    placing.check_limits(product, purchase, MOST)
    for one in recipients:
        if not product.min_per_order <= one.quantity <= product.max_per_order:
            raise Refusal(
                N_("每个账号可以充 %(least)s 到 %(most)s 份"),
                field="accounts",
                least=product.min_per_order,
                most=product.max_per_order,
            )


def _lines(
    order: Order, product: Product, item: Item, recipients: Sequence[Recipient]
) -> list[OrderLine]:
    if product.kind != ProductKind.RECHARGE:
        return [placing.new_line(order, product, item, None)]
    return [
        placing.new_line(order, product, replace(item, quantity=one.quantity), one.account)
        for one in recipients
    ]


def _pay(order: Order, now: datetime, today: date) -> None:
    """Through the door that every payment comes through; nobody outside has to be asked."""
    payment = Payment(
        number=ids.number(now, 13),
        order_id=order.id,
        channel=BALANCE,
        currency=order.currency,
        amount=order.total,
        created_at=now,
    )
    session.add(payment)
    session.flush()
    receipt = settling.Receipt(
        channel=BALANCE,
        event_id=payment.number,
        number=payment.number,
        trade_number=payment.number,
        amount=payment.amount,
        currency=payment.currency,
        payer=order.balance_of,
        source=BALANCE,
    )
    try:
        settling.settle(receipt, today)
    except Insufficient:
        there = books.balance_of(balance_account(order.balance_of), order.currency)
        missing = yuan(order.total - there)
        raise Refusal(
            N_("余额不够，还差 %(missing)s 元。请先充值，再回来购买"),
            field="balance",
            missing=missing,
        ) from None
