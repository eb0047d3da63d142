"""Risk is asked about an order twice: when it is placed, and when its money has come.

`checkout` may stop the order; what it decided is kept with it, or in a unit of its own when it was
stopped. `paid` can stop nothing any more: it lets the order go on, or holds it for a person.
"""

from dataclasses import dataclass
from datetime import datetime
from math import ceil
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.core import clock
from app.core.db import session
from app.core.errors import N_, Refusal
from app.core.states import move
from app.domain.accounts.contacts import Contact, ContactKind
from app.domain.accounts.models import Person
from app.domain.catalog import preferences
from app.domain.orders.models import Order, OrderState, Payment
from app.domain.risk import cases, engine, events
from app.domain.risk.engine import Decided, Situation
from app.domain.risk.models import Action, Checkpoint, EventKind, Key
from app.domain.risk.proofs import Proof

HOUR = 3600


@dataclass(frozen=True)
class Browser:
    """Where an order is placed from, for what the order itself does not say."""

    device: str
    proof: Proof | None = None


class Stopped(Refusal):
    """Risk says no, or not yet. Whoever shows it keeps `decided`, in a unit of its own."""

    def __init__(
        self, message: str, decided: Decided, *, field: str = "", **params: object
    ) -> None:
        super().__init__(message, field=field, **params)
        self.decided = decided


class CaptchaNeeded(Stopped):
    """It goes on as soon as a captcha is solved."""


def checkout(
    browser: Browser,
    *,
    contact: Contact,
    person_id: int | None,
    ip: str,
    network: str,
    amount: int,
    quantity: int,
    typed: str = "",
) -> Decided:
    """Ask before an order is made; raises Stopped. `placed` says that it was made.

    `typed` is what the form has in the buyer's own words.
    """
    known = {
        **events.from_address(ip, network),
        Key.DEVICE: browser.device,
        Key.CONTACT: contact.index.hex(),
        Key.ACCOUNT: str(person_id or ""),
    }
    decided = engine.decide(
        Situation(
            Checkpoint.CHECKOUT,
            events.hashed(known),
            facts={
                "amount": lambda: amount,
                "quantity": lambda: quantity,
                "hour": _hour,
                "account_age": lambda: _age(contact.index, person_id, None),
            },
            address=ip,
            email_domain=_domain(contact),
            typed=typed,
            proof=browser.proof,
            browser=browser.device,
        )
    )
    if not decided.lets_go:
        raise _stopped(decided)
    return decided


def placed(order: Order, decided: Decided) -> None:
    """The order was made: keep the answer with it, and count it."""
    decided.row.order_id = order.id
    engine.keep(decided)
    whose = {Key(key): bytes.fromhex(value) for key, value in decided.row.keys.items()}
    events.record(EventKind.PLACED, whose, order_id=order.id, amount=order.total)


def holds(order: Order, payment: Payment) -> bool:
    """Its money has come: whether it is held for a person instead of being delivered.

    What a distributor buys from her balance, or pays into it, is hers and is not asked about.
    """
    if order.balance_of or not engine.has_rules(Checkpoint.PAID):
        return False
    whose = events.keys_of_order(order.id) or events.hashed(
        {
            **events.from_address(order.ip, order.network),
            Key.CONTACT: order.contact_index.hex(),
            Key.ACCOUNT: str(order.person_id or ""),
        }
    )
    payer = {Key.PAYER: f"{payment.channel}:{payment.payer}"} if payment.payer else {}
    whose |= events.hashed(payer)
    decided = engine.decide(
        Situation(
            Checkpoint.PAID,
            whose,
            facts={
                "amount": lambda: order.total,
                "quantity": lambda: sum(line.quantity for line in order.lines),
                "hour": _hour,
                "account_age": lambda: _age(order.contact_index, order.person_id, order.id),
            },
            order_id=order.id,
        )
    )
    engine.keep(decided)
    events.record(EventKind.PAID, whose, order_id=order.id, amount=payment.received)
    if decided.action != Action.HOLD:
        return False
    move(order, OrderState.HELD)
    cases.open_case(order.id, decided.row)
    return True


def _stopped(decided: Decided) -> Stopped:
    if decided.action == Action.CAPTCHA:
        return CaptchaNeeded(N_("下单有点频繁，请先完成下面的验证"), decided, field="captcha")
    minutes = _minutes_until(decided.until)
    if decided.action == Action.LIMIT:
        return Stopped(
            N_(
                "下单太频繁。%(minutes)s 分钟内，每 10 分钟只能下 1 单、每单 1 件，已付款的不受影响"
            ),
            decided,
            minutes=minutes,
        )
    if decided.until is not None:
        return Stopped(
            N_("暂时不能下单，请 %(minutes)s 分钟后再试。如果弄错了，请把编号 %(number)s 告诉店主"),
            decided,
            minutes=minutes,
            number=decided.row.uid,
        )
    return Stopped(
        N_("这个订单不能提交。如果弄错了，请把编号 %(number)s 告诉店主"),
        decided,
        number=decided.row.uid,
    )


def _minutes_until(until: datetime | None) -> int:
    return max(ceil((until - clock.now()).total_seconds() / 60), 1) if until else 1


def _hour() -> int:
    """The hour of the shop's day."""
    return clock.now().astimezone(ZoneInfo(preferences.get().zone)).hour


def _age(contact_index: bytes, person_id: int | None, before: int | None) -> int:
    """For how many hours somebody has been known: since her first paid order, or her account.

    An order that was never paid makes nobody older.
    """
    paid = sa.select(sa.func.min(Order.created_at)).where(
        Order.contact_index == contact_index, Order.paid_at.is_not(None)
    )
    known = [session.scalar(paid.where(Order.id < before) if before else paid)]
    if person_id is not None:
        known.append(session.get_one(Person, person_id).created_at)
    since = min((at for at in known if at is not None), default=clock.now())
    return max(int((clock.now() - since).total_seconds()) // HOUR, 0)


def _domain(contact: Contact) -> str:
    return contact.value.rpartition("@")[2] if contact.kind == ContactKind.EMAIL else ""
