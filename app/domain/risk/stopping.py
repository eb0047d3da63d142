"""What somebody is told whom risk stops: what to do, until when, and the decision's number.

Never which rule, threshold or list it was.
"""

from collections.abc import Mapping
from datetime import datetime
from math import ceil

from app.core import clock
from app.core.errors import Refusal
from app.domain.risk.engine import Decided
from app.domain.risk.models import Action


class Stopped(Refusal):
    """Risk says no, or not yet. Whoever shows it keeps `decided`, in a unit of its own, unless
    that is done already."""

    def __init__(
        self, message: str, decided: Decided, *, field: str = "", **params: object
    ) -> None:
        super().__init__(message, field=field, **params)
        self.decided = decided


class CaptchaNeeded(Stopped):
    """It goes on as soon as a captcha is solved."""


def refusal(
    decided: Decided, sentences: Mapping[Action, str], for_good: str, field: str = ""
) -> Stopped:
    """The sentence of what was decided; `for_good` when it has no end that is worth waiting for.

    Each may name `%(minutes)s` and `%(number)s`.
    """
    is_for_good = decided.until is None or decided.action == Action.FREEZE
    if decided.action == Action.CAPTCHA or not is_for_good:
        words = sentences[decided.action]
    else:
        words = for_good
    kind = CaptchaNeeded if decided.action == Action.CAPTCHA else Stopped
    at = "captcha" if decided.action == Action.CAPTCHA else field
    return kind(
        words, decided, field=at, minutes=minutes_until(decided.until), number=decided.row.uid
    )


def minutes_until(until: datetime | None) -> int:
    """How many minutes are left, at least one; one when there is no end."""
    return max(ceil((until - clock.now()).total_seconds() / 60), 1) if until else 1
