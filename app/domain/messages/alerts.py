"""Staff are told of what cannot wait: at most once each, by what they sign in with."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
import structlog

from app.core import clock
from app.core.crypto import Secret
from app.core.db import session
from app.domain.accounts import service as accounts
from app.domain.accounts.contacts import kind_of
from app.domain.accounts.models import Person, PersonState, Role
from app.domain.accounts.rules import PERMISSIONS
from app.domain.catalog import preferences
from app.domain.messages.rules import Words
from app.domain.risk import cases
from app.domain.risk.models import Decision
from app.domain.vault.alarm_models import Alarm
from app.domain.vault.export_models import CodeExport
from app.providers import messages
from app.providers.messages.interface import Message, Sender

log = structlog.get_logger()

Letters = list[tuple[Sender, Message]]


class Event(StrEnum):
    """What staff are told of."""

    ALARM = "alarm"
    ANCHOR = "anchor"
    CASES_OVERDUE = "cases_overdue"
    RISK_RULE = "risk_rule"
    EXPORT_REQUESTED = "export_requested"
    EXPORT_APPROVED = "export_approved"
    EXPORT_REFUSED = "export_refused"
    EXPORT_DOWNLOADED = "export_downloaded"


@dataclass(frozen=True)
class News:
    """One event, and the id of the alarm, export or case, or the number of the seal, that it is
    about; of cases, how many; of an anchor, its line; `number` is that of a decision of risk."""

    event: Event
    subject_id: int
    count: int = 1
    number: str = ""
    line: str = ""


@dataclass(frozen=True)
class Reader:
    """Somebody who is written to; `name` tells the readers of one piece of news apart."""

    name: str
    language: str
    contact: Secret
    masked: str

    @property
    def sender(self) -> Sender | None:
        return messages.sender_for(kind_of(self.masked))


# The words of it: the news, the reader's language, the shop's name.
AlertWriter = Callable[[News, str, str], Words]

_writer: AlertWriter | None = None


def connect(writer: AlertWriter) -> None:
    """Take what puts it into words; called once by create_app()."""
    global _writer  # noqa: PLW0603  one way of writing a process
    _writer = writer


def begin(alarm_id: int) -> Letters:
    """Write the intent of telling every owner of an alarm, and what to send; nothing the second
    time.

    The caller commits before anybody is called.
    """
    alarm = session.get_one(Alarm, alarm_id, with_for_update=True, populate_existing=True)
    if alarm.told_at is not None:
        return []
    alarm.told_at = clock.now()
    return _letters(News(Event.ALARM, alarm.id), Person.role == Role.OWNER)


def begin_overdue(case_id: int) -> Letters:
    """Likewise of a case that is overdue, and of all others that are by now: one letter for all."""
    found = cases.take_untold(case_id)
    news = News(Event.CASES_OVERDUE, case_id, len(found))
    return _letters(news, Person.role == Role.OWNER) if found else []


def begin_rule(decision_id: int) -> Letters:
    """Of a decision whose rules want the owners to hear of it. The job that asks is one an hour."""
    decision = session.get_one(Decision, decision_id)
    return _letters(
        News(Event.RISK_RULE, decision.id, number=decision.uid), Person.role == Role.OWNER
    )


def begin_export(event: Event, export_id: int) -> Letters:
    """The same for what became of an export: who has to look at it, whom it concerns."""
    export = session.get_one(CodeExport, export_id, with_for_update=True, populate_existing=True)
    if event in export.told:
        return []
    export.told = [*export.told, event.value]
    maker = _is(export.requested_by)
    whom = {
        Event.EXPORT_REQUESTED: sa.and_(
            Person.role.in_(PERMISSIONS["exports.approve"]), sa.not_(maker)
        ),
        Event.EXPORT_APPROVED: maker,
        Event.EXPORT_REFUSED: maker,
        Event.EXPORT_DOWNLOADED: sa.or_(
            Person.role == Role.OWNER, maker, _is(export.checked_by or "")
        ),
    }[event]
    return _letters(News(event, export.id), whom)


def letters(news: News, readers: Iterable[Reader]) -> Letters:
    """What tells these readers; nothing for whom nothing can be sent to."""
    found = [(reader, reader.sender) for reader in readers]
    return [(sender, _compose(news, reader)) for reader, sender in found if sender is not None]


def owners() -> list[Reader]:
    return _staff(Person.role == Role.OWNER)


def send(sender: Sender, message: Message) -> None:
    """Hand it over; what became of it stands in the log, the matter itself in the console."""
    result = sender.send(message)
    log.info("staff.told", reference=message.reference, outcome=result.outcome.name)


def _is(actor: str) -> sa.ColumnElement[bool]:
    kind, _, name = actor.partition(":")
    return Person.id == (int(name) if kind == "person" else 0)


def _letters(news: News, whom: sa.ColumnElement[bool]) -> Letters:
    return letters(news, _staff(whom))


def _staff(whom: sa.ColumnElement[bool]) -> list[Reader]:
    staff: Sequence[Person] = session.scalars(
        sa.select(Person)
        .where(whom, Person.role.is_not(None), Person.state == PersonState.ACTIVE)
        .order_by(Person.id)
    ).all()
    return [
        Reader(str(person.id), person.language, accounts.contact_of(person), person.contact_masked)
        for person in staff
    ]


def _compose(news: News, reader: Reader) -> Message:
    if _writer is None:
        raise RuntimeError("nothing was connected that writes to staff")
    words = _writer(news, reader.language, preferences.get().name)
    return Message(
        reference=f"{news.event}-{news.subject_id}-{reader.name}",
        kind=news.event,
        to=reader.contact,
        to_masked=reader.masked,
        subject=words.subject,
        text=words.text,
        html=words.html,
    )
