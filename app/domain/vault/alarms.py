"""What happens when a canary is touched: the alarm is raised and its batch stops selling, at once.

Whoever typed it hears what anybody hears who types a code that does not exist.
"""

from dataclasses import dataclass
from datetime import date

import sqlalchemy as sa

from app.core import audit, clock, keys
from app.core.actors import actor
from app.core.db import require_transaction, session
from app.core.errors import N_, Conflict, NotFound
from app.core.outbox import later
from app.core.states import move
from app.domain.vault import batches, canaries, exporting, generating
from app.domain.vault.alarm_models import Alarm, AlarmKind, AlarmState
from app.domain.vault.batches import BatchDetails
from app.domain.vault.export_models import CodeExport
from app.domain.vault.models import Batch, BatchState, Code, CodeState
from app.domain.vault.rules import normalise

FROZEN_BY_ALARM = N_("诱饵卡密被人使用，这一批疑似泄漏，系统已自动冻结")


@dataclass(frozen=True)
class Touch:
    """How and from where somebody got at codes, or wanted to. `channel`: "typed", "counter",
    "staff" or "export"."""

    channel: str
    ip: str


def notice_typed(text: str, touch: Touch) -> Alarm | None:
    """Raise the alarm if what was typed, and is no code that was sold, is a canary."""
    spellings = [normalise(text, case_sensitive=True), normalise(text, case_sensitive=False)]
    code = session.scalar(
        sa.select(Code).where(
            Code.lookup.in_([keys.index("code", spelling) for spelling in spellings]),
            Code.sold_at.is_(None),
        )
    )
    return notice(code, touch) if code is not None else None


def notice(code: Code, touch: Touch) -> Alarm | None:
    """Raise the alarm if this code is a canary; its batch is frozen with it."""
    batch = session.get_one(Batch, code.batch_id)
    if not canaries.is_canary(code, batch):
        return None
    batch = batches.lock_batch(batch.id)
    export = exporting.of_watermark(code)
    about = f"export:{export.id}" if export is not None else f"batch:{batch.id}"
    alarm = raise_alarm(AlarmKind.CANARY, about, touch, batch.id, code.id)
    if batch.state == BatchState.OPEN:
        batches.freeze(batch.id, reason=FROZEN_BY_ALARM)
    return alarm


def raise_alarm(
    kind: AlarmKind,
    about: str,
    touch: Touch,
    batch_id: int | None = None,
    code_id: int | None = None,
) -> Alarm:
    """The open alarm about this, a new one or once more."""
    require_transaction()
    alarm = find_open(about, lock=True)
    if alarm is not None:
        alarm.times += 1
        alarm.last_at = clock.now()
        return alarm
    alarm = Alarm(
        kind=kind,
        about=about,
        batch_id=batch_id,
        code_id=code_id,
        actor=actor(),
        ip=touch.ip,
        channel=touch.channel,
    )
    session.add(alarm)
    session.flush()
    audit.record("alarm.raise", "leak_alarms", alarm.id, ip=touch.ip, about=about)
    later("app.domain.messages.jobs.alarm", alarm.id, key=f"alarm:{alarm.id}")
    return alarm


def find_open(about: str, *, lock: bool = False) -> Alarm | None:
    """The alarm about this that nobody has closed yet."""
    wanted = sa.select(Alarm).where(Alarm.about == about, Alarm.state == AlarmState.OPEN)
    if lock:
        wanted = wanted.with_for_update().execution_options(populate_existing=True)
    return session.scalar(wanted)


def find(alarm_id: int) -> Alarm:
    """The alarm; raises NotFound."""
    alarm = session.get(Alarm, alarm_id)
    if alarm is None:
        raise NotFound(N_("没有找到这个警报"))
    return alarm


def export_of(alarm: Alarm) -> CodeExport | None:
    """The export whose file got about, where that is what the alarm says."""
    kind, _, name = alarm.about.partition(":")
    return exporting.find(int(name)) if kind == "export" else None


def close(alarm_id: int, *, reason: str) -> None:
    """It was looked into. A batch stays frozen until staff decide; a member of staff who was
    stopped may go on. Raises Refusal, Conflict."""
    alarm = lock_open(alarm_id)
    why = batches.checked_reason(reason)
    move(alarm, AlarmState.CLOSED, why)
    alarm.closed_at = clock.now()
    audit.record("alarm.close", "leak_alarms", alarm.id, reason=why)


def recall(alarm_id: int, today: date, *, reason: str) -> str:
    """Take what is unsold of the batch off the shelf for ever, and make as many anew if they are
    our own; the uid of their progress, else empty. Raises Refusal, Conflict."""
    alarm = lock_open(alarm_id)
    if alarm.batch_id is None:
        raise Conflict(N_("这个警报不关联批次，没有可以召回的卡密"))
    batch = batches.lock_batch(alarm.batch_id)
    if batch.state not in (BatchState.OPEN, BatchState.FROZEN):
        raise Conflict(N_("批次已经作废，不需要再召回"))
    unsold = batches.count_codes([batch.id])[batch.id][CodeState.AVAILABLE]
    batches.void(batch.id, reason=reason)
    audit.record("alarm.recall", "leak_alarms", alarm.id, reason=reason, unsold=unsold)
    if not batch.is_generated or not unsold:
        return ""
    expires_on = batch.expires_on
    if expires_on is not None and expires_on < today:
        return ""
    name = batch.name[: batches.NAME_LENGTH - 2]
    details = BatchDetails(f"{name} 2", batch.supplier, batch.unit_cost, expires_on, batch.note)
    return generating.start(batch.product_id, unsold, details, today)


def lock_open(alarm_id: int) -> Alarm:
    """The alarm, locked; raises NotFound, and Conflict when it was closed."""
    alarm = session.get(Alarm, alarm_id, with_for_update=True, populate_existing=True)
    if alarm is None:
        raise NotFound(N_("没有找到这个警报"))
    if alarm.state != AlarmState.OPEN:
        raise Conflict(N_("这个警报已经处理过了"))
    return alarm
