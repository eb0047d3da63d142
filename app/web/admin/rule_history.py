"""What was changed about a rule, version by version, in words."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

from flask_babel import gettext as _

from app.domain.risk import conditions
from app.domain.risk.models import RuleVersion
from app.web import risk_words, state_words
from app.web.admin.actors import named
from app.web.moments import when


@dataclass(frozen=True)
class Entry:
    """A version, as the component `timeline` shows it."""

    title: str
    at: datetime
    actor: str
    note: str
    tone: str = ""


def of(versions: Sequence[RuleVersion]) -> list[Entry]:
    """The versions, the newest first, each with what it changed."""
    names = named(version.author for version in versions)
    if not versions:
        return []
    changed = [
        (newer, _changes(older.content, newer.content)) for newer, older in pairwise(versions)
    ]
    first = versions[-1]
    return [
        *(_entry(version, names, "；".join(changes)) for version, changes in changed),
        _entry(first, names, state_words.word("risk_rule", first.content["mode"])),
    ]


def _entry(version: RuleVersion, names: Mapping[str, str], note: str) -> Entry:
    title = _("第 %(n)s 版", n=version.version)
    return Entry(title, version.at, names[version.author], note)


def _changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[str]:
    if before["mode"] != after["mode"]:
        yield state_words.word("risk_rule", after["mode"])
    if before["condition"] != after["condition"]:
        yield _condition_words(after["condition"])
    if before["minutes"] != after["minutes"]:
        yield _("持续 %(duration)s", duration=risk_words.duration(after["minutes"]))
    if before["rollout"] != after["rollout"]:
        yield _("灰度 %(n)s%%", n=after["rollout"])
    if before["expires_at"] != after["expires_at"]:
        yield _until(after["expires_at"])


def _condition_words(condition: object) -> str:
    try:
        return risk_words.sentence(conditions.parse(condition))
    except conditions.BadCondition:
        return str(_("条件无法读取"))


def _until(expires_at: str | None) -> str:
    if expires_at is None:
        return str(_("不再到期"))
    return str(_("到 %(at)s 为止", at=when(datetime.fromisoformat(expires_at))))
