"""Whoever has paid here is a regular: what others do at her address is not held against her.

Behind one address of a phone company are thousands. A limit or a lock that a rule puts on an
address stops a bot there, and everybody else; a regular is judged by her own browser and account.

She is known by the browser that placed the order, or by the account that was signed in then: a
cookie that only the shop can sign, and a session. A contact anybody can type, so it does not count.
"""

from collections.abc import Mapping

from app.domain.risk.conditions import Question
from app.domain.risk.models import Action, EventKind, Key

# As far back as events are counted: thirty days.
WITHIN_MINUTES = 30 * 24 * 60
HERS = (Key.DEVICE, Key.ACCOUNT)
QUESTIONS = tuple(Question("count", EventKind.PAID, key, WITHIN_MINUTES) for key in HERS)
# Where somebody is, and others are too.
PLACES = (Key.IP, Key.NETWORK, Key.LOOK)


def is_regular(counts: Mapping[Question, int]) -> bool:
    """Whether an order was paid by this browser or account lately, by the answers to QUESTIONS."""
    return any(counts.get(question, 0) for question in QUESTIONS)


def are_spared(action: Action, key: Key | None, rule_slug: str) -> bool:
    """Whether what a rule does to this key passes regulars by; what a person did never does."""
    return action in (Action.LIMIT, Action.BLOCK) and key in PLACES and rule_slug != ""
