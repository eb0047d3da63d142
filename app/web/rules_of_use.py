"""Rules of use and what is said about a code, in the reader's language and the shop's time."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from flask_babel import get_locale
from flask_babel import gettext as _

from app.domain.catalog import preferences
from app.domain.redemptions.answers import Answer
from app.domain.redemptions.validity import Policy
from app.domain.redemptions.wording import describe
from app.web import spans
from app.web.moments import when


def sentences(policy: Policy) -> list[str]:
    """What a buyer should know before she buys, a sentence each."""
    return [_(message) % _filled(params) for message, params in describe(policy)]


def why_not(answer: Answer) -> str:
    """Why a code cannot be used."""
    return _(answer.message) % _filled(answer.params)


def advice(answer: Answer) -> str:
    """What to do about it."""
    return _(answer.advice) % _filled(answer.params)


def said(answer: Answer) -> str:
    """Why not and what to do about it, in one go."""
    return _("%(why)s。%(advice)s", why=why_not(answer), advice=advice(answer))


def _filled(params: Mapping[str, Any]) -> dict[str, str]:
    return {name: _written(name, value) for name, value in params.items()}


def _written(name: str, value: Any) -> str:
    if isinstance(value, datetime):
        return when(value)
    if name == "span":
        return spans.words(value)
    if name == "weekdays":
        return _days_of_week(value)
    if name == "hours":
        return _("、").join(value)
    if name == "days":
        return ", ".join(f"{day:%Y-%m-%d}" for day in value)
    return str(value)


def _days_of_week(days: list[int]) -> str:
    """Weekdays by name, runs of three and more as a span: 周一至周五."""
    locale = get_locale()
    assert locale is not None
    names = {day: locale.days["format"]["abbreviated"][day - 1] for day in range(1, 8)}
    runs: list[list[int]] = []
    for day in days:
        if runs and day == runs[-1][-1] + 1:
            runs[-1].append(day)
        else:
            runs.append([day])
    return _("、").join(_run(run, names) for run in runs)


def _run(run: list[int], names: Mapping[int, str]) -> str:
    if len(run) < 3:
        return _("、").join(names[day] for day in run)
    return _("%(first)s至%(last)s", first=names[run[0]], last=names[run[-1]])


def shop_zone() -> ZoneInfo:
    """The zone in which the shop's days begin and end."""
    return ZoneInfo(preferences.get().zone)


def day(at: datetime) -> date:
    """The shop's day of a moment."""
    return at.astimezone(shop_zone()).date()
