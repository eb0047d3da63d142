"""E-mail over SMTP, encrypted from the first byte (smtps://) or from STARTTLS on.

The steps are taken one by one, because what a failure means depends on where it comes: up to the
recipient nothing has gone out; from DATA on it may have (RFC 5321 §4.2.5: a server that has the
final dot and is not heard from may deliver all the same).
"""

import contextlib
import re
import smtplib
import ssl
from collections.abc import Iterator
from email.message import EmailMessage
from email.policy import SMTP as WIRE
from email.utils import format_datetime, parseaddr
from typing import NoReturn
from urllib.parse import parse_qs, unquote, urlsplit

from app.core import clock
from app.core.crypto import Secret
from app.providers.messages.interface import Message, Outcome, Result

TIMEOUT = 10.0
# A server may look at the whole message before it answers; RFC 5321 would give it ten minutes.
TIMEOUT_AFTER_DATA = 45.0
REASON_LENGTH = 200
# An address in a server's words, which often repeat it.
ADDRESS = re.compile(r"<?[^\s<>]+@[^\s<>]+>?")
PORTS = {"smtps": 465, "smtp": 25, "starttls": 587}


class NotTaken(Exception):
    """The server answered, and it was no: `outcome` says whether it may be asked again."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


class Smtp:
    """One account at one mail server.

    `url` is smtp://user:password@host:587?starttls=1 or smtps://user:password@host; user and
    password are percent-encoded. `sender` is what stands in From. `trust` is for a server whose
    certificate the machine does not know.
    """

    name = "smtp"

    def __init__(
        self,
        url: str,
        sender: str,
        *,
        trust: ssl.SSLContext | None = None,
        timeout: float = TIMEOUT,
        timeout_after_data: float = TIMEOUT_AFTER_DATA,
    ) -> None:
        parts = urlsplit(url)
        self.host = parts.hostname or ""
        self.is_tls = parts.scheme == "smtps"
        self.is_starttls = parse_qs(parts.query).get("starttls") == ["1"]
        self.port = parts.port or PORTS["starttls" if self.is_starttls else parts.scheme]
        self.user = unquote(parts.username or "")
        self._password = Secret(unquote(parts.password or ""))
        self.sender = sender
        self.sender_address = parseaddr(sender)[1]
        # What we call ourselves, too: looking up this machine's own name may take seconds.
        self._domain = self.sender_address.rpartition("@")[2]
        self._trust = trust
        self._timeout, self._timeout_after_data = timeout, timeout_after_data

    def send(self, message: Message) -> Result:
        mail, to = self._mail(message), message.to.reveal()
        try:
            with self._connection() as server:
                needs_utf8 = not (to + self.sender_address).isascii()
                self._envelope(server, to, needs_utf8=needs_utf8)
                body = mail.as_bytes(policy=WIRE.clone(utf8=needs_utf8))
                return self._hand_over(server, body)
        except NotTaken as no:
            return Result(no.outcome, str(no))
        except OSError as error:
            return Result(Outcome.DEFERRED, _in_short(error))

    def check(self) -> str:
        try:
            with self._connection() as server:
                code, words = server.noop()
        except (NotTaken, OSError) as error:
            return str(error) if isinstance(error, NotTaken) else _in_short(error)
        return "" if code == 250 else _said(code, words)

    @contextlib.contextmanager
    def _connection(self) -> Iterator[smtplib.SMTP]:
        """A server that knows us, over TLS where that was asked for; raises OSError, NotTaken."""
        where = (self.host, self.port, self._domain)
        if self.is_tls:
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                *where, timeout=self._timeout, context=self._trusted()
            )
        else:
            server = smtplib.SMTP(*where, timeout=self._timeout)
        try:
            if self.is_starttls:
                # Raises when the server does not offer it: nothing is sent in the clear instead.
                server.starttls(context=self._trusted())
            server.ehlo_or_helo_if_needed()
            if self.user:
                self._sign_in(server)
            yield server
        finally:
            # What became of the message is known by now, or never will be.
            with contextlib.suppress(OSError):
                server.quit()
            server.close()

    def _trusted(self) -> ssl.SSLContext:
        # Reading the machine's certificates takes longer than sending a message.
        if self._trust is None:
            self._trust = ssl.create_default_context()
        return self._trust

    def _sign_in(self, server: smtplib.SMTP) -> None:
        try:
            server.login(self.user, self._password.reveal())
        except smtplib.SMTPResponseException as error:
            # Not the server's words: some repeat what they were sent.
            raise NotTaken(Outcome.DEFERRED, f"sign-in refused ({error.smtp_code})") from None

    def _envelope(self, server: smtplib.SMTP, to: str, *, needs_utf8: bool) -> None:
        if needs_utf8 and not server.has_extn("smtputf8"):
            raise NotTaken(Outcome.REFUSED, "the server takes no address in other letters")
        options = ["SMTPUTF8", "BODY=8BITMIME"] if needs_utf8 else []
        code, words = server.mail(self.sender_address, options)
        if code != 250:
            # Our own address, not the buyer's: the operator has to mend it.
            raise NotTaken(Outcome.DEFERRED, f"sender: {_said(code, words)}")
        code, words = server.rcpt(to)
        if code not in (250, 251):
            _refuse(code, words)

    def _hand_over(self, server: smtplib.SMTP, body: bytes) -> Result:
        if server.sock is not None:
            server.sock.settimeout(self._timeout_after_data)
        try:
            code, words = server.data(body)
        except smtplib.SMTPDataError as error:
            _refuse(error.smtp_code, error.smtp_error)
        except OSError as error:
            return Result(Outcome.UNKNOWN, _in_short(error))
        if code != 250:
            _refuse(code, words)
        return Result(Outcome.SENT)

    def _mail(self, message: Message) -> EmailMessage:
        mail = EmailMessage(policy=WIRE)
        # A header is one line, whatever the shop is called.
        mail["Subject"] = " ".join(message.subject.split())
        mail["From"] = self.sender
        mail["To"] = message.to.reveal()
        mail["Date"] = format_datetime(clock.now())
        mail["Message-ID"] = f"<{message.reference}@{self._domain}>"
        # RFC 3834: nobody's holiday notice need answer it.
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(message.text, cte="base64")
        if message.html:
            mail.add_alternative(message.html, subtype="html", cte="base64")
        return mail


def _refuse(code: int, words: bytes | str) -> NoReturn:
    """RFC 5321 §4.2.1: 5yz is for good, 4yz is for now."""
    outcome = Outcome.REFUSED if 500 <= code < 600 else Outcome.DEFERRED
    raise NotTaken(outcome, _said(code, words))


def _said(code: int, words: bytes | str) -> str:
    """The server's words for staff: without an address, in one line, bounded."""
    text = words.decode("utf-8", "replace") if isinstance(words, bytes) else words
    return f"{code} {ADDRESS.sub('***', ' '.join(text.split()))}".strip()[:REASON_LENGTH]


def _in_short(error: OSError) -> str:
    """What kind of trouble it was: the words themselves might hold an address."""
    return f"{type(error).__name__}{f' ({error.errno})' if error.errno else ''}"
