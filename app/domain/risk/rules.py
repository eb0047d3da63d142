"""How the truths of rules become one answer: pure decisions, no session."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from app.domain.risk.models import Action, Checkpoint, RuleMode

# From the mildest to the most severe; the most severe of what is true is done.
SEVERITY = (
    *(Action.ALLOW, Action.NOTIFY, Action.HOLD_COMMISSION, Action.CAPTCHA, Action.LIMIT),
    *(Action.DELAY, Action.HOLD, Action.BLOCK, Action.FREEZE),
)
# What goes on besides: it is done for every rule that is true, whatever else is.
BESIDES = (Action.NOTIFY, Action.HOLD_COMMISSION)
# After these whatever was asked about goes on, at once or later.
LETS_GO = (Action.ALLOW, *BESIDES, Action.DELAY, Action.HOLD)
# What trust does not spare anybody.
HARD = (Action.BLOCK, Action.FREEZE)
# What can be done at a checkpoint at all: money that has come cannot be blocked any more, and an
# order that is not paid yet has nothing that could be held back. Everywhere somebody can be told,
# and everywhere but with the money whoever acts, or what she acts on, can be frozen.
POSSIBLE = {
    Checkpoint.CHECKOUT: (
        *(Action.NOTIFY, Action.CAPTCHA, Action.LIMIT, Action.BLOCK, Action.FREEZE),
    ),
    Checkpoint.PAID: (Action.NOTIFY, Action.HOLD_COMMISSION, Action.DELAY, Action.HOLD),
    Checkpoint.REDEEM: (Action.NOTIFY, Action.CAPTCHA, Action.BLOCK, Action.FREEZE),
    Checkpoint.REGISTER: (Action.NOTIFY, Action.CAPTCHA, Action.BLOCK),
    Checkpoint.SIGN_IN: (Action.NOTIFY, Action.CAPTCHA, Action.BLOCK, Action.FREEZE),
    Checkpoint.REVEAL: (Action.NOTIFY, Action.BLOCK, Action.FREEZE),
    Checkpoint.WITHDRAW: (Action.NOTIFY, Action.HOLD, Action.BLOCK, Action.FREEZE),
    Checkpoint.PAYOUT_ACCOUNT: (Action.NOTIFY, Action.BLOCK, Action.FREEZE),
}
# Actions that last, and so need an end.
LASTING = (*(Action.LIMIT, Action.DELAY, Action.HOLD_COMMISSION, Action.BLOCK, Action.FREEZE),)
# Those of them that are put on somebody.
RESTRICTING = (Action.LIMIT, Action.BLOCK, Action.FREEZE)
# Score bands of field-notes §4: challenge, review, block; at a checkpoint, what of it is possible.
BANDS = ((80, Action.BLOCK), (60, Action.HOLD), (30, Action.CAPTCHA))
TRUST = 40
MOST_SCORE = 100


@dataclass(frozen=True)
class Trial:
    """A rule that was judged: what it would do, and whether it counts (`on`) or only says so.

    `is_spared`: it does not count against whom it was judged for (regulars.py).
    """

    slug: str
    mode: RuleMode
    is_true: bool
    action: Action
    score: int
    is_spared: bool = False

    @property
    def counts(self) -> bool:
        return self.is_true and self.mode == RuleMode.ON and not self.is_spared


@dataclass(frozen=True)
class Outcome:
    """What all trials together come to; `done` are the rules that are carried out, by slug."""

    action: Action
    score: int
    done: frozenset[str] = frozenset()


def combine(
    checkpoint: Checkpoint, trials: Iterable[Trial], *, trusted: bool, blocked: bool
) -> Outcome:
    """The most severe of what the rules, the score's band and the lists ask for.

    Trust lowers the score and spares everything but a hard block: a rule that blocks, or the list
    of those who are blocked, is stronger than any trust. A score is no rule, however high.
    """
    counting = [trial for trial in trials if trial.counts]
    total = sum(trial.score for trial in counting) - (TRUST if trusted else 0)
    score = max(0, min(total, MOST_SCORE))
    done = [trial for trial in counting if not trusted or trial.action in HARD]
    asked = [trial.action for trial in done]
    if not trusted:
        asked.append(of_band(checkpoint, score))
    if blocked:
        asked.append(hardest(checkpoint))
    action = max(asked, key=SEVERITY.index, default=Action.ALLOW)
    return Outcome(action, score, frozenset(trial.slug for trial in done))


def hardest(checkpoint: Checkpoint) -> Action:
    """What a block list does at a checkpoint: the most that ends with the entry."""
    possible = [action for action in POSSIBLE[checkpoint] if action != Action.FREEZE]
    return max(possible, key=SEVERITY.index)


def as_far_as_possible(checkpoint: Checkpoint, action: Action) -> Action:
    """It, or the most severe of what is milder and can be done here.

    Who is frozen everywhere cannot be stopped where the money has come already: a person looks.
    """
    if action in POSSIBLE[checkpoint]:
        return action
    milder = SEVERITY[: SEVERITY.index(action)]
    possible = [one for one in milder if one in POSSIBLE[checkpoint] and one not in BESIDES]
    return possible[-1] if possible else Action.ALLOW


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
