"""argon2id with the parameters that were chosen, and never under a lock."""

import pytest
from flask import Flask

from app.core.crypto import Secret
from app.core.db import transaction
from app.domain.accounts import passwords

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

OLD = (
    "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQxMjM0NTY3OA$pxiYk4qVJ4BZmrQhEJBcyJNVd1xXlpZ1zQZRhfMpHQw"
)


def test_a_hash_opens_to_its_password_alone(app: Flask) -> None:
    stored = passwords.hash(Secret("correct horse"))
    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert passwords.check(stored, Secret("correct horse"))
    assert not passwords.check(stored, Secret("correct horsf"))
    assert stored != passwords.hash(Secret("correct horse"))


def test_nobody_has_the_dummy_password(app: Flask) -> None:
    assert not passwords.is_outdated(passwords.DUMMY)
    assert not passwords.check(None, Secret(""))
    assert not passwords.check("", Secret("anything"))


def test_the_same_work_is_done_for_nobody(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    checked: list[str] = []

    class Spy:
        def verify(self, stored: str, password: str) -> bool:
            checked.append(stored)
            return True

    monkeypatch.setattr(passwords, "_hasher", Spy())
    assert not passwords.check(None, Secret("x"))
    assert checked == [passwords.DUMMY]


def test_a_hash_of_other_parameters_is_outdated(app: Flask) -> None:
    assert passwords.is_outdated(OLD)
    assert not passwords.is_outdated(passwords.hash(Secret("correct horse")))


def test_it_refuses_to_run_inside_a_transaction(app: Flask) -> None:
    with pytest.raises(RuntimeError, match="outside"):
        transaction(lambda: passwords.hash(Secret("correct horse")))
    with pytest.raises(RuntimeError, match="outside"):
        transaction(lambda: passwords.check(None, Secret("correct horse")))


def test_an_order_without_pickup_password_opens_to_any(app: Flask) -> None:
    stored = passwords.hash_pickup(Secret("8848"))
    assert passwords.check_pickup(stored, Secret("8848"))
    assert not passwords.check_pickup(stored, Secret("8849"))
    assert not passwords.check_pickup(stored, Secret(""))
    assert passwords.check_pickup(None, Secret(""))
    assert passwords.check_pickup(None, Secret("8848"))
