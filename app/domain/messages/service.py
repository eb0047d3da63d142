"""What becomes of a message: intent, call, outcome, at most once.

A message is written down as SENDING before anybody is called. Whoever finds it so is a successor:
the one before died between the call and the record, and nobody can be asked whether it went out, as
a payment channel can. It becomes UNKNOWN and is not sent again. For money the safe side of doubt is
to ask; for a message it is silence: everything it says stands on the order's page, while "paid"
twice looks like paid twice, and each text message costs. What certainly did not go out (no
connection, "try later") is tried again for a day.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from app.core import clock, keys
from app.core.db import session
from app.core.outbox import later
from app.core.states import move
from app.domain.accounts.contacts import ContactKind, kind_of
from app.domain.catalog import preferences
from app.domain.catalog.models import REDEEMABLE
from app.domain.channels import balance
from app.domain.channels.models import Distributor
from app.domain.messages import queries
from app.domain.messages.models import Kind, MessageRow, MessageState
from app.domain.messages.rules import Facts, Words, Writer, next_try
from app.domain.orders import queries as orders
from app.domain.orders import telling
from app.domain.orders.models import Order, OrderLine, OrderState, Payment, Refund
from app.domain.redemptions import queries as redemptions
from app.domain.redemptions.models import Redemption
from app.domain.redemptions.replacement_models import Replacement
from app.providers import messages
from app.providers.messages.interface import Message, Outcome, Result, Sender

_writer: Writer | None = None


def connect(writer: Writer) -> None:
    """Take what puts facts into words, which the domain cannot; called once by create_app()."""
    global _writer  # noqa: PLW0603  one way of writing a process
    _writer = writer


@dataclass(frozen=True)
class Event:
    """What there is to tell, and why not when that is no longer so."""

    order: Order
    lines: tuple[OrderLine, ...]
    amount: int
    ends_at: datetime | None = None
    why_not: str = ""


@dataclass(frozen=True)
class Draft:
    """A message whose intent is written, and who is to carry it."""

    message_id: int
    sender: Sender
    message: Message


def begin(kind: Kind, subject_id: int) -> Draft | None:
    """Write the intent of telling of `subject_id`; None when there is nothing to send.

    The caller commits before it calls anybody.
    """
    event = EVENTS[kind](subject_id)
    sender = messages.sender_for(kind_of(event.order.contact_masked))
    why_not = event.why_not or _switched_off(sender)
    message = queries.lock(event.order.id, kind, subject_id)
    if message is None and not why_not and sender is not None:
        message = _add(event.order, kind, subject_id)
    if message is None or not _is_to_be_sent(message, why_not) or sender is None:
        return None
    move(message, MessageState.SENDING)
    message.channel = sender.name
    message.attempts += 1
    session.flush()
    return Draft(message.id, sender, _compose(message, event))


def take(message_id: int, result: Result) -> datetime | None:
    """Write what the sender said; when to try again, or None when that was all."""
    message = session.get_one(MessageRow, message_id, with_for_update=True, populate_existing=True)
    if message.state != MessageState.SENDING:
        return None
    message.reason = result.reason
    if result.outcome is Outcome.SENT:
        move(message, MessageState.SENT)
        message.sent_at = clock.now()
    elif result.outcome is Outcome.REFUSED:
        move(message, MessageState.REFUSED, result.reason)
    elif result.outcome is Outcome.UNKNOWN:
        move(message, MessageState.UNKNOWN, result.reason)
    else:
        return _put_off(message)
    return None


def watch_ends(order_id: int) -> None:
    """Have an eye on when what was bought is over, for products that we see being used."""
    for line in orders.lines_of(order_id):
        if line.kind in REDEEMABLE:
            later(
                "app.domain.messages.jobs.expiring", line.id, key=telling.key("expiring", line.id)
            )


def _put_off(message: MessageRow) -> datetime | None:
    at = next_try(message.attempts, message.created_at, clock.now())
    if at is None:
        move(message, MessageState.REFUSED, "tried for a day")
    else:
        move(message, MessageState.QUEUED, message.reason)
    return at


def _is_to_be_sent(message: MessageRow, why_not: str) -> bool:
    if message.state == MessageState.SENDING:
        message.reason = "interrupted"
        move(message, MessageState.UNKNOWN, message.reason)
    elif message.state == MessageState.QUEUED and why_not:
        message.reason = why_not
        move(message, MessageState.REFUSED, why_not)
    return message.state == MessageState.QUEUED


def _switched_off(sender: Sender | None) -> str:
    if sender is None:
        return "no way to this contact"
    return "" if preferences.get().messages else "switched off"


def _add(order: Order, kind: Kind, subject_id: int) -> MessageRow:
    message = MessageRow(
        order_id=order.id,
        kind=kind,
        subject_id=subject_id,
        channel="",
        recipient_masked=order.contact_masked,
        state=MessageState.QUEUED,
        attempts=0,
        created_at=clock.now(),
    )
    session.add(message)
    session.flush()
    return message


def _compose(message: MessageRow, event: Event) -> Message:
    order = event.order
    contact = keys.open_personal(order.contact_sealed, "orders", "contact", order.number)
    words = _words(message.kind, event)
    return Message(
        reference=f"{order.number}-{message.kind}-{message.id}",
        kind=message.kind,
        to=contact,
        to_masked=order.contact_masked,
        subject=words.subject,
        text=words.text,
        html=words.html,
    )


def _words(kind: Kind, event: Event) -> Words:
    if _writer is None:
        raise RuntimeError("nothing was connected that writes messages")
    order, shop = event.order, preferences.get()
    facts = Facts(
        kind=kind,
        language=order.language,
        shop=shop.name,
        support=shop.support,
        zone=shop.zone,
        number=order.number,
        items=tuple((line.product_name, line.quantity) for line in event.lines),
        amount=event.amount,
        currency=order.currency,
        ends_at=event.ends_at,
    )
    return _writer(facts, kind_of(order.contact_masked) == ContactKind.PHONE)


def _refunded(refund_id: int) -> Event:
    refund = session.get_one(Refund, refund_id)
    payment = session.get_one(Payment, refund.payment_id)
    order = session.get_one(Order, payment.order_id, populate_existing=True)
    return Event(order, tuple(orders.lines_of(order.id)), refund.amount)


def _expiring(order_line_id: int) -> Event:
    line = session.get_one(OrderLine, order_line_id, populate_existing=True)
    order = session.get_one(Order, line.order_id, populate_existing=True)
    end = queries.next_end(line)
    if end is None:
        return Event(order, (line,), line.amount, why_not="no longer so")
    return Event(order, (line,), line.amount, ends_at=end[0])


def _given_back(redemption_id: int) -> Event:
    redemption = session.get_one(Redemption, redemption_id, populate_existing=True)
    line = session.get_one(OrderLine, redemption.order_line_id)
    order = session.get_one(Order, line.order_id, populate_existing=True)
    is_used_again = any(
        use.counts for use in redemptions.history_of(redemption.code_id) if use.id > redemption_id
    )
    return Event(order, (line,), line.amount, why_not="no longer so" if is_used_again else "")


def _replaced(replacement_id: int) -> Event:
    order_id = session.get_one(Replacement, replacement_id).order_id
    return _about(order_id, OrderState.DELIVERED, OrderState.FULFILLING)


def _low_balance(order_id: int) -> Event:
    order = session.get_one(Order, order_id, populate_existing=True)
    who = session.scalar(sa.select(Distributor).where(Distributor.uid == order.balance_of))
    is_so = who is not None and balance.is_low(who)
    left = balance.of(order.balance_of)
    return Event(order, (), left, why_not="" if is_so else "no longer so")


def _about(order_id: int, *only_while: OrderState) -> Event:
    order = session.get_one(Order, order_id, populate_existing=True)
    holds = not only_while or order.state in only_while
    lines = tuple(orders.lines_of(order.id))
    return Event(order, lines, order.total, why_not="" if holds else "no longer so")


EVENTS: dict[Kind, Callable[[int], Event]] = {
    Kind.PAID: lambda order_id: _about(order_id, OrderState.PAID, OrderState.FULFILLING),
    Kind.ARRIVED: lambda order_id: _about(order_id, OrderState.DELIVERED),
    Kind.FAILED: _about,
    Kind.REFUNDED: _refunded,
    Kind.EXPIRING: _expiring,
    Kind.GIVEN_BACK: _given_back,
    Kind.LOW_BALANCE: _low_balance,
    Kind.REPLACED: _replaced,
}
