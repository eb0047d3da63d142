"""Signing in and out, as a buyer's browser does it."""

import pytest
from flask import Flask

from app.domain.accounts import sessions
from app.domain.accounts.models import Role
from app.web import limits
from tests import people
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

PHONE = "13812345678"
FORM = {"contact": PHONE, "password": people.PASSWORD}


@pytest.fixture(autouse=True)
def buyer(app: Flask) -> None:
    people.make(contact=PHONE)


def test_in_and_where_one_was_going(app: Flask) -> None:
    visitor = Visitor(app)
    assert "登录" in words(visitor.get("/account/sign-in?next=/wallet"))
    assert location(visitor.post("/account/sign-in", FORM | {"next": "/wallet"})) == "/wallet"
    assert "退出登录" in words(visitor.get("/account"))
    assert location(visitor.get("/account/sign-in")) == "/account"


def test_never_to_another_site(app: Flask) -> None:
    visitor = Visitor(app)
    target = location(visitor.post("/account/sign-in", FORM | {"next": "//evil.example"}))
    assert target == "/account"


@pytest.mark.parametrize(
    ("form", "status", "sentence"),
    [
        (FORM | {"password": "wrong"}, 422, "账号或密码不对"),
        (FORM | {"contact": "13900000000"}, 422, "账号或密码不对"),
        (FORM | {"contact": "1390"}, 422, "这个手机号不对"),
        ({}, 422, "请填写手机号或邮箱"),
    ],
)
def test_a_wrong_form_comes_back_with_what_to_do(
    app: Flask, form: dict[str, str], status: int, sentence: str
) -> None:
    visitor = Visitor(app)
    response = visitor.post("/account/sign-in", form)
    assert response.status_code == status
    assert sentence in words(response)
    assert form.get("contact", "") in response.text
    assert people.PASSWORD not in response.text
    assert not visitor.sid


def test_a_new_secret_each_time_and_a_new_visit(app: Flask) -> None:
    visitor = Visitor(app)
    token = visitor.token()
    visitor.client.set_cookie("sid", "planted")
    visitor.post("/account/sign-in", FORM)
    assert visitor.sid not in ("", "planted")
    response = visitor._open("POST", "/account/password", data={"csrf_token": token})
    assert response.status_code == 400, "a token from before the sign-in is worth nothing after"


def test_out_ends_the_session_itself(app: Flask) -> None:
    visitor = Visitor(app)
    visitor.post("/account/sign-in", FORM)
    secret = visitor.sid
    response = visitor.post("/account/session/deletion")
    assert location(response) == "/"
    assert response.headers["Clear-Site-Data"] == '"cache", "storage"'
    assert not visitor.sid
    assert sessions.find(secret) is None


def test_one_of_ones_own_browsers_and_no_other_ones(app: Flask) -> None:
    person, stranger = people.make(), people.make()
    here, there = Visitor(app, person), Visitor(app, person)
    elsewhere = Visitor(app, stranger)
    found = [sessions.find(visitor.sid) for visitor in (there, elsewhere)]
    ids = [session.session_id for session in found if session is not None]
    for session_id in ids:
        here.post("/account/session/deletion", {"session": session_id})
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 303
    assert elsewhere.get("/account").status_code == 200


def test_all_other_browsers(app: Flask) -> None:
    person = people.make()
    here, there = Visitor(app, person), Visitor(app, person)
    assert "退出其他所有设备" in words(here.get("/account"))
    here.post("/account/sessions/deletion")
    assert here.get("/account").status_code == 200
    assert there.get("/account").status_code == 303


def test_staff_at_the_buyers_door_still_owe_the_second_factor(app: Flask) -> None:
    people.make(Role.OWNER, contact="owner@example.com")
    visitor = Visitor(app)
    form = {"contact": "owner@example.com", "password": people.PASSWORD}
    target = location(visitor.post("/account/sign-in", form))
    assert target == "/admin/second-factor?next=/account"
    assert visitor.get("/account").status_code == 303
    assert location(visitor.post("/admin/second-factor", {"totp": people.code()})) == "/admin/"
    assert visitor.get("/account").status_code == 200


def test_guessing_is_answered_with_too_many(app: Flask) -> None:
    visitor = Visitor(app)
    statuses = [
        visitor.post("/account/sign-in", FORM | {"password": f"guess {n}"}).status_code
        for n in range(8)
    ]
    assert statuses[:6] == [422] * 6
    assert 429 in statuses


def test_one_address_is_fenced_before_the_database_is_asked(app: Flask) -> None:
    visitor, other = Visitor(app, ip="198.51.100.9"), Visitor(app, ip="198.51.100.10")
    most = int(limits.LIMITS["sign_in"].split()[0])
    statuses = [
        visitor.post("/account/sign-in", {"contact": f"x{n}"}).status_code for n in range(most + 1)
    ]
    assert statuses == [422] * most + [429]
    assert other.post("/account/sign-in", {"contact": "x"}).status_code == 422


def test_the_page_is_not_kept_by_anybody(app: Flask) -> None:
    visitor = Visitor(app)
    visitor.post("/account/sign-in", FORM)
    assert visitor.get("/account").headers["Cache-Control"] == "no-store"
