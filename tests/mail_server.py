"""A real SMTP server that a test tells how to misbehave; its mailbox is the judge of what came."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from app.core import clock
from tests.servers import free_port

HOST = "127.0.0.1"
USER, PASSWORD = "shop@example.com", "s3cret/with:signs"


@dataclass
class Mailbox:
    """What came, and how the next ones are answered: the handler of an aiosmtpd server."""

    mails: list[EmailMessage] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    were_encrypted: list[bool] = field(default_factory=list)
    # Replies instead of 250, in the order in which they are given.
    on_sender: list[str] = field(default_factory=list)
    on_recipient: list[str] = field(default_factory=list)
    on_data: list[str] = field(default_factory=list)
    # Take the next message and hang up without a word.
    cuts_after_data: bool = False

    async def handle_MAIL(  # noqa: N802  aiosmtpd's names
        self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]
    ) -> str:
        if self.on_sender:
            return self.on_sender.pop(0)
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 OK"

    async def handle_RCPT(  # noqa: N802
        self, _server: Any, _session: Any, envelope: Any, address: str, _options: list[str]
    ) -> str:
        if self.on_recipient:
            return self.on_recipient.pop(0).replace("{address}", address)
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        if self.on_data:
            return self.on_data.pop(0)
        self.raw.append(envelope.content)
        self.mails.append(message_from_bytes(envelope.content, policy=default))  # type: ignore[arg-type]
        self.recipients += envelope.rcpt_tos
        self.were_encrypted.append(session.ssl is not None)
        if self.cuts_after_data:
            server.transport.abort()
        return "250 OK"

    def text(self, number: int = -1, subtype: str = "plain") -> str:
        """What a reader of the mail reads."""
        part = self.mails[number].get_body((subtype,))
        assert part is not None
        return str(part.get_content()).replace("\r\n", "\n")


@dataclass
class MailServer:
    """Where it listens, and its mailbox. It can be stopped and started as it likes."""

    mailbox: Mailbox
    port: int
    options: dict[str, Any]
    _controller: Controller | None = None

    def start(self) -> None:
        self._controller = Controller(self.mailbox, HOST, self.port, **self.options)
        self._controller.start()

    def stop(self) -> None:
        """Stop it; one that is stopped already stays so."""
        if self._controller is not None:
            self._controller.stop()
        self._controller = None

    @property
    def url(self) -> str:
        return f"smtp://{HOST}:{self.port}"


@contextmanager
def serving(**options: Any) -> Iterator[MailServer]:
    """A mail server for the block; options are aiosmtpd's."""
    server = MailServer(Mailbox(), free_port(), options)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def only_us(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: Any) -> AuthResult:
    """An authenticator that knows USER with PASSWORD and nobody else."""
    is_us = data == LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_us, handled=False)


@cache
def certificate() -> tuple[bytes, bytes]:
    """A certificate for HOST that nobody signed but itself, and its key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOST)])
    now = clock.now()
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(HOST))]), False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM), key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


def server_tls(folder: Path) -> ssl.SSLContext:
    """TLS as the server speaks it."""
    (folder / "cert.pem").write_bytes(certificate()[0])
    (folder / "key.pem").write_bytes(certificate()[1])
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "cert.pem", folder / "key.pem")
    return context


def trust() -> ssl.SSLContext:
    """TLS as a client speaks it that knows the certificate."""
    return ssl.create_default_context(cadata=certificate()[0].decode())
