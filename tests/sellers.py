"""Plain functions that make distributors, through the services, as people and staff do."""

from collections.abc import Callable

from app.core.actors import acting_as
from app.core.db import session, transaction
from app.domain.accounts.models import Person
from app.domain.channels import joining, queries
from app.domain.channels.joining import Application
from app.domain.channels.models import Distributor
from tests import people

INTRODUCTION = "两个同学群"


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
