"""The owners are told of an alarm: at most once each, by what they sign in with."""

from collections.abc import Callable

import sqlalchemy as sa
import structlog

from app.core import clock
from app.core.db import session
from app.domain.accounts import service as accounts
from app.domain.accounts.contacts import kind_of
from app.domain.accounts.models import Person, PersonState, Role
from app.domain.catalog import preferences
from app.domain.messages.rules import Words
from app.domain.vault.alarm_models import Alarm
from app.providers import messages
from app.providers.messages.interface import Message, Sender

log = structlog.get_logger()

# The words of an alarm: its id, the reader's language, the shop's name.
AlertWriter = Callable[[int, str, str], Words]

_writer: AlertWriter | None = None


def connect(writer: AlertWriter) -> None:
    """Take what puts an alarm into words; called once by create_app()."""
    global _writer  # noqa: PLW0603  one way of writing a process
    _writer = writer


def begin(alarm_id: int) -> list[tuple[Sender, Message]]:
    """Write the intent of telling every owner of it, and what to send; nothing the second time.

    The caller commits before anybody is called.
    """
    alarm = session.get_one(Alarm, alarm_id, with_for_update=True, populate_existing=True)
    if alarm.told_at is not None:
        return []
    alarm.told_at = clock.now()
    owners = session.scalars(
        sa.select(Person).where(Person.role == Role.OWNER, Person.state == PersonState.ACTIVE)
    )
    found = [(owner, messages.sender_for(kind_of(owner.contact_masked))) for owner in owners]
    return [(sender, _compose(alarm, owner)) for owner, sender in found if sender is not None]


def send(sender: Sender, message: Message) -> None:
    """Hand it over; what became of it stands in the log, the alarm itself in the console."""
    result = sender.send(message)
    log.info("alarm.told", reference=message.reference, outcome=result.outcome.name)


def _compose(alarm: Alarm, owner: Person) -> Message:
    if _writer is None:
        raise RuntimeError("nothing was connected that writes alarms")
    words = _writer(alarm.id, owner.language, preferences.get().name)
    return Message(
        reference=f"alarm-{alarm.id}-{owner.id}",
        kind="alarm",
        to=accounts.contact_of(owner),
        to_masked=owner.contact_masked,
        subject=words.subject,
        text=words.text,
        html=words.html,
    )
