"""How the truths of rules become one answer: pure decisions, no session."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from app.domain.risk.models import Action, Checkpoint, RuleMode

# From the mildest to the most severe; the most severe of what is true is done.
SEVERITY = (Action.ALLOW, Action.CAPTCHA, Action.LIMIT, Action.HOLD, Action.BLOCK)
# What can be done at a checkpoint at all: money that has come cannot be blocked any more, and an
# order that is not paid yet has nothing that could be held back.
POSSIBLE = {
    Checkpoint.CHECKOUT: (Action.CAPTCHA, Action.LIMIT, Action.BLOCK),
    Checkpoint.PAID: (Action.HOLD,),
    Checkpoint.REDEEM: (Action.CAPTCHA, Action.BLOCK),
}
# Actions that put a restriction on somebody, and so need an end.
LASTING = (Action.LIMIT, Action.BLOCK)
# Score bands of field-notes §4: challenge, review, block; at a checkpoint, what of it is possible.
BANDS = ((80, Action.BLOCK), (60, Action.HOLD), (30, Action.CAPTCHA))
TRUST = 40
MOST_SCORE = 100


@dataclass(frozen=True)
class Trial:
    """A rule that was judged: what it would do, and whether it counts (`on`) or only says so."""

    slug: str
    mode: RuleMode
    is_true: bool
    action: Action
    score: int

    @property
    def counts(self) -> bool:
        return self.is_true and self.mode == RuleMode.ON


@dataclass(frozen=True)
class Outcome:
    """What all trials together come to."""

    action: Action
    score: int


def combine(
    checkpoint: Checkpoint, trials: Iterable[Trial], *, trusted: bool, blocked: bool
) -> Outcome:
    """The most severe of what the rules, the score's band and the lists ask for.

    Trust lowers the score and spares everything but a hard block: a rule that blocks, or the list
    of those who are blocked, is stronger than any trust.
    """
    counting = [trial for trial in trials if trial.counts]
    total = sum(trial.score for trial in counting) - (TRUST if trusted else 0)
    score = max(0, min(total, MOST_SCORE))
    asked = [trial.action for trial in counting]
    asked.append(of_band(checkpoint, score))
    if trusted:
        asked = [action for action in asked if action == Action.BLOCK]
    if blocked:
        asked.append(hardest(checkpoint))
    return Outcome(max(asked, key=SEVERITY.index, default=Action.ALLOW), score)


def hardest(checkpoint: Checkpoint) -> Action:
    """The most that can be done at a checkpoint."""
    return max(POSSIBLE[checkpoint], key=SEVERITY.index)


def is_chosen(slug: str, whom: str, rollout: int) -> bool:
    """Whether a rule that is rolled out to so many in a hundred looks at this somebody.

    By a hash of both, so that the same somebody is chosen every time, and by each rule anew.
    """
    digest = hashlib.sha256(f"{slug}\0{whom}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < rollout


def of_band(checkpoint: Checkpoint, score: int) -> Action:
    """What a score by itself asks for at a checkpoint."""
    possible = POSSIBLE[checkpoint]
    for least, action in BANDS:
        if score >= least and action in possible:
            return action
    return Action.ALLOW
