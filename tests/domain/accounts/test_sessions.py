"""Sessions are rows: they end when they should, and a stolen database opens none."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
import time_machine
from flask import Flask

from app.core import ids
from app.core.db import session, transaction
from app.domain.accounts import service, sessions
from app.domain.accounts.models import Person, Role, Session
from tests import people

START = "2026-07-03T10:00:00Z"


def test_only_a_hash_is_stored(app: Flask) -> None:
    secret = people.sign_in(people.make())
    row = session.scalars(sa.select(Session)).one()
    assert len(secret) >= 43
    assert row.secret_hash == ids.hash_token(secret)
    assert not any(secret in str(value) for value in vars(row).values())


def test_an_unknown_or_altered_secret_is_nobody(app: Flask) -> None:
    secret = people.sign_in(people.make())
    assert sessions.find(secret) is not None
    assert sessions.find(secret[:-1]) is None
    assert sessions.find("") is None
    assert sessions.find(ids.hash_token(secret).hex()) is None


@pytest.mark.parametrize(
    ("role", "idle", "most"),
    [
        (None, timedelta(days=14), timedelta(days=60)),
        (Role.OWNER, timedelta(minutes=30), timedelta(hours=12)),
    ],
)
def test_it_ends_idle_and_at_last(
    app: Flask, role: Role | None, idle: timedelta, most: timedelta
) -> None:
    person = people.make(role)
    with time_machine.travel(START, tick=False) as moment:
        secret = people.sign_in(person)
        moment.shift(idle - timedelta(seconds=1))
        assert sessions.find(secret) is not None
        moment.shift(timedelta(seconds=1))
        assert sessions.find(secret) is None

        busy = people.sign_in(person)
        steps = -(-most // (idle / 2))
        for _ in range(steps - 1):
            moment.shift(idle / 2)
            found = sessions.find(busy)
            assert found is not None
            transaction(lambda found=found: sessions.touch(found))  # type: ignore[misc]
        moment.shift(idle / 2)
        assert sessions.find(busy) is None


def test_it_is_written_to_at_most_once_a_minute(app: Flask) -> None:
    person = people.make()
    with time_machine.travel(START, tick=False) as moment:
        secret = people.sign_in(person)
        moment.shift(timedelta(seconds=59))
        found = sessions.find(secret)
        assert found is not None
        assert not sessions.is_due_for_touch(found)
        moment.shift(timedelta(seconds=1))
        assert sessions.is_due_for_touch(found)


def test_staff_who_owe_the_second_factor_have_fifteen_minutes(app: Flask) -> None:
    person = people.make(Role.SUPPORT)
    with time_machine.travel(START, tick=False) as moment:
        secret = people.sign_in(person, second_factor=False)
        found = sessions.find(secret)
        assert found is not None
        assert found.owes_second_factor
        moment.shift(timedelta(minutes=15))
        assert sessions.find(secret) is None


def test_proof_gives_a_new_secret_and_the_old_one_opens_nothing(app: Flask) -> None:
    secret = people.sign_in(people.make(Role.OWNER), second_factor=False)
    found = sessions.find(secret)
    assert found is not None
    grown = transaction(lambda: sessions.prove(sessions.lock(found.session_id)))
    assert sessions.find(secret) is None
    now = sessions.find(grown.reveal())
    assert now is not None
    assert not now.owes_second_factor
    assert now.is_fresh()


def test_a_disabled_person_is_out_at_once_even_if_a_session_were_left(app: Flask) -> None:
    person = people.make()
    secret = people.sign_in(person)
    transaction(lambda: service.disable(person.id, "测试"))
    assert sessions.find(secret) is None
    transaction(
        lambda: session.execute(sa.update(Session).values(ended_at=None))  # as a fault would
    )
    assert sessions.find(secret) is None


def test_role_is_what_the_database_says_now(app: Flask) -> None:
    person = people.make(Role.SUPPORT)
    secret = people.sign_in(person)
    found = sessions.find(secret)
    assert found is not None
    assert not found.may("orders.refund")
    transaction(lambda: session.execute(sa.update(Person).values(role=Role.FINANCE)))
    found = sessions.find(secret)
    assert found is not None
    assert found.may("orders.refund")


def test_nobody_ends_another_ones_session(app: Flask) -> None:
    mine, theirs = people.make(), people.make()
    secret = people.sign_in(theirs)
    found = sessions.find(secret)
    assert found is not None
    assert not transaction(lambda: sessions.end_of(mine.id, found.session_id))
    assert sessions.find(secret) is not None
    assert transaction(lambda: sessions.end_of(theirs.id, found.session_id))
    assert sessions.find(secret) is None


def test_all_but_this_one_end(app: Flask) -> None:
    person, other = people.make(), people.make()
    kept, ended, untouched = people.sign_in(person), people.sign_in(person), people.sign_in(other)
    found = sessions.find(kept)
    assert found is not None
    assert len(sessions.living(person.id)) == 2
    assert transaction(lambda: sessions.end_all(person.id, but=found.session_id)) == 1
    assert sessions.find(kept) is not None
    assert sessions.find(ended) is None
    assert sessions.find(untouched) is not None


def test_rows_of_sessions_long_over_go(app: Flask) -> None:
    person = people.make(Role.OWNER)
    with time_machine.travel(START, tick=False) as moment:
        people.sign_in(person)
        moment.shift(timedelta(days=61))
        people.sign_in(person)
    assert session.scalar(sa.select(sa.func.count()).select_from(Session)) == 1
