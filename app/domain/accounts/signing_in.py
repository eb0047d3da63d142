"""How somebody proves who they are: password, second factor, and both again before a dangerous act.

These open units of their own, because a guess must be counted before it is judged, and argon2 must
not run inside a unit. Whatever was wrong, the answer and the time it takes are the same.
"""

from dataclasses import dataclass

import structlog

from app.core import audit
from app.core.actors import acting_as
from app.core.crypto import Secret
from app.core.db import transaction
from app.core.errors import N_, Refusal
from app.domain.accounts import passwords, queries, rules, second_factor, sessions, throttling
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Person, PersonState, Role
from app.domain.accounts.sessions import Origin, SignedIn

log = structlog.get_logger()

WRONG = N_("账号或密码不对")
WRONG_STAFF = N_("账号、密码或验证码不对")
WRONG_CODE = N_("验证码不对或已经用过，请等下一个再试")
WRONG_PROOF = N_("密码或验证码不对")


@dataclass(frozen=True)
class Opened:
    """A session begun, or grown: the cookie's new secret, and what is still owed."""

    secret: Secret
    role: Role | None
    owes_second_factor: bool = False


@dataclass(frozen=True)
class Attempt:
    """What somebody shows at a door. `instead_of` is a session that the new one replaces."""

    contact: Contact
    password: Secret
    origin: Origin
    code: str = ""
    only_staff: bool = False
    instead_of: int | None = None

    def refusal(self) -> Refusal:
        return Refusal(WRONG_STAFF if self.only_staff else WRONG)


@dataclass(frozen=True)
class _Proven:
    """Whose password it was: `stored` was checked, `fresh` is what to store from now on."""

    person_id: int
    stored: str
    fresh: str
    uses_code: bool


def sign_in(attempt: Attempt) -> Opened:
    """Check the password, and for staff the code if one was given, and begin a session.

    Raises Refusal when anything is wrong, at the staff's door for every buyer too; TooSoon when
    there were too many tries.
    """
    guards = throttling.of_sign_in(attempt.contact.index, attempt.origin.network)
    transaction(lambda: throttling.take(guards))
    proven = _prove_password(attempt)
    if proven.uses_code:
        factor = throttling.of_second_factor(proven.person_id)
        transaction(lambda: throttling.take(factor))
        guards = [*guards, *factor]

    def begin() -> Opened:
        opened = _begin(attempt, proven)
        throttling.succeeded(guards)
        return opened

    return transaction(begin)


def _prove_password(attempt: Attempt) -> _Proven:
    person = queries.find_by_contact(attempt.contact.index)
    stored = person.password_hash if person and _may_try(person, attempt) else None
    is_right = passwords.check(stored, attempt.password)
    if not is_right or person is None or stored is None:
        log.warning("sign_in.refused", ip=attempt.origin.ip)
        raise attempt.refusal()
    has_factor = person.totp_sealed is not None
    fresh = passwords.hash(attempt.password) if passwords.is_outdated(stored) else stored
    return _Proven(person.id, stored, fresh, has_factor and bool(attempt.code))


def _begin(attempt: Attempt, proven: _Proven) -> Opened:
    """The unit of work: the person may have changed while the password was being checked."""
    person = queries.lock(proven.person_id)
    if person.password_hash != proven.stored or not _may_try(person, attempt):
        raise attempt.refusal()
    if proven.uses_code and not second_factor.spend(person, attempt.code):
        log.warning("second_factor.refused", person=person.id, ip=attempt.origin.ip)
        raise attempt.refusal()
    person.password_hash = proven.fresh
    if attempt.instead_of is not None:
        sessions.end(attempt.instead_of)
    secret = sessions.begin(person, attempt.origin, second_factor=proven.uses_code)
    if proven.uses_code:
        _record("session.begin", person.id, attempt.origin.ip)
    elif person.role is not None and person.totp_sealed is None:
        second_factor.offer(sessions.row_of(secret))
    owes = rules.needs_second_factor(person) and not proven.uses_code
    return Opened(secret, person.role, owes)


def give_second_factor(holder: SignedIn, code: str, origin: Origin) -> Opened:
    """The six digits, or a recovery code, after the password; raises Refusal or TooSoon."""
    guards = throttling.of_second_factor(holder.id)
    transaction(lambda: throttling.take(guards))

    def prove() -> Opened:
        person = queries.lock(holder.id)
        if not second_factor.spend(person, code):
            log.warning("second_factor.refused", person=person.id, ip=origin.ip)
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
            raise Refusal(N_("这个账号已经有验证器，请重新登录"))
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
        log.warning("step_up.refused", person=holder.id)
        raise Refusal(WRONG_PROOF)

    def prove() -> Opened:
        person = queries.lock(holder.id)
        if not second_factor.spend(person, code):
            log.warning("step_up.refused", person=person.id)
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


def prove_again(holder: SignedIn, password: Secret, code: str) -> None:
    """The password, or instead of it a code of the second factor; raises Refusal or TooSoon."""
    if password or not code:
        check_own_password(holder, password)
        return
    guards = throttling.of_second_factor(holder.id)
    transaction(lambda: throttling.take(guards))

    def prove() -> None:
        if not second_factor.spend(queries.lock(holder.id), code):
            raise Refusal(WRONG_CODE, field="totp")
        throttling.succeeded(guards)

    transaction(prove)


def _may_try(person: Person, attempt: Attempt) -> bool:
    is_right_door = person.role is not None or not attempt.only_staff
    return person.state == PersonState.ACTIVE and bool(person.password_hash) and is_right_door


def _record(action: str, person_id: int, ip: str) -> None:
    """An audit row in the person's own name: until now the actor was a stranger."""
    with acting_as(f"person:{person_id}"):
        audit.record(action, "people", person_id, ip=ip)
