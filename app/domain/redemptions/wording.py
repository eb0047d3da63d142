"""The rules of use in plain words, for the buyer before she buys and the holder after.

Each rule is a marked sentence and what fills it; the web writes spans, days and moments in the
reader's way.
"""

from collections.abc import Iterator
from typing import Any

from app.core.errors import N_
from app.domain.redemptions.validity import ALL_WEEK, Anchor, Policy

Sentence = tuple[str, dict[str, Any]]

VALID_FOR = {
    Anchor.SOLD: N_("购买后 %(span)s内有效"),
    Anchor.DELIVERED: N_("到货后 %(span)s内有效"),
    Anchor.ACTIVATED: N_("激活后 %(span)s内有效"),
    Anchor.FIRST_USED: N_("首次使用后 %(span)s内有效"),
}
STARTS_AFTER = {
    Anchor.SOLD: N_("购买满 %(span)s后才能使用"),
    Anchor.DELIVERED: N_("到货满 %(span)s后才能使用"),
}


def describe(policy: Policy) -> list[Sentence]:
    """What a buyer should know; no sentences for a code without rules."""
    return [*_life(policy), *_times(policy), *_uses(policy)]


def _life(policy: Policy) -> Iterator[Sentence]:
    waits = policy.delay and policy.anchor in STARTS_AFTER
    if waits:
        yield STARTS_AFTER[policy.anchor], {"span": policy.delay}
    if policy.duration and policy.anchor in VALID_FOR:
        # The duration is counted from the end of the wait.
        sentence = N_("此后 %(span)s内有效") if waits else VALID_FOR[policy.anchor]
        yield sentence, {"span": policy.duration}
    if policy.start_at:
        yield N_("%(moment)s 起可用"), {"moment": policy.start_at}
    if policy.end_at:
        yield N_("%(moment)s 前有效"), {"moment": policy.end_at}


def _times(policy: Policy) -> Iterator[Sentence]:
    weekdays = sorted(policy.weekdays)
    hours = [f"{start:%H:%M}–{end:%H:%M}" for start, end in sorted(policy.hours)]
    if policy.weekdays == ALL_WEEK:
        if hours:
            yield N_("每天 %(hours)s 可用"), {"hours": hours}
    elif hours:
        yield N_("%(weekdays)s %(hours)s 可用"), {"weekdays": weekdays, "hours": hours}
    else:
        yield N_("%(weekdays)s 可用"), {"weekdays": weekdays}
    if policy.blackout:
        yield N_("%(days)s 不可用"), {"days": sorted(policy.blackout)}


def _uses(policy: Policy) -> Iterator[Sentence]:
    if policy.uses_total:
        yield N_("共 %(count)s 次"), {"count": policy.uses_total}
    if policy.uses_per_day:
        yield N_("每天最多 %(count)s 次"), {"count": policy.uses_per_day}
    if policy.min_gap:
        yield N_("两次之间至少隔 %(span)s"), {"span": policy.min_gap}
