"""The ways to a buyer that are configured here: one for e-mail addresses, one for phones."""

from app.providers.messages.console import Console
from app.providers.messages.interface import Sender
from app.providers.messages.sms import Sms
from app.providers.messages.smtp import Smtp
from app.settings import Settings

# By the kind of contact, as accounts/contacts.py calls it.
EMAIL, PHONE = "email", "phone"

_senders: dict[str, Sender] = {}


def connect(settings: Settings) -> None:
    """Make the senders that the settings name; called once by create_app().

    A shop for trying things out logs what it would have sent. A live one does not: a message that
    nobody gets must not look as if it had been sent.
    """
    _senders.clear()
    if settings.smtp_url:
        _senders[EMAIL] = Smtp(settings.smtp_url, settings.mail_from)
    if settings.sms_url:
        _senders[PHONE] = Sms(settings.sms_url, settings.sms_key)
    if not settings.is_production:
        for kind in (EMAIL, PHONE):
            _senders.setdefault(kind, Console())


def sender_for(contact_kind: str) -> Sender | None:
    """Who carries messages to contacts of this kind; None when nobody does."""
    return _senders.get(contact_kind)
