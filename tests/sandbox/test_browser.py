"""In a real browser: the button works under the page's own policy, with scripts and without."""

import pytest
from playwright.sync_api import Browser, Page

from app.providers.payments.interface import StandingState
from tests.sandbox.conftest import Channel

pytestmark = pytest.mark.browser


def violations(page: Page) -> list[str]:
    found: list[str] = []
    page.on("console", lambda said: found.append(said.text) if said.type == "error" else None)
    return found


@pytest.mark.parametrize("scripts", [True, False])
def test_a_tap_pays_and_leads_back_to_the_shop(
    browser: Browser, channel: Channel, number: str, scripts: bool
) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740}, java_script_enabled=scripts)
    wrong = violations(page)

    page.goto(channel.link(number))
    assert page.evaluate("document.documentElement.scrollWidth") == 360 if scripts else True
    page.get_by_test_id("sandbox-pay").click()
    page.wait_for_url(f"{channel.merchant.url}/orders/1")

    assert channel.adapter.query(number).state is StandingState.PAID
    assert [text for text in wrong if "favicon" not in text] == []
    page.close()


def test_a_fault_is_chosen_with_a_tap(browser: Browser, channel: Channel, number: str) -> None:
    page = browser.new_page(viewport={"width": 360, "height": 740})

    page.goto(channel.link(number, language="en"))
    page.get_by_test_id("sandbox-faults").get_by_text("Make it go wrong").click()
    page.get_by_label("So many fen too much").fill("-100")
    page.get_by_label("Never sent").check()
    page.get_by_test_id("sandbox-pay").click()
    page.wait_for_url(f"{channel.merchant.url}/orders/1")

    assert channel.trade(number)["paid"] == 9800
    assert channel.trade(number)["callbacks"] == []
    page.close()
