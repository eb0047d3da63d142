"""The way to the code on a phone: a thumb hits everything, and a page is light."""

import gzip
from collections.abc import Callable

import pytest
from playwright.sync_api import Response

from tests.browser import journeys
from tests.browser.conftest import Open

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

# A link within a sentence is as high as its line; a choice is its whole card.
SMALL = """() => [...document.querySelectorAll("a[href], button, summary, select, textarea, input")]
  .filter((one) => one.checkVisibility({visibilityProperty: true}) && one.type !== "hidden")
  .filter((one) => !one.closest(".skip, .visually-hidden"))
  .filter((one) => !(getComputedStyle(one).display === "inline" && one.closest("p")))
  .map((one) => one.matches("[type=radio], [type=checkbox]") ? one.closest("label") : one)
  .filter((one) => one.offsetHeight < 44 || one.offsetWidth < 44)
  .map((one) => `${one.outerHTML.slice(0, 120)} is ${one.offsetWidth} × ${one.offsetHeight}`)"""


@pytest.mark.parametrize("locale", ["zh-CN", "en-US"])
def test_a_thumb_hits_everything_on_the_way_to_the_code(open_browser: Open, locale: str) -> None:
    page = open_browser(locale=locale)
    small: dict[str, list[str]] = {}

    def after(step: str, act: Callable[[], object]) -> None:
        act()
        page.wait_for_load_state()
        small[step] = page.evaluate(SMALL)

    after("home", lambda: page.goto("/"))
    after("product", lambda: journeys.open_product(page))
    after("channel", lambda: journeys.place(page))
    after("unpaid", lambda: journeys.leave(page))
    page.get_by_test_id("pay").click()
    after("delivered", lambda: journeys.pay(page))
    after("code", lambda: journeys.reveal(page))
    after("wallet", lambda: page.goto("/wallet"))
    after("lookup", lambda: page.goto("/lookup"))

    found = [f"{step}: {one}" for step, ones in small.items() for one in ones]
    assert not found, "\n".join(found)


def test_the_product_page_is_light(open_browser: Open) -> None:
    """Pages, styles and scripts, as they come over a slow network; pictures come after them."""
    page = open_browser()
    page.goto("/")
    path = page.get_by_test_id("product-card").first.get_attribute("href") or ""
    sizes: dict[str, int] = {}

    def weigh(response: Response) -> None:
        if response.request.resource_type in ("document", "stylesheet", "script"):
            sizes[response.url] = len(gzip.compress(response.body(), 9))

    visitor = open_browser()
    visitor.on("response", weigh)
    visitor.goto(path, wait_until="networkidle")

    assert len(sizes) >= 3, "it has a page, a style sheet and a script at least"
    assert sum(sizes.values()) < 60_000, sizes
