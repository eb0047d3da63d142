"""The owners are told of what cannot wait: at most once each, by what they sign in with."""

from collections.abc import Callable
from dataclasses import dataclass

import sqlalchemy as sa
import structlog

from app.core import clock
from app.core.db import session
from app.domain.accounts import service as accounts
from app.domain.accounts.contacts import kind_of
from app.domain.accounts.models import Person, PersonState, Role
from app.domain.catalog import preferences
from app.domain.messages.rules import Words
from app.domain.risk import cases
from app.domain.vault.alarm_models import Alarm
from app.providers import messages
from app.providers.messages.interface import Message, Sender

log = structlog.get_logger()


@dataclass(frozen=True)
class Alert:
    """What owners are told of: an alarm by its id, or so many cases that are overdue."""

    kind: str
    subject_id: int
    count: int = 1


# The words of an alert, in the reader's language, from the shop of this name.
AlertWriter = Callable[[Alert, str, str], Words]

_writer: AlertWriter | None = None


def connect(writer: AlertWriter) -> None:
    """Take what puts an alert into words; called once by create_app()."""
    global _writer  # noqa: PLW0603  one way of writing a process
    _writer = writer


def begin(alarm_id: int) -> list[tuple[Sender, Message]]:
    """Write the intent of telling every owner of an alarm, and what to send; nothing the second
    time. The caller commits before anybody is called."""
    alarm = session.get_one(Alarm, alarm_id, with_for_update=True, populate_existing=True)
    if alarm.told_at is not None:
        return []
    alarm.told_at = clock.now()
    return _letters(Alert("alarm", alarm.id))


def begin_overdue(case_id: int) -> list[tuple[Sender, Message]]:
    """Likewise of a case that is overdue, and of all others that are by now: one letter for all."""
    found = cases.take_untold(case_id)
    return _letters(Alert("case", case_id, len(found))) if found else []


def send(sender: Sender, message: Message) -> None:
    """Hand it over; what became of it stands in the log, what it tells of in the console."""
    result = sender.send(message)
    log.info("alert.told", reference=message.reference, outcome=result.outcome.name)


def _letters(alert: Alert) -> list[tuple[Sender, Message]]:
    owners = session.scalars(
        sa.select(Person).where(Person.role == Role.OWNER, Person.state == PersonState.ACTIVE)
    )
    found = [(owner, messages.sender_for(kind_of(owner.contact_masked))) for owner in owners]
    return [(sender, _compose(alert, owner)) for owner, sender in found if sender is not None]


def _compose(alert: Alert, owner: Person) -> Message:
    if _writer is None:
        raise RuntimeError("nothing was connected that writes alerts")
    words = _writer(alert, owner.language, preferences.get().name)
    return Message(
        reference=f"{alert.kind}-{alert.subject_id}-{owner.id}",
        kind=alert.kind,
        to=accounts.contact_of(owner),
        to_masked=owner.contact_masked,
        subject=words.subject,
        text=words.text,
        html=words.html,
    )
