"""Signed-in browsers: rows on the server, so that each can be seen and ended from elsewhere.

The cookie holds 256 random bits, the row only their SHA-256. Whenever what a session may do grows
(signed in, second factor, step-up) it gets a new secret, so one that was planted or overheard
before is worth nothing after.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

import sqlalchemy as sa

from app.core import clock, ids
from app.core.crypto import Secret
from app.core.db import require_transaction, session
from app.domain.accounts import rules
from app.domain.accounts.models import Person, PersonState, Role, Session

KEEP_ENDED = rules.BUYER_LIFETIME.most


@dataclass(frozen=True)
class Origin:
    """Where a try to sign in comes from, as far as the network tells."""

    ip: str
    network: str
    user_agent: str


@dataclass(frozen=True)
class SignedIn:
    """Who holds a session, as the database said when this request asked."""

    is_authenticated: ClassVar[bool] = True

    id: int
    uid: str
    name: str
    role: Role | None
    language: str
    contact_masked: str
    has_second_factor: bool
    session_id: int
    seen_at: datetime
    second_factor_at: datetime | None
    stepped_up_at: datetime | None

    @property
    def is_staff(self) -> bool:
        return self.role is not None

    @property
    def owes_second_factor(self) -> bool:
        """The password was right; until the second factor is too, this is nobody."""
        return (self.is_staff or self.has_second_factor) and self.second_factor_at is None

    def may(self, permission: str) -> bool:
        return rules.may(self.role, permission)

    def is_fresh(self) -> bool:
        """Whether a step-up is recent enough for a dangerous act."""
        return rules.is_fresh(self.stepped_up_at, clock.now())


def begin(person: Person, origin: Origin, *, second_factor: bool = False) -> Secret:
    """Sign a browser in; the cookie's secret. A session that owes the second factor opens nothing:
    staff always owe one, everybody else if they have set one up.

    The second factor counts as a step-up: whoever has just shown both is not asked again at once.
    """
    require_transaction()
    now = clock.now()
    owes = rules.needs_second_factor(person) and not second_factor
    lasts = rules.SECOND_FACTOR_WITHIN if owes else rules.lifetime(person.role).most
    proved_at = now if second_factor else None
    secret = _new_secret()
    session.add(
        Session(
            secret_hash=ids.hash_token(secret.reveal()),
            person_id=person.id,
            created_at=now,
            seen_at=now,
            expires_at=now + lasts,
            second_factor_at=proved_at,
            stepped_up_at=proved_at,
            ip=origin.ip,
            user_agent=origin.user_agent[:300],
        )
    )
    person.last_seen_at = now
    session.flush()
    _forget_old(person.id, now)
    return secret


def find(secret: str) -> SignedIn | None:
    """Whose session this is, if it lives and its person may sign in; role and state as of now."""
    row = session.scalar(
        sa.select(Session)
        .where(Session.secret_hash == ids.hash_token(secret), Session.ended_at.is_(None))
        .execution_options(populate_existing=True)
    )
    if row is None or not _lives(row, clock.now()):
        return None
    person = row.person
    return SignedIn(
        id=person.id,
        uid=person.uid,
        name=person.name,
        role=person.role,
        language=person.language,
        contact_masked=person.contact_masked,
        has_second_factor=person.totp_sealed is not None,
        session_id=row.id,
        seen_at=row.seen_at,
        second_factor_at=row.second_factor_at,
        stepped_up_at=row.stepped_up_at,
    )


def touch(found: SignedIn) -> None:
    """Note that the session is in use; the caller asks `is_due_for_touch` first."""
    require_transaction()
    now = clock.now()
    session.execute(sa.update(Session).where(Session.id == found.session_id).values(seen_at=now))
    session.execute(sa.update(Person).where(Person.id == found.id).values(last_seen_at=now))


def is_due_for_touch(found: SignedIn) -> bool:
    return clock.now() - found.seen_at >= rules.SEEN_EVERY


def prove(row: Session) -> Secret:
    """Both factors were shown: the session may do what its role may, under a new secret."""
    require_transaction()
    now = clock.now()
    if row.second_factor_at is None:
        row.second_factor_at = now
        row.expires_at = now + rules.lifetime(row.person.role).most
    row.stepped_up_at = now
    row.seen_at = now
    return renew(row)


def renew(row: Session) -> Secret:
    """Give the session a new secret; the old one opens nothing any more."""
    require_transaction()
    secret = _new_secret()
    row.secret_hash = ids.hash_token(secret.reveal())
    session.flush()
    return secret


def row_of(secret: Secret) -> Session:
    """The row behind a secret that was just given out."""
    wanted = sa.select(Session).where(Session.secret_hash == ids.hash_token(secret.reveal()))
    return session.scalars(wanted).one()


def lock(session_id: int) -> Session:
    """The session as it is now, locked until the unit ends."""
    # Reading it afresh reads its person afresh, too: what was changed of them must be there.
    session.flush()
    return session.get_one(
        Session, session_id, with_for_update={"of": Session}, populate_existing=True
    )


def end(session_id: int) -> None:
    """Sign one browser out."""
    _end(Session.id == session_id)


def end_of(person_id: int, session_id: int) -> bool:
    """End a session if it is that person's; whether there was one to end."""
    return _end(Session.id == session_id, Session.person_id == person_id) > 0


def end_all(person_id: int, *, but: int | None = None) -> int:
    """Sign a person out everywhere, but for one session; how many ended."""
    return _end(Session.person_id == person_id, Session.id != (but or 0))


def living(person_id: int) -> list[Session]:
    """The person's sessions that open something, the most recently used first."""
    now = clock.now()
    rows = session.scalars(
        sa.select(Session)
        .where(Session.person_id == person_id, Session.ended_at.is_(None), Session.expires_at > now)
        .order_by(Session.seen_at.desc(), Session.id.desc())
    )
    return [row for row in rows if _lives(row, now)]


def _end(*which: sa.ColumnElement[bool]) -> int:
    require_transaction()
    ended = session.execute(
        sa.update(Session)
        .where(*which, Session.ended_at.is_(None))
        .values(ended_at=clock.now())
        .execution_options(synchronize_session=False)
    )
    return int(ended.rowcount)  # type: ignore[attr-defined]


def _lives(row: Session, now: datetime) -> bool:
    idle = rules.lifetime(row.person.role).idle
    is_active = row.person.state == PersonState.ACTIVE
    return is_active and now < row.expires_at and now - row.seen_at < idle


def _forget_old(person_id: int, now: datetime) -> None:
    """Rows of sessions long over are personal data that serves nobody."""
    session.execute(
        sa.delete(Session)
        .where(Session.person_id == person_id, Session.expires_at < now - KEEP_ENDED)
        .execution_options(synchronize_session=False)
    )


def _new_secret() -> Secret:
    return Secret(secrets.token_urlsafe(32))
