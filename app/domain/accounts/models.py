"""People, the roles of staff, and sessions that can be ended from here."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.core import clock, db


class Role(StrEnum):
    """What a member of staff may do; a buyer has none. `rules.PERMISSIONS` is the matrix."""

    OWNER = "owner"
    OPERATOR = "operator"
    SUPPORT = "support"
    FINANCE = "finance"
    AUDITOR = "auditor"


class PersonState(StrEnum):
    ACTIVE = "active"
    DISABLED = "disabled"


class Person(db.Model):
    """A buyer with an account, or a member of staff.

    The phone or e-mail is sealed; `contact_index` finds it, `contact_masked` shows it.
    """

    __tablename__ = "people"

    MOVES: ClassVar = {
        PersonState.ACTIVE: {PersonState.DISABLED},
        PersonState.DISABLED: {PersonState.ACTIVE},
    }

    id: Mapped[db.PrimaryKey]
    uid: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str] = mapped_column(default="")
    role: Mapped[Role | None]
    state: Mapped[PersonState] = mapped_column(default=PersonState.ACTIVE)
    contact_sealed: Mapped[bytes]
    contact_index: Mapped[bytes] = mapped_column(unique=True)
    contact_masked: Mapped[str]
    # Empty for staff who were invited and have not chosen one yet: nothing opens it.
    password_hash: Mapped[str]
    # The link by which a person chooses a (new) password; only its hash is stored.
    invitation_hash: Mapped[bytes | None] = mapped_column(unique=True)
    invitation_expires_at: Mapped[datetime | None]
    totp_sealed: Mapped[bytes | None]
    # The last time step a code was accepted for: a code is good once.
    totp_step: Mapped[int] = mapped_column(default=0)
    language: Mapped[str] = mapped_column(default="zh")
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    last_seen_at: Mapped[datetime | None]


class RecoveryCode(db.Model):
    """A one-time way in for staff who lost their second factor; only its hash is stored."""

    __tablename__ = "recovery_codes"

    id: Mapped[db.PrimaryKey]
    person_id: Mapped[int] = mapped_column(sa.ForeignKey(Person.id), index=True)
    code_hash: Mapped[bytes] = mapped_column(unique=True)
    used_at: Mapped[datetime | None]


class Session(db.Model):
    """A signed-in browser. The cookie holds the secret, this row its hash; ending it is an UPDATE.

    A member of staff is nobody until `second_factor_at` is set; buyers need none.
    """

    __tablename__ = "sessions"

    id: Mapped[db.PrimaryKey]
    secret_hash: Mapped[bytes] = mapped_column(unique=True)
    person_id: Mapped[int] = mapped_column(sa.ForeignKey(Person.id), index=True)
    created_at: Mapped[datetime] = mapped_column(default=clock.now)
    seen_at: Mapped[datetime] = mapped_column(default=clock.now)
    expires_at: Mapped[datetime]
    second_factor_at: Mapped[datetime | None]
    # A second factor that is being set up lives and dies with the session that began it.
    new_totp_sealed: Mapped[bytes | None]
    stepped_up_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    ip: Mapped[str] = mapped_column(default="")
    user_agent: Mapped[str] = mapped_column(default="")

    person: Mapped[Person] = relationship(lazy="joined", innerjoin=True)


class Throttle(db.Model):
    """Tries that did not succeed, by one key (an account, a network); when the next may come."""

    __tablename__ = "throttles"

    key: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int] = mapped_column(default=0)
    failed_at: Mapped[datetime] = mapped_column(index=True)
    next_at: Mapped[datetime]
