"""The reader's language, in the order in which she can have said it."""

import pytest
from flask import Flask

from app.core.db import transaction
from app.domain.accounts import service
from tests import people
from tests.web.visitors import Visitor

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)


def language(visitor: Visitor, accepts: str = "") -> str:
    headers = {"Accept-Language": accepts} if accepts else {}
    text = visitor.get("/account", headers=headers, follow_redirects=True).text
    return text.split('<html lang="')[1].split('"')[0]


@pytest.mark.parametrize(
    ("accepts", "shown"),
    [
        ("", "zh-CN"), ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN"), ("zh-TW", "zh-CN"), ("en-US", "en"),
        ("en-GB,en;q=0.9", "en"), ("fr,de;q=0.8", "zh-CN"), ("fr,en;q=0.5", "en"), ("*", "zh-CN"),
        (";;;", "zh-CN"), ("x" * 5000, "zh-CN"),
    ],
)  # fmt: skip
def test_a_stranger_by_the_browser(app: Flask, accepts: str, shown: str) -> None:
    assert language(Visitor(app), accepts) == shown


def test_the_cookie_before_the_account_before_the_browser(app: Flask) -> None:
    person = people.make()
    visitor = Visitor(app, person)
    transaction(lambda: service.speak(person.id, "en"))
    assert language(visitor, "zh-CN") == "en"
    visitor.client.set_cookie("language", "zh")
    assert language(visitor, "en") == "zh-CN"
    visitor.client.set_cookie("language", "<script>")
    assert language(visitor, "zh-CN") == "en"


@pytest.mark.parametrize(
    ("cookie", "mark"), [("dark", 'data-theme="dark"'), ("light", 'data-theme="light"')]
)
def test_light_and_dark_as_chosen(app: Flask, cookie: str, mark: str) -> None:
    visitor = Visitor(app)
    assert "data-theme=" not in visitor.get("/account/sign-in").text
    visitor.client.set_cookie("theme", cookie)
    assert mark in visitor.get("/account/sign-in").text
    visitor.client.set_cookie("theme", '"><script>')
    assert "data-theme=" not in visitor.get("/account/sign-in").text
