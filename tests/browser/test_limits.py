"""Where only a part of a page is asked for, too, she is told that it was too often."""

import pytest
from flask import Flask
from limits import parse
from playwright.sync_api import Browser, expect

from app.web import limits
from tests.browser import gallery
from tests.browser.conftest import PHONE
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
