"""A buyer's own page: password and language."""

import pytest
from flask import Flask

from app.domain.accounts import sessions
from tests import people
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NEW = "lemon tree very pretty"


def test_a_new_password_keeps_this_browser_and_ends_the_others(app: Flask) -> None:
    person = people.make(contact="13812345678")
    here, there = Visitor(app, person), Visitor(app, person)
    before = here.sid
    form = {"current": people.PASSWORD, "password": NEW}
    assert location(here.post("/account/password", form)) == "/account"
    assert here.sid != before
    assert "密码已更改" in words(here.get("/account"))
    assert there.get("/account").status_code == 303
    fresh = Visitor(app)
    form = {"contact": "13812345678", "password": NEW}
    assert fresh.post("/account/sign-in", form).status_code == 303


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"current": "wrong", "password": NEW}, "现在的密码不对"),
        ({"current": people.PASSWORD, "password": "short"}, "密码至少 8 位"),
        ({}, "密码至少 8 位"),
    ],
)
def test_it_is_not_changed_without_the_old_one(
    app: Flask, form: dict[str, str], sentence: str
) -> None:
    visitor = Visitor(app, people.make())
    before = visitor.sid
    response = visitor.post("/account/password", form)
    assert response.status_code == 422
    assert sentence in words(response)
    assert visitor.sid == before


def test_the_old_password_cannot_be_guessed_here_either(app: Flask) -> None:
    visitor = Visitor(app, people.make())
    statuses = [
        visitor.post("/account/password", {"current": f"guess{n}", "password": NEW}).status_code
        for n in range(8)
    ]
    assert 429 in statuses


def test_the_language_is_remembered_with_the_account(app: Flask) -> None:
    person = people.make()
    visitor = Visitor(app, person)
    visitor.post("/account/language", {"language": "en"})
    visitor.post("/account/language", {"language": "xx"})
    found = sessions.find(visitor.sid)
    assert found is not None
    assert found.language == "en"
    elsewhere = Visitor(app, person)
    assert '<html lang="en"' in elsewhere.get("/account").text
