"""Plain functions that make people and sign them in, and run things at once."""

import itertools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Barrier
from typing import Any

import pyotp
from flask import Flask

from app.core.crypto import Secret
from app.core.db import session, transaction
from app.domain.accounts import passwords, second_factor, service, sessions
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Person, Role
from app.domain.accounts.sessions import Origin

PASSWORD = "correct horse battery"
TOTP = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
ORIGIN = Origin("203.0.113.7", "203.0.113.0/24", "Mozilla/5.0 (Linux; Android 14) Chrome/130")

_numbers = itertools.count(1)


@cache
def password_hash(password: str = PASSWORD) -> str:
    return passwords.hash(Secret(password))


def make(role: Role | None = None, *, totp: bool = True, contact: str = "") -> Person:
    """A person with PASSWORD, and if staff with the second factor TOTP."""
    address = contact or f"person{next(_numbers)}@example.com"
    stored = password_hash()

    def create() -> Person:
        person = service.create(
            Contact.parse(address), name=f"成员 {address}", role=role, password_hash=stored
        )
        if role is not None and totp:
            second_factor.adopt(person, Secret(TOTP))
        return person

    return transaction(create)


def sign_in(person: Person, *, second_factor: bool = True) -> str:
    """A session's secret, as if the person had just shown everything that is asked for."""
    proved = second_factor and person.role is not None
    return transaction(lambda: sessions.begin(person, ORIGIN, second_factor=proved)).reveal()


def code(drift: int = 0) -> str:
    """What the authenticator shows, `drift` steps of 30 seconds from now."""
    from app.core import clock

    step = int(clock.now().timestamp()) // 30 + drift
    return str(pyotp.TOTP(TOTP).generate_otp(step))


def at_once(app: Flask, calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Run the calls in threads that start together; what each returned, or its exception."""
    barrier = Barrier(len(calls))

    def run(call: Callable[[], Any]) -> Any:
        with app.app_context():
            barrier.wait()
            try:
                return call()
            except Exception as error:  # noqa: BLE001  it is the answer
                return error
            finally:
                session.remove()

    session.rollback()
    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))
