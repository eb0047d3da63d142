"""The portal's money: out in two taps, an account only with proof, and nobody else's."""

import re

import pytest
from flask import Flask

from app.core import clock
from app.core.db import session
from app.domain.accounts.models import Person
from app.domain.channels.models import Distributor
from app.domain.payouts import queries
from app.domain.payouts.models import AccountKind, AccountState, WithdrawalState
from app.web.access import Who, rule_of
from tests import paying_out, people
from tests.web.deeds import contents
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

CARD = {"kind": "bank_card", "holder": "李小岚", "account": paying_out.CARD, "bank": "招商银行"}


def seller(app: Flask, payable: int = 0) -> tuple[Person, Distributor, Visitor]:
    person = people.make()
    return person, paying_out.make_distributor(person, payable), Visitor(app, person)


def test_the_whole_balance_is_withdrawn_in_two_taps(app: Flask) -> None:
    _person, holder, visitor = seller(app, 123_456)
    account = paying_out.add_account(holder)

    form = visitor.get("/portal/withdrawals/new").text

    fields = dict(re.findall(r'name="(key|amount)"[^>]* value="([^"]+)"', form))
    assert fields["amount"] == "1234.56"
    assert f'value="{account.uid}" checked' in form
    sent = fields | {"account": account.uid}
    first = visitor.post("/portal/withdrawals", sent)
    assert location(visitor.post("/portal/withdrawals", sent)) == location(first), "a double tap"
    page = words(visitor.get(location(first)))
    assert "待审核" in page
    assert "139****5678" in page
    assert paying_out.balances(holder) == (0, 123_456)
    assert "1,234.56" in words(visitor.get("/portal/withdrawals"))

    number = location(first).rpartition("/")[2]
    visitor.post(f"/portal/withdrawals/{number}/cancellation")
    assert paying_out.balances(holder) == (123_456, 0)
    assert queries.find(number).state == WithdrawalState.REFUSED


def test_what_was_typed_is_kept_when_a_rule_says_no(app: Flask) -> None:
    _person, holder, visitor = seller(app, 5000)
    account = paying_out.add_account(holder)

    for amount, sentence in (("50.01", "最多可以提现 50.00 元"), ("5", "每次至少"), ("x", "例如")):
        page = visitor.post(
            "/portal/withdrawals", {"amount": amount, "account": account.uid, "key": "k"}
        )
        assert page.status_code == 422
        assert sentence in words(page)
        assert f'value="{amount}"' in page.text
    assert paying_out.balances(holder) == (5000, 0)


def test_an_account_is_added_and_retired_only_with_the_password(app: Flask) -> None:
    _person, holder, visitor = seller(app)
    add, form = "/portal/payout-accounts", "/portal/payout-accounts/new?kind=company"
    assert "开户支行" in words(visitor.get(form))

    for proof in ({}, {"current": "wrong"}, {"totp": "123456"}):
        page = visitor.post(add, CARD | proof)
        assert page.status_code == 422
        assert f'value="{paying_out.CARD}"' in page.text
        assert "wrong" not in page.text
    assert "逐位核对" in words(
        visitor.post(add, CARD | {"account": "6225881234567890", "current": people.PASSWORD})
    )
    assert queries.accounts_of(holder.id) == []

    assert location(visitor.post(add, CARD | {"current": people.PASSWORD})) == add
    session.rollback()
    (account,) = queries.accounts_of(holder.id)
    assert (account.kind, account.is_default) == (AccountKind.BANK_CARD, True)
    assert account.usable_at > clock.now()
    page = visitor.get(add)
    assert "起可以收款" in words(page)
    assert "1234567" not in page.text
    uid = account.uid
    visitor.post(f"{add}/{uid}/retirement", {"current": "wrong"})
    session.rollback()
    assert queries.find_account(holder.id, uid).state == AccountState.ACTIVE
    visitor.post(f"{add}/{uid}/retirement", {"current": people.PASSWORD})
    session.rollback()
    assert queries.find_account(holder.id, uid).state == AccountState.RETIRED
    assert "已停用" in words(visitor.get(add))


def test_no_route_shows_or_changes_what_is_anothers(app: Flask) -> None:
    """Over every route of the portal's money that names something, and those that name nothing."""
    _person, holder, _own = seller(app, 50_000)
    account = paying_out.add_account(holder)
    number, uid = paying_out.ask(holder, 20_000, account).number, account.uid
    _other, _theirs, stranger = seller(app, 60_000)
    buyer = Visitor(app, people.make())
    before, tried = contents(), set()
    ours = ("portal.withdrawals.", "portal.payout_accounts.")
    for route in app.url_map.iter_rules():
        if not route.endpoint.startswith(ours):
            continue
        rule = rule_of(app.view_functions[route.endpoint])
        assert rule is not None
        assert rule.who is Who.SIGNED_IN
        path = route.rule.replace("<number>", number).replace("<uid>", uid)
        for visitor in (stranger, buyer) if route.arguments else (buyer,):
            proof = {"current": people.PASSWORD, "account": uid, "amount": "100"}
            is_page = "GET" in (route.methods or ())
            answer = visitor.get(path) if is_page else visitor.post(path, proof)
            # Who is no distributor is led to the application.
            expected = 303 if visitor is buyer else 404
            assert answer.status_code == expected, (route.endpoint, answer.status_code)
            assert account.account_masked not in answer.text
        tried.add(route.endpoint)
    assert len(tried) >= 10
    page = stranger.post("/portal/withdrawals", {"amount": "100", "account": uid, "key": "k"})
    assert page.status_code == 422, "to somebody else's account"
    # A session is touched by whoever comes; nothing else is.
    mine = contents()
    assert {name for name in before if before[name] != mine[name]} <= {"sessions", "throttles"}
