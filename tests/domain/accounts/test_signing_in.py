"""Whoever signs in proves it; whatever is wrong sounds the same, and every try is counted."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app.core.audit import AuditEntry
from app.core.crypto import Secret
from app.core.db import session, transaction
from app.core.errors import Refusal
from app.domain.accounts import passwords, service, sessions, signing_in
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Person, Role, Throttle
from app.domain.accounts.signing_in import Attempt, Opened
from app.domain.accounts.throttling import TooSoon
from tests import people

PHONE = "13812345678"
START = "2026-07-03T10:00:05Z"


def sign_in(contact: str = PHONE, password: str = people.PASSWORD, **options: object) -> Opened:
    return signing_in.sign_in(
        Attempt(Contact.parse(contact), Secret(password), people.ORIGIN, **options)  # type: ignore[arg-type]
    )


def refusal(**options: object) -> str:
    with pytest.raises(Refusal) as refused:
        sign_in(**options)  # type: ignore[arg-type]
    return refused.value.message


def test_a_buyer_is_in_with_the_password(app: Flask) -> None:
    person = people.make(contact=PHONE)
    opened = sign_in("138 1234 5678")
    found = sessions.find(opened.secret.reveal())
    assert found is not None
    assert found.id == person.id
    assert not opened.owes_second_factor


def test_wrong_unknown_disabled_and_not_yet_invited_sound_the_same(app: Flask) -> None:
    people.make(contact=PHONE)
    disabled = people.make(contact="disabled@example.com")
    transaction(lambda: service.disable(disabled.id, "测试"))
    transaction(lambda: service.create(Contact.parse("empty@example.com")))
    assert {
        refusal(password="wrong password"),
        refusal(contact="13900000000"),
        refusal(contact="disabled@example.com"),
        refusal(contact="empty@example.com"),
        refusal(contact="empty@example.com", password=""),
    } == {signing_in.WRONG}


def test_the_staff_door_is_shut_for_buyers(app: Flask) -> None:
    people.make(contact=PHONE)
    assert refusal(only_staff=True) == signing_in.WRONG_STAFF


def test_staff_with_the_password_alone_are_nobody_yet(app: Flask) -> None:
    people.make(Role.OWNER, contact=PHONE)
    for only_staff in (False, True):
        opened = sign_in(only_staff=only_staff)
        assert opened.owes_second_factor
        found = sessions.find(opened.secret.reveal())
        assert found is not None
        assert found.owes_second_factor


def test_staff_with_both_at_once_are_in_and_it_is_written_down(app: Flask) -> None:
    person = people.make(Role.OWNER, contact=PHONE)
    opened = sign_in(only_staff=True, code=people.code())
    found = sessions.find(opened.secret.reveal())
    assert found is not None
    assert not found.owes_second_factor
    entry = session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()
    assert entry is not None
    assert (entry.action, entry.actor, entry.ip) == (
        "session.begin", f"person:{person.id}", "203.0.113.7",
    )  # fmt: skip


def test_a_wrong_code_sounds_like_a_wrong_password(app: Flask) -> None:
    people.make(Role.OWNER, contact=PHONE)
    assert refusal(only_staff=True, code="000000") == signing_in.WRONG_STAFF


def test_the_same_code_twice_is_refused(app: Flask) -> None:
    people.make(Role.OWNER, contact=PHONE)
    with time_machine.travel(START, tick=False):
        code = people.code()
        sign_in(only_staff=True, code=code)
        assert refusal(only_staff=True, code=code) == signing_in.WRONG_STAFF


def test_two_who_share_one_code_at_once_are_one(app: Flask) -> None:
    people.make(Role.OWNER, contact=PHONE)
    with time_machine.travel(START, tick=False):
        code = people.code()
        outcomes = people.at_once(app, [lambda: sign_in(only_staff=True, code=code)] * 4)
    assert sum(isinstance(outcome, Opened) for outcome in outcomes) == 1
    assert sum(isinstance(outcome, Refusal) for outcome in outcomes) == 3


def test_the_second_half_after_the_first(app: Flask) -> None:
    people.make(Role.OWNER, contact=PHONE)
    first = sign_in()
    holder = sessions.find(first.secret.reveal())
    assert holder is not None
    with pytest.raises(Refusal):
        signing_in.give_second_factor(holder, "000000", people.ORIGIN)
    grown = signing_in.give_second_factor(holder, people.code(), people.ORIGIN)
    assert sessions.find(first.secret.reveal()) is None
    found = sessions.find(grown.secret.reveal())
    assert found is not None
    assert not found.owes_second_factor


def test_a_password_thief_cannot_set_up_a_second_second_factor(app: Flask) -> None:
    """A half session whose person has meanwhile enrolled may not enrol again."""
    person = people.make(Role.SUPPORT, totp=False, contact=PHONE)
    thief = sessions.find(sign_in().secret.reveal())
    assert thief is not None
    offered = signing_in.second_factor.offered(thief.session_id)
    assert offered is not None

    def enrol_elsewhere() -> None:
        signing_in.second_factor.adopt(signing_in.queries.lock(person.id), Secret(people.TOTP))

    transaction(enrol_elsewhere)
    code = signing_in.second_factor.pyotp.TOTP(offered.reveal()).now()
    with pytest.raises(Refusal):
        signing_in.enrol_second_factor(thief, code, people.ORIGIN)


def test_a_new_session_takes_the_place_of_the_old(app: Flask) -> None:
    people.make(contact=PHONE)
    first = sign_in()
    found = sessions.find(first.secret.reveal())
    assert found is not None
    sign_in(instead_of=found.session_id)
    assert sessions.find(first.secret.reveal()) is None


def test_guessing_a_password_is_slowed_and_the_owner_still_gets_in(app: Flask) -> None:
    people.make(contact=PHONE)
    with time_machine.travel(START, tick=False) as moment:
        for _ in range(6):
            assert refusal(password="guess") == signing_in.WRONG
        with pytest.raises(TooSoon):
            sign_in()
        moment.shift(timedelta(seconds=1))
        assert sign_in().role is None
        assert refusal(password="guess") == signing_in.WRONG


def test_guessing_unknown_accounts_is_slowed_alike(app: Flask) -> None:
    with time_machine.travel(START, tick=False):
        for _ in range(6):
            assert refusal(contact="13911112222") == signing_in.WRONG
        with pytest.raises(TooSoon):
            sign_in("13911112222")


def test_guessing_codes_is_slowed_more_than_passwords(app: Flask) -> None:
    people.make(Role.OWNER, contact=PHONE)
    with time_machine.travel(START, tick=False):
        holder = sessions.find(sign_in().secret.reveal())
        assert holder is not None
        for _ in range(6):
            with pytest.raises(Refusal, match="验证码"):
                signing_in.give_second_factor(holder, "000000", people.ORIGIN)
        with pytest.raises(TooSoon) as refused:
            signing_in.give_second_factor(holder, people.code(), people.ORIGIN)
        assert refused.value.retry_after == 5


def test_an_outdated_hash_is_made_new_at_sign_in(app: Flask) -> None:
    person = people.make(contact=PHONE)
    old = passwords.PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(people.PASSWORD)
    transaction(lambda: session.execute(sa.update(Person).values(password_hash=old)))
    sign_in()
    session.rollback()
    stored = session.scalars(sa.select(Person.password_hash).where(Person.id == person.id)).one()
    assert stored != old
    assert not passwords.is_outdated(stored)


def test_a_password_changed_during_the_check_wins(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = people.make(contact=PHONE)
    check = passwords.check

    def slow_check(stored: str | None, password: Secret) -> bool:
        is_right = check(stored, password)
        transaction(
            lambda: session.execute(
                sa.update(Person).where(Person.id == person.id).values(password_hash="new")
            )
        )
        return is_right

    monkeypatch.setattr(passwords, "check", slow_check)
    assert refusal() == signing_in.WRONG


def test_step_up_wants_both(app: Flask) -> None:
    person = people.make(Role.OWNER)
    with time_machine.travel(START, tick=False) as moment:
        secret = people.sign_in(person)
        moment.shift(timedelta(minutes=6))
        holder = sessions.find(secret)
        assert holder is not None
        assert not holder.is_fresh()
        for password, code in ((people.PASSWORD, "000000"), ("wrong", people.code())):
            with pytest.raises(Refusal) as refused:
                signing_in.step_up(holder, Secret(password), code)
            assert refused.value.message == signing_in.WRONG_PROOF
        opened = signing_in.step_up(holder, Secret(people.PASSWORD), people.code())
        assert sessions.find(secret) is None
        found = sessions.find(opened.secret.reveal())
        assert found is not None
        assert found.is_fresh()


def test_nothing_secret_is_kept_of_a_try(app: Flask) -> None:
    people.make(contact=PHONE)
    assert refusal(password="a wrong guess") == signing_in.WRONG
    rows = session.execute(sa.select(Throttle)).all() + session.execute(sa.select(AuditEntry)).all()
    text = " ".join(str(vars(row[0])) for row in rows)
    assert "a wrong guess" not in text
    assert PHONE not in text
