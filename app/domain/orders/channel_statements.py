"""A payment channel's statement of a day against the books: what differs waits for a person.

Matched by our number: payments, refunds and remittances of the clearing account `channel:<name>`.
What we booked on that day and the statement does not know is a difference too, unless the channel
lists it on another day: it counts by its own clock.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.core import audit, clock
from app.core.actors import actor
from app.core.db import session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.outbox import later
from app.core.states import move
from app.domain.catalog import preferences
from app.domain.orders import remittances
from app.domain.orders.models import Payment, PaymentState, Refund, RefundState
from app.domain.orders.statement_files import TheirLine
from app.domain.orders.statement_models import (
    ChannelRowState,
    ChannelStatement,
    ChannelStatementRow,
    LineKind,
    Remittance,
    RemittanceState,
)

Key = tuple[LineKind, str]
Thing = TypeVar("Thing")


@dataclass(frozen=True)
class OurLine:
    """What the books say about one number; the amount in minor units, positive."""

    kind: LineKind
    number: str
    amount: int
    is_done: bool
    state: str
    payment_id: int | None = None
    refund_id: int | None = None
    fee: int = 0


def take(channel: str, day: date, theirs: Sequence[TheirLine]) -> ChannelStatement:
    """Match a day's statement against the books. Raises Conflict for a day that is there."""
    same = sa.select(ChannelStatement.id).where(
        ChannelStatement.channel == channel, ChannelStatement.day == day.isoformat()
    )
    if session.scalar(same) is not None:
        raise Conflict(N_("这一天的对账单已经导入过"), field="file")
    statement = ChannelStatement(
        channel=channel,
        day=day.isoformat(),
        row_count=len(theirs),
        total=sum(map(_came_in, theirs)),
        created_by=actor(),
    )
    session.add(statement)
    session.flush()
    ours = _named(channel, theirs) | _listed_nowhere(channel, _of_day(channel, day))
    session.add_all(_compared(statement.id, theirs, ours))
    session.flush()
    audit.record(
        "channel_statement.take",
        "channel_statements",
        statement.id,
        channel=channel,
        day=day.isoformat(),
        rows=len(theirs),
    )
    return statement


def look_again(row_id: int) -> bool:
    """Compare a differing row anew: whether the two sides agree now.

    If they do not, the channel is asked about what can still change: a payment that we believe
    unpaid, a refund on its way. Its answer comes through the door that its callbacks use. Raises
    Conflict when there is nothing to ask about, NotFound.
    """
    row = _lock(row_id)
    statement = session.get_one(ChannelStatement, row.statement_id)
    ours = _ours_of(statement.channel, row)
    if _agrees(row, ours, statement.channel):
        move(row, ChannelRowState.MATCHED)
        _note(row, ours)
        audit.record("channel_statement.match", "channel_statements", row.statement_id)
        return True
    _ask(row)
    audit.record("channel_statement.query", "channel_statements", row.statement_id)
    return False


def book_remittance(row_id: int) -> Remittance:
    """Take a remittance that only the channel lists into the books; raises Refusal, Conflict."""
    row = _lock(row_id)
    if row.kind != LineKind.REMITTANCE or row.difference != "only_theirs":
        raise Conflict(N_("这一条不是渠道结算"))
    channel = session.get_one(ChannelStatement, row.statement_id).channel
    gross = row.their_amount or 0
    booked = remittances.book(channel, row.number, gross - row.their_fee, row.their_fee)
    move(row, ChannelRowState.MATCHED)
    _note(row, _of_remittance(booked))
    return booked


def settle(row_id: int, reason: str) -> None:
    """A person has cleared a difference up, and says how; raises Refusal, Conflict, NotFound."""
    if len(reason.strip()) < 2:
        raise Refusal(N_("请写明怎么处理的"), field="reason")
    row = _lock(row_id)
    move(row, ChannelRowState.SETTLED, reason.strip())
    row.settled_by, row.settled_because = actor(), reason.strip()
    row.settled_at = clock.now()
    audit.record(
        "channel_statement.settle", "channel_statements", row.statement_id, reason=reason.strip()
    )


def _lock(row_id: int) -> ChannelStatementRow:
    row = session.get(ChannelStatementRow, row_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound
    if row.state != ChannelRowState.DIFFERS:
        raise Conflict(N_("这条差异已经处理过"))
    return row


def _came_in(line: TheirLine) -> int:
    if not line.is_done or line.kind == LineKind.REMITTANCE:
        return 0
    return -line.amount if line.kind == LineKind.REFUND else line.amount


# What the two sides say


def _compared(
    statement_id: int, theirs: Sequence[TheirLine], ours: Mapping[Key, OurLine]
) -> Iterator[ChannelStatementRow]:
    said: dict[Key, TheirLine] = {}
    twice: set[Key] = set()
    for line in theirs:
        key = (line.kind, line.number)
        if key in said:
            twice.add(key)
        said[key] = line
    for key, line in said.items():
        our = ours.get(key)
        yield _row(statement_id, line, our, "twice" if key in twice else _difference(line, our))
    for key, our in ours.items():
        if key not in said:
            yield _row(statement_id, None, our, "only_ours")


def _difference(line: TheirLine, our: OurLine | None) -> str:
    if our is None:
        return "only_theirs"
    if line.is_done != our.is_done:
        return "state"
    is_same = line.amount == our.amount
    if line.kind == LineKind.REMITTANCE:
        is_same = is_same and line.fee == our.fee
    return "amount" if line.is_done and not is_same else ""


def _row(
    statement_id: int, line: TheirLine | None, our: OurLine | None, difference: str
) -> ChannelStatementRow:
    named = line or our
    assert named is not None
    row = ChannelStatementRow(
        statement_id=statement_id,
        kind=named.kind,
        number=named.number[:64],
        state=ChannelRowState.DIFFERS if difference else ChannelRowState.MATCHED,
        difference=difference,
        their_state=line.state[:40] if line else "",
        their_amount=line.amount if line else None,
        their_fee=line.fee if line else 0,
    )
    _note(row, our)
    return row


def _note(row: ChannelStatementRow, our: OurLine | None) -> None:
    row.payment_id = our.payment_id if our else None
    row.refund_id = our.refund_id if our else None
    row.our_state = our.state if our else ""
    row.our_amount = our.amount if our else None


def _agrees(row: ChannelStatementRow, our: OurLine | None, channel: str) -> bool:
    """Whether a row that differed is in order by now. One listed twice is for a person."""
    if row.difference == "twice":
        return False
    if row.their_amount is None:
        return our is None or not _listed_nowhere(channel, {(our.kind, our.number): our})
    line = TheirLine(
        LineKind(row.kind), row.number, row.their_amount, row.their_state, row.their_fee
    )
    return not _difference(line, our)


def _ask(row: ChannelStatementRow) -> None:
    """Have the channel asked about what it may tell us more of; raises Conflict."""
    payment = session.get(Payment, row.payment_id) if row.payment_id else None
    refund = session.get(Refund, row.refund_id) if row.refund_id else None
    if payment is not None and payment.state in (PaymentState.PENDING, PaymentState.CLOSED):
        later("app.domain.orders.jobs.verify", payment.id)
    elif refund is not None and refund.state in (RefundState.SENDING, RefundState.UNKNOWN):
        later("app.domain.orders.jobs.send_refund", refund.id)
    else:
        raise Conflict(N_("两边仍然不同，也没有可以向渠道查询的。请核对后写明怎么处理"))


# What the books say


def _ours_of(channel: str, row: ChannelStatementRow) -> OurLine | None:
    line = TheirLine(LineKind(row.kind), row.number, row.their_amount or 0)
    return _named(channel, [line]).get((line.kind, line.number))


def _named(channel: str, theirs: Sequence[TheirLine]) -> dict[Key, OurLine]:
    """What we have under the numbers that a statement names."""
    found: dict[Key, OurLine] = {}
    for part in _parts([line.number for line in theirs]):
        payments = sa.select(Payment).where(Payment.channel == channel, Payment.number.in_(part))
        refunds = _refunds(channel).where(Refund.number.in_(part))
        booked = sa.select(Remittance).where(
            Remittance.channel == channel,
            Remittance.number.in_(part),
            Remittance.state == RemittanceState.BOOKED,
        )
        lines = [
            *map(_of_payment, _read(payments)),
            *map(_of_refund, _read(refunds)),
            *map(_of_remittance, _read(booked)),
        ]
        found |= {(line.kind, line.number): line for line in lines}
    return found


def _of_day(channel: str, day: date) -> dict[Key, OurLine]:
    """What we booked on a day of the shop's, and the statement should know."""
    start = datetime.combine(day, time(), ZoneInfo(preferences.get().zone))
    end = start + timedelta(days=1)
    payments = sa.select(Payment).where(
        Payment.channel == channel,
        Payment.received > 0,
        Payment.paid_at >= start,
        Payment.paid_at < end,
    )
    refunds = _refunds(channel).where(
        Refund.state == RefundState.SUCCEEDED, Refund.settled_at >= start, Refund.settled_at < end
    )
    lines = [*map(_of_payment, _read(payments)), *map(_of_refund, _read(refunds))]
    return {(line.kind, line.number): line for line in lines}


def _listed_nowhere(channel: str, ours: dict[Key, OurLine]) -> dict[Key, OurLine]:
    """Those that no statement of the channel's lists."""
    left = dict(ours)
    for part in _parts([number for _, number in ours]):
        rows = session.execute(
            sa.select(ChannelStatementRow.kind, ChannelStatementRow.number)
            .join(ChannelStatement, ChannelStatement.id == ChannelStatementRow.statement_id)
            .where(
                ChannelStatement.channel == channel,
                ChannelStatementRow.number.in_(part),
                ChannelStatementRow.their_amount.is_not(None),
            )
        )
        for kind, number in rows:
            left.pop((kind, number), None)
    return left


def _refunds(channel: str) -> sa.Select[Refund]:
    return (
        sa.select(Refund)
        .join(Payment, Payment.id == Refund.payment_id)
        .where(Payment.channel == channel)
    )


def _read(statement: "sa.Select[Thing]") -> Sequence[Thing]:
    return session.scalars(statement.execution_options(populate_existing=True)).all()


def _of_payment(payment: Payment) -> OurLine:
    is_done = payment.received > 0
    amount = payment.received if is_done else payment.amount
    return OurLine(
        LineKind.PAYMENT,
        payment.number,
        amount,
        is_done,
        payment.state.value,
        payment_id=payment.id,
    )


def _of_refund(refund: Refund) -> OurLine:
    return OurLine(
        LineKind.REFUND,
        refund.number,
        refund.amount,
        refund.state == RefundState.SUCCEEDED,
        refund.state.value,
        payment_id=refund.payment_id,
        refund_id=refund.id,
    )


def _of_remittance(one: Remittance) -> OurLine:
    return OurLine(LineKind.REMITTANCE, one.number, one.gross, True, one.state.value, fee=one.fee)


def _parts(numbers: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]
