"""SMTP against a real server: what each answer, and each silence, means for a message."""

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import hypothesis.strategies as st
import pytest
from hypothesis import given

from app.core.crypto import Secret
from app.core.errors import Refusal
from app.domain.accounts.contacts import Contact
from app.providers.messages.interface import Message, Outcome
from app.providers.messages.smtp import WIRE, Smtp
from tests import mail_server
from tests.mail_server import HOST, PASSWORD, USER, MailServer
from tests.servers import free_port

SENDER = "小店 <shop@example.com>"
TO = "mei@example.com"


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server.serving() as running:
        yield running


def message(to: str = TO, **values: str) -> Message:
    return Message(
        **{  # type: ignore[arg-type]
            "reference": "250101ABC-paid-1", "kind": "paid", "to": Secret(to),
            "to_masked": "m***@example.com", "subject": "订单 250101ABC 已付款",
            "text": "一行\n.一个点开头的行\n", "html": "<p>一行</p>",
        } | values
    )  # fmt: skip


def smtp(server: MailServer, **values: object) -> Smtp:
    return Smtp(server.url, SENDER, **values)  # type: ignore[arg-type]


def with_user(scheme: str, port: int, query: str = "", password: str = PASSWORD) -> str:
    return f"{scheme}://{quote(USER)}:{quote(password, safe='')}@{HOST}:{port}{query}"


def test_a_mail_arrives_as_it_was_written(server: MailServer) -> None:
    result = smtp(server).send(message())

    (mail,) = server.mailbox.mails
    assert result.outcome is Outcome.SENT
    assert mail["Subject"] == "订单 250101ABC 已付款"
    assert mail["From"] == SENDER
    assert mail["To"] == TO
    assert mail["Message-ID"] == "<250101ABC-paid-1@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].endswith("+0000")
    assert server.mailbox.text() == "一行\n.一个点开头的行\n"
    assert server.mailbox.text(subtype="html").strip() == "<p>一行</p>"
    assert server.mailbox.recipients == [TO]


def test_a_subject_is_one_line_whatever_the_shop_is_called(server: MailServer) -> None:
    result = smtp(server).send(message(subject="a\r\nBcc: x@example.com\x85b"))
    assert result.outcome is Outcome.SENT
    assert server.mailbox.mails[0]["Subject"] == "a Bcc: x@example.com b"
    assert server.mailbox.mails[0]["Bcc"] is None
    assert server.mailbox.recipients == [TO]


@given(
    st.text(st.characters(min_codepoint=33, max_codepoint=0x2FFF, exclude_categories=("Cs",))),
    st.text(st.sampled_from("=?.!#$%&'*+/^_`{|}~-aA0"), max_size=8),
)
def test_every_address_that_a_buyer_can_give_stands_in_her_mail(start: str, end: str) -> None:
    """However it looks: no header takes it for something else, none is lost."""
    try:
        to = Contact.parse(f"{start}{end}@example.com").value
    except Refusal:
        return
    mail = Smtp("smtp://localhost", SENDER)._mail(message(to))
    assert to.encode() in mail.as_bytes(policy=WIRE.clone(utf8=True))


def test_an_address_in_other_letters_goes_where_it_is_taken(server: MailServer) -> None:
    assert smtp(server).send(message("小梅@例子.中国")).outcome is Outcome.SENT
    assert server.mailbox.recipients == ["小梅@例子.中国"]
    with mail_server.serving(enable_SMTPUTF8=False) as old:
        result = smtp(old).send(message("小梅@例子.中国"))
        assert result.outcome is Outcome.REFUSED
        assert old.mailbox.mails == []


@pytest.mark.parametrize(
    ("step", "reply", "outcome"),
    [
        ("on_sender", "550 5.7.1 who are you", Outcome.DEFERRED),
        ("on_recipient", "550 5.1.1 <{address}>: no such user", Outcome.REFUSED),
        ("on_recipient", "450 4.2.0 greylisted, come back", Outcome.DEFERRED),
        ("on_data", "554 5.6.0 looks like spam", Outcome.REFUSED),
        ("on_data", "451 4.3.0 disk full", Outcome.DEFERRED),
    ],
)
def test_what_the_server_says_decides(
    server: MailServer, step: str, reply: str, outcome: Outcome
) -> None:
    getattr(server.mailbox, step).append(reply)

    result = smtp(server).send(message())

    assert result.outcome is outcome
    assert reply[:3] in result.reason
    assert TO not in result.reason
    assert server.mailbox.mails == []


def test_a_server_that_is_down_has_nothing(server: MailServer) -> None:
    server.stop()
    try:
        result = smtp(server).send(message())
    finally:
        server.start()
    assert result.outcome is Outcome.DEFERRED
    assert result.reason.startswith("ConnectionRefusedError")
    assert smtp(server).send(message()).outcome is Outcome.SENT


def test_cut_after_the_message_was_handed_over_is_doubt(server: MailServer) -> None:
    server.mailbox.cuts_after_data = True
    assert smtp(server).send(message()).outcome is Outcome.UNKNOWN
    assert len(server.mailbox.mails) == 1


@pytest.mark.parametrize(
    ("lines", "outcome"),
    [
        # How far a server speaks before it falls silent, and what that leaves.
        ([], Outcome.DEFERRED),
        (["220 hi", "250 hi"], Outcome.DEFERRED),
        (["220 hi", "250 hi", "250 ok"], Outcome.DEFERRED),
        (["220 hi", "250 hi", "250 ok", "250 ok", "354 go on"], Outcome.UNKNOWN),
        (["554 not here"], Outcome.DEFERRED),
        (["nonsense"], Outcome.DEFERRED),
    ],
)
def test_silence_before_the_message_is_none_and_after_it_is_doubt(
    lines: list[str], outcome: Outcome
) -> None:
    with socket.create_server((HOST, 0)) as listening:
        thread = threading.Thread(target=_speak_and_fall_silent, args=(listening, lines))
        thread.start()
        url = f"smtp://{HOST}:{listening.getsockname()[1]}"
        result = Smtp(url, SENDER, timeout=0.5, timeout_after_data=0.5).send(message())
        thread.join()
    assert result.outcome is outcome


def _speak_and_fall_silent(listening: socket.socket, lines: list[str]) -> None:
    """Answer line by line; then read on until the other side has had enough."""
    connection, _ = listening.accept()
    with connection, connection.makefile("rwb") as wire:
        for number, line in enumerate(lines):
            if number:
                wire.readline()
            wire.write(f"{line}\r\n".encode())
            wire.flush()
        while wire.readline():
            pass


def test_starttls_and_sign_in(tmp_path: Path) -> None:
    options = {"tls_context": mail_server.server_tls(tmp_path), "require_starttls": True}
    with mail_server.serving(**options, authenticator=mail_server.only_us) as server:
        url = with_user("smtp", server.port, "?starttls=1")
        known = Smtp(url, SENDER, trust=mail_server.trust())
        assert known.send(message()).outcome is Outcome.SENT
        assert server.mailbox.were_encrypted == [True]
        assert known.check() == ""

        wrong = with_user("smtp", server.port, "?starttls=1", password="wrong-password")
        refused = Smtp(wrong, SENDER, trust=mail_server.trust())
        result = refused.send(message())
        assert result.outcome is Outcome.DEFERRED
        assert result.reason == refused.check() == "sign-in refused (535)"

        stranger = Smtp(url, SENDER)
        result = stranger.send(message())
        assert result.outcome is Outcome.DEFERRED
        assert "SSLCertVerificationError" in result.reason
        assert "SSLCertVerificationError" in stranger.check()
        assert len(server.mailbox.mails) == 1


def test_encrypted_from_the_first_byte(tmp_path: Path) -> None:
    with mail_server.serving(ssl_context=mail_server.server_tls(tmp_path)) as server:
        url = f"smtps://{HOST}:{server.port}"
        assert Smtp(url, SENDER, trust=mail_server.trust()).send(message()).outcome is Outcome.SENT
        assert Smtp(url, SENDER).send(message()).outcome is Outcome.DEFERRED
        assert len(server.mailbox.mails) == 1


def test_what_was_to_be_encrypted_is_never_sent_in_the_clear(server: MailServer) -> None:
    """The server offers no STARTTLS, as one in between would make it look."""
    result = Smtp(f"{server.url}?starttls=1", SENDER).send(message())
    assert result.outcome is Outcome.DEFERRED
    assert server.mailbox.mails == []


@pytest.mark.parametrize(
    ("url", "host", "port", "user"),
    [
        ("smtps://a%40b:p%2Fw@mail.example.com", "mail.example.com", 465, "a@b"),
        ("smtp://mail.example.com?starttls=1", "mail.example.com", 587, ""),
        ("smtp://localhost", "localhost", 25, ""),
        ("smtp://[::1]:2525", "::1", 2525, ""),
    ],
)
def test_where_an_address_leads(url: str, host: str, port: int, user: str) -> None:
    made = Smtp(url, SENDER)
    assert (made.host, made.port, made.user) == (host, port, user)
    assert "p/w" not in repr(vars(made))


def test_check_says_what_is_wrong(server: MailServer) -> None:
    assert smtp(server).check() == ""
    nobody = Smtp(f"smtp://{HOST}:{free_port()}", SENDER)
    assert nobody.check().startswith("ConnectionRefusedError")
