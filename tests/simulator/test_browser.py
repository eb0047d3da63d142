"""In a real browser: the control page works under its own policy, with scripts and without."""

import pytest
from playwright.sync_api import Browser

from tests.simulator.conftest import Simulator, account
from tests.watching import Watched

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scripts", [True, False])
def test_a_person_chooses_how_an_order_goes(
    browser: Browser,
    watched: Watched,
    simulator: Simulator,
    number: str,
    width: int,
    scripts: bool,
) -> None:
    context = watched.open(
        browser,
        simulator.url,
        viewport={"width": width, "height": 740},
        java_script_enabled=scripts,
        locale="en-GB",
    )
    page = context.new_page()

    page.goto(f"{simulator.url}/control")
    if scripts:
        assert page.evaluate("document.documentElement.scrollWidth") == width
    page.get_by_role("textbox", name="Number").fill(number)
    page.get_by_label("How it goes").select_option("5002")
    page.get_by_role("button", name="Choose").click()
    page.wait_for_url(f"{simulator.url}/control")

    assert simulator.plain.order(number, account()).cost == 1460
    page.reload()
    assert page.get_by_role("row", name=number).get_by_text("Delivered").is_visible()
    context.close()
