"""The audit log's anchor leaves the shop once a day, by e-mail, where the merchant wants it so.

An anchor is worth something where neither database nor keys are. What is kept of a letter is its
entry in the audit log, written before anybody is called: a day whose letter a crash cut off has
none, and the next day's names all that was sealed until then.
"""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from app.core import audit, audit_chain, clock
from app.core.audit import AuditEntry
from app.core.crypto import Secret
from app.core.db import require_transaction, session
from app.core.outbox import later
from app.domain.accounts.contacts import Contact, ContactKind, kind_of
from app.domain.catalog import preferences
from app.domain.catalog.models import Preference
from app.domain.messages import alerts
from app.domain.messages.alerts import Event, Letters, News, Reader

WATCH_KEY = "anchor-mail"
IN_THE_MORNING = time(8, 0)
ACTION = "audit.anchor"


def watch() -> None:
    """Let it be sent once a day from now on, as long as the merchant wants it; asking again is
    harmless."""
    later("app.domain.messages.jobs.anchor", key=WATCH_KEY)


def begin() -> Letters:
    """Write the intent of sending today's anchor, and what to send; nothing the second time, and
    nothing where it is not wanted or cannot be sent. The caller commits before anybody is called.
    """
    require_transaction()
    # Two who are at it at once meet here one after the other.
    wanted = sa.select(Preference).where(Preference.name == "anchor_mail").with_for_update()
    session.scalars(wanted).all()
    chosen, head = preferences.fresh(), audit_chain.head()
    if not chosen.anchor_mail or head is None or _was_sent_today():
        return []
    found = alerts.letters(News(Event.ANCHOR, head.seq, line=head.text), _readers(chosen.anchor_to))
    if found:
        audit.record(ACTION, "audit_log", None, seq=head.seq)
    return found


def next_morning(now: datetime) -> datetime:
    """The next time that the shop's clock shows IN_THE_MORNING."""
    here = now.astimezone(ZoneInfo(preferences.get().zone))
    this = datetime.combine(here.date(), IN_THE_MORNING, here.tzinfo)
    return this if this > here else this + timedelta(days=1)


def _readers(address: str) -> list[Reader]:
    """The address, or the owners who have one: a line of this length is nothing for a phone."""
    owners = alerts.owners()
    if not address:
        return [owner for owner in owners if kind_of(owner.masked) == ContactKind.EMAIL]
    contact = Contact.parse(address)
    language = next((owner.language for owner in owners), "zh")
    return [Reader("outside", language, Secret(contact.value), contact.masked)]


def _was_sent_today() -> bool:
    zone = ZoneInfo(preferences.get().zone)
    today = datetime.combine(clock.now().astimezone(zone).date(), time(), zone)
    sent = sa.select(AuditEntry.id).where(AuditEntry.at >= today, AuditEntry.action == ACTION)
    return session.scalar(sent.limit(1)) is not None
