"""`flask doctor` really speaks to the mail server, and sends nothing."""

import pytest
from flask import Flask

from app import doctor
from app.providers import messages
from app.providers.messages.smtp import Smtp
from tests import mail_server
from tests.servers import free_port

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def mail(app: Flask) -> doctor.Symptom:
    (found,) = [one for one in doctor.examine(app.config["SETTINGS"]) if one.name == "mail"]
    return found


def test_mail_that_is_written_to_the_log_only(app: Flask) -> None:
    assert mail(app) == doctor.Symptom("mail", True, "written to the log only")


def test_mail_that_is_not_configured(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(messages._senders, messages.EMAIL)
    assert mail(app).is_well
    assert mail(app).words.startswith("not configured")


def test_mail_that_answers_and_mail_that_does_not(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with mail_server.serving() as server:
        monkeypatch.setitem(messages._senders, messages.EMAIL, Smtp(server.url, "a@example.com"))
        assert mail(app) == doctor.Symptom("mail", True, "answers")
        assert server.mailbox.mails == []
    nobody = Smtp(f"smtp://127.0.0.1:{free_port()}", "a@example.com")
    monkeypatch.setitem(messages._senders, messages.EMAIL, nobody)
    assert not mail(app).is_well
    assert "ConnectionRefusedError" in mail(app).words
