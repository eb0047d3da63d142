"""What risk need not remember any longer goes away, every night, a part at a time.

Counters look back thirty days at most, so events older than that count for nothing; a decision is
kept for as long as a buyer may come and ask, and for ever when a case points to it. One that let
somebody go about whom nobody will ask (a sign-in, a typed code) is only there for backtests.
"""

from datetime import datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.core import clock
from app.core.db import once, require_transaction, session, transaction
from app.core.outbox import later
from app.domain.catalog import preferences
from app.domain.risk import backtest, conditions, proofs
from app.domain.risk.models import Action, Case, Decision, RiskEvent, SpentProof

WATCH_KEY = "risk-pruning"
# When least is sold.
AT_NIGHT = time(4, 20)
EVENTS_KEPT = timedelta(minutes=max(conditions.WINDOWS)) + timedelta(days=1)
DECISIONS_KEPT = timedelta(days=180)
IDLE_KEPT = backtest.LOOK_BACK + timedelta(days=1)
# A challenge lasts LASTS; twice that and nobody can use it any more.
PROOFS_KEPT = 2 * proofs.LASTS
PART = 2_000
# What one run of the job does at most: it has to end well before its time is up.
PARTS = 100


def watch() -> None:
    """Let it be done every night from now on; asking again is harmless."""
    later("app.domain.risk.jobs.prune", key=WATCH_KEY, at=next_night(clock.now()))


def prune() -> datetime:
    """One night's work, in units of its own; when to go on."""
    for _ in range(PARTS):
        if transaction(remove_a_part) == 0:
            return next_night(clock.now())
    return clock.now()


def remove_a_part() -> int:
    """Remove the oldest of what is no longer wanted; how many rows that were."""
    require_transaction()
    now = clock.now()
    unwanted = (
        sa.select(RiskEvent.id).where(RiskEvent.at < now - EVENTS_KEPT).order_by(RiskEvent.at),
        sa.select(SpentProof.id).where(SpentProof.at < now - PROOFS_KEPT).order_by(SpentProof.at),
        sa.select(Decision.id)
        .where(
            Decision.at < now - DECISIONS_KEPT,
            ~sa.exists().where(Case.decision_id == Decision.id),
        )
        .order_by(Decision.at),
        sa.select(Decision.id)
        .where(
            Decision.at < now - IDLE_KEPT,
            Decision.order_id.is_(None),
            Decision.action == Action.ALLOW,
        )
        .order_by(Decision.at),
    )
    models: tuple[type[Any], ...] = (RiskEvent, SpentProof, Decision, Decision)
    return sum(_remove(model, ids) for model, ids in zip(models, unwanted, strict=True))


def next_night(now: datetime) -> datetime:
    """The next time that the shop's clock shows AT_NIGHT."""
    here = now.astimezone(ZoneInfo(preferences.get().zone))
    tonight = datetime.combine(here.date(), AT_NIGHT, here.tzinfo)
    return tonight if tonight > here else tonight + timedelta(days=1)


def _remove(model: type[Any], ids: sa.Select[int]) -> int:
    removed = session.execute(
        sa.delete(model)
        .where(model.id.in_(once(ids.limit(PART))))
        .execution_options(synchronize_session=False)
    )
    return int(removed.rowcount)  # type: ignore[attr-defined]
