"""Words on a list: whether one of them stands in what somebody typed and staff will read.

An entry of a list is found by its hash (`lists.hashes_around`). Which words stand in a text is
found here, among the words that are listed; those are few, and remembered for two seconds.
"""

import time
import unicodedata

import sqlalchemy as sa

from app.core import clock
from app.core.db import session
from app.core.errors import N_, Refusal
from app.domain.risk.models import ListEntry, Subject

# A single letter stands in everybody's name.
SHORTEST, LONGEST = 2, 40
FRESH_FOR = 2.0

_LISTED = sa.select(ListEntry.shown).where(
    ListEntry.subject == Subject.KEYWORD,
    ListEntry.removed_at.is_(None),
    sa.or_(ListEntry.expires_at.is_(None), ListEntry.expires_at > sa.bindparam("now")),
)

# The words, when they were read, and from which database: a process may open several in turn.
_remembered: tuple[frozenset[str], float, object] | None = None


def normalised(text: str) -> str:
    """A text in the one form it is compared in: full width is half width, capitals are none."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def read(text: str) -> str:
    """A word as somebody typed it for a list, normalised; raises Refusal for the field `value`."""
    word = normalised(text)
    if not SHORTEST <= len(word) <= LONGEST:
        raise Refusal(
            N_("关键词要有 %(least)s 到 %(most)s 个字"), field="value", least=SHORTEST, most=LONGEST
        )
    return word


def found_in(text: str) -> list[str]:
    """The listed words that stand in a text, in order."""
    if not text:
        return []
    compared = normalised(text)
    return sorted(word for word in _listed() if word in compared)


def forget() -> None:
    """Read the words anew the next time: after a change, or when another database is opened."""
    global _remembered  # noqa: PLW0603  one value a process, replaced whole
    _remembered = None


def _listed() -> frozenset[str]:
    global _remembered  # noqa: PLW0603
    bind, now = session.get_bind(), time.monotonic()
    if _remembered is None or _remembered[2] is not bind or now - _remembered[1] >= FRESH_FOR:
        _remembered = frozenset(session.scalars(_LISTED, {"now": clock.now()})), now, bind
    return _remembered[0]
