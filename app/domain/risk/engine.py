"""Risk is asked here: `decide` looks, `keep` writes down, and the caller carries it out.

Every rule of the checkpoint is judged, whatever the others say; the most severe of what is true is
done. The answer is kept with all that it was made of, in the unit that it lets go, or, when it
stops the unit, in one of its own (`keep`).
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.exc import DBAPIError

from app.core import clock, db, ids
from app.core.db import require_transaction
from app.core.outbox import later
from app.domain.risk import (
    conditions,
    counters,
    disposable,
    keeping,
    lists,
    live_rules,
    proofs,
    reading,
    restrictions,
)
from app.domain.risk.conditions import Compared, Known, Question
from app.domain.risk.live_rules import LiveRule
from app.domain.risk.models import Action, Checkpoint, Decision, EventKind, Key, RuleMode
from app.domain.risk.restrictions import Standing
from app.domain.risk.rules import (
    BESIDES,
    HARD,
    LETS_GO,
    RESTRICTING,
    SEVERITY,
    Trial,
    as_far_as_possible,
    combine,
    is_chosen,
)
from app.domain.risk.visits import NOWHERE, Visit

log = structlog.get_logger()

# When a rule cannot be judged (what it says cannot be read), the others still decide. What is done
# besides is decided here, for each checkpoint: let go, or let a person look, from this amount on.
FAIL_OPEN = None
FAILURE_MODES: dict[Checkpoint, int | None] = {
    Checkpoint.CHECKOUT: FAIL_OPEN,
    Checkpoint.REDEEM: FAIL_OPEN,
    Checkpoint.PAID: 50_000,
    Checkpoint.REGISTER: FAIL_OPEN,
    Checkpoint.SIGN_IN: FAIL_OPEN,
    Checkpoint.REVEAL: FAIL_OPEN,
    # A person looks at every withdrawal; a second one does when it is not known what to think.
    Checkpoint.WITHDRAW: 0,
    Checkpoint.PAYOUT_ACCOUNT: FAIL_OPEN,
}

# What it comes to when it goes on. A sum of those has what is decided on in it already, so that
# nobody stays below a threshold by paying in parts.
HAPPENS = {
    Checkpoint.CHECKOUT: EventKind.PLACED,
    Checkpoint.PAID: EventKind.PAID,
    Checkpoint.WITHDRAW: EventKind.WITHDRAWN,
}

# By which of the keys somebody is rolled out to: the steadiest that there is.
STEADY = (Key.ACCOUNT, Key.CONTACT, Key.DEVICE, Key.NETWORK, Key.IP)

Fact = Callable[[], int | None]

# What a unit can do without.
PART = "risk"


@dataclass(frozen=True)
class Situation:
    """What is asked about. `facts` are looked up only when a rule wants one."""

    checkpoint: Checkpoint
    whose: Mapping[Key, bytes]
    facts: Mapping[str, Fact] = field(default_factory=dict)
    order_id: int | None = None
    visit: Visit = NOWHERE
    # In the open, for the lists of domains alone.
    email_domain: str = ""
    # What she typed that staff will read, for the lists of words.
    typed: str = ""

    @property
    def whom(self) -> str:
        """Who is rolled out to."""
        return next((self.whose[key].hex() for key in STEADY if key in self.whose), "")


@dataclass(frozen=True)
class Decided:
    """The answer: what is to be done now, until when, and the row that says why.

    `until` is None when no end is known. The row belongs to no session; `keep` gives it its id.
    `telling` are the rules that the owners want to hear of.
    """

    action: Action
    row: Decision
    until: datetime | None = None
    new: tuple[restrictions.New, ...] = ()
    listed: lists.Listed = field(default_factory=lists.Listed)
    telling: tuple[str, ...] = ()

    @property
    def lets_go(self) -> bool:
        return self.action in LETS_GO


def decide(situation: Situation) -> Decided:
    """What to do. Within the unit that it is about; takes up a proof that was asked for.

    When the database will not answer, the checkpoint's failure mode does, and the row says so: risk
    must never be why an honest buyer's money or order is lost.
    """
    require_transaction()
    if db.is_without(PART):
        failed_as = _failure_mode(situation)
        row = _row(situation, failed_as, clock.now(), failed_as=failed_as.value)
        return Decided(failed_as, row)
    try:
        return _decide(situation)
    except DBAPIError as error:
        log.error("risk.failed", checkpoint=situation.checkpoint.value, kind=type(error).__name__)
        raise db.DoneWithout(PART) from error


def _decide(situation: Situation) -> Decided:
    counters.serialise(situation.whose)
    now = clock.now()
    live = [rule for rule in live_rules.of(situation.checkpoint) if _looks(rule, situation, now)]
    wanted = _wanted(live)
    listed_as = lists.hashes_around(
        situation.whose, situation.visit.address, situation.email_domain, situation.typed
    )
    asked = [subject for subject in wanted if isinstance(subject, Question)]
    found = reading.read(situation.checkpoint, situation.whose, listed_as, asked, now)
    listed = lists.say(found.entries)
    known: dict[str | Question, int | None] = _facts(wanted, situation, listed)
    known |= {
        question: count + _own(question, situation.checkpoint, known.get("amount"))
        for question, count in found.counts.items()
    }
    judged = [_judge(rule, known) for rule in live]
    outcome = combine(
        situation.checkpoint,
        [trial for trial, _ in judged],
        trusted=listed.trusted,
        blocked=listed.blocked,
    )
    failed_as = _failure_mode(situation) if _has_unjudged(judged) else None
    standing = restrictions.standing(found.held, known.get("quantity"), now)
    done = [rule for rule in live if rule.slug in outcome.done]
    new = tuple(_new_restrictions(done, situation, now))
    action, until = _strongest(outcome.action, standing, new, is_trusted=listed.trusted)
    if listed.blocked:
        until = None
    if action == Action.DELAY:
        until = _end_of(done, Action.DELAY, now)
    if failed_as is not None and action in (Action.ALLOW, *BESIDES):
        action = failed_as
    action = as_far_as_possible(situation.checkpoint, action)
    proved = action == Action.CAPTCHA and _proves(situation)
    row = _row(
        situation,
        Action.ALLOW if proved else action,
        now,
        score=outcome.score,
        trusted=listed.trusted,
        failed_as=failed_as.value if failed_as else "",
        commission_held_until=_end_of(done, Action.HOLD_COMMISSION, now),
        inputs=_inputs(known, proved=proved, standing=standing, listed=listed),
        trials=[
            _as_json(rule, trial, seen) for rule, (trial, seen) in zip(live, judged, strict=True)
        ],
    )
    telling = tuple(rule.slug for rule in done if rule.action == Action.NOTIFY)
    return Decided(row.action, row, until, new, listed, telling)


def keep(decided: Decided, happened: EventKind | None = None, amount: int = 0) -> None:
    """Write the answer down, with what follows from it. In a unit of its own when it says no.

    With `happened`: so it came to pass, and is counted by the keys that were asked about.
    """
    require_transaction()
    row = decided.row
    keeping.write(row, happened, amount)
    restrictions.put(decided.new, row.uid)
    lists.count_hits(decided.listed.entry_ids)
    if decided.telling:
        # Of the same rules the owners hear once an hour: a hundred letters would be read by nobody.
        hour = f"{row.at:%Y%m%d%H}"
        key = f"risk-told:{'+'.join(decided.telling)}:{hour}"
        later("app.domain.messages.jobs.risk_rule", row.id, key=key)


def _looks(rule: LiveRule, situation: Situation, now: datetime) -> bool:
    is_over = rule.expires_at is not None and rule.expires_at <= now
    return not is_over and is_chosen(rule.slug, situation.whom, rule.rollout)


def _wanted(live: list[LiveRule]) -> list[str | Question]:
    """Every fact and every count that a rule wants, once."""
    subjects = [
        one.subject
        for rule in live
        if rule.condition is not None
        for one in conditions.comparisons(rule.condition)
    ]
    return list(dict.fromkeys(subjects))


def _facts(
    wanted: list[str | Question], situation: Situation, listed: lists.Listed
) -> dict[str | Question, int | None]:
    """The facts that a rule wants, as far as they can be known here."""
    facts = dict(situation.facts) | {
        "watched": lambda: int(listed.watched),
        "disposable_email": lambda: int(disposable.is_disposable(situation.email_domain)),
    }
    # How many are wanted, and for how much, is told anyway: limits and sums ask for it.
    names = {subject for subject in wanted if isinstance(subject, str)} | {"quantity", "amount"}
    return {name: facts[name]() for name in sorted(names) if name in facts}


def _own(question: Question, checkpoint: Checkpoint, amount: int | None) -> int:
    """What is decided on adds that much to a sum."""
    is_own = question.function == "sum" and question.kind == HAPPENS.get(checkpoint)
    return (amount or 0) if is_own else 0


def _judge(rule: LiveRule, known: Known) -> tuple[Trial, list[Compared] | None]:
    """A rule's truth and what was compared; None for one that cannot be read."""
    if rule.condition is None:
        return Trial(rule.slug, rule.mode, False, rule.action, rule.score), None
    is_true, seen = conditions.judge(rule.condition, known)
    return Trial(rule.slug, rule.mode, is_true, rule.action, rule.score), seen


def _has_unjudged(judged: list[tuple[Trial, list[Compared] | None]]) -> bool:
    """Whether a rule that is on could not be judged."""
    return any(seen is None and trial.mode == RuleMode.ON for trial, seen in judged)


def _failure_mode(situation: Situation) -> Action:
    """What is done here when it is not known what to do."""
    from_amount = FAILURE_MODES[situation.checkpoint]
    amount = situation.facts["amount"]() if "amount" in situation.facts else None
    if from_amount is None or amount is None or amount < from_amount:
        return Action.ALLOW
    return Action.HOLD


def _row(situation: Situation, action: Action, now: datetime, **values: Any) -> Decision:
    """The answer as it is kept; `values` are what it was made of."""
    made_of = {
        "score": 0,
        "trusted": False,
        "failed_as": "",
        "commission_held_until": None,
        "inputs": {},
        "trials": [],
    } | values
    return Decision(
        uid=ids.number(now, 7),
        checkpoint=situation.checkpoint,
        at=now,
        action=action,
        order_id=situation.order_id,
        keys={key.value: value.hex() for key, value in situation.whose.items()},
        **made_of,
    )


def _new_restrictions(
    done: list[LiveRule], situation: Situation, now: datetime
) -> Iterator[restrictions.New]:
    """What the rules put on somebody, or on what she acts on, each with its end."""
    for rule in done:
        if rule.action in RESTRICTING and rule.on_key is not None:
            key_hash = situation.whose.get(rule.on_key)
            if key_hash is not None:
                yield restrictions.New(
                    rule.action,
                    None if rule.action == Action.FREEZE else situation.checkpoint,
                    rule.on_key,
                    key_hash,
                    now + timedelta(minutes=rule.minutes),
                    rule.slug,
                )


def _end_of(done: list[LiveRule], action: Action, now: datetime) -> datetime | None:
    """When the longest of what those rules do is over; None when none of them does that."""
    minutes = [rule.minutes for rule in done if rule.action == action]
    return now + timedelta(minutes=max(minutes)) if minutes else None


def _strongest(
    action: Action, standing: Standing, new: tuple[restrictions.New, ...], *, is_trusted: bool
) -> tuple[Action, datetime | None]:
    """What is asked for now or was put on somebody before, whichever is more; and until when."""
    if standing.action in HARD or (standing.action == Action.LIMIT and not is_trusted):
        strongest = max(action, standing.action, key=SEVERITY.index)
        return strongest, restrictions.last_end([standing.until, *(one.until for one in new)])
    return action, restrictions.last_end(one.until for one in new)


def _proves(situation: Situation) -> bool:
    network = situation.whose.get(Key.NETWORK)
    visit = situation.visit
    return visit.proof is not None and proofs.spend(
        visit.proof, situation.checkpoint, visit.device, network
    )


def _inputs(
    known: Known, *, proved: bool, standing: Standing, listed: lists.Listed
) -> dict[str, Any]:
    facts: dict[str, Any] = {name: value for name, value in known.items() if isinstance(name, str)}
    facts["proved"] = proved
    facts["restricted_by"] = standing.rule_slug
    facts["frozen"] = standing.action == Action.FREEZE
    facts["blocked"] = listed.blocked
    return facts


def _as_json(rule: LiveRule, trial: Trial, seen: list[Compared] | None) -> dict[str, Any]:
    """A rule as it was judged, to be explained for as long as the decision is kept."""
    return {
        "rule": rule.slug,
        "version": rule.version,
        "mode": rule.mode.value,
        "true": trial.is_true,
        "action": rule.action.value,
        "score": rule.score,
        "compared": None
        if seen is None
        else [
            conditions.as_json(one.comparison) | {"value": one.value, "true": one.is_true}
            for one in seen
        ],
    }
