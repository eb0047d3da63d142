"""Risk where somebody comes in, looks at what is hers, or has money sent: what she meets there."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.db import session, transaction
from app.domain.accounts.models import Role
from app.domain.orders.models import Order
from app.domain.payouts import queries, withdrawals
from app.domain.payouts.models import Withdrawal, WithdrawalState
from app.domain.risk import events, proofs
from app.domain.risk.models import (
    Action,
    Checkpoint,
    Decision,
    EventKind,
    Key,
    Restriction,
    RiskEvent,
)
from tests import factories, paying_out, people
from tests.domain.risk.shopping import latest, switch_on
from tests.web.test_risk import challenge_of, order, rules
from tests.web.visitors import Visitor, location, words

__all__ = ["rules"]

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("audited", "rules"),
]
ALWAYS = {"fact": "payout_account_age", "below": 8760}


def registration(number: int) -> dict[str, str]:
    return {"contact": f"138000000{number:02d}", "password": "lemon tree very pretty"}


def test_a_browser_that_makes_accounts_has_to_prove_something(app: Flask) -> None:
    switch_on("many_registrations")
    visitor = Visitor(app)
    for number in range(3):
        assert visitor.post("/account/registration", registration(number)).status_code == 303
        visitor.post("/account/session/deletion")
    asked = visitor.post("/account/registration", registration(4))
    assert asked.status_code == 422
    assert 'value="13800000004"' in asked.text
    text = challenge_of(asked)
    proved = {"captcha": text, "captcha_number": proofs.solve(text)}
    assert visitor.post("/account/registration", registration(4) | proved).status_code == 303
    assert Visitor(app).post("/account/registration", registration(5)).status_code == 303


@pytest.mark.parametrize(
    ("door", "name"), [("/account/sign-in", "contact"), ("/admin/sign-in", "login")]
)
def test_wrong_passwords_meet_a_captcha_at_both_doors(app: Flask, door: str, name: str) -> None:
    switch_on("wrong_passwords_captcha")
    person = people.make(Role.OWNER, contact="13812345678")
    visitor = Visitor(app)
    visitor.post(door, {name: "13812345678", "password": "wrong"})

    def try_more() -> None:
        wrong = session.scalars(sa.select(RiskEvent)).one()
        for _ in range(4):
            events.record(EventKind.WRONG_PASSWORD, {Key.DEVICE: wrong.device or b""})

    transaction(try_more)
    right = {name: "13812345678", "password": people.PASSWORD}
    asked = visitor.post(door, right)
    assert asked.status_code == 422
    assert "先完成下面的验证" in words(asked)
    assert people.PASSWORD not in asked.text
    text = challenge_of(asked)
    entered = visitor.post(door, right | {"captcha": text, "captcha_number": proofs.solve(text)})
    assert entered.status_code == 303
    # What was asked of her browser says nothing of whether the account is there.
    assert latest().keys.keys() == {"ip", "network", "device", "look", "contact"}
    assert person.id


def test_a_frozen_account_reads_why_and_sees_no_code(app: Flask, owner: Visitor) -> None:
    switch_on("reveals_from_everywhere")
    person = people.make(contact="13812345678")
    buyer = Visitor(app, person)
    order = factories.buy(factories.make_product(codes=3), person_id=person.id)
    reveal = f"/orders/{order.number}/reveal"
    assert buyer.post(reveal).status_code == 200
    decision = latest()
    assert decision.checkpoint == Checkpoint.REVEAL

    page = f"/admin/risk/decisions/{decision.uid}"
    assert "冻结什么" in words(owner.get(page))
    freezing = f"{page}/freezing"
    assert owner.post(freezing, {"key": "ip", "days": "7", "reason": "x"}).status_code == 422
    form = {"key": "account", "days": "7", "reason": "密码被盗"}
    short = owner.post(freezing, form | {"reason": ""})
    assert short.status_code == 422
    assert "请写明原因" in words(short)
    assert location(owner.post(freezing, form)) == page
    assert owner.post(freezing, form).status_code == 409
    assert "密码被盗" in words(owner.get("/admin/risk/restrictions"))

    refused = buyer.post(reveal)
    assert (refused.status_code, refused.headers["Retry-After"]) == (429, str(7 * 24 * 60 * 60))
    number = latest().uid
    assert number in words(refused)
    assert "账号已冻结到" in words(buyer.get("/account"))
    why = words(owner.get(f"/admin/risk/decisions/{number}"))
    assert "之前被店员冻结" in why
    stranger = Visitor(app, people.make(Role.AUDITOR))
    assert stranger.post(freezing, form).status_code == 403


UNTIL_LIFTED = {
    "zh": ("直到解除", "店主解除之前不能下单"),
    "en": ("Until lifted", "until the shop lifts it you cannot order"),
}


@pytest.mark.parametrize("language", UNTIL_LIFTED)
def test_what_is_frozen_until_it_is_lifted_says_so_wherever_an_end_is_shown(
    app: Flask, owner: Visitor, language: str
) -> None:
    switch_on("reveals_from_everywhere")
    person = people.make()
    buyer = Visitor(app, person)
    bought = factories.buy(factories.make_product(codes=3), person_id=person.id)
    reveal = f"/orders/{bought.number}/reveal"
    assert buyer.post(reveal).status_code == 200
    page, held = f"/admin/risk/decisions/{latest().uid}", "/admin/risk/restrictions"
    for visitor in (owner, buyer):
        visitor.client.set_cookie("language", language)
    until_lifted, told = UNTIL_LIFTED[language]

    form = {"key": "account", "days": "lifted", "reason": ""}
    short = owner.post(f"{page}/freezing", form)
    assert short.status_code == 422
    assert f'<option value="lifted" selected>{until_lifted}</option>' in short.text
    assert owner.post(f"{page}/freezing", form | {"days": "", "reason": "被盗"}).status_code == 422
    assert location(owner.post(f"{page}/freezing", form | {"reason": "被盗"})) == page

    session.rollback()
    frozen = session.scalars(sa.select(Restriction)).one()
    account = buyer.get("/account")
    assert told in words(account)
    assert frozen.decision_uid in words(account)
    assert buyer.post(reveal).status_code == 422
    shown = [owner.get(page), owner.get(held)]
    assert all(until_lifted in words(one) for one in shown)
    assert not any("9999" in one.text for one in (account, *shown))

    location(owner.post(f"{held}/{frozen.id}/lifting", {"reason": "买家证明了身份"}))
    assert buyer.post(reveal).status_code == 200
    assert told not in words(buyer.get("/account"))
    assert until_lifted not in words(owner.get(held))


def test_a_doubtful_withdrawal_goes_to_two_people(app: Flask, owner: Visitor) -> None:
    switch_on("new_payout_account", condition=ALWAYS)
    for _ in range(2):
        people.make(Role.FINANCE)
    person = people.make()
    holder, visitor = paying_out.make_distributor(person, 50_000), Visitor(app, person)
    account = paying_out.age(paying_out.add_account(holder).id, timedelta(days=9))
    form = {"amount": "100", "account": account.uid, "key": "k" * 20}
    number = location(visitor.post("/portal/withdrawals", form)).rpartition("/")[2]
    found = queries.find(number)
    assert found.risk_decision == latest().uid
    assert "risk" in queries.reasons_to_check(found)
    assert latest().inputs["payout_account_age"] >= 9 * 24
    shown = owner.get(f"/admin/withdrawals/{number}")
    assert "风控要求复核" in words(shown)
    assert f"/admin/risk/decisions/{found.risk_decision}" in shown.text


def test_who_is_frozen_is_paid_nothing(app: Flask, owner: Visitor) -> None:
    switch_on("new_payout_account", condition=ALWAYS, action=Action.NOTIFY)
    person = people.make()
    holder, visitor = paying_out.make_distributor(person, 50_000), Visitor(app, person)
    account = paying_out.add_account(holder)
    form = {"amount": "100", "account": account.uid, "key": "k" * 20}
    number = location(visitor.post("/portal/withdrawals", form)).rpartition("/")[2]
    frozen = {"key": "distributor", "days": "1", "reason": "佣金异常"}
    page = f"/admin/risk/decisions/{latest().uid}"
    assert location(owner.post(f"{page}/freezing", frozen)) == page
    withdrawal_id = queries.find(number).id
    refused = owner.post(f"/admin/withdrawals/{number}/approval")
    assert "已被冻结" in words(owner.get(location(refused)))
    again = visitor.post("/portal/withdrawals", form | {"key": "j" * 20, "amount": "50"})
    assert again.status_code == 429
    assert "现在不能提现" in words(again)
    added = visitor.post(
        "/portal/payout-accounts",
        {
            "kind": "bank_card",
            "holder": "李小岚",
            "account": paying_out.CARD,
            "bank": "招商银行",
            "current": people.PASSWORD,
        },
    )
    assert added.status_code == 429
    assert "现在不能添加收款账户" in words(added)
    session.rollback()
    stopped = sa.select(Decision.checkpoint).where(Decision.action == Action.FREEZE)
    assert set(session.scalars(stopped)) == {Checkpoint.WITHDRAW, Checkpoint.PAYOUT_ACCOUNT}
    assert session.get_one(Withdrawal, withdrawal_id).state == WithdrawalState.REQUESTED
    # Staff can still give the money back.
    transaction(lambda: withdrawals.refuse(withdrawal_id, "先核实"))
    assert paying_out.balances(holder) == (50_000, 0)


def test_a_delayed_order_tells_its_buyer_when(app: Flask) -> None:
    switch_on("new_account_delay")
    buyer = Visitor(app)
    order(buyer, factories.make_product(codes=2, price=40_000))
    placed = session.scalars(sa.select(Order)).one()
    factories.settle(factories.queries.payments_of(placed.id)[0])
    page = words(buyer.get(f"/orders/{placed.number}"))
    assert "已付款，稍后自动发货" in page
    assert re.search(r"这一单会在 .*\d\d:\d\d", page)
