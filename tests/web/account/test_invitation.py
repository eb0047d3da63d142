"""The link by which a person chooses a password."""

import pytest
from flask import Flask

from app.core.db import transaction
from app.domain.accounts import service
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Role
from tests import people
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NEW = "lemon tree very pretty"


@pytest.fixture
def token(app: Flask) -> str:
    contact = Contact.parse("new@example.com")
    return transaction(lambda: service.invite(contact, "新同事", Role.SUPPORT)).token.reveal()


def test_from_the_link_to_the_second_factor(app: Flask, token: str) -> None:
    visitor = Visitor(app)
    page = visitor.get(f"/account/invitation/{token}")
    assert "新同事" in words(page)
    target = location(visitor.post(f"/account/invitation/{token}", {"password": NEW}))
    assert target == "/admin/sign-in"
    form = {"login": "new@example.com", "password": NEW}
    target = location(visitor.post("/admin/sign-in", form))
    assert target == "/admin/second-factor?next=/admin/"
    assert "设置两步验证" in words(visitor.get(target))


def test_a_link_is_good_once(app: Flask, token: str) -> None:
    visitor = Visitor(app)
    visitor.post(f"/account/invitation/{token}", {"password": NEW})
    assert visitor.get(f"/account/invitation/{token}").status_code == 404
    assert visitor.post(f"/account/invitation/{token}", {"password": NEW}).status_code == 404


def test_looking_at_the_link_uses_nothing_up(app: Flask, token: str) -> None:
    """A messenger's preview opens links, too."""
    for _ in range(3):
        assert Visitor(app).get(f"/account/invitation/{token}").status_code == 200


def test_a_weak_password_leaves_the_link_good(app: Flask, token: str) -> None:
    visitor = Visitor(app)
    response = visitor.post(f"/account/invitation/{token}", {"password": "12345678"})
    assert response.status_code == 422
    assert "太常见" in words(response)
    assert visitor.get(f"/account/invitation/{token}").status_code == 200


def test_an_invented_link_is_nothing(app: Flask) -> None:
    assert Visitor(app).get("/account/invitation/AAAAAAAAAAAAAAAAAAAAAA").status_code == 404


def test_a_buyer_is_led_to_the_buyers_door(app: Flask) -> None:
    person = people.make()
    made = transaction(lambda: service.renew_invitation(person.id, "忘了密码"))
    path = f"/account/invitation/{made.token.reveal()}"
    assert location(Visitor(app).post(path, {"password": NEW})) == "/account/sign-in"
