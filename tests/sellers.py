"""Plain functions that make distributors: through the services, as people do, or as rows."""

import itertools
from collections.abc import Callable

import sqlalchemy as sa

from app.core import clock, ids
from app.core.actors import acting_as
from app.core.db import session, transaction
from app.domain.accounts.models import Person
from app.domain.channels import joining, queries
from app.domain.channels.joining import Application
from app.domain.channels.models import Distributor, DistributorState, Tier
from tests import people

INTRODUCTION = "两个同学群"
_numbers = itertools.count(1)


def token_of(parent: Distributor) -> str:
    """A fresh link of hers."""
    parent_id = parent.id
    return transaction(lambda: joining.invite(parent_id)).token.reveal()


def apply(
    name: str = "阿岚", parent: Distributor | None = None, person: Person | None = None
) -> Distributor:
    """Somebody who asks to sell, under `parent` if there is one."""
    person_id = (person or people.make()).id
    token = token_of(parent) if parent else ""
    asked = Application(name, INTRODUCTION)
    return transaction(lambda: joining.apply(person_id, asked, token))


def join(
    name: str = "阿岚", parent: Distributor | None = None, person: Person | None = None
) -> Distributor:
    """Somebody who sells."""
    return decide(apply(name, parent, person), joining.approve)


def decide(one: Distributor, verb: Callable[..., None], *reason: str) -> Distributor:
    """What staff decide, whoever acted before."""
    distributor_id = one.id
    with acting_as("system"):
        transaction(lambda: verb(distributor_id, *reason))
    return fresh(distributor_id)


def fresh(distributor_id: int) -> Distributor:
    """The distributor as the database has her now."""
    session.rollback()
    session.expire_all()
    return session.get_one(Distributor, distributor_id)


def chain(length: int) -> list[Distributor]:
    """The first has no parent; each other joined by the one before."""
    line = [join("第 1 位")]
    for place in range(2, length + 1):
        line.append(join(f"第 {place} 位", line[-1]))
    return line


def asked_about(distributor: Distributor) -> list[int]:
    """Ids of those who are asked about an order of hers."""
    return [one.id for one in queries.line_of(distributor.id)]


def make(person: Person | None = None, **values: object) -> Distributor:
    """Somebody who sells, in the lowest tier, written as a row with these values."""
    person_id = (person or people.make()).id

    def row() -> Distributor:
        made = Distributor(
            **{
                "uid": ids.token(),
                "code": f"LAN{next(_numbers):04d}",
                "person_id": person_id,
                "tier_id": lowest_tier().id,
                "state": DistributorState.ACTIVE,
                "name": "阿岚",
                "approved_at": clock.now(),
            }
            | values
        )
        session.add(made)
        session.flush()
        return made

    return transaction(row)


def lowest_tier() -> Tier:
    """The tier of threshold 0, made if it is not there; within a unit of work."""
    found = session.scalar(sa.select(Tier).where(Tier.threshold == 0))
    if found is None:
        found = Tier(name="普通", threshold=0)
        session.add(found)
        session.flush()
    return found
