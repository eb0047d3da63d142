"""Registering: one contact, one password, and in."""

import pytest
from flask import Flask

from app.domain.accounts import sessions
from app.domain.accounts.models import Role
from tests import people
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

FORM = {"contact": "138 1234 5678", "password": "lemon tree very pretty"}


def test_a_new_account_is_signed_in(app: Flask) -> None:
    visitor = Visitor(app)
    target = location(visitor.post("/account/registration", FORM | {"next": "/wallet"}))
    assert target == "/wallet"
    found = sessions.find(visitor.sid)
    assert found is not None
    assert (found.role, found.contact_masked, found.language) == (None, "138****5678", "zh")


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        (FORM | {"password": "short"}, "密码至少 8 位"),
        (FORM | {"password": "password123"}, "太常见"),
        (FORM | {"password": "13812345678"}, "太常见"),
        (FORM | {"contact": "nobody@"}, "邮箱不完整"),
    ],
)
def test_a_rule_says_no_in_the_form(app: Flask, form: dict[str, str], sentence: str) -> None:
    visitor = Visitor(app)
    response = visitor.post("/account/registration", form)
    assert response.status_code == 422
    assert sentence in words(response)
    assert form["password"] not in response.text or form["password"] in form["contact"]
    assert not visitor.sid


def test_a_taken_contact_stays_its_owners(app: Flask) -> None:
    people.make(Role.OWNER, contact="13812345678")
    visitor = Visitor(app)
    response = visitor.post("/account/registration", FORM)
    assert response.status_code == 422
    assert "已经注册过" in words(response)
    assert not visitor.sid


def test_a_form_cannot_make_itself_staff(app: Flask) -> None:
    visitor = Visitor(app)
    visitor.post("/account/registration", FORM | {"role": "owner", "state": "active"})
    found = sessions.find(visitor.sid)
    assert found is not None
    assert found.role is None
    assert visitor.get("/admin/").status_code == 303


def test_the_account_keeps_the_language_it_was_made_in(app: Flask) -> None:
    visitor = Visitor(app)
    visitor.client.set_cookie("language", "en")
    visitor.post("/account/registration", FORM)
    found = sessions.find(visitor.sid)
    assert found is not None
    assert found.language == "en"
