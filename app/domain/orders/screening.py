"""Risk is asked about an order twice: when it is placed, and when its money has come.

`checkout` may stop the order; what it decided is kept with it, or in a unit of its own when it was
stopped. `paid` can stop nothing any more: it lets the order go on, or holds it for a person.
"""

from dataclasses import dataclass, field
from statistics import median_low
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.core import clock, db
from app.core.db import session
from app.core.errors import N_
from app.core.states import move
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Person
from app.domain.catalog import preferences
from app.domain.orders.models import NOBODYS_ACCOUNTS, Order, OrderLine, OrderState, Payment
from app.domain.orders.rules import UNPAID
from app.domain.risk import cases, engine, events, live_rules, regulars, stopping
from app.domain.risk.engine import Decided, Situation
from app.domain.risk.models import Action, Checkpoint, EventKind, Key, RiskEvent
from app.domain.risk.visits import Visit

HOUR = 3600
# How many orders say what is usual, out of how many that were placed lately, and how few do not.
USUAL = 100
USUAL_WITHIN = 2000
USUAL_FROM = 20

_EVENTS = db.table_of(RiskEvent)
# Above every id that there will be.
ANY_ID = 2**62
# Both on the way of every order, so built once.
_FIRST_PAID = sa.select(sa.func.min(Order.created_at)).where(
    Order.contact_index == sa.bindparam("contact_index"),
    Order.paid_at.is_not(None),
    Order.id < sa.bindparam("order_id"),
)
_PAID_BEFORE = (
    sa.select(Order.total)
    .where(
        Order.id < sa.bindparam("order_id"),
        Order.id >= sa.bindparam("order_id") - USUAL_WITHIN,
        Order.paid_at.is_not(None),
        Order.balance_of == "",
    )
    .order_by(Order.id.desc())
    .limit(USUAL)
)

SENTENCES = {
    Action.CAPTCHA: N_("下单有点频繁，请先完成下面的验证"),
    Action.LIMIT: N_(
        "下单太频繁。%(minutes)s 分钟内，每 10 分钟只能下 1 单、每单 1 件，已付款的不受影响。"
        "如果弄错了，请把编号 %(number)s 告诉店主"
    ),
    Action.BLOCK: N_(
        "暂时不能下单，请 %(minutes)s 分钟后再试。如果弄错了，请把编号 %(number)s 告诉店主"
    ),
}
NOT_AT_ALL = N_("这个订单不能提交。如果弄错了，请把编号 %(number)s 告诉店主")


@dataclass(frozen=True)
class Wanted:
    """What an order would be for: minor units, pieces; `account` where a recharge goes."""

    amount: int
    quantity: int
    product_id: int
    account: str = field(default="", repr=False)


def checkout(
    visit: Visit,
    *,
    contact: Contact,
    person_id: int | None,
    wanted: Wanted,
) -> Decided:
    """Ask before an order is made; raises Stopped. `placed` says that it was made.

    `typed` is what the form has in the buyer's own words.
    """
    known = {
        **visit.known_as(),
        Key.CONTACT: contact.index.hex(),
        Key.ACCOUNT: str(person_id or ""),
        Key.PRODUCT: str(wanted.product_id),
        Key.RECHARGE_ACCOUNT: wanted.account,
    }
    decided = engine.decide(
        Situation(
            Checkpoint.CHECKOUT,
            events.hashed(known),
            facts={
                "amount": lambda: wanted.amount,
                "quantity": lambda: wanted.quantity,
                "hour": _hour,
                "account_age": lambda: _age(contact.index, person_id, None),
            },
            visit=visit,
            email_domain=contact.domain,
            typed=wanted.account,
        )
    )
    if not decided.lets_go:
        raise stopping.refusal(decided, SENTENCES, NOT_AT_ALL)
    return decided


def placed(order: Order, decided: Decided) -> None:
    """The order was made: keep the answer with it, and count it."""
    decided.row.order_id = order.id
    engine.keep(decided, EventKind.PLACED, order.total)


def unpaid_of(decided: Decided) -> tuple[int, int]:
    """How many unpaid orders and units hold something by the browser or account decided on."""
    keys = decided.row.keys
    hers = [
        _EVENTS.c[key.value] == bytes.fromhex(keys[key]) for key in regulars.HERS if key in keys
    ]
    placed_by_her = (
        sa.select(_EVENTS.c.order_id)
        .where(_EVENTS.c.kind == EventKind.PLACED, sa.or_(*hers))
        .scalar_subquery()
    )
    orders, units = session.execute(
        sa.select(
            sa.func.count(Order.id.distinct()),
            sa.func.coalesce(sa.func.sum(OrderLine.quantity), 0),
        )
        .join(OrderLine)
        .where(Order.id.in_(placed_by_her), Order.state.in_(UNPAID))
    ).one()
    return int(orders), int(units)


def holds(order: Order, payment: Payment) -> bool:
    """Its money has come: whether it is held for a person instead of being delivered.

    What a distributor buys from her balance, or pays into it, is hers and is not asked about.
    """
    if order.balance_of:
        return False
    whose = events.keys_of_order(order.id) or events.hashed(
        {
            **events.from_address(order.ip, order.network),
            Key.CONTACT: order.contact_index.hex(),
            Key.ACCOUNT: str(order.person_id or ""),
        }
    )
    if payment.payer not in NOBODYS_ACCOUNTS:
        whose |= events.hashed({Key.PAYER: f"{payment.channel}:{payment.payer}"})
    if not live_rules.of(Checkpoint.PAID):
        events.record(EventKind.PAID, whose, order_id=order.id, amount=payment.received)
        return False
    decided = engine.decide(
        Situation(
            Checkpoint.PAID,
            whose,
            facts={
                "amount": lambda: order.total,
                "percent_of_usual": lambda: _percent_of_usual(order),
                "quantity": lambda: sum(line.quantity for line in order.lines),
                "hour": _hour,
                "account_age": lambda: _age(order.contact_index, order.person_id, order.id),
            },
            order_id=order.id,
        )
    )
    engine.keep(decided, EventKind.PAID, payment.received)
    if decided.action not in (Action.DELAY, Action.HOLD):
        return False
    move(order, OrderState.HELD)
    cases.open_case(order.id, decided)
    return True


def closed_unpaid(order: Order) -> None:
    """It ended without its money: count it, for whoever never pays."""
    events.record(EventKind.UNPAID_CLOSED, events.keys_of_order(order.id), order_id=order.id)


def _percent_of_usual(order: Order) -> int | None:
    """Its total in hundredths of the median of the orders that were paid before it.

    Unknown in a shop that has sold too little to have a usual order.
    """
    before = session.scalars(_PAID_BEFORE, {"order_id": order.id}).all()
    if len(before) < USUAL_FROM:
        return None
    return order.total * 100 // max(median_low(before), 1)


def _hour() -> int:
    """The hour of the shop's day."""
    return clock.now().astimezone(ZoneInfo(preferences.lately().zone)).hour


def _age(contact_index: bytes, person_id: int | None, before: int | None) -> int:
    """For how many hours somebody has been known: since her first paid order, or her account.

    An order that was never paid makes nobody older.
    """
    asked = {"contact_index": contact_index, "order_id": before or ANY_ID}
    known = [session.scalar(_FIRST_PAID, asked)]
    if person_id is not None:
        known.append(session.get_one(Person, person_id).created_at)
    since = min((at for at in known if at is not None), default=clock.now())
    return max(int((clock.now() - since).total_seconds()) // HOUR, 0)
