"""A distributor's own second factor: set up, asked for at sign-in, given up."""

import re

import pyotp
import pytest
from flask import Flask

from app.core import clock
from app.domain.accounts import queries, second_factor
from app.domain.accounts.models import Person
from tests import people, sellers
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

FACTOR = "/portal/second-factor"


def code_of(secret: str, steps_ahead: int = 0) -> str:
    at = int(clock.now().timestamp()) // 30 + steps_ahead
    return str(pyotp.TOTP(secret).generate_otp(at))


def set_up(visitor: Visitor) -> tuple[str, list[str]]:
    """The secret and the recovery codes."""
    assert location(visitor.post(FACTOR, {"current": people.PASSWORD})) == FACTOR
    found = re.search(r'id="totp-secret">([^<]+)<', visitor.get(FACTOR).text)
    assert found is not None
    secret = found.group(1).replace(" ", "")
    page = visitor.post(f"{FACTOR}/enrolment", {"totp": code_of(secret)})
    codes = re.search(r'data-testid="recovery-codes">([^<]+)<', page.text)
    assert codes is not None
    return secret, codes.group(1).split()


def sign_in(visitor: Visitor, person_contact: str) -> str:
    form = {"contact": person_contact, "password": people.PASSWORD, "next": "/portal"}
    return location(visitor.post("/account/sign-in", form))


def test_it_is_asked_for_at_the_next_sign_in_and_its_code_opens(app: Flask) -> None:
    person = seller("13812345678")
    here, there = Visitor(app, person), Visitor(app, person)
    _secret, codes = set_up(here)
    assert here.get("/portal").status_code == 200
    assert there.get("/portal").status_code == 303, "other browsers were signed out"

    fresh = Visitor(app)
    assert sign_in(fresh, "13812345678") == "/admin/second-factor?next=/portal"
    assert location(fresh.get("/portal")).startswith("/account/sign-in")
    assert location(fresh.get("/account")).startswith("/account/sign-in")

    form = {"recovery_code": codes[0], "next": "/portal"}
    assert location(fresh.post("/admin/second-factor", form)) == "/portal"
    assert fresh.get("/portal").status_code == 200
    assert "9 个恢复码" in words(fresh.get("/portal/profile"))
    assert location(fresh.get("/admin/")).startswith("/admin/sign-in"), "she is no staff by it"


def test_nothing_begins_without_the_password_and_nothing_replaces_it_unasked(app: Flask) -> None:
    person = seller()
    visitor = Visitor(app, person)
    answer = visitor.post(FACTOR, {"current": "wrong"})
    assert answer.status_code == 422
    assert "现在的密码不对" in words(answer)
    assert location(visitor.get(FACTOR)) == "/portal/profile"
    assert location(visitor.post(f"{FACTOR}/enrolment", {"totp": "123456"})) == "/portal/profile"

    visitor.post(FACTOR, {"current": people.PASSWORD})
    answer = visitor.post(f"{FACTOR}/enrolment", {"totp": "000000"})
    assert answer.status_code == 422
    assert queries.find(person.uid).totp_sealed is None

    set_up(visitor)
    answer = visitor.post(FACTOR, {"current": people.PASSWORD})
    assert location(answer) == "/portal/profile"
    assert location(visitor.get(FACTOR)) == "/portal/profile"


def test_it_is_given_up_with_both_factors_only(app: Flask) -> None:
    person = seller()
    visitor = Visitor(app, person)
    secret, _codes = set_up(visitor)
    wrong = visitor.post(f"{FACTOR}/deletion", {"current": people.PASSWORD, "totp": "000000"})
    assert wrong.status_code == 422
    assert "密码或验证码不对" in words(wrong)

    form = {"current": people.PASSWORD, "totp": code_of(secret, 1)}
    assert location(visitor.post(f"{FACTOR}/deletion", form)) == "/portal/profile"

    assert queries.find(person.uid).totp_sealed is None
    assert second_factor.recovery_codes_left(person.id) == 0
    assert "两步验证已关闭" in words(visitor.get("/portal/profile"))


def seller(contact: str = "") -> Person:
    person = people.make(contact=contact)
    sellers.make(person)
    return person
