"""The verbs about people: what they change, whom they sign out, what they write down."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app.core.actors import acting_as
from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.core.errors import Conflict, NotFound, Refusal
from app.core.states import StateChange
from app.domain.accounts import queries, service, sessions
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Person, PersonState, Role
from tests import people


def audited() -> list[str]:
    return list(session.scalars(sa.select(AuditEntry.action).order_by(AuditEntry.id)))


def fresh(person: Person) -> Person:
    session.rollback()
    return queries.find(person.uid)


def test_a_contact_registers_once(app: Flask) -> None:
    contact = Contact.parse("13812345678")
    person = transaction(lambda: service.register(contact, "hash"))
    assert person.role is None
    assert service.contact_of(person).reveal() == "+8613812345678"
    assert b"13812345678" not in person.contact_sealed
    with pytest.raises(Refusal) as refused:
        transaction(lambda: service.register(Contact.parse("138 1234 5678"), "other"))
    assert refused.value.field == "contact"


def test_the_same_contact_at_once_registers_once(app: Flask) -> None:
    contact = Contact.parse("13812345678")
    outcomes = people.at_once(
        app, [lambda: transaction(lambda: service.register(contact, "hash").id)] * 5
    )
    assert sum(isinstance(outcome, int) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Refusal) for outcome in outcomes) == 4


def test_an_invitation_sets_a_password_once(app: Flask) -> None:
    invited = transaction(
        lambda: service.invite(Contact.parse("new@example.com"), " 王小明 ", Role.SUPPORT)
    )
    token = invited.token.reveal()
    person = fresh(invited.person)
    assert (person.name, person.role, person.password_hash) == ("王小明", Role.SUPPORT, "")
    assert person.invitation_hash is not None
    assert token.encode() not in person.invitation_hash
    transaction(lambda: service.accept_invitation(token, "hash"))
    assert fresh(person).password_hash == "hash"
    with pytest.raises(NotFound):
        transaction(lambda: service.accept_invitation(token, "another"))


def test_an_invitation_lapses(app: Flask) -> None:
    with time_machine.travel("2026-07-03T10:00:00Z", tick=False) as moment:
        invited = transaction(
            lambda: service.invite(Contact.parse("new@example.com"), "王", Role.SUPPORT)
        )
        moment.shift(timedelta(hours=48))
        with pytest.raises(NotFound):
            queries.find_invited(invited.token.reveal())


def test_a_buyer_who_becomes_staff_loses_the_password_nobody_vouched_for(app: Flask) -> None:
    buyer = people.make(contact="new@example.com")
    secret = people.sign_in(buyer)
    invited = transaction(
        lambda: service.invite(Contact.parse("new@example.com"), "王", Role.OWNER)
    )
    assert invited.person.id == buyer.id
    assert fresh(buyer).password_hash == ""
    assert sessions.find(secret) is None
    with pytest.raises(Refusal):
        transaction(lambda: service.invite(Contact.parse("new@example.com"), "王", Role.OWNER))


def test_a_new_link_leaves_the_old_password_until_it_is_used(app: Flask) -> None:
    person = people.make(Role.SUPPORT)
    before, secret = person.password_hash, people.sign_in(person)
    first = transaction(lambda: service.renew_invitation(person.id, "忘了密码"))
    second = transaction(lambda: service.renew_invitation(person.id, "又忘了"))
    assert fresh(person).password_hash == before
    with pytest.raises(NotFound):
        queries.find_invited(first.token.reveal())
    transaction(lambda: service.accept_invitation(second.token.reveal(), "new"))
    assert sessions.find(secret) is None
    assert fresh(person).totp_sealed is not None


def test_a_new_password_ends_every_other_session(app: Flask) -> None:
    person = people.make()
    here, there = people.sign_in(person), people.sign_in(person)
    found = sessions.find(here)
    assert found is not None
    renewed = transaction(
        lambda: service.change_password(person.id, "new", session_id=found.session_id)
    )
    assert fresh(person).password_hash == "new"
    assert sessions.find(here) is None
    assert sessions.find(there) is None
    assert sessions.find(renewed.reveal()) is not None


def test_a_changed_role_ends_sessions_and_is_written_down(app: Flask) -> None:
    people.make(Role.OWNER)
    person = people.make(Role.SUPPORT)
    secret = people.sign_in(person)
    with acting_as("person:1"):
        transaction(lambda: service.change_role(person.id, Role.FINANCE, "换岗"))
    assert sessions.find(secret) is None
    entry = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.action, entry.actor, entry.reason) == ("person.role", "person:1", "换岗")
    assert entry.detail == {"role": ["support", "finance"]}


def test_the_last_owner_stays(app: Flask) -> None:
    owner = people.make(Role.OWNER)
    invited = transaction(
        lambda: service.invite(Contact.parse("second@example.com"), "二", Role.OWNER)
    )
    gone = people.make(Role.OWNER)
    transaction(lambda: service.disable(gone.id, "离职"))
    for act in (
        lambda: service.disable(owner.id, "测试"),
        lambda: service.change_role(owner.id, Role.SUPPORT, "测试"),
    ):
        with pytest.raises(Conflict):
            transaction(act)
    transaction(lambda: service.accept_invitation(invited.token.reveal(), "hash"))
    transaction(lambda: service.disable(owner.id, "交接完成"))
    assert fresh(owner).state == PersonState.DISABLED


def test_two_owners_who_dismiss_each_other_at_once_leave_one(app: Flask) -> None:
    one, two = people.make(Role.OWNER).id, people.make(Role.OWNER).id
    outcomes = people.at_once(
        app,
        [
            lambda: transaction(lambda: service.disable(one, "测试")),
            lambda: transaction(lambda: service.change_role(two, Role.SUPPORT, "测试")),
        ],
    )
    assert sum(isinstance(outcome, Conflict) for outcome in outcomes) == 1
    left = sa.select(sa.func.count()).where(
        Person.role == Role.OWNER, Person.state == PersonState.ACTIVE
    )
    assert session.scalar(left) == 1


def test_disabling_ends_sessions_and_invitations_and_can_be_undone(app: Flask) -> None:
    person = people.make(Role.SUPPORT)
    secret = people.sign_in(person)
    link = transaction(lambda: service.renew_invitation(person.id, "测试"))
    transaction(lambda: service.disable(person.id, "离职"))
    assert sessions.find(secret) is None
    with pytest.raises(NotFound):
        queries.find_invited(link.token.reveal())
    transaction(lambda: service.enable(person.id, "回来了"))
    assert fresh(person).state == PersonState.ACTIVE
    steps = session.scalars(sa.select(StateChange.to_state).order_by(StateChange.id)).all()
    assert steps == ["disabled", "active"]
    assert audited() == ["person.new_link", "person.disable", "person.enable"]


def test_a_lost_phone(app: Flask) -> None:
    person = people.make(Role.SUPPORT)
    secret = people.sign_in(person)
    transaction(lambda: service.reset_second_factor(person.id, "手机丢了"))
    assert fresh(person).totp_sealed is None
    assert sessions.find(secret) is None


def test_names_are_short(app: Flask) -> None:
    for name in ("", "   ", "名" * 31):
        with pytest.raises(Refusal):
            service.checked_name(name)
