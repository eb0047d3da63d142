"""Which ways to a buyer there are, by what the operator has set."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from app.core.crypto import Secret
from app.providers import messages
from app.providers.messages.console import Console
from app.providers.messages.interface import Message, Outcome
from app.settings import Settings
from tests.conftest import settings as make_settings

SMTP = {"smtp_url": "smtps://mail.example.com", "mail_from": "shop@example.com"}
SMS = {"sms_url": "https://sms.example.com/send", "sms_key": "k" * 32}


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    before = dict(messages._senders)
    yield make_settings(tmp_path, "sqlite:///nowhere.db")
    messages._senders.clear()
    messages._senders.update(before)


def names() -> list[str]:
    found = (messages.sender_for(kind) for kind in (messages.EMAIL, messages.PHONE))
    return [sender.name if sender else "" for sender in found]


def test_each_kind_of_contact_has_its_way(settings: Settings) -> None:
    messages.connect(replace(settings, **SMTP, **SMS))
    assert names() == ["smtp", "sms"]
    messages.connect(replace(settings, **SMTP))
    assert names() == ["smtp", "console"]


def test_a_live_shop_does_not_pretend(settings: Settings) -> None:
    messages.connect(replace(settings, shop_env="production", **SMS))
    assert names() == ["", "sms"]
    messages.connect(replace(settings, shop_env="production"))
    assert names() == ["", ""]


def test_the_log_says_to_whom_and_not_what() -> None:
    message = Message("R1", "paid", Secret("mei@example.com"), "m***@example.com", "S", "T", "H")
    with capture_logs() as lines:
        assert Console().send(message).outcome is Outcome.SENT
    said = {"kind": "paid", "to": "m***@example.com", "reference": "R1"}
    assert lines == [{"event": "message.sent", "log_level": "info", **said}]
    assert Console().check() == ""


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"smtp_url": "mail.example.com"}, "SMTP_URL must be"),
        ({"smtp_url": "smtp://h:0?starttls=1"}, "SMTP_URL must be"),
        ({"smtp_url": "smtp://h:70000?starttls=1"}, "SMTP_URL must be"),
        ({"smtp_url": "smtp://u:hunter2@mail.example.com"}, "smtps:// or say ?starttls=1"),
        ({"mail_from": ""}, "MAIL_FROM"),
        ({"mail_from": "小店@例子.中国"}, "MAIL_FROM"),
        ({"sms_url": "sms.example.com"}, "SMS_URL must be a full"),
        ({"sms_url": "http://sms.example.com/"}, "SMS_URL must be https"),
        ({"sms_key": "short"}, "SMS_KEY"),
    ],
)
def test_what_would_go_wrong_later_is_said_at_the_start(
    settings: Settings, change: dict[str, str], fault: str
) -> None:
    found = replace(settings, **(SMTP | SMS | change)).faults()
    assert len(found) == 1
    assert fault in found[0]
    assert "hunter2" not in found[0]


@pytest.mark.parametrize(
    "change",
    [
        {"smtp_url": "smtp://127.0.0.1:2525"}, {"smtp_url": "smtp://u:p@mail.example.com?starttls=1"},
        {"mail_from": "小店 <shop@example.com>"}, {"sms_url": "http://127.0.0.1:9000/send"},
    ],
)  # fmt: skip
def test_what_works_is_no_fault(settings: Settings, change: dict[str, str]) -> None:
    assert replace(settings, **(SMTP | SMS | change)).faults() == []


def test_no_secret_is_printed_with_the_settings(settings: Settings) -> None:
    shown = repr(replace(settings, smtp_url="smtps://u:hunter2@h", sms_key="hunter3" * 5))
    assert "hunter" not in shown
