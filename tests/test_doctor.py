"""`flask doctor` really speaks to the mail server, and sends nothing."""

from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from app import create_app, doctor
from app.core.db import db
from app.providers import messages
from app.providers.messages.smtp import Smtp
from tests import mail_server
from tests.conftest import settings
from tests.servers import free_port

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def mail(app: Flask) -> doctor.Symptom:
    (found,) = [one for one in doctor.examine(app.config["SETTINGS"]) if one.name == "mail"]
    return found


@on_sqlite
def test_mail_that_is_written_to_the_log_only(app: Flask) -> None:
    assert mail(app) == doctor.Symptom("mail", True, "written to the log only")


@on_sqlite
def test_mail_that_is_not_configured(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(messages._senders, messages.EMAIL)
    assert mail(app).is_well
    assert mail(app).words.startswith("not configured")


@on_sqlite
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


def line(app: Flask, url: str) -> doctor.Symptom:
    altered = replace(app.config["SETTINGS"], redis_url=url)
    (found,) = [one for one in doctor.examine(altered) if one.name == "line to the queue"]
    return found


@pytest.mark.parametrize(
    ("url", "is_well"),
    [
        ("unix:///run/valkey.sock", True),
        ("redis://127.0.0.1:6379/0", True),
        ("rediss://u:p@queue.example:6380/0", True),
        ("redis://u:p@queue.example:6379/0", False),
    ],
)
@on_sqlite
def test_a_line_that_others_could_listen_to_is_named(app: Flask, url: str, is_well: bool) -> None:
    assert line(app, url).is_well == is_well
    assert "u:p" not in line(app, url).words


@pytest.mark.parametrize(
    ("url", "is_well"),
    [
        ("sqlite:////data/shop.db", True),
        ("postgresql+psycopg://shop@/shop?host=/run/postgresql", True),
        ("postgresql+psycopg://shop:p@db.example/shop", False),
        ("postgresql+psycopg://shop:p@db.example/shop?sslmode=prefer", False),
        ("postgresql+psycopg://shop:p@db.example/shop?sslmode=verify-full", True),
    ],
)
@on_sqlite
def test_so_is_the_line_to_the_database(app: Flask, url: str, is_well: bool) -> None:
    altered = replace(app.config["SETTINGS"], database_url=url)
    (found,) = [one for one in doctor.examine(altered) if one.name == "line to the database"]
    assert found.is_well == is_well


def test_a_role_that_may_do_anything_is_named(postgres_url: str, tmp_path: Path) -> None:
    """The tests' own PostgreSQL is used by its superuser."""
    with create_app(settings(tmp_path, postgres_url)).app_context():
        found = {one.name: one for one in doctor.examine(settings(tmp_path, postgres_url))}
        db.session.remove()
        db.engine.dispose()
    assert not found["database role"].is_well
