"""The staff's door, its second half, and the proof before a dangerous act."""

import re
from datetime import timedelta

import pyotp
import pytest
import time_machine
from flask import Flask

from app.core.db import transaction
from app.domain.accounts import queries, second_factor, sessions
from app.domain.accounts.models import Role
from tests import people
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

LOGIN = {"login": "owner@example.com", "password": people.PASSWORD}
START = "2026-07-03T10:00:05Z"


@pytest.fixture
def owner(app: Flask) -> int:
    return people.make(Role.OWNER, contact="owner@example.com").id


def test_everything_on_one_page(app: Flask, owner: int) -> None:
    visitor = Visitor(app)
    page = visitor.get("/admin/sign-in")
    for mark in ("login", "password", "totp", "sign-in"):
        assert f'data-testid="{mark}"' in page.text
    target = location(
        visitor.post("/admin/sign-in", LOGIN | {"totp": people.code(), "next": "/admin/people"})
    )
    assert target == "/admin/people"
    assert visitor.get("/admin/").status_code == 200
    assert location(visitor.get("/admin/sign-in")) == "/admin/"


def test_or_in_two_steps(app: Flask, owner: int) -> None:
    visitor = Visitor(app)
    target = location(visitor.post("/admin/sign-in", LOGIN | {"next": "/admin/people"}))
    assert target == "/admin/second-factor?next=/admin/people"
    half = visitor.sid
    assert "6 位数字" in words(visitor.get(target))
    assert location(visitor.get("/admin/")).startswith("/admin/sign-in")
    form = {"totp": people.code(), "next": "/admin/people"}
    assert location(visitor.post("/admin/second-factor", form)) == "/admin/people"
    assert visitor.sid != half
    assert visitor.get("/admin/people").status_code == 200


@pytest.mark.parametrize(
    "form",
    [
        LOGIN | {"password": "wrong"},
        LOGIN | {"totp": "000000"},
        LOGIN | {"login": "nobody@example.com"},
        LOGIN | {"login": "buyer@example.com"},
    ],
)
def test_whatever_is_wrong_sounds_the_same(app: Flask, owner: int, form: dict[str, str]) -> None:
    people.make(contact="buyer@example.com")
    visitor = Visitor(app)
    response = visitor.post("/admin/sign-in", form)
    assert response.status_code == 422
    assert "账号、密码或验证码不对" in words(response)
    assert not visitor.sid


def test_the_first_time_one_sets_up_the_second_factor(app: Flask) -> None:
    people.make(Role.SUPPORT, totp=False, contact="owner@example.com")
    visitor = Visitor(app)
    target = location(visitor.post("/admin/sign-in", LOGIN))
    page = visitor.get(target)
    assert 'src="data:image/svg+xml' in page.text
    assert "style=" not in page.text
    secret = re.search(r'id="totp-secret">([A-Z2-7 ]+)<', page.text)
    assert secret is not None
    assert visitor.get(target).text.count(secret.group(1)) == 1, "a reload shows the same one"
    totp = pyotp.TOTP(secret.group(1).replace(" ", ""))
    wrong = visitor.post("/admin/second-factor/enrolment", {"totp": "000000"})
    assert wrong.status_code == 422
    half = visitor.sid
    page = visitor.post("/admin/second-factor/enrolment", {"totp": totp.now()})
    assert page.status_code == 200
    codes = re.search(r'data-testid="recovery-codes">([^<]+)<', page.text)
    assert codes is not None
    assert len(codes.group(1).split()) == 10
    assert visitor.sid != half
    assert visitor.get("/admin/").status_code == 200

    again = Visitor(app)
    target = location(again.post("/admin/sign-in", LOGIN))
    assert "恢复码" in words(again.get(target))
    form = {"recovery_code": codes.group(1).split()[0]}
    assert location(again.post("/admin/second-factor", form)) == "/admin/"


def test_the_page_of_codes_has_forms_that_work(app: Flask) -> None:
    """Its token belongs to the new visit, not to the one that ended with it."""
    people.make(Role.SUPPORT, totp=False, contact="owner@example.com")
    visitor = Visitor(app)
    page = visitor.get(location(visitor.post("/admin/sign-in", LOGIN)))
    secret = re.search(r'id="totp-secret">([A-Z2-7 ]+)<', page.text)
    assert secret is not None
    totp = pyotp.TOTP(secret.group(1).replace(" ", ""))
    page = visitor.post("/admin/second-factor/enrolment", {"totp": totp.now()})
    token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)
    assert token is not None
    form = {"csrf_token": token.group(1), "language": "en", "next": "/admin/"}
    response = visitor._open("POST", "/preferences/language", data=form)
    assert response.status_code == 303


def test_nobody_enrols_without_the_password(app: Flask, owner: int) -> None:
    for visitor in (Visitor(app), Visitor(app, people.make())):
        assert location(visitor.post("/admin/second-factor/enrolment", {"totp": "1"})).startswith(
            "/admin/sign-in"
        )
        assert location(visitor.post("/admin/second-factor", {"totp": "1"})).startswith(
            "/admin/sign-in"
        )


def test_a_half_session_with_a_second_factor_is_offered_none(app: Flask, owner: int) -> None:
    visitor = Visitor(app)
    visitor.post("/admin/sign-in", LOGIN)
    assert location(visitor.post("/admin/second-factor/enrolment", {"totp": "1"})).startswith(
        "/admin/sign-in"
    )
    found = sessions.find(visitor.sid)
    assert found is not None
    assert second_factor.offered(found.session_id) is None


def test_step_up_opens_the_dangerous_for_five_minutes(app: Flask, owner: int) -> None:
    with time_machine.travel(START, tick=False) as moment:
        visitor = Visitor(app)
        visitor.post("/admin/sign-in", LOGIN | {"totp": people.code()})
        assert visitor.get("/admin/people/new").status_code == 200, "signing in is proof enough"
        moment.shift(timedelta(minutes=6))
        target = location(visitor.get("/admin/people/new"))
        assert target == "/admin/step-up?next=/admin/people/new"
        before = visitor.sid
        wrong = {"password": people.PASSWORD, "totp": "000000", "next": "/admin/people/new"}
        response = visitor.post("/admin/step-up", wrong)
        assert response.status_code == 422
        assert "密码或验证码不对" in words(response)
        right = wrong | {"totp": people.code()}
        assert location(visitor.post("/admin/step-up", right)) == "/admin/people/new"
        assert visitor.sid != before
        assert "已确认是你本人" in words(visitor.get("/admin/people/new"))
        moment.shift(timedelta(minutes=5))
        assert location(visitor.get("/admin/people/new")).startswith("/admin/step-up")


def test_out_ends_the_session(app: Flask, owner: int) -> None:
    visitor = Visitor(app, people.make(Role.OWNER))
    secret = visitor.sid
    assert location(visitor.post("/admin/session/deletion")) == "/admin/sign-in"
    assert sessions.find(secret) is None


def test_thirty_idle_minutes_end_it(app: Flask, owner: int) -> None:
    with time_machine.travel(START, tick=False) as moment:
        visitor = Visitor(app)
        visitor.post("/admin/sign-in", LOGIN | {"totp": people.code()})
        for _ in range(4):
            moment.shift(timedelta(minutes=20))
            assert visitor.get("/admin/").status_code == 200
        moment.shift(timedelta(minutes=30))
        assert visitor.get("/admin/").status_code == 303


def test_ones_own_page(app: Flask) -> None:
    person = people.make(Role.SUPPORT)
    visitor, elsewhere = Visitor(app, person), Visitor(app, person)
    assert "还有 0 个恢复码" in words(visitor.get("/admin/profile"))
    page = visitor.post("/admin/profile/recovery-codes")
    assert "保存恢复码" in words(page)
    assert "还有 10 个恢复码" in words(visitor.get("/admin/profile"))
    visitor.post("/admin/profile/sessions/deletion")
    assert elsewhere.get("/admin/profile").status_code == 303
    form = {"current": people.PASSWORD, "password": "lemon tree very pretty"}
    assert location(visitor.post("/admin/profile/password", form)) == "/admin/profile"


def test_another_authenticator_takes_over_only_when_it_is_confirmed(app: Flask) -> None:
    person = people.make(Role.SUPPORT)
    visitor = Visitor(app, person)
    target = location(visitor.post("/admin/profile/second-factor"))
    page = visitor.get(target)
    secret = re.search(r'id="totp-secret">([A-Z2-7 ]+)<', page.text)
    assert secret is not None
    code = people.code()
    assert transaction(lambda: second_factor.spend(queries.lock(person.id), code))
    totp = pyotp.TOTP(secret.group(1).replace(" ", ""))
    assert visitor.post("/admin/second-factor/enrolment", {"totp": totp.now()}).status_code == 200
    later = people.code(1)
    assert not transaction(lambda: second_factor.spend(queries.lock(person.id), later))
