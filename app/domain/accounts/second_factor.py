"""The second factor of staff: six digits that change every 30 seconds (RFC 6238), and the codes
on paper for the day the phone is lost."""

import hmac
import secrets

import pyotp
import sqlalchemy as sa

from app.core import audit, clock, ids, keys
from app.core.crypto import Secret
from app.core.db import require_transaction, session
from app.core.errors import N_, Refusal
from app.domain.accounts.models import Person, RecoveryCode, Session

STEP = 30
# Clocks of phones are off, and people are slow: one step before and after (RFC 6238, 5.2).
DRIFT = (-1, 0, 1)
RECOVERY_CODES = 10
RECOVERY_HALF = 5
ISSUER = "Hardshelf"


def offer(row: Session) -> Secret:
    """A new secret for the session's person, kept with the session until it is confirmed."""
    require_transaction()
    secret = Secret(pyotp.random_base32())
    row.new_totp_sealed = keys.seal_personal(secret.reveal(), "sessions", "new_totp", row.id)
    session.flush()
    return secret


def offered(session_id: int) -> Secret | None:
    """The secret that waits for its confirmation."""
    row = session.get(Session, session_id, populate_existing=True)
    if row is None or row.new_totp_sealed is None:
        return None
    return keys.open_personal(row.new_totp_sealed, "sessions", "new_totp", row.id)


def uri(secret: Secret, account: str, issuer: str = ISSUER) -> Secret:
    """What an authenticator app reads from a QR code."""
    totp = pyotp.TOTP(secret.reveal())
    return Secret(totp.provisioning_uri(name=account, issuer_name=issuer))


def confirm(row: Session, code: str) -> list[Secret]:
    """Take the offered secret into use, proved by its first code; returns new recovery codes.

    The caller has locked the session. Raises Refusal when the code is not of that secret.
    """
    require_transaction()
    sealed = row.new_totp_sealed
    if sealed is None:
        raise Refusal(N_("这个页面放得太久了，请重新登录"))
    secret = keys.open_personal(sealed, "sessions", "new_totp", row.id)
    step = _step_of(secret, code, after=0)
    if step is None:
        raise Refusal(N_("验证码不对，请用验证器里最新的 6 位数字"), field="totp")
    person = row.person
    adopt(person, secret, step=step)
    row.new_totp_sealed = None
    audit.record("person.second_factor", "people", person.id, has_second_factor=True)
    return new_recovery_codes(person)


def adopt(person: Person, secret: Secret, *, step: int = 0) -> None:
    """Store the secret as the person's second factor; codes up to `step` count as used."""
    require_transaction()
    person.totp_sealed = keys.seal_personal(secret.reveal(), "people", "totp", person.uid)
    person.totp_step = step
    session.flush()


def drop(person: Person) -> None:
    """Take the second factor away; at the next sign-in the person sets up a new one."""
    require_transaction()
    person.totp_sealed = None
    person.totp_step = 0
    session.execute(sa.delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
    session.flush()


def spend(person: Person, code: str) -> bool:
    """Use up a code of the person, who is locked: six digits, or one of the recovery codes."""
    require_transaction()
    if person.totp_sealed is None:
        return False
    secret = keys.open_personal(person.totp_sealed, "people", "totp", person.uid)
    step = _step_of(secret, code, after=person.totp_step)
    if step is None:
        return _spend_recovery_code(person, code)
    person.totp_step = step
    session.flush()
    return True


def new_recovery_codes(person: Person) -> list[Secret]:
    """Ten one-time codes in place of those there were; shown once, and stored as indexes."""
    require_transaction()
    session.execute(sa.delete(RecoveryCode).where(RecoveryCode.person_id == person.id))
    codes = [_recovery_code() for _ in range(RECOVERY_CODES)]
    session.add_all(
        RecoveryCode(person_id=person.id, code_hash=_index(person, code)) for code in codes
    )
    session.flush()
    return [Secret(code) for code in codes]


def recovery_codes_left(person_id: int) -> int:
    """How many recovery codes have not been used."""
    unused = sa.select(sa.func.count()).where(
        RecoveryCode.person_id == person_id, RecoveryCode.used_at.is_(None)
    )
    return int(session.scalar(unused) or 0)


def _step_of(secret: Secret, code: str, *, after: int) -> int | None:
    """The time step whose code it is, if it is near now and later than `after`."""
    digits = "".join(code.split())
    now = int(clock.now().timestamp()) // STEP
    totp = pyotp.TOTP(secret.reveal())
    found = None
    for drift in DRIFT:
        is_equal = hmac.compare_digest(totp.generate_otp(now + drift).encode(), digits.encode())
        if is_equal and now + drift > after:
            found = now + drift
    return found


def _spend_recovery_code(person: Person, code: str) -> bool:
    row = session.scalar(
        sa.select(RecoveryCode)
        .where(RecoveryCode.code_hash == _index(person, code), RecoveryCode.used_at.is_(None))
        .with_for_update()
    )
    if row is None or row.person_id != person.id:
        return False
    row.used_at = clock.now()
    audit.record("person.recovery_code", "people", person.id)
    session.flush()
    return True


def _recovery_code() -> str:
    halves = ("".join(secrets.choice(ids.ALPHABET) for _ in range(RECOVERY_HALF)) for _ in range(2))
    return "-".join(halves)


def _index(person: Person, code: str) -> bytes:
    """Keyed, because a short code behind a plain hash could be guessed from a stolen database."""
    symbols = "".join(symbol for symbol in code.upper() if symbol.isalnum())
    return keys.index("recovery", f"{person.uid}:{symbols}")
