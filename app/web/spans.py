"""Spans of time as people write them (3 个月, 2 hours) and as rules of use keep them: ISO 8601."""

import re
import unicodedata

from flask_babel import gettext as _

from app.domain.redemptions.spans import Duration

# What people call each part of an ISO duration, and which it is: of the calendar, or of the clock.
CALENDAR = {"年": "Y", "个月": "M", "月": "M", "周": "W", "星期": "W", "天": "D", "日": "D"}
CLOCK = {"小时": "H", "分钟": "M", "分": "M"}
CALENDAR |= {"year": "Y", "month": "M", "week": "W", "day": "D"}
CLOCK |= {"hour": "H", "minute": "M"}
PART = re.compile(r"(\d{1,6})\s*([a-z]+|[\u4e00-\u9fff]+)\s*")


def words(text: str) -> str:
    """An ISO duration in the reader's language, exactly: P1M → 1 个月, PT90M → 1 小时 30 分钟."""
    duration = Duration.parse(text)
    years, months = divmod(duration.months, 12)
    hours, minutes = divmod(int(duration.time.total_seconds()) // 60, 60)
    parts = (
        (years, _("1 年"), _("%(n)s 年", n=years)),
        (months, _("1 个月"), _("%(n)s 个月", n=months)),
        (duration.days, _("1 天"), _("%(n)s 天", n=duration.days)),
        (hours, _("1 小时"), _("%(n)s 小时", n=hours)),
        (minutes, _("1 分钟"), _("%(n)s 分钟", n=minutes)),
    )
    return " ".join(one if count == 1 else many for count, one, many in parts if count)


def iso(typed: str) -> str:
    """What was typed as an ISO duration; as it was typed where it is no span that we know."""
    text = unicodedata.normalize("NFKC", typed).strip().lower()
    parts = PART.findall(text)
    if not parts or PART.sub("", text):
        return typed.strip().upper()
    calendar, clock = [], []
    for count, unit in parts:
        unit = unit if unit in CALENDAR or unit in CLOCK else unit.removesuffix("s")
        if unit in CALENDAR:
            calendar.append(count + CALENDAR[unit])
        elif unit in CLOCK:
            clock.append(count + CLOCK[unit])
        else:
            return typed.strip().upper()
    return "P" + "".join(calendar) + ("T" + "".join(clock) if clock else "")
