"""How fast somebody may guess: counted in the database, so on any number of nodes alike.

A try is counted as failed before it is judged, and taken back when it succeeds: a hundred guesses
sent at once are a hundred counted guesses. Keys hold blind indexes and networks, nothing readable.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from app.core import clock
from app.core.db import is_postgres, require_transaction, session
from app.core.errors import N_, Refusal
from app.domain.accounts.models import Throttle
from app.domain.accounts.rules import PATIENCE

KEEP = timedelta(days=2)


@dataclass(frozen=True)
class Guard:
    """One count of tries: its kind says how patient it is (rules.PATIENCE), its key whose it is."""

    kind: str
    whose: str = ""

    @property
    def key(self) -> str:
        return f"{self.kind}:{self.whose}"


# All who type codes, together: counted, and waited for by nobody.
EVERYONE_REDEEMING = Guard("redeem-everyone")


class TooSoon(Refusal):
    """Too many tries did not succeed; `retry_after` says when the next one will be heard."""

    status = 429

    def __init__(self, wait: timedelta) -> None:
        self.retry_after = max(ceil(wait.total_seconds()), 1)
        super().__init__(N_("尝试太频繁，请 %(seconds)s 秒后再试"), seconds=self.retry_after)


def of_sign_in(contact_index: bytes, network: str) -> list[Guard]:
    """What a try to sign in is counted by."""
    return [
        Guard("account", contact_index.hex()),
        Guard("network", network),
        Guard("everyone"),
    ]


def of_second_factor(person_id: int) -> list[Guard]:
    """What a guess at six digits is counted by: the person, wherever the guess comes from."""
    return [Guard("second-factor", str(person_id))]


def of_redeeming(network: str | None, device: str, person_id: int | None) -> list[Guard]:
    """What a typed code is counted by until it turns out to exist; `network` None for a regular,
    who neither waits for her neighbours nor lets them wait."""
    guards = [Guard("redeem-device", device), EVERYONE_REDEEMING]
    if network is not None:
        guards.append(Guard("redeem-network", network))
    if person_id is not None:
        guards.append(Guard("redeem-account", str(person_id)))
    return guards


def of_looking_up(number_index: bytes) -> list[Guard]:
    """What a guess at whose order it is is counted by: the order's number, real or not."""
    return [Guard("lookup-order", number_index.hex())]


def take(guards: Sequence[Guard]) -> None:
    """Count a try as failed under every guard, or raise TooSoon and count nothing."""
    require_transaction()
    rows = _lock(guards)
    # After the wait for the locks: whoever was first has moved the rows on meanwhile.
    now = clock.now()
    wait = max(_wait(guard, rows[guard.key], now) for guard in guards)
    if wait > timedelta(0):
        raise TooSoon(wait)
    for guard in guards:
        row, patience = rows[guard.key], PATIENCE[guard.kind]
        row.failures = patience.count(row.failures, max(now - row.failed_at, timedelta(0)))
        row.failed_at = now
        row.next_at = now + patience.wait(row.failures)
    session.flush()
    _prune()


def counted(guard: Guard) -> int:
    """How many tries it counts now, after what time has forgiven."""
    row = session.get(Throttle, guard.key)
    if row is None:
        return 0
    since = max(clock.now() - row.failed_at, timedelta(0))
    return PATIENCE[guard.kind].left(row.failures, since)


def succeeded(guards: Sequence[Guard]) -> None:
    """The try was right after all: the account's count begins anew, the others' lose one.

    A network's count must not: who owns one account there could guess at the others for free.
    """
    require_transaction()
    rows = _lock(guards)
    now = clock.now()
    for guard in guards:
        row = rows[guard.key]
        own = guard.kind in ("account", "second-factor")
        row.failures = 0 if own else max(row.failures - 1, 0)
        row.next_at = now + PATIENCE[guard.kind].wait(row.failures)
    session.flush()


def _wait(guard: Guard, row: Throttle, now: datetime) -> timedelta:
    """How long the next try must wait; while tries are free, nodes' clocks need not agree."""
    is_free = PATIENCE[guard.kind].wait(row.failures) == timedelta(0)
    return timedelta(0) if is_free else row.next_at - now


def _lock(guards: Sequence[Guard]) -> dict[str, Throttle]:
    """The guards' rows, made where missing, locked in the one order that cannot dead-lock."""
    now = clock.now()
    keys = sorted(guard.key for guard in guards)
    insert = postgresql.insert if is_postgres() else sqlite.insert
    session.execute(
        insert(Throttle)
        .values([{"key": key, "failures": 0, "failed_at": now, "next_at": now} for key in keys])
        .on_conflict_do_nothing()
    )
    rows = session.scalars(
        sa.select(Throttle)
        .where(Throttle.key.in_(keys))
        .order_by(Throttle.key)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return {row.key: row for row in rows}


def _prune() -> None:
    """Counts long forgotten go, so that the table stays as small as the attack."""
    session.execute(
        sa.delete(Throttle)
        .where(Throttle.failed_at < clock.now() - KEEP)
        .execution_options(synchronize_session=False)
    )
