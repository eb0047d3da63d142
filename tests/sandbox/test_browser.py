"""In a real browser: the button works under the page's own policy, with scripts and without."""

import pytest
from playwright.sync_api import Browser

from app.providers.payments.interface import StandingState
from tests.sandbox.conftest import Channel
from tests.watching import Watched

pytestmark = pytest.mark.browser

PHONE = {"width": 360, "height": 740}


@pytest.mark.parametrize("scripts", [True, False])
def test_a_tap_pays_and_leads_back_to_the_shop(
    browser: Browser, watched: Watched, channel: Channel, number: str, scripts: bool
) -> None:
    context = watched.open(browser, channel.url, viewport=PHONE, java_script_enabled=scripts)
    page = context.new_page()

    page.goto(channel.link(number))
    assert page.evaluate("document.documentElement.scrollWidth") == 360 if scripts else True
    page.get_by_test_id("sandbox-pay").click()
    page.wait_for_url(f"{channel.merchant.url}/orders/1")

    assert channel.adapter.query(number).state is StandingState.PAID
    context.close()


def test_a_fault_is_chosen_with_a_tap(
    browser: Browser, watched: Watched, channel: Channel, number: str
) -> None:
    context = watched.open(browser, channel.url, viewport=PHONE)
    page = context.new_page()

    page.goto(channel.link(number, language="en"))
    page.get_by_test_id("sandbox-faults").get_by_text("Make it go wrong").click()
    page.get_by_label("So many fen too much").fill("-100")
    page.get_by_label("Never sent").check()
    page.get_by_test_id("sandbox-pay").click()
    page.wait_for_url(f"{channel.merchant.url}/orders/1")

    assert channel.trade(number)["paid"] == 9800
    assert channel.trade(number)["callbacks"] == []
    context.close()
