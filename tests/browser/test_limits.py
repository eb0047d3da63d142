"""What is answered with 429 is shown: a page instead of the part that was asked for, too, and a
form with what was typed."""

from datetime import timedelta

import pytest
import sqlalchemy as sa
from flask import Flask
from limits import parse
from playwright.sync_api import Browser, expect

from app.core import clock
from app.core.db import session, transaction
from app.domain.orders.models import Order
from app.domain.risk import events, restrictions
from app.domain.risk.models import Action, Checkpoint, Key
from app.domain.risk.restrictions import New
from app.web import limits
from tests.browser import gallery
from tests.browser.conftest import FACES, PHONE
from tests.fake_provider import ObedientProvider, speaking
from tests.watching import Watched
from tests.web.house import HOLDER
from tests.web.visitors import Visitor

pytestmark = [
    pytest.mark.browser,
    pytest.mark.own_app,
    pytest.mark.xdist_group("browser"),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]


def test_a_tap_too_many_shows_why_nothing_came(
    app: Flask, browser: Browser, watched: Watched
) -> None:
    with speaking(obedient=ObedientProvider()), gallery.of_furnished_shop(app) as shown:
        context = shown.visit(browser, watched, HOLDER, viewport=PHONE)
        page = context.new_page()
        page.goto(next(view.path for view in shown.views if view.name == "shop.orders.show"))
        # No queue is there: with the first limit that is looked at they are counted in memory.
        Visitor(app).post("/lookup")
        wanted = parse(limits.LIMITS["reveal"])
        for _ in range(wanted.amount):
            limits.limiter.limiter.hit(wanted, "limit", "127.0.0.1", "reveal")

        page.get_by_test_id("reveal").click()

        expect(page.get_by_text("操作太频繁")).to_be_visible()
        assert page.get_by_test_id("code").count() == 0
        context.close()


@pytest.mark.parametrize("face", FACES)
def test_whom_risk_stops_for_a_time_reads_it_where_she_was(
    app: Flask, browser: Browser, watched: Watched, face: str
) -> None:
    with speaking(obedient=ObedientProvider()), gallery.of_furnished_shop(app) as shown:
        context = shown.visit(browser, watched, HOLDER, **FACES[face])
        page = context.new_page()
        order = next(view.path for view in shown.views if view.name == "shop.orders.show")
        block(order.rpartition("/")[2])
        page.goto(order)
        with page.expect_response(lambda answer: answer.url.endswith("/reveal")) as answered:
            page.get_by_test_id("reveal").click()
        assert answered.value.status == 429
        assert answered.value.headers["retry-after"]

        expect(page.get_by_text("现在不能继续，请 30 分钟后再试")).to_be_visible()
        expect(page.get_by_test_id("reveal")).to_be_enabled()
        assert page.get_by_test_id("code").count() == 0

        page.goto(next(view.path for view in shown.views if view.name == "shop.products.show"))
        page.locator(".buy__form [name=contact]").fill("13900001111")
        page.get_by_test_id("submit-order").click()

        expect(page.get_by_text("暂时不能下单，请 30 分钟后再试")).to_be_visible()
        expect(page.locator(".buy__form [name=contact]")).to_have_value("13900001111")
        context.close()


def block(number: str) -> None:
    """Whoever has that order may see no code and buy nothing for half an hour."""
    person = session.scalars(sa.select(Order.person_id).where(Order.number == number)).one()
    whose = events.hashed({Key.ACCOUNT: str(person)})[Key.ACCOUNT]
    until = clock.now() + timedelta(minutes=30)
    places = (Checkpoint.REVEAL, Checkpoint.CHECKOUT)
    new = [New(Action.BLOCK, place, Key.ACCOUNT, whose, until, "") for place in places]
    transaction(lambda: restrictions.put(new, "D1"))
