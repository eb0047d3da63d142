"""A code that is redeemed here is given away as a link, which opens it for whoever has it."""

from urllib.parse import urlsplit

import pytest
from flask import Flask
from playwright.sync_api import Browser, expect

from app.domain.accounts import sessions
from tests.browser import gallery, states
from tests.browser.conftest import PHONE
from tests.fake_provider import ObedientProvider, speaking
from tests.watching import Watched
from tests.web.house import HOLDER, STRANGER

pytestmark = [
    pytest.mark.browser,
    pytest.mark.own_app,
    pytest.mark.xdist_group("browser"),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]


def test_the_copied_link_opens_the_code_for_a_friend(
    app: Flask, browser: Browser, watched: Watched
) -> None:
    with speaking(obedient=ObedientProvider()), gallery.of_furnished_shop(app) as shown:
        buyer = sessions.find(shown.secrets[HOLDER])
        assert buyer is not None
        order = states.of_codes_to_redeem(buyer.id)[0]
        hers = shown.visit(browser, watched, HOLDER, viewport=PHONE)
        hers.grant_permissions(["clipboard-read", "clipboard-write"], origin=shown.url)
        page = hers.new_page()
        page.goto(order.path)

        page.get_by_test_id("copy-link").click()

        expect(page.get_by_test_id("copy-link")).to_contain_text("已复制")
        link = urlsplit(page.evaluate("navigator.clipboard.readText()"))
        friend = shown.visit(browser, watched, STRANGER, viewport=PHONE).new_page()
        friend.goto(link.path)
        expect(friend.get_by_test_id("redeem")).to_contain_text("兑换码 会员月卡")
        expect(friend.get_by_test_id("account")).to_be_visible()
        assert link.path not in friend.url
        friend.context.close()
        hers.close()
