"""Plain functions that make distributors and what is theirs."""

import itertools

import sqlalchemy as sa

from app.core import ids
from app.core.db import session, transaction
from app.domain.accounts.models import Person
from app.domain.channels.models import Distributor, DistributorState, Tier
from tests import people

_numbers = itertools.count(1)


def make_distributor(person: Person | None = None, **values: object) -> Distributor:
    """An active distributor of the lowest tier."""
    whose = person or people.make()

    def make() -> Distributor:
        tier = session.scalars(sa.select(Tier).where(Tier.threshold == 0)).one_or_none()
        if tier is None:
            tier = Tier(name="普通", threshold=0)
            session.add(tier)
            session.flush()
        made = Distributor(
            **{
                "uid": ids.token(),
                "code": f"LI{next(_numbers):04d}",
                "person_id": whose.id,
                "tier_id": tier.id,
                "state": DistributorState.ACTIVE,
                "name": "小李",
            }
            | values
        )
        session.add(made)
        session.flush()
        return made

    return transaction(make)
