"""A draft of a rule over the past: whom it would have met, and what became of those.

What every rule saw was kept with each decision (`trials`), so a draft with other thresholds is
judged on the very values that stood there then; nothing is counted anew, and nothing is written.
The newest decisions of the rule's checkpoint are read in parts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import sqlalchemy as sa

from app.core.db import session
from app.domain.risk import conditions, decisions
from app.domain.risk.conditions import Condition, Question
from app.domain.risk.engine import STEADY
from app.domain.risk.models import Case, Decision, Label, Rule
from app.domain.risk.rules import is_chosen

LOOK_BACK = timedelta(days=30)
# A second or two of one processor, for which a person waits.
MOST = 10_000
CHUNK = 1_000
# Of fewer labelled orders a share says nothing; of more wrong than right, a rule is noise.
ENOUGH_LABELS = 20
BAD = (Label.FRAUD, Label.ABUSE)
NOT_ASKED = ("value", "true", *conditions.COMPARISONS)

Subject = str | Question
Sign = tuple[tuple[str, Any], ...]


@dataclass(frozen=True)
class Became:
    """What became of an order; `total` in minor units."""

    total: int
    is_paid: bool
    is_refunded: bool


# Orders by their ids: asked of the package that knows them.
Fates = Callable[[Sequence[int]], Mapping[int, Became]]


@dataclass(frozen=True)
class Draft:
    """A rule as it might be: when it is true, and of how many in a hundred."""

    condition: Condition
    rollout: int


@dataclass
class Met:
    """Whom a rule met. `money` is that of the orders among them that were paid, minor units."""

    decisions: int = 0
    orders: set[int] = field(default_factory=set)
    paid: int = 0
    refunded: int = 0
    bad: int = 0
    good: int = 0
    money: int = 0

    @property
    def precision(self) -> int | None:
        """Of the labelled among them, how many in a hundred were bad; None for too few."""
        labelled = self.bad + self.good
        return round(100 * self.bad / labelled) if labelled else None

    @property
    def is_noise(self) -> bool:
        """More wrong than right, and often enough to say so."""
        return self.bad + self.good >= ENOUGH_LABELS and self.good > self.bad

    def add(self, order_id: int | None, became: Became | None, label: Label | None) -> None:
        self.decisions += 1
        if order_id is None or order_id in self.orders:
            return
        self.orders.add(order_id)
        if became is not None and became.is_paid:
            self.paid += 1
            self.money += became.total
            self.refunded += became.is_refunded
        self.bad += label in BAD
        self.good += label == Label.FALSE_POSITIVE


@dataclass
class Outcome:
    """What the rule as it is (`now`) and as it would be (`then`) make of the same decisions.

    Of `looked_at`, `lacking` could not be judged: a value was not kept with them. `bad` are all
    orders in them that a person found bad, met or not.
    """

    since: datetime
    looked_at: int = 0
    lacking: int = 0
    is_all: bool = True
    now: Met = field(default_factory=Met)
    then: Met = field(default_factory=Met)
    added: int = 0
    spared: int = 0
    bad: int = 0

    @property
    def judged(self) -> int:
        return self.looked_at - self.lacking

    @property
    def recall(self) -> int | None:
        """Of the orders that a person found bad, how many in a hundred it meets."""
        return round(100 * self.then.bad / self.bad) if self.bad else None


class _Row(NamedTuple):
    id: int
    order_id: int | None
    keys: dict[str, str]
    inputs: dict[str, Any]
    trials: list[dict[str, Any]]


def run(rule: Rule, draft: Draft, fates: Fates, now: datetime) -> Outcome:
    """Judge the decisions of the rule's checkpoint anew, by the rule as it is and by the draft."""
    is_now = Draft(conditions.parse(rule.condition), rule.rollout)
    outcome = Outcome(now - LOOK_BACK)
    wanted = {_sign(subject): subject for subject in _subjects(is_now, draft)}
    for rows in _parts(rule, outcome):
        became, labels = _what_became(rows, fates)
        for row in rows:
            label = labels.get(row.order_id or 0)
            outcome.bad += label in BAD
            known = _known(row, rule.slug, wanted)
            if known is None:
                outcome.lacking += 1
                continue
            met = _meets(is_now, rule.slug, row, known)
            would_meet = _meets(draft, rule.slug, row, known)
            fate = became.get(row.order_id or 0)
            if met:
                outcome.now.add(row.order_id, fate, label)
            if would_meet:
                outcome.then.add(row.order_id, fate, label)
            outcome.added += would_meet and not met
            outcome.spared += met and not would_meet
    return outcome


def _parts(rule: Rule, outcome: Outcome) -> Iterator[list[_Row]]:
    """The decisions, the newest first; says in `outcome` how many those are."""
    before, first = None, decisions.first_since(outcome.since)
    while True:
        found = sa.select(
            Decision.id, Decision.order_id, Decision.keys, Decision.inputs, Decision.trials
        ).where(Decision.checkpoint == rule.checkpoint, Decision.id >= first)
        if before is not None:
            found = found.where(Decision.id < before)
        if outcome.looked_at == MOST:
            outcome.is_all = session.scalar(found.limit(1)) is None
            return
        rows = [
            _Row(*row) for row in session.execute(found.order_by(Decision.id.desc()).limit(CHUNK))
        ]
        if not rows:
            return
        outcome.looked_at += len(rows)
        before = rows[-1].id
        yield rows


def _what_became(
    rows: list[_Row], fates: Fates
) -> tuple[Mapping[int, Became], dict[int, Label | None]]:
    order_ids = [row.order_id for row in rows if row.order_id is not None]
    if not order_ids:
        return {}, {}
    labels = session.execute(
        sa.select(Case.order_id, Case.label).where(
            Case.order_id.in_(order_ids), Case.label.is_not(None)
        )
    )
    return fates(order_ids), {row.order_id: row.label for row in labels}


def _meets(draft: Draft, slug: str, row: _Row, known: Mapping[Subject, int | None]) -> bool:
    whom = next((row.keys[key] for key in STEADY if key in row.keys), "")
    return is_chosen(slug, whom, draft.rollout) and conditions.judge(draft.condition, known)[0]


def _known(
    row: _Row, slug: str, wanted: Mapping[Sign, Subject]
) -> dict[Subject, int | None] | None:
    """The values that are wanted, as they were then; None when one of them was not kept."""
    known: dict[Subject, int | None] = {
        subject: row.inputs[subject] for subject in wanted.values() if subject in row.inputs
    }
    # The rule's own trial first: as a rule it says everything.
    for trial in sorted(row.trials, key=lambda one: one["rule"] != slug):
        if len(known) == len(wanted):
            break
        for one in trial["compared"] or ():
            subject = wanted.get(_sign_of(one))
            if subject is not None:
                known[subject] = one["value"]
    return known if len(known) == len(wanted) else None


def _subjects(*drafts: Draft) -> set[Subject]:
    return {one.subject for draft in drafts for one in conditions.comparisons(draft.condition)}


def _sign(subject: Subject) -> Sign:
    """How a subject reads where it was kept."""
    comparison = conditions.Comparison(subject, "at_least", conditions.limits_of(subject).least)
    return _sign_of(conditions.as_json(comparison))


def _sign_of(kept: Mapping[str, Any]) -> Sign:
    return tuple(sorted((name, value) for name, value in kept.items() if name not in NOT_ASKED))
