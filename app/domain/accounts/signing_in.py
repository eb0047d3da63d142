"""How somebody proves who they are: password, second factor, and both again before a dangerous act.

These open units of their own, because a guess must be counted before it is judged, and argon2 must
not run inside a unit. Whatever was wrong, the answer and the time it takes are the same.
"""

from dataclasses import dataclass

from app.core import audit
from app.core.actors import acting_as
from app.core.crypto import Secret
from app.core.db import transaction
from app.core.errors import N_, Refusal
from app.domain.accounts import passwords, queries, second_factor, sessions, throttling
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Person, PersonState, Role
from app.domain.accounts.sessions import Origin, SignedIn

WRONG = N_("账号或密码不对")
WRONG_STAFF = N_("账号、密码或验证码不对")
WRONG_CODE = N_("验证码不对或已经用过,请等下一个再试")
WRONG_PROOF = N_("密码或验证码不对")


@dataclass(frozen=True)
class Opened:
    """A session begun, or grown: the cookie's new secret, and what is still owed."""

    secret: Secret
    role: Role | None
    owes_second_factor: bool = False


def sign_in(
    contact: Contact,
    password: Secret,
    origin: Origin,
    *,
    code: str = "",
    only_staff: bool = False,
    instead_of: int | None = None,
) -> Opened:
    """Check the password, and for staff the `code` if one was given, and begin a session.

    `instead_of` is a session that this one replaces. Raises Refusal when anything is wrong, with
    `only_staff` for every buyer too; TooSoon when there were too many tries.
    """
    guards = throttling.of_sign_in(contact.index, origin.network)
    transaction(lambda: throttling.take(guards))
    person = queries.find_by_contact(contact.index)
    known = person is not None and _may_try(person, only_staff)
    stored = person.password_hash if person is not None and known else None
    wrong = Refusal(WRONG_STAFF if only_staff else WRONG)
    if not passwords.check(stored, password) or person is None or stored is None:
        raise wrong
    fresh_hash = passwords.hash(password) if passwords.is_outdated(stored) else stored
    uses_code = bool(code) and person.role is not None and person.totp_sealed is not None
    person_id = person.id
    if uses_code:
        factor_guards = throttling.of_second_factor(person_id)
        transaction(lambda: throttling.take(factor_guards))
        guards = [*guards, *factor_guards]

    def open_session() -> Opened:
        person = queries.lock(person_id)
        if person.password_hash != stored or not _may_try(person, only_staff):
            raise wrong
        if uses_code and not second_factor.spend(person, code):
            raise wrong
        person.password_hash = fresh_hash
        throttling.succeeded(guards)
        if instead_of is not None:
            sessions.end(instead_of)
        secret = sessions.begin(person, origin, second_factor=uses_code)
        if uses_code:
            _record("session.begin", person.id, origin.ip)
        elif person.role is not None and person.totp_sealed is None:
            second_factor.offer(sessions.row_of(secret))
        return Opened(secret, person.role, person.role is not None and not uses_code)

    return transaction(open_session)


def give_second_factor(holder: SignedIn, code: str, origin: Origin) -> Opened:
    """The six digits, or a recovery code, after the password; raises Refusal or TooSoon."""
    guards = throttling.of_second_factor(holder.id)
    transaction(lambda: throttling.take(guards))

    def prove() -> Opened:
        person = queries.lock(holder.id)
        if not second_factor.spend(person, code):
            raise Refusal(WRONG_CODE, field="totp")
        throttling.succeeded(guards)
        _record("session.begin", person.id, origin.ip)
        return Opened(sessions.prove(sessions.lock(holder.session_id)), person.role)

    return transaction(prove)


def enrol_second_factor(holder: SignedIn, code: str, origin: Origin) -> tuple[Opened, list[Secret]]:
    """Take the offered second factor into use; the session is proved by it. With recovery codes."""

    def enrol() -> tuple[Opened, list[Secret]]:
        person = queries.lock(holder.id)
        row = sessions.lock(holder.session_id)
        if row.second_factor_at is None and person.totp_sealed is not None:
            raise Refusal(N_("这个账号已经有验证器,请重新登录"))
        with acting_as(f"person:{person.id}"):
            codes = second_factor.confirm(row, code)
        sessions.end_all(person.id, but=row.id)
        _record("session.begin", person.id, origin.ip)
        return Opened(sessions.prove(row), person.role), codes

    return transaction(enrol)


def step_up(holder: SignedIn, password: Secret, code: str) -> Opened:
    """Both factors again, for a few minutes of dangerous acts; raises Refusal or TooSoon."""
    guards = throttling.of_second_factor(holder.id)
    transaction(lambda: throttling.take(guards))
    stored = queries.find(holder.uid).password_hash
    if not passwords.check(stored, password):
        raise Refusal(WRONG_PROOF)

    def prove() -> Opened:
        person = queries.lock(holder.id)
        if not second_factor.spend(person, code):
            raise Refusal(WRONG_PROOF)
        throttling.succeeded(guards)
        audit.record("session.step_up", "people", person.id)
        return Opened(sessions.prove(sessions.lock(holder.session_id)), person.role)

    return transaction(prove)


def check_own_password(holder: SignedIn, password: Secret) -> None:
    """The current password, before it is changed; raises Refusal or TooSoon."""
    person = queries.find(holder.uid)
    stored, guards = person.password_hash, [throttling.Guard("account", person.contact_index.hex())]
    transaction(lambda: throttling.take(guards))
    if not passwords.check(stored, password):
        raise Refusal(N_("现在的密码不对"), field="current")
    transaction(lambda: throttling.succeeded(guards))


def _may_try(person: Person, only_staff: bool) -> bool:
    is_right_door = person.role is not None or not only_staff
    return person.state == PersonState.ACTIVE and bool(person.password_hash) and is_right_door


def _record(action: str, person_id: int, ip: str) -> None:
    """An audit row in the person's own name: until now the actor was a stranger."""
    with acting_as(f"person:{person_id}"):
        audit.record(action, "people", person_id, ip=ip)
