"""Six digits are good once, and near now; paper codes are good once, ever."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app.core import clock
from app.core.crypto import Secret
from app.core.db import session, transaction
from app.core.errors import Refusal
from app.domain.accounts import queries, second_factor, sessions
from app.domain.accounts.models import Person, RecoveryCode, Role, Session
from tests import people

START = "2026-07-03T10:00:05Z"


def spend(person: Person, code: str) -> bool:
    return transaction(lambda: second_factor.spend(queries.lock(person.id), code))


@pytest.mark.parametrize("drift", [-1, 0, 1])
def test_a_code_of_this_or_a_neighbouring_step_is_good_once(app: Flask, drift: int) -> None:
    person = people.make(Role.OWNER)
    with time_machine.travel(START, tick=False):
        assert spend(person, people.code(drift))
        assert not spend(person, people.code(drift))


@pytest.mark.parametrize("drift", [-3, -2, 2, 3])
def test_a_code_from_further_away_is_not(app: Flask, drift: int) -> None:
    person = people.make(Role.OWNER)
    with time_machine.travel(START, tick=False):
        assert not spend(person, people.code(drift))


def test_after_a_later_code_an_earlier_one_is_used_up_too(app: Flask) -> None:
    person = people.make(Role.OWNER)
    with time_machine.travel(START, tick=False) as moment:
        assert spend(person, people.code(1))
        assert not spend(person, people.code(0))
        moment.shift(timedelta(seconds=60))
        assert spend(person, people.code(0))


@pytest.mark.parametrize(
    "typed", ["", "12345", "abcdef", "000000", "１２３４５６", "𝟙" * 6, "-" * 20]
)
def test_what_is_no_code_is_refused(app: Flask, typed: str) -> None:
    person = people.make(Role.OWNER)
    with time_machine.travel(START, tick=False):
        assert not spend(person, typed)


def test_spaces_in_a_code_are_forgiven(app: Flask) -> None:
    person = people.make(Role.OWNER)
    with time_machine.travel(START, tick=False):
        digits = people.code()
        assert spend(person, f" {digits[:3]} {digits[3:]} ")


def test_nobody_without_a_second_factor_passes(app: Flask) -> None:
    person = people.make(Role.OWNER, totp=False)
    assert not spend(person, people.code())


def test_the_same_code_at_once_is_taken_once(app: Flask) -> None:
    person = people.make(Role.OWNER)
    code = people.code()
    person_id = person.id
    outcomes = people.at_once(
        app,
        [
            lambda: transaction(lambda: second_factor.spend(queries.lock(person_id), code))
            for _ in range(6)
        ],
    )
    assert sorted(outcomes) == [False] * 5 + [True]


def test_a_recovery_code_is_good_once_and_for_its_owner_only(app: Flask) -> None:
    person, other = people.make(Role.OWNER), people.make(Role.OWNER)
    codes = transaction(lambda: second_factor.new_recovery_codes(queries.lock(person.id)))
    assert len({code.reveal() for code in codes}) == 10
    first = codes[0].reveal()
    assert not spend(other, first)
    assert spend(person, first.lower().replace("-", " "))
    assert not spend(person, first)
    assert second_factor.recovery_codes_left(person.id) == 9
    transaction(lambda: second_factor.new_recovery_codes(queries.lock(person.id)))
    assert not spend(person, codes[1].reveal())


def test_nothing_of_it_is_readable_in_the_database(app: Flask) -> None:
    person = people.make(Role.OWNER)
    codes = transaction(lambda: second_factor.new_recovery_codes(queries.lock(person.id)))
    stored = session.scalars(sa.select(Person.totp_sealed)).one() or b""
    assert people.TOTP.encode() not in stored
    hashes = session.scalars(sa.select(RecoveryCode.code_hash)).all()
    assert not any(code.reveal().encode() in hash_ for code in codes for hash_ in hashes)


def test_a_new_secret_is_taken_into_use_by_its_own_code_only(app: Flask) -> None:
    person = people.make(Role.SUPPORT, totp=False)
    found = sessions.find(people.sign_in(person, second_factor=False))
    assert found is not None

    def offer() -> Secret:
        return second_factor.offer(sessions.lock(found.session_id))

    secret = transaction(offer)
    offered = second_factor.offered(found.session_id)
    assert offered is not None
    assert offered == secret
    assert "otpauth://totp/" in second_factor.uri(secret, "z***@qq.com").reveal()
    with pytest.raises(Refusal):
        transaction(lambda: second_factor.confirm(sessions.lock(found.session_id), "000000"))
    step = int(clock.now().timestamp()) // 30
    code = second_factor.pyotp.TOTP(secret.reveal()).generate_otp(step)
    codes = transaction(lambda: second_factor.confirm(sessions.lock(found.session_id), code))
    assert len(codes) == 10
    assert second_factor.offered(found.session_id) is None
    assert session.scalars(sa.select(Session.new_totp_sealed)).one() is None
    assert not spend(person, code)
