"""An eye on staff who see codes in the open: whoever sees unusually many is stopped.

How many is unusual follows from what support is for: a buyer's complaint is one code of one order,
and a day of complaints comes from everywhere. Whoever copies codes sees many, quickly, of one batch
after the other, or when nobody is there.
"""

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
from app.domain.vault import alarms, service
from app.domain.vault.alarm_models import Alarm, AlarmKind
from app.domain.vault.alarms import Touch
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


def reveal_to_staff(code_id: int, buyer: bytes | None, *, reason: str, ip: str) -> Secret:
    """As `service.reveal_to_staff`, in units of its own, unless this member of staff is stopped.

    Raises Conflict for one who is: the alarm stands, whatever becomes of the request.
    """
    if transaction(partial(stop_if_unusual, ip)):
        raise Conflict(N_("你查看的卡密异常多，已暂停你的查看权限并通知店主。请等店主核实后再试"))

    def reveal() -> Secret:
        code = session.get_one(Code, code_id)
        alarms.notice(code, Touch("staff", ip))
        return service.reveal_to_staff(code, buyer, reason=reason, ip=ip)

    return transaction(reveal)


def stop_if_unusual(ip: str) -> bool:
    """Whether whoever acts is stopped, now or since before."""
    about = f"staff:{actor()}"
    if alarms.find_open(about) is None:
        now = clock.now()
        hour = now.astimezone(ZoneInfo(preferences.get().zone)).hour
        if not is_unusual(seen_by(actor(), now), hour):
            return False
    alarms.raise_alarm(AlarmKind.STAFF, about, Touch("staff", ip))
    return True


def seen_by(who: str, now: datetime) -> Seen:
    """What this member of staff has seen lately: since the last alarm, which was looked into."""
    cleared = session.scalar(
        sa.select(sa.func.max(Alarm.closed_at)).where(Alarm.about == f"staff:{who}")
    )

    def since(moment: datetime) -> sa.Select[int]:
        begin = max(moment, cleared) if cleared else moment
        return sa.select(sa.func.coalesce(sa.func.sum(Reveal.code_count), 0)).where(
            Reveal.actor == who, Reveal.by_staff, Reveal.at > begin
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
