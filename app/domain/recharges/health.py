"""How a provider is doing, from its own calls and attempts: for staff, computed when asked."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from app.core import clock
from app.core.db import session
from app.domain.recharges import queries
from app.domain.recharges.models import Attempt, AttemptState, Call
from app.domain.recharges.rules import Health

WINDOW = timedelta(hours=24)
# A quantile needs the calls themselves: of so many of the newest.
MOST = 500


@dataclass(frozen=True)
class Figures:
    """The last day: attempts by how they ended, and how long calls took, in milliseconds."""

    delivered: int
    refused: int
    open: int
    median: int | None
    slow: int | None
    health: Health

    @property
    def success_rate(self) -> float | None:
        """Of those that ended; None when none did."""
        ended = self.delivered + self.refused
        return self.delivered / ended if ended else None

    def left_alone_until(self, now: datetime) -> datetime | None:
        """Until when its breaker keeps everybody away; None when it does not."""
        return self.health.opens_at() if self.health.is_left_alone(now) else None


def figures_of(provider_id: int) -> Figures:
    """What staff see of a provider."""
    since = clock.now() - WINDOW
    counts: dict[AttemptState, int] = dict(
        session.execute(
            sa.select(Attempt.state, sa.func.count())
            .where(Attempt.provider_id == provider_id, Attempt.created_at > since)
            .group_by(Attempt.state)
        ).all()
    )
    took = sorted(
        session.scalars(
            sa.select(Call.milliseconds)
            .where(Call.provider_id == provider_id, Call.what.in_(queries.ABOUT_ORDERS))
            .order_by(Call.id.desc())
            .limit(MOST)
        )
    )
    delivered = counts.get(AttemptState.DELIVERED, 0)
    refused = counts.get(AttemptState.REFUSED, 0)
    return Figures(
        delivered=delivered,
        refused=refused,
        open=sum(counts.values()) - delivered - refused,
        median=took[len(took) // 2] if took else None,
        slow=took[len(took) * 95 // 100] if took else None,
        health=queries.health_of(provider_id),
    )
