"""Whom risk stops for a time reads until when, and so does her program; for good, neither does."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import pytest
import time_machine
from flask import Flask
from werkzeug.test import TestResponse

from app.core import clock, ids
from app.core.db import transaction
from app.domain.risk import events, lists, restrictions
from app.domain.risk.models import UNTIL_LIFTED, Action, Checkpoint, Key, ListKind, Subject
from tests import factories, paying_out, people
from tests.domain.risk.shopping import latest, switch_on
from tests.web.test_risk import rules
from tests.web.visitors import Visitor, words

__all__ = ["rules"]

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("audited", "rules"),
]
SECONDS = 90


@dataclass
class Door:
    """Where somebody is stopped, what she sends there, and what of it she finds again."""

    checkpoint: Checkpoint
    visitor: Visitor
    path: str
    form: dict[str, str]
    kept: str = ""

    def knock(self, **headers: str) -> TestResponse:
        return self.visitor.post(self.path, self.form, headers=headers)


def checkout(app: Flask) -> Door:
    product = factories.make_product(codes=9)
    form = {
        "checkout_key": ids.token(),
        "product": product.slug,
        "price": str(product.price),
        "quantity": "2",
        "contact": "13900001111",
        "channel": "sandbox",
    }
    return Door(Checkpoint.CHECKOUT, Visitor(app), "/orders", form, 'value="13900001111"')


def redeem(app: Flask) -> Door:
    form = {"code": "AAAA-BBBB"}
    return Door(Checkpoint.REDEEM, Visitor(app), "/redeem", form, "AAAA-BBBB")


def register(app: Flask) -> Door:
    form = {"contact": "13900001111", "password": "lemon tree very pretty"}
    path = "/account/registration"
    return Door(Checkpoint.REGISTER, Visitor(app), path, form, 'value="13900001111"')


def sign_in(app: Flask) -> Door:
    form = {"contact": "13900001111", "password": "x"}
    path = "/account/sign-in"
    return Door(Checkpoint.SIGN_IN, Visitor(app), path, form, 'value="13900001111"')


def staff_sign_in(app: Flask) -> Door:
    form = {"login": "13900001111", "password": "x"}
    path = "/admin/sign-in"
    return Door(Checkpoint.SIGN_IN, Visitor(app), path, form, 'value="13900001111"')


def reveal(app: Flask) -> Door:
    person = people.make()
    number = factories.buy(factories.make_product(codes=1), person_id=person.id).number
    return Door(Checkpoint.REVEAL, Visitor(app, person), f"/orders/{number}/reveal", {}, number)


def download(app: Flask) -> Door:
    door = reveal(app)
    door.path = door.path.replace("reveal", "download")
    return door


def withdraw(app: Flask) -> Door:
    person = people.make()
    holder = paying_out.make_distributor(person, 50_000)
    account = paying_out.age(paying_out.add_account(holder).id, timedelta(days=9))
    form = {"amount": "123.45", "account": account.uid, "key": "k" * 20}
    path = "/portal/withdrawals"
    return Door(Checkpoint.WITHDRAW, Visitor(app, person), path, form, 'value="123.45"')


def add_account(app: Flask) -> Door:
    person = people.make()
    paying_out.make_distributor(person)
    form = {"kind": "bank_card", "holder": "李小岚", "account": paying_out.CARD, "bank": "招商银行"}
    form["current"] = people.PASSWORD
    path = "/portal/payout-accounts"
    return Door(Checkpoint.PAYOUT_ACCOUNT, Visitor(app, person), path, form, 'value="李小岚"')


at_every_door = pytest.mark.parametrize(
    "door",
    [
        *(checkout, redeem, register, sign_in, staff_sign_in),
        *(reveal, download, withdraw, add_account),
    ],
)


def stop(door: Door, action: Action, seconds: int | None = SECONDS) -> None:
    """Whoever comes from her address is stopped for so long, or until it is lifted."""
    whose = events.hashed({Key.IP: door.visitor.ip})
    new = restrictions.New(
        action,
        None if action == Action.FREEZE else door.checkpoint,
        Key.IP,
        whose[Key.IP],
        UNTIL_LIFTED if seconds is None else clock.now() + timedelta(seconds=seconds),
        "",
    )
    transaction(lambda: restrictions.put([new], "D1"))


@at_every_door
@pytest.mark.parametrize("action", [Action.BLOCK, Action.FREEZE])
def test_what_ends_says_when_and_ends(
    app: Flask, door: Callable[[Flask], Door], action: Action
) -> None:
    switch_on()
    with time_machine.travel(clock.now(), tick=False) as now:
        at = door(app)
        stop(at, action)
        refused = at.knock()
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(SECONDS))
        assert at.kept in refused.text
        assert latest().checkpoint == at.checkpoint
        assert latest().uid in words(refused)
        now.shift(timedelta(seconds=SECONDS))
        heard = at.knock()
        assert heard.status_code != 429
        assert "Retry-After" not in heard.headers


def test_a_long_time_is_not_told_in_minutes(app: Flask) -> None:
    switch_on()
    at = register(app)
    stop(at, Action.FREEZE, 7 * 24 * 3600)
    refused = at.knock()
    assert refused.status_code == 429
    assert "10080" not in words(refused)
    assert latest().uid in words(refused)


@at_every_door
def test_what_only_lifting_ends_names_no_time(app: Flask, door: Callable[[Flask], Door]) -> None:
    switch_on()
    at = door(app)
    stop(at, Action.FREEZE, None)
    refused = at.knock()
    assert refused.status_code == 422
    assert "Retry-After" not in refused.headers
    assert at.kept in refused.text
    assert latest().uid in words(refused)
    assert "9999" not in refused.text
    assert "分钟后再试" not in words(refused)


def test_a_limit_says_when_it_is_over(app: Flask) -> None:
    switch_on()
    with time_machine.travel(clock.now(), tick=False):
        at = checkout(app)
        stop(at, Action.LIMIT, 30 * 60)
        refused = at.knock()
        assert (refused.status_code, refused.headers["Retry-After"]) == (429, "1800")
        assert "30 分钟内" in words(refused)
        assert at.kept in refused.text
        # One piece is let go.
        at.form["quantity"] = "1"
        assert at.knock().status_code == 303


def test_who_is_on_the_block_list_is_told_no_time_even_if_something_else_ends(app: Flask) -> None:
    switch_on()
    at = checkout(app)
    stop(at, Action.BLOCK)
    blocked = lists.parse(Subject.ADDRESS, at.visitor.ip)
    transaction(lambda: lists.add(ListKind.BLOCK, blocked, "盗刷", 30))
    refused = at.knock()
    assert refused.status_code == 422
    assert "Retry-After" not in refused.headers
    assert "这个订单不能提交" in words(refused)


def test_a_captcha_can_be_solved_now(app: Flask) -> None:
    switch_on("many_orders_captcha", condition={"fact": "amount", "at_least": 1})
    asked = checkout(app).knock()
    assert asked.status_code == 422
    assert "Retry-After" not in asked.headers


def test_a_part_of_a_page_is_given_back_as_a_part(app: Flask) -> None:
    """The order with its veil, for HTMX to put where it was."""
    switch_on()
    at = reveal(app)
    stop(at, Action.BLOCK)
    refused = at.knock(**{"HX-Request": "true"})
    assert refused.status_code == 429
    assert refused.headers["Retry-After"]
    assert "<html" not in refused.text
    assert at.kept in refused.text
    assert "请 2 分钟后再试" in words(refused)
