"""A link or a typed code becomes a benefit; a stranger learns little, a guesser less."""

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from flask import Flask

from app.core.db import session, transaction
from app.domain.redemptions import links, service
from app.domain.redemptions.models import Redemption
from app.domain.vault import own_codes
from app.domain.vault.models import Code
from app.providers.recharges.interface import Outcome
from tests import factories, people
from tests.fake_provider import ObedientProvider, speaking
from tests.web import benefits
from tests.web.benefits import ACCOUNT, Sold
from tests.web.visitors import Visitor, location, words

pytestmark = [
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("audited"),
]
PLACE = {"account": ACCOUNT, "confirmed": ACCOUNT, "key": "k" * 20}


@pytest.fixture(autouse=True)
def provider() -> Iterator[ObedientProvider]:
    obedient = ObedientProvider()
    with speaking(one=obedient):
        yield obedient


def link_of(sold: Sold) -> str:
    session.rollback()
    return f"/r/{links.token_of(session.get_one(Code, sold.code_id).uid)}"


def redemptions() -> int:
    session.rollback()
    return session.scalar(sa.select(sa.func.count(Redemption.id))) or 0


def test_typed_read_back_and_arrived(guest: Visitor, provider: ObedientProvider) -> None:
    sold = benefits.sell(benefits.redeemable())

    assert location(guest.post("/redeem", {"code": sold.text.lower()})) == "/redeem/code"
    asked = guest.post("/redeem/code", {"account": ACCOUNT, "key": "k" * 20})
    assert "139 1234 5678" in words(asked)
    assert redemptions() == 0
    assert location(guest.post("/redeem/code", PLACE)) == "/redeem/code"
    assert "hx-trigger" in guest.get("/redeem/code").text
    factories.work()

    page = guest.get("/redeem/code")
    assert "已到账" in words(page)
    assert provider.sent[0].account.reveal() == ACCOUNT
    assert sold.text not in page.text


def test_a_link_needs_no_code_and_leaves_none_in_the_address(
    guest: Visitor, provider: ObedientProvider
) -> None:
    sold = benefits.sell(benefits.redeemable())
    assert location(guest.get(link_of(sold))) == "/redeem/code"
    guest.post("/redeem/code", PLACE)
    factories.work()
    assert "已到账" in words(guest.get("/redeem/code"))
    assert len(provider.sent) == 1


def test_a_double_tap_redeems_once(guest: Visitor, provider: ObedientProvider) -> None:
    sold = benefits.sell(benefits.redeemable())
    guest.get(link_of(sold))
    assert [guest.post("/redeem/code", PLACE).status_code for _ in range(2)] == [303, 303]
    assert redemptions() == 1


def test_who_comes_second_is_told_so(app: Flask, provider: ObedientProvider) -> None:
    sold = benefits.sell(benefits.redeemable())
    first, second = Visitor(app), Visitor(app, ip="203.0.113.8")
    for visitor in (first, second):
        visitor.get(link_of(sold))
    first.post("/redeem/code", PLACE)
    factories.work()
    answer = second.post("/redeem/code", PLACE | {"key": "j" * 20})
    assert answer.status_code == 409
    assert redemptions() == 1
    assert "139****5678" in words(answer)
    assert ACCOUNT not in answer.text


def test_who_holds_the_code_only_does_not_hear_whose_account(
    app: Flask, provider: ObedientProvider
) -> None:
    sold = benefits.sell(benefits.redeemable())
    first, second = Visitor(app), Visitor(app, ip="203.0.113.8")
    for visitor in (first, second):
        visitor.post("/redeem", {"code": sold.text})
    first.post("/redeem/code", PLACE)
    under_way = second.get("/redeem/code").text
    factories.work()
    arrived = second.get("/redeem/code").text
    for page in (under_way, arrived):
        assert 'data-slug="code-unusable"' in page
        assert "139****5678" not in page


def test_what_nobody_could_deliver_is_redeemed_again(
    guest: Visitor, provider: ObedientProvider
) -> None:
    sold = benefits.sell(benefits.redeemable())
    guest.get(link_of(sold))
    provider.submits = [Outcome.REFUSED, Outcome.DELIVERED]
    guest.post("/redeem/code", PLACE)
    factories.work()

    page = guest.get("/redeem/code").text
    assert 'data-state="given_back"' in page
    assert 'data-testid="redeem-submit"' in page
    guest.post("/redeem/code", PLACE | {"key": "j" * 20})
    factories.work()
    assert "已到账" in words(guest.get("/redeem/code"))


@pytest.mark.parametrize("token", ["", "x", "A" * 43, "%00"])
def test_a_made_up_link_leads_nowhere(guest: Visitor, token: str) -> None:
    assert guest.get(f"/r/{token}").status_code == 404


def test_a_typing_slip_is_shown_where_it_is(guest: Visitor) -> None:
    sold = benefits.sell(benefits.redeemable())
    groups = sold.text.split("-")
    groups[2] = ("B" if groups[2][0] == "A" else "A") + groups[2][1:]
    answer = guest.post("/redeem", {"code": "-".join(groups)})
    assert answer.status_code == 400
    assert "第 3 组" in words(answer)
    assert "-".join(groups) in answer.text


def test_a_stranger_hears_that_it_cannot_be_used_and_its_owner_why(app: Flask) -> None:
    buyer = people.make()
    sold = benefits.sell(benefits.multi(uses=1), person_id=buyer.id)
    transaction(lambda: service.take_use(sold.code_id, "k" * 20))
    stranger, owner = Visitor(app), Visitor(app, buyer, ip="203.0.113.8")
    for visitor in (stranger, owner):
        visitor.post("/redeem", {"code": sold.text})
    assert 'data-slug="code-unusable"' in stranger.get("/redeem/code").text
    assert 'data-slug="code-used"' in owner.get("/redeem/code").text


def test_somebody_elses_code_is_used_elsewhere(guest: Visitor) -> None:
    sold = benefits.sell(factories.make_product(codes=0, use_url="https://brand.example/use"))
    guest.post("/redeem", {"code": sold.text})
    page = guest.get("/redeem/code").text
    assert "https://brand.example/use" in page or 'data-slug="code-unusable"' in page


def test_guessing_is_slowed_down(guest: Visitor) -> None:
    statuses = [
        guest.post("/redeem", {"code": guess}).status_code for guess in own_codes.generate(14)
    ]
    assert statuses[0] == 404
    assert statuses[-1] == 429


def test_the_form_of_an_own_code_opens_nothing_of_anothers(
    app: Flask, provider: ObedientProvider
) -> None:
    product = benefits.redeemable()
    hers, his = benefits.sell(product), benefits.sell(product)
    alice, mallory = Visitor(app), Visitor(app, ip="203.0.113.8")
    alice.post("/redeem", {"code": hers.text})
    alice.post("/redeem/code", PLACE | {"key": "a" * 20})
    mallory.post("/redeem", {"code": his.text})
    mallory.post("/redeem/code", PLACE)

    mallory.post("/redeem", {"code": hers.text})
    again = mallory.post("/redeem/code", PLACE)

    assert again.status_code == 423 and redemptions() == 2
    page = mallory.get("/redeem/code").text
    assert 'data-slug="code-unusable"' in page and "139****5678" not in page
