"""From a filled-in product page to an order with codes held for it."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from app.core import clock, ids, keys
from app.core.crypto import context
from app.core.db import require_transaction, session
from app.core.errors import N_, Conflict, Refusal
from app.core.outbox import later
from app.domain.accounts.contacts import Contact
from app.domain.catalog import queries as catalog
from app.domain.catalog.models import (
    CODED,
    REDEEMABLE,
    Product,
    ProductKind,
    ProductState,
)
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.orders import queries, screening
from app.domain.orders.models import Order, OrderLine, OrderState, Payment, PaymentState
from app.domain.orders.rules import QUERY_AFTER
from app.domain.pricing.rules import Item, Quote, quote
from app.domain.risk.engine import Decided
from app.domain.risk.visits import Visit
from app.domain.vault import service as vault


@dataclass(frozen=True)
class Holds:
    """The hold budget: how much unpaid stock one contact and one network may keep from others.

    A network is many people behind one address of a phone company, so its budget is wide; it
    stops a script, and the contact's budget stops a person. Where it is used up, a regular still
    has what her own browser and account may keep: a contact's budget.
    """

    orders_per_contact: int = 3
    orders_per_network: int = 60
    units_per_network: int = 120


@dataclass(frozen=True)
class Purchase:
    """What the buyer sent, checked for form only. `shown_price` is the unit price she saw."""

    checkout_key: str
    product_id: int
    quantity: int
    shown_price: int
    contact: Contact
    channel: str
    pickup_hash: str | None
    person_id: int | None
    ip: str
    network: str
    language: str
    # The numbers of the orders that this browser may open.
    in_hand: tuple[str, ...] = ()
    # Whose account is recharged, for a product without a code.
    account: RechargeAccount | None = None
    # Whose balance it fills or is paid from, as on the order.
    balance_of: str = ""
    # The browser it comes from, when risk is to be asked: from the shop's own pages.
    visit: Visit | None = None


@dataclass(frozen=True)
class Terms:
    """What the merchant decided: how long stock is held, and the shop's day."""

    hold: timedelta
    today: date
    holds: Holds = Holds()


@dataclass(frozen=True)
class Placed:
    """An order and its open payment. `token` is set only for the request that made it."""

    order: Order
    payment: Payment | None
    token: str | None


def place(purchase: Purchase, terms: Terms) -> Placed:
    """Make the order and hold its codes until the deadline, or raise Refusal and change nothing.

    The same form always gives the same order, however often it is sent. So does a second tab, or
    the form that the back button loaded anew, while the order for the very same is in this
    browser's hand and unpaid. A form that was sent, stopped and corrected asks for another order.
    """
    require_transaction()
    now = clock.now()
    already = queries.find_by_checkout_key(checkout_key(purchase))
    if already is not None:
        return Placed(already, payment_again(already.id, purchase.channel, now), None)
    unpaid = _unpaid_already(purchase, now)
    if unpaid is not None:
        return Placed(unpaid, payment_to_make(unpaid.id, purchase.channel), None)
    product = product_on_sale(purchase.product_id)
    item = agreed_item(product, purchase)
    priced = quote([item], product.currency)
    check_limits(product, purchase, product.max_per_order)
    decided = _ask_risk(purchase, priced)
    check_hold_budget(purchase, terms.holds, decided)
    token = ids.token()
    order = new_order(purchase, priced, token, now + terms.hold)
    line = new_line(order, product, item, purchase.account)
    session.add_all([order, line])
    session.flush()
    if decided is not None:
        screening.placed(order, decided)
    payment = add_payment(order, purchase.channel, now)
    if line.kind in CODED:
        vault.reserve(line.id, product.id, purchase.quantity, terms.today)
    return Placed(order, payment, token)


def _ask_risk(purchase: Purchase, priced: Quote) -> Decided | None:
    """What risk says to this purchase, when it is asked; raises Stopped."""
    if purchase.visit is None:
        return None
    return screening.checkout(
        purchase.visit,
        contact=purchase.contact,
        person_id=purchase.person_id,
        wanted=screening.Wanted(
            priced.total,
            purchase.quantity,
            purchase.product_id,
            purchase.account.value if purchase.account else "",
        ),
    )


def payment_to_make(order_id: int, channel: str) -> Payment:
    """The open payment of a pending order in `channel`: the one there is, or a new attempt."""
    order = queries.lock(order_id)
    if order.state != OrderState.PENDING or clock.now() >= order.expires_at:
        raise Conflict(N_("这个订单已经不能付款了，请重新下单"))
    for payment in queries.payments_of(order.id):
        if payment.state == PaymentState.PENDING and payment.channel == channel:
            return payment
    return add_payment(order, channel, clock.now())


def payment_again(order_id: int, channel: str, now: datetime) -> Payment | None:
    """Where a form that was sent again leads to: its channel may be another one by now."""
    order = queries.lock(order_id)
    if order.state == OrderState.PENDING and now < order.expires_at:
        return payment_to_make(order.id, channel)
    return queries.open_payment(order.id)


def add_payment(order: Order, channel: str, now: datetime) -> Payment:
    """Another attempt to pay, through `channel`, watched until it ends."""
    payment = Payment(
        number=ids.number(now, 13),
        order_id=order.id,
        channel=channel,
        currency=order.currency,
        amount=order.total,
        created_at=now,
    )
    session.add(payment)
    session.flush()
    later(
        "app.domain.orders.jobs.watch",
        payment.id,
        key=watch_key(payment.id),
        at=min(now + QUERY_AFTER[0], order.expires_at),
    )
    return payment


def watch_key(payment_id: int) -> str:
    """The outbox key of the job that asks a channel about a payment and closes it in the end."""
    return f"watch:{payment_id}"


def checkout_key(purchase: Purchase, *accounts: str) -> bytes:
    """The form's one-time key with what is bought, for whom: once one of these is another, so is
    the order, or she would pay for two and get one, at the address she had just corrected.

    `accounts` are those of an order of many lines."""
    account = purchase.account.value if purchase.account else ""
    has_pickup = purchase.pickup_hash is not None
    numbers = (purchase.product_id, purchase.quantity, purchase.shown_price, int(has_pickup))
    # As text: what was sent may be no number that there is.
    texts = (purchase.checkout_key, account, *accounts, *map(str, numbers))
    return ids.hash_token(context(purchase.contact.index, *texts))


def _unpaid_already(purchase: Purchase, now: datetime) -> Order | None:
    # With a pickup password it is another order: who set one wants it to be asked for.
    if not purchase.in_hand or purchase.pickup_hash is not None:
        return None
    found = queries.find_unpaid(
        purchase.in_hand,
        purchase.contact.index,
        purchase.product_id,
        purchase.quantity,
        purchase.shown_price,
        now,
    )
    return found if found is None or _is_for(found, purchase.account) else None


def _is_for(order: Order, account: RechargeAccount | None) -> bool:
    """Whether an order recharges this account; one with a code recharges none."""
    sealed = [line.account_sealed for line in queries.lines_of(order.id) if line.account_sealed]
    if account is None or not sealed:
        return account is None and not sealed
    return all(queries.open_account(order, blob) == account.secret for blob in sealed)


def product_on_sale(product_id: int) -> Product:
    """The product as it is now; raises Conflict when it is no longer sold."""
    product = session.get(Product, product_id, populate_existing=True)
    if product is None or product.state != ProductState.ON_SALE:
        raise Conflict(N_("这件商品已经下架"))
    return product


def new_line(
    order: Order, product: Product, item: Item, account: RechargeAccount | None
) -> OrderLine:
    """What is bought, with the rules of use that hold now and the account that it is for.

    Raises Conflict when nobody can deliver it now, Refusal without an account for a recharge.
    """
    line = OrderLine(
        order=order,
        product_id=product.id,
        product_name=product.name,
        kind=product.kind,
        unit_price=item.price,
        quantity=item.quantity,
        amount=item.price * item.quantity,
    )
    if product.kind in REDEEMABLE:
        policy = catalog.policy_of(product.id)
        line.policy_id = policy.id if policy else None
    if product.kind == ProductKind.RECHARGE:
        if not catalog.live_offers_of([product.id]):
            raise Conflict(N_("充值通道正在维护，请稍后再来"))
        if account is None or account.format != product.account_format:
            raise Refusal(N_("请填写要充值的账号"), field="account")
        line.account_masked = account.masked
        line.account_sealed = queries.seal_account(order, account)
    return line


def agreed_item(product: Product, purchase: Purchase, discount_bp: int = 0) -> Item:
    """What is to be priced; raises Conflict unless it costs what the buyer saw."""
    item = Item(product.id, product.price, purchase.quantity, discount_bp)
    if item.price != purchase.shown_price:
        raise Conflict(N_("价格刚刚有变化，请按新的价格重新确认"), field="price")
    return item


def check_limits(product: Product, purchase: Purchase, most: int) -> None:
    """Raise Refusal for fewer or more than may be bought at once, or by one buyer in all."""
    if not product.min_per_order <= purchase.quantity <= most:
        raise Refusal(
            N_("每单可以买 %(least)s 到 %(most)s 件"),
            field="quantity",
            least=product.min_per_order,
            most=most,
        )
    if product.max_per_buyer is None:
        return
    before = queries.bought_before(purchase.contact.index, product.id)
    if before + purchase.quantity > product.max_per_buyer:
        raise Refusal(
            N_("每人限购 %(most)s 件，你已经买了 %(before)s 件"),
            field="quantity",
            most=product.max_per_buyer,
            before=before,
        )


def check_hold_budget(purchase: Purchase, holds: Holds, decided: Decided | None = None) -> None:
    """Raise Refusal when too much that is unpaid is held for this contact or this network."""
    contact, network = queries.unpaid_holds(purchase.contact.index, purchase.network)
    if _is_used_up(network, purchase, holds) and decided is not None and decided.regular:
        network = screening.unpaid_of(decided)
        contact = max(contact, network)
    if contact[0] >= holds.orders_per_contact:
        raise Refusal(
            N_("你有 %(count)s 个订单还没有付款。请先付款或取消，再下新的订单"),
            field="contact",
            count=contact[0],
        )
    if _is_used_up(network, purchase, holds):
        raise Refusal(N_("当前网络下未付款的订单太多，请几分钟后再试"), field="contact")


def _is_used_up(held: tuple[int, int], purchase: Purchase, holds: Holds) -> bool:
    """Whether so many orders and units leave no room in a network's budget for this purchase."""
    orders, units = held
    return orders >= holds.orders_per_network or units + purchase.quantity > holds.units_per_network


def new_order(
    purchase: Purchase, priced: Quote, token: str, expires_at: datetime, *accounts: str
) -> Order:
    """The order as it is placed; `accounts` as for `checkout_key`."""
    now = clock.now()
    number = ids.number(now)
    return Order(
        number=number,
        token_hash=ids.hash_token(token),
        checkout_key=checkout_key(purchase, *accounts),
        person_id=purchase.person_id,
        contact_sealed=keys.seal_personal(purchase.contact.value, "orders", "contact", number),
        contact_index=purchase.contact.index,
        contact_masked=purchase.contact.masked,
        pickup_hash=purchase.pickup_hash,
        currency=priced.currency,
        total=priced.total,
        price_steps=[step.as_json() for step in priced.steps],
        language=purchase.language,
        balance_of=purchase.balance_of,
        ip=purchase.ip,
        network=purchase.network,
        created_at=now,
        expires_at=expires_at,
    )
