"""How people are found and locked."""

from collections.abc import Sequence

import sqlalchemy as sa

from app.core import clock, ids
from app.core.db import session
from app.core.errors import N_, NotFound
from app.domain.accounts.models import Person, PersonState, Role
from app.domain.accounts.rules import PERMISSIONS


def people() -> sa.Select[tuple[Person]]:
    """Everybody: staff and buyers."""
    return sa.select(Person)


def find(uid: str) -> Person:
    """The person behind a link of the console; raises NotFound."""
    person = session.scalar(
        sa.select(Person).where(Person.uid == uid).execution_options(populate_existing=True)
    )
    if person is None:
        raise NotFound(N_("没有找到这个人"))
    return person


def find_by_contact(contact_index: bytes) -> Person | None:
    return session.scalar(
        sa.select(Person)
        .where(Person.contact_index == contact_index)
        .execution_options(populate_existing=True)
    )


def find_invited(token: str) -> Person:
    """Whose unused invitation this is; raises NotFound."""
    person = session.scalar(
        sa.select(Person)
        .where(
            Person.invitation_hash == ids.hash_token(token),
            Person.invitation_expires_at > clock.now(),
            Person.state == PersonState.ACTIVE,
        )
        .execution_options(populate_existing=True)
    )
    if person is None:
        raise NotFound(N_("这个链接已经用过或过期，请向店主要一个新的"))
    return person


def lock(person_id: int) -> Person:
    """The person as they are now, locked until the unit ends."""
    return session.get_one(Person, person_id, with_for_update=True, populate_existing=True)


def count_who_may(permission: str, but: int) -> int:
    """How many members of staff who can sign in have the permission, besides one person."""
    return (
        session.scalar(
            sa.select(sa.func.count(Person.id)).where(
                Person.role.in_(PERMISSIONS[permission]),
                Person.state == PersonState.ACTIVE,
                Person.password_hash != "",
                Person.id != but,
            )
        )
        or 0
    )


def lock_with_owners(person_id: int) -> tuple[Person, int]:
    """The person, and how many *other* owners could run the shop; all of them locked.

    In the order of ids: two owners who dismiss each other at once meet here one after the other.
    """
    is_owner = sa.and_(
        Person.role == Role.OWNER, Person.state == PersonState.ACTIVE, Person.password_hash != ""
    )
    rows = session.scalars(
        sa.select(Person)
        .where(sa.or_(Person.id == person_id, is_owner))
        .order_by(Person.id)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).all()
    found = [person for person in rows if person.id == person_id]
    if not found:
        raise NotFound(N_("没有找到这个人"))
    return found[0], len(rows) - 1


def names_of(person_ids: Sequence[int]) -> dict[int, str]:
    """What to call these people on a page: their name, else their masked contact."""
    rows = session.execute(
        sa.select(Person.id, Person.name, Person.contact_masked).where(Person.id.in_(person_ids))
    )
    return {person_id: name or masked for person_id, name, masked in rows}


def of_actor(name: str) -> Person | None:
    """The person that an actor ("person:12") is; None for a job, a channel, a guest."""
    kind, _, number = name.partition(":")
    return session.get(Person, int(number)) if kind == "person" else None


def has_staff() -> bool:
    """Whether anybody can run the shop yet."""
    return session.scalar(sa.select(Person.id).where(Person.role.is_not(None)).limit(1)) is not None
