"""Decisions about messages that need no database, and what a message may say."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from app.domain.messages.models import Kind

# When a message that did not go out is tried again, by how often it was.
TRY_AGAIN_AFTER = tuple(timedelta(minutes=m) for m in (1, 5, 15, 60))
# News that is a day old is on the order's page, where the buyer has looked by then.
GIVE_UP_AFTER = timedelta(days=1)
# How long before the end of what was bought its buyer is told.
NOTICE = timedelta(days=3)


@dataclass(frozen=True)
class Facts:
    """All that a message may say; no code, no password, no token is among it, so none can slip in.

    `items` are (name, quantity); `amount` is in minor units; `ends_at` is when it is over.
    """

    kind: Kind
    language: str
    shop: str
    support: str
    zone: str
    number: str
    items: tuple[tuple[str, int], ...]
    amount: int
    currency: str
    ends_at: datetime | None = None


@dataclass(frozen=True)
class Words:
    """A message in its reader's language. `html` is empty for one that is short."""

    subject: str
    text: str
    html: str


# Puts facts into words; `is_short` asks for the one line that fits a phone.
Writer = Callable[[Facts, bool], Words]


def next_try(attempts: int, created_at: datetime, now: datetime) -> datetime | None:
    """When to try again what was tried `attempts` times and did not go out; None: not any more."""
    at = now + TRY_AGAIN_AFTER[min(attempts, len(TRY_AGAIN_AFTER)) - 1]
    return at if at - created_at <= GIVE_UP_AFTER else None


def notice_at(ends_at: datetime, since: datetime) -> datetime | None:
    """When to tell of an end that has been known since then; None when that was notice enough."""
    at = ends_at - NOTICE
    return at if at > since else None
