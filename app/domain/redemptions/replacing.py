"""After an alarm: whoever bought a code of the leaked batch lately is given another, of another
batch. One order is one unit of work, so that nobody waits for everybody's."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa

from app.core import audit, clock, db
from app.core.db import savepoint, session
from app.core.errors import N_, Conflict
from app.core.outbox import hasten, later
from app.core.states import move
from app.domain.catalog import preferences
from app.domain.orders import queries as orders
from app.domain.orders import telling
from app.domain.orders.models import Order, OrderLine
from app.domain.redemptions import aftersales, queries
from app.domain.redemptions.replacement_models import Replacement, ReplacementState, Why
from app.domain.vault import alarms, batches
from app.domain.vault.alarm_models import Alarm
from app.domain.vault.models import BatchState, Code, CodeState
from app.domain.vault.service import SoldOut

_TABLE = db.table_of(Replacement)


@dataclass(frozen=True)
class Counts:
    """How far it is: codes sold lately that are not asked for yet, and what became of the rest."""

    not_asked: int
    waiting: int
    replaced: int
    sold_out: int
    used: int
    gone: int

    @property
    def is_begun(self) -> bool:
        return bool(self.waiting + self.replaced + self.sold_out + self.used + self.gone)

    @property
    def can_begin(self) -> bool:
        """Whether asking would find any: of those not asked for, or that were sold out."""
        return bool(self.not_asked + self.sold_out) and not self.waiting


def start(alarm_id: int, since: datetime, *, reason: str) -> int:
    """Have every code of the alarm's batch that was sold since then replaced; how many those are.

    Asking again takes up what was sold out before, and what was sold since. Raises Refusal,
    Conflict.
    """
    alarm = alarms.lock_open(alarm_id)
    why = batches.checked_reason(reason)
    if alarm.batch_id is None:
        raise Conflict(N_("这个警报不关联批次，没有可以更换的卡密"))
    if batches.lock_batch(alarm.batch_id).state == BatchState.OPEN:
        raise Conflict(N_("这一批还在出售，换到的可能还是它。请先冻结或召回这一批"))
    before = _count_waiting(alarm.id)
    _add(alarm, alarm.batch_id, since, why)
    _take_up_again(alarm)
    asked = _count_waiting(alarm.id) - before
    if not asked:
        raise Conflict(N_("没有可以更换的：这段时间没有卖出过，或都已处理"))
    audit.record("alarm.replace", "leak_alarms", alarm.id, reason=why, codes=asked)
    name = "app.domain.redemptions.jobs.replace_leaked"
    later(name, alarm.id, key=_key(alarm.id))
    hasten(_key(alarm.id))
    return asked


def replace_next(alarm_id: int) -> bool:
    """Replace what waits of one order, and tell its buyer; False when nothing waits."""
    order_id = session.scalar(
        sa.select(sa.func.min(Replacement.order_id)).where(
            Replacement.alarm_id == alarm_id, Replacement.state == ReplacementState.WAITING
        )
    )
    if order_id is None:
        return False
    order = orders.lock(order_id)
    waiting = session.scalars(
        sa.select(Replacement)
        .where(
            Replacement.alarm_id == alarm_id,
            Replacement.order_id == order_id,
            Replacement.state == ReplacementState.WAITING,
        )
        .order_by(Replacement.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    today = clock.today(preferences.get().zone)
    replaced = [one for one in waiting if _replace(one, today)]
    if replaced:
        telling.replaced(order, replaced[0].id)
    return True


def finish(alarm_id: int) -> datetime | None:
    """Whether all is done: None, or when to go on. Who asks for more meanwhile waits for this."""
    session.get_one(Alarm, alarm_id, with_for_update=True, populate_existing=True)
    return clock.now() if _count_waiting(alarm_id) else None


def counts(alarm: Alarm, since: datetime) -> Counts:
    """How far the replacing after this alarm is."""
    if alarm.batch_id is None:
        return Counts(0, 0, 0, 0, 0, 0)
    states = _count_states(alarm.id)
    not_asked = sa.select(sa.func.count()).select_from(
        _to_replace(alarm, alarm.batch_id, since).subquery()
    )
    return Counts(
        int(session.scalar(not_asked) or 0),
        states[ReplacementState.WAITING, None],
        states[ReplacementState.REPLACED, None],
        *(states[ReplacementState.LEFT, why] for why in (Why.SOLD_OUT, Why.USED, Why.GONE)),
    )


def stands_of(code_ids: list[int], alarm_id: int) -> dict[int, Replacement]:
    """What became of each of these codes, by its id."""
    rows = session.scalars(
        sa.select(Replacement).where(
            Replacement.alarm_id == alarm_id, Replacement.code_id.in_(code_ids)
        )
    )
    return {row.code_id: row for row in rows}


def _add(alarm: Alarm, batch_id: int, since: datetime, reason: str) -> None:
    chosen = _to_replace(alarm, batch_id, since).add_columns(
        sa.literal(alarm.id),
        sa.literal(ReplacementState.WAITING, _TABLE.c.state.type),
        sa.literal(reason),
        sa.literal(clock.now(), _TABLE.c.at.type),
    )
    into = ["code_id", "order_id", "alarm_id", "state", "reason", "at"]
    db.execute(sa.insert(_TABLE).from_select(into, chosen))


def _take_up_again(alarm: Alarm) -> None:
    left = session.scalars(
        sa.select(Replacement)
        .where(Replacement.alarm_id == alarm.id, Replacement.why == Why.SOLD_OUT)
        .with_for_update()
    ).all()
    for one in left:
        move(one, ReplacementState.WAITING)
        one.why = None
    session.flush()


def _to_replace(alarm: Alarm, batch_id: int, since: datetime) -> sa.Select[int, int]:
    """The codes that buyers have, of this batch, sold since then, and not asked for yet: the id of
    each and of its order."""
    return (
        sa.select(Code.id, Order.id.label("order_id"))
        .join(OrderLine, OrderLine.id == Code.order_line_id)
        .join(Order, Order.id == OrderLine.order_id)
        .where(
            Code.batch_id == batch_id,
            Code.state == CodeState.SOLD,
            Code.sold_at >= since,
            ~sa.exists().where(Replacement.alarm_id == alarm.id, Replacement.code_id == Code.id),
        )
    )


def _replace(one: Replacement, today: date) -> bool:
    code = session.get_one(Code, one.code_id, populate_existing=True)
    one.at = clock.now()
    why = _why_not(code)
    if why is None and code.order_line_id is not None:
        try:
            with savepoint():
                aftersales.replace_code(
                    one.order_id, code.id, code.order_line_id, one.reason, today
                )
        except SoldOut:
            why = Why.SOLD_OUT
    one.why = why
    move(one, ReplacementState.REPLACED if why is None else ReplacementState.LEFT)
    return why is None


def _why_not(code: Code) -> Why | None:
    if code.state != CodeState.SOLD or code.order_line_id is None:
        return Why.GONE
    return Why.USED if queries.uses_of(code.id) else None


def _count_states(alarm_id: int) -> Counter[tuple[ReplacementState, Why | None]]:
    rows = session.execute(
        sa.select(Replacement.state, Replacement.why, sa.func.count())
        .where(Replacement.alarm_id == alarm_id)
        .group_by(Replacement.state, Replacement.why)
    )
    return Counter({(state, why): count for state, why, count in rows})


def _count_waiting(alarm_id: int) -> int:
    return _count_states(alarm_id)[ReplacementState.WAITING, None]


def _key(alarm_id: int) -> str:
    return f"replace:alarm:{alarm_id}"
