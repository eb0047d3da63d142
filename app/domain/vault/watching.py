"""An eye on staff who see codes in the open: whoever sees unusually many is stopped.

How many is unusual follows from what support is for: a buyer's complaint is one code of one order,
and a day of complaints comes from everywhere. Whoever copies codes sees many, quickly, of one batch
after the other, or when nobody is there.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.core import clock
from app.core.actors import actor
from app.core.crypto import Secret
from app.core.db import session, transaction
from app.core.errors import N_, Conflict
from app.domain.catalog import preferences
from app.domain.vault import alarms, exporting, service
from app.domain.vault.alarm_models import Alarm, AlarmKind
from app.domain.vault.alarms import Touch
from app.domain.vault.export_models import CodeExport, ExportState
from app.domain.vault.exporting import File
from app.domain.vault.models import Code, Reveal

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
# A complaint takes some minutes to look into: twenty in an hour is more than anybody answers.
MOST_AN_HOUR = 20
MOST_A_DAY = 60
# From midnight to six few buyers complain and nobody looks over a shoulder.
NIGHT_ENDS = 6
MOST_A_NIGHT_HOUR = 5
# Complaints of a day are about what is sold now: a few batches of a few products.
MOST_BATCHES_A_DAY = 12
# An export is the exception: to another shop, back to a supplier. Two people took part in each, so
# what is in it does not count as seen one by one.
MOST_EXPORTS_A_DAY = 4
MOST_EXPORTS_A_NIGHT = 1
MOST_EXPORTED_BATCHES_A_DAY = 2
# What somebody who is stopped hears, by what stopped her: codes seen one by one, or exports.
STAFF, EXPORT = "staff", "export"
STOPPED = {
    STAFF: N_("你查看的卡密异常多，已暂停你查看和导出卡密，并通知店主。请等店主核实后再试"),
    EXPORT: N_("你申请的卡密导出异常多，已暂停你查看和导出卡密，并通知店主。请等店主核实后再试"),
}


@dataclass(frozen=True)
class Seen:
    """How many codes somebody has seen, and of how many batches."""

    in_an_hour: int
    in_a_day: int
    batches: int


def is_unusual(seen: Seen, hour: int) -> bool:
    """Whether one more would be too many; `hour` is the hour of the shop's day."""
    an_hour = MOST_A_NIGHT_HOUR if hour < NIGHT_ENDS else MOST_AN_HOUR
    return (
        seen.in_an_hour >= an_hour
        or seen.in_a_day >= MOST_A_DAY
        or seen.batches > MOST_BATCHES_A_DAY
    )


@dataclass(frozen=True)
class Asked:
    """How many exports somebody has asked for in a day, and of how many batches with the next."""

    in_a_day: int
    batches: int


def is_unusual_export(asked: Asked, hour: int) -> bool:
    """Whether one more would be too many; `hour` is the hour of the shop's day."""
    most = MOST_EXPORTS_A_NIGHT if hour < NIGHT_ENDS else MOST_EXPORTS_A_DAY
    return asked.in_a_day >= most or asked.batches > MOST_EXPORTED_BATCHES_A_DAY


def reveal_to_staff(code_id: int, buyer: bytes | None, *, reason: str, ip: str) -> Secret:
    """As `service.reveal_to_staff`, in units of its own, unless this member of staff is stopped.

    Raises Conflict for one who is: the alarm stands, whatever becomes of the request.
    """
    if by := transaction(partial(stop_if_unusual, Touch(STAFF, ip), _sees_unusually)):
        raise Conflict(STOPPED[by])

    def reveal() -> Secret:
        code = session.get_one(Code, code_id)
        alarms.notice(code, Touch(STAFF, ip))
        return service.reveal_to_staff(code, buyer, reason=reason, ip=ip)

    return transaction(reveal)


def request_export(batch_id: int, quantity: int | None, *, reason: str, ip: str) -> CodeExport:
    """As `exporting.request`, in units of its own, unless this member of staff is stopped."""
    asks_unusually = partial(_asks_unusually, batch_id)
    if by := transaction(partial(stop_if_unusual, Touch(EXPORT, ip), asks_unusually)):
        raise Conflict(STOPPED[by])
    return transaction(lambda: exporting.request(batch_id, quantity, reason=reason))


def download_export(export_id: int, *, ip: str) -> File:
    """As `exporting.download`, likewise: who was stopped meanwhile gets nothing out any more."""
    if by := transaction(partial(stop_if_unusual, Touch(EXPORT, ip), lambda: False)):
        raise Conflict(STOPPED[by])
    return transaction(lambda: exporting.download(export_id, ip=ip))


def stop_if_unusual(touch: Touch, is_unusual_now: Callable[[], bool]) -> str:
    """By what whoever acts is stopped, now or since before: STAFF or EXPORT, empty for nothing."""
    about = f"staff:{actor()}"
    if alarms.find_open(about) is None and not is_unusual_now():
        return ""
    return alarms.raise_alarm(AlarmKind.STAFF, about, touch).channel


def _sees_unusually() -> bool:
    now = clock.now()
    return is_unusual(seen_by(actor(), now), _hour(now))


def _asks_unusually(batch_id: int) -> bool:
    now = clock.now()
    return is_unusual_export(asked_by(actor(), now, batch_id), _hour(now))


def _hour(now: datetime) -> int:
    return now.astimezone(ZoneInfo(preferences.get().zone)).hour


def asked_by(who: str, now: datetime, batch_id: int) -> Asked:
    """What this member of staff has asked to be exported since the last alarm, within a day; with
    the batch that is asked for now."""
    begin = max(now - DAY, _cleared(who) or now - DAY)
    asked = session.scalars(
        sa.select(CodeExport.batch_id).where(
            CodeExport.requested_by == who,
            CodeExport.requested_at > begin,
            CodeExport.state != ExportState.CANCELLED,
        )
    ).all()
    return Asked(len(asked), len({*asked, batch_id}))


def _cleared(who: str) -> datetime | None:
    return session.scalar(
        sa.select(sa.func.max(Alarm.closed_at)).where(Alarm.about == f"staff:{who}")
    )


def seen_by(who: str, now: datetime) -> Seen:
    """What this member of staff has seen lately: since the last alarm, which was looked into."""
    cleared = _cleared(who)

    def since(moment: datetime) -> sa.Select[int]:
        begin = max(moment, cleared) if cleared else moment
        return sa.select(sa.func.coalesce(sa.func.sum(Reveal.code_count), 0)).where(
            Reveal.actor == who,
            Reveal.by_staff,
            Reveal.channel != EXPORT,
            Reveal.at > begin,
        )

    of_batches = (
        since(now - DAY)
        .with_only_columns(sa.func.count(Code.batch_id.distinct()))
        .select_from(Reveal)
        .join(Code, Code.id == Reveal.code_id)
    )
    return Seen(
        int(session.scalar(since(now - HOUR)) or 0),
        int(session.scalar(since(now - DAY)) or 0),
        int(session.scalar(of_batches) or 0),
    )
