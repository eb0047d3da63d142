"""Decisions about recharges that need no database: whom to ask, when to ask again, when to stop."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

# When a provider that has not said how it ended is asked again, counted from the answer before.
QUERY_AFTER = tuple(timedelta(seconds=s) for s in (2, 4, 8, 15, 30, 60, 120, 300))
QUERY_EVERY = timedelta(minutes=15)
# Doubt that lasts so long is a person's to end. The provider is asked on all the same.
REVIEW_AFTER = timedelta(hours=2)
# Nobody can be asked (breakers open, everybody busy): after so long the money goes back.
WAIT_FOR_PROVIDER = timedelta(minutes=30)
LOOK_AGAIN = timedelta(seconds=1)

# Troubles in a row after which a provider is left alone; each further one doubles the pause.
BREAKER_AFTER = 5
BREAKER_PAUSE = timedelta(seconds=30)
BREAKER_LONGEST = timedelta(minutes=10)


def next_query(queries: int) -> timedelta:
    """How long to wait before the (queries + 1)-th question."""
    return QUERY_AFTER[queries] if queries < len(QUERY_AFTER) else QUERY_EVERY


@dataclass(frozen=True)
class Health:
    """What a provider's latest calls say: how many in a row were trouble, and since when none."""

    troubles: int = 0
    last_at: datetime | None = None

    def opens_at(self) -> datetime | None:
        """Until when it is left alone; None when it is well."""
        if self.troubles < BREAKER_AFTER or self.last_at is None:
            return None
        doublings = min(self.troubles - BREAKER_AFTER, 10)
        return self.last_at + min(BREAKER_PAUSE * (1 << doublings), BREAKER_LONGEST)

    def is_left_alone(self, now: datetime) -> bool:
        until = self.opens_at()
        return until is not None and now < until

    def is_on_trial(self, now: datetime) -> bool:
        """After the pause one call at a time shows whether it is well again."""
        until = self.opens_at()
        return until is not None and now >= until


@dataclass(frozen=True)
class Load:
    """How much a provider is asked right now: calls under way, and begun in the last minute."""

    under_way: int = 0
    begun: int = 0


@dataclass(frozen=True)
class Candidate:
    """An offer that is switched on and has not refused this recharge yet."""

    offer_id: int
    priority: int
    cost: int
    concurrency: int
    per_minute: int
    health: Health
    load: Load

    def can_be_asked(self, now: datetime) -> bool:
        """Whether its provider takes another call at this moment."""
        at_once = 1 if self.health.is_on_trial(now) else self.concurrency
        return (
            not self.health.is_left_alone(now)
            and self.load.under_way < at_once
            and self.load.begun < self.per_minute
        )


def look_again(candidates: Sequence[Candidate], now: datetime) -> datetime:
    """When one of them may be able: a busy one soon, those that are left alone when they no longer
    are. Jittered, so that a crowd that waits does not come back as a crowd."""
    pauses = [
        until - now
        for candidate in candidates
        if (until := candidate.health.opens_at()) is not None and until > now
    ]
    everybody_is_out = len(pauses) == len(candidates)
    pause = min(pauses) if everybody_is_out and pauses else LOOK_AGAIN
    return now + pause + LOOK_AGAIN * random.random()  # noqa: S311  jitter


def choose(candidates: Iterable[Candidate], now: datetime) -> Candidate | None:
    """Whom to ask: the first in the merchant's order that can be asked now.

    A busy provider is waited for by nobody who has another: that is what a second offer is for.
    """
    able = [candidate for candidate in candidates if candidate.can_be_asked(now)]
    return min(able, key=lambda c: (c.priority, c.cost, c.offer_id), default=None)
