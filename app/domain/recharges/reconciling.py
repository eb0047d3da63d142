"""A provider's statement of a day against our attempts: what differs waits for a person.

The file is a table with a number of ours in each row, a state and a cost in yuan. What we sent on
that day and the statement does not know is a difference too.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.core import audit, clock
from app.core.actors import actor
from app.core.db import session
from app.core.errors import N_, Conflict, NotFound, Refusal
from app.core.money import fen
from app.core.states import move
from app.domain.catalog import preferences
from app.domain.recharges.models import (
    Attempt,
    AttemptState,
    Statement,
    StatementRow,
    StatementRowState,
)

MOST_BYTES = 20 * 1024 * 1024
MOST_ROWS = 200_000
# What providers call the columns we need; the first that is there is taken.
NUMBERS = (
    "number",
    "customer_order_no",
    "out_trade_no",
    "out_trade_num",
    "外部订单号",
    "商户订单号",
)
STATES = ("state", "status", "order_state", "order_status", "状态", "订单状态")
COSTS = ("cost", "price", "order_price", "total_price", "金额", "成本")
DELIVERED = {"delivered", "success", "succeeded", "成功", "充值成功", "1", "200"}
REFUSED = {"failed", "fail", "refused", "失败", "充值失败", "2", "500"}


@dataclass(frozen=True)
class TheirRow:
    """What a provider says about one number of ours; `cost` in minor units."""

    number: str
    state: str
    cost: int | None

    @property
    def is_delivered(self) -> bool:
        return self.state.strip().lower() in DELIVERED


def read(content: bytes) -> list[TheirRow]:
    """The rows of a statement; raises Refusal, naming the line that cannot be read."""
    if len(content) > MOST_BYTES:
        raise Refusal(N_("文件不能超过 20 MB"), field="file")
    rows = csv.DictReader(io.StringIO(_text(content)))
    names = {(name or "").strip().lower(): name for name in rows.fieldnames or ()}
    number, state, cost = (_column(names, wanted) for wanted in (NUMBERS, STATES, COSTS))
    if number is None or state is None:
        raise Refusal(N_("文件第一行要有列名，至少包括 number 和 state"), field="file")
    found = []
    for line, row in enumerate(_readable(rows), 2):
        if line > MOST_ROWS:
            raise Refusal(N_("一个文件最多 %(most)s 行"), field="file", most=MOST_ROWS)
        if not (row[number] or "").strip():
            raise Refusal(N_("第 %(line)s 行没有单号"), field="file", line=line)
        found.append(
            TheirRow(row[number].strip(), (row[state] or "").strip(), _cost(row, cost, line))
        )
    return found


def _readable(rows: "csv.DictReader[str]") -> Iterator[dict[str, str]]:
    try:
        yield from rows
    except csv.Error:
        raise Refusal(N_("文件不是 CSV，请另存为 CSV 后再导入"), field="file") from None


def take(provider_id: int, day: date, theirs: Sequence[TheirRow]) -> Statement:
    """Match a day's statement against our attempts. Raises Conflict for a day that is there."""
    same = sa.select(Statement.id).where(
        Statement.provider_id == provider_id, Statement.day == day.isoformat()
    )
    if session.scalar(same) is not None:
        raise Conflict(N_("这一天的对账单已经导入过"), field="file")
    statement = Statement(
        provider_id=provider_id,
        day=day.isoformat(),
        row_count=len(theirs),
        total=sum(row.cost or 0 for row in theirs if row.is_delivered),
        created_by=actor(),
    )
    session.add(statement)
    session.flush()
    ours = _ours(provider_id, day, [row.number for row in theirs])
    session.add_all(_compared(statement.id, theirs, ours))
    session.flush()
    audit.record(
        "statement.take", "recharge_statements", statement.id, day=day.isoformat(), rows=len(theirs)
    )
    return statement


def settle(row_id: int, reason: str) -> None:
    """A person has cleared a difference up, and says how; raises Refusal, Conflict, NotFound."""
    if len(reason.strip()) < 2:
        raise Refusal(N_("请写明怎么处理的"), field="reason")
    row = session.get(StatementRow, row_id, with_for_update=True)
    if row is None:
        raise NotFound
    if row.state != StatementRowState.DIFFERS:
        raise Conflict(N_("这条差异已经处理过"))
    move(row, StatementRowState.SETTLED, reason.strip())
    row.settled_by, row.settled_because = actor(), reason.strip()
    row.settled_at = clock.now()
    audit.record("statement.settle", "recharge_statements", row.statement_id, reason=reason.strip())


def _ours(provider_id: int, day: date, numbers: Sequence[str]) -> dict[str, Attempt]:
    """Our attempts that the statement names, and those of its day that it should."""
    zone = ZoneInfo(preferences.get().zone)
    start = datetime.combine(day, time(0), zone)
    that_day = sa.and_(Attempt.created_at >= start, Attempt.created_at < start + timedelta(days=1))
    found: dict[str, Attempt] = {}
    for part in _parts(numbers):
        named = sa.select(Attempt).where(
            Attempt.provider_id == provider_id, Attempt.number.in_(part)
        )
        found |= {attempt.number: attempt for attempt in session.scalars(named)}
    sent = sa.select(Attempt).where(Attempt.provider_id == provider_id, that_day)
    return found | {attempt.number: attempt for attempt in session.scalars(sent)}


def _compared(
    statement_id: int, theirs: Sequence[TheirRow], ours: Mapping[str, Attempt]
) -> Iterator[StatementRow]:
    said: dict[str, TheirRow] = {}
    twice: set[str] = set()
    for row in theirs:
        if row.number in said:
            twice.add(row.number)
        said[row.number] = row
    for number, row in said.items():
        difference = "twice" if number in twice else _difference(row, ours.get(number))
        yield _row(statement_id, number, row, ours.get(number), difference)
    for number, attempt in ours.items():
        if number not in said and attempt.state not in (AttemptState.REFUSED, AttemptState.SENDING):
            yield _row(statement_id, number, None, attempt, "only_ours")


def _difference(row: TheirRow, attempt: Attempt | None) -> str:
    if attempt is None:
        return "only_theirs"
    if row.is_delivered != (attempt.state == AttemptState.DELIVERED):
        return "state"
    # What was agreed, not what they said when they delivered: that would agree with itself.
    off = 0 if row.cost is None else abs(row.cost - attempt.expected_cost)
    if row.is_delivered and off > attempt.recharge.quantity:
        return "cost"
    return ""


def _row(
    statement_id: int,
    number: str,
    row: TheirRow | None,
    attempt: Attempt | None,
    difference: str,
) -> StatementRow:
    cost = None
    if attempt is not None:
        cost = attempt.expected_cost if attempt.cost is None else attempt.cost
    return StatementRow(
        statement_id=statement_id,
        number=number[:64],
        attempt_id=attempt.id if attempt else None,
        state=StatementRowState.DIFFERS if difference else StatementRowState.MATCHED,
        difference=difference,
        their_state=row.state[:40] if row else "",
        their_cost=row.cost if row else None,
        our_state=attempt.state.value if attempt else "",
        our_cost=cost,
    )


def _text(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding).replace("\0", "")
        except UnicodeDecodeError:
            continue
    raise Refusal(N_("文件的编码不对，请另存为 UTF-8 的 CSV"), field="file")


def _column(names: Mapping[str, str], wanted: Sequence[str]) -> str | None:
    return next((names[name] for name in wanted if name in names), None)


def _cost(row: Mapping[str, str], column: str | None, line: int) -> int | None:
    text = (row.get(column) or "").strip() if column else ""
    if not text:
        return None
    try:
        # Providers write four decimals; a fen is the least that is booked.
        return fen(f"{Decimal(text).quantize(Decimal('0.01'), ROUND_HALF_UP)}")
    except (ValueError, ArithmeticError):
        raise Refusal(N_("第 %(line)s 行的金额读不懂"), field="file", line=line) from None


def _parts(numbers: Sequence[str], size: int = 500) -> Iterator[Sequence[str]]:
    for start in range(0, len(numbers), size):
        yield numbers[start : start + size]
