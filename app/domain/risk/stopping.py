"""What somebody is told whom risk stops: what to do, until when, and the decision's number.

Never which rule, threshold or list it was.
"""

from collections.abc import Mapping
from math import ceil

from app.core import clock
from app.core.errors import Refusal
from app.domain.risk.engine import Decided
from app.domain.risk.models import Action

# In seconds: a day of minutes tells nobody when it is over.
WORTH_WAITING = 24 * 3600


class Stopped(Refusal):
    """Risk says no, or not yet. Whoever shows it keeps `decided`, in a unit of its own, unless
    that is done already."""

    def __init__(
        self, message: str, decided: Decided, *, field: str = "", **params: object
    ) -> None:
        super().__init__(message, field=field, number=decided.row.uid, **params)
        self.decided = decided


class CaptchaNeeded(Stopped):
    """It goes on as soon as a captcha is solved."""


class StoppedForNow(Stopped):
    """Time takes it back: `retry_after` says when."""

    status = 429

    def __init__(self, message: str, decided: Decided, seconds: int, *, field: str = "") -> None:
        super().__init__(message, decided, field=field, minutes=ceil(seconds / 60))
        self.retry_after = seconds


def refusal(
    decided: Decided, sentences: Mapping[Action, str], for_good: str, field: str = ""
) -> Stopped:
    """The sentence of what was decided; `for_good` when no end is known or worth waiting for.

    Each may name `%(number)s`, and of `sentences` what ends may name `%(minutes)s`.
    """
    if decided.action == Action.CAPTCHA:
        return CaptchaNeeded(sentences[decided.action], decided, field="captcha")
    if decided.until is None:
        return Stopped(for_good, decided, field=field)
    seconds = max(ceil((decided.until - clock.now()).total_seconds()), 1)
    is_long = decided.action == Action.FREEZE or seconds > WORTH_WAITING
    words = for_good if is_long else sentences[decided.action]
    return StoppedForNow(words, decided, seconds, field=field)
