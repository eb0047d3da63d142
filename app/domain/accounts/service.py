"""The verbs about people. Each leaves an audit row; what takes rights away ends their sessions."""

from dataclasses import dataclass

from app.core import audit, clock, ids, keys
from app.core.crypto import Secret
from app.core.db import require_transaction, session
from app.core.errors import N_, Conflict, Refusal
from app.core.states import move
from app.domain.accounts import queries, rules, second_factor, sessions
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Person, PersonState, Role

NAME_LENGTH = 30


@dataclass(frozen=True)
class Invitation:
    """A person and the token of the link by which they choose a password; it is shown once."""

    person: Person
    token: Secret


def register(contact: Contact, password_hash: str, *, language: str = "zh") -> Person:
    """A buyer's account; raises Refusal when the contact has one."""
    require_transaction()
    if queries.find_by_contact(contact.index) is not None:
        raise Refusal(N_("这个手机号或邮箱已经注册过，请直接登录"), field="contact")
    person = create(contact, password_hash=password_hash, language=language)
    audit.record("person.register", "people", person.id)
    return person


def create(
    contact: Contact,
    *,
    name: str = "",
    role: Role | None = None,
    password_hash: str = "",
    language: str = "zh",
) -> Person:
    """A new person; without a password hash nobody can sign in as them."""
    require_transaction()
    uid = ids.token()
    person = Person(
        uid=uid,
        name=name,
        role=role,
        contact_sealed=keys.seal_personal(contact.value, "people", "contact", uid),
        contact_index=contact.index,
        contact_masked=contact.masked,
        password_hash=password_hash,
        language=language,
    )
    session.add(person)
    session.flush()
    return person


def contact_of(person: Person) -> Secret:
    """The person's phone number or e-mail address, opened."""
    return keys.open_personal(person.contact_sealed, "people", "contact", person.uid)


def invite(contact: Contact, name: str, role: Role) -> Invitation:
    """A new member of staff; a buyer with this contact becomes one, and loses the old password.

    Raises Refusal when the contact is already a member's.
    """
    require_transaction()
    cleaned = checked_name(name)
    person = queries.find_by_contact(contact.index)
    if person is None:
        person = create(contact, name=cleaned, role=role)
    elif person.role is not None:
        raise Refusal(N_("这个手机号或邮箱已经是成员"), field="contact")
    else:
        # Whoever registered this contact did not have to prove that it is theirs.
        person.name, person.role, person.password_hash = cleaned, role, ""
        sessions.end_all(person.id)
    audit.record("person.invite", "people", person.id, role=role)
    return Invitation(person, _new_token(person))


def renew_invitation(person_id: int, reason: str) -> Invitation:
    """A link to choose a new password; the old one works until the link is used."""
    person = queries.lock(person_id)
    audit.record("person.new_link", "people", person.id, reason=reason)
    return Invitation(person, _new_token(person))


def accept_invitation(token: str, password_hash: str) -> Person:
    """Take the password chosen through a link, which is thereby used up; raises NotFound.

    Ends every session, and leaves the second factor as it is.
    """
    require_transaction()
    person = queries.lock(queries.find_invited(token).id)
    if person.invitation_hash != ids.hash_token(token):
        raise Conflict(N_("这个链接已经用过或过期，请向店主要一个新的"))
    person.invitation_hash = None
    person.invitation_expires_at = None
    person.password_hash = password_hash
    sessions.end_all(person.id)
    audit.record("person.password", "people", person.id, by="link")
    session.flush()
    return person


def change_password(person_id: int, password_hash: str, *, session_id: int) -> Secret:
    """A new password: every other session ends, this one goes on under a new secret."""
    person = queries.lock(person_id)
    person.password_hash = password_hash
    sessions.end_all(person.id, but=session_id)
    audit.record("person.password", "people", person.id, by="person")
    return sessions.renew(sessions.lock(session_id))


def rename(person_id: int, name: str) -> None:
    person = queries.lock(person_id)
    person.name = name.strip()[:NAME_LENGTH]
    session.flush()


def speak(person_id: int, language: str) -> None:
    """Remember in which language the person wants to be spoken to."""
    queries.lock(person_id).language = language
    session.flush()


def change_role(person_id: int, role: Role, reason: str) -> None:
    """Give a member another role; raises Conflict for the last owner."""
    person, other_owners = queries.lock_with_owners(person_id)
    if person.role == role:
        return
    if person.role is None:
        raise Conflict(N_("买家没有角色，请用邀请把对方加为成员"))
    _keep_an_owner(person, other_owners)
    audit.record("person.role", "people", person.id, reason=reason, role=[person.role, role])
    person.role = role
    sessions.end_all(person.id)
    session.flush()


def disable(person_id: int, reason: str) -> None:
    """Let the person in no more; raises Conflict for the last owner."""
    person, other_owners = queries.lock_with_owners(person_id)
    if person.state == PersonState.DISABLED:
        return
    _keep_an_owner(person, other_owners)
    move(person, PersonState.DISABLED, reason)
    person.invitation_hash = None
    person.invitation_expires_at = None
    sessions.end_all(person.id)
    audit.record("person.disable", "people", person.id, reason=reason)
    session.flush()


def enable(person_id: int, reason: str) -> None:
    """Let a disabled person in again, with the password and second factor they had."""
    person = queries.lock(person_id)
    if person.state == PersonState.ACTIVE:
        return
    move(person, PersonState.ACTIVE, reason)
    audit.record("person.enable", "people", person.id, reason=reason)
    session.flush()


def reset_second_factor(person_id: int, reason: str) -> None:
    """The phone is lost: at the next sign-in the person sets up a new second factor."""
    person = queries.lock(person_id)
    second_factor.drop(person)
    sessions.end_all(person.id)
    audit.record(
        "person.second_factor", "people", person.id, reason=reason, has_second_factor=False
    )


def end_sessions(person_id: int, reason: str) -> int:
    """Sign somebody out everywhere; how many sessions there were."""
    ended = sessions.end_all(person_id)
    audit.record("person.end_sessions", "people", person_id, reason=reason, ended=ended)
    return ended


def checked_name(name: str) -> str:
    """A member's name; raises Refusal."""
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= NAME_LENGTH:
        raise Refusal(N_("姓名要有 1 到 %(most)s 个字"), field="name", most=NAME_LENGTH)
    return cleaned


def _keep_an_owner(person: Person, other_owners: int) -> None:
    if person.role == Role.OWNER and other_owners == 0:
        raise Conflict(N_("这是唯一的店主。请先让另一位成员成为店主"))


def _new_token(person: Person) -> Secret:
    token = Secret(ids.token())
    person.invitation_hash = ids.hash_token(token.reveal())
    person.invitation_expires_at = clock.now() + rules.INVITATION_LASTS
    session.flush()
    return token
