"""What a person does in the shop, by what scripts of others rely on: the `data-testid`s."""

import itertools
import re

from playwright.sync_api import Page, expect

from tests.servers import Shop

PRODUCT = "星河视频会员 月卡"
_numbers = itertools.count(1)


def phone() -> str:
    """A buyer's that nobody else has."""
    return f"139{next(_numbers):08d}"


def open_product(page: Page, name: str = PRODUCT) -> None:
    page.goto("/")
    page.get_by_test_id("product-card").filter(has_text=name).first.click()
    expect(page.get_by_test_id("submit-order")).to_be_visible()


def place(page: Page, name: str = PRODUCT, contact: str = "", path: str = "") -> None:
    """From the home page, or the product's own address, to the payment channel."""
    if path:
        page.goto(path)
    else:
        open_product(page, name)
    page.get_by_test_id("contact").fill(contact or phone())
    page.get_by_test_id("submit-order").click()
    expect(page.get_by_test_id("sandbox-pay")).to_be_visible()


def pay(page: Page) -> str:
    """Pay at the channel and wait for the code; the order's number."""
    page.get_by_test_id("sandbox-pay").click()
    wait_until_delivered(page)
    return page.get_by_test_id("order-number").inner_text()


def wait_until_delivered(page: Page) -> None:
    page.wait_for_url(re.compile("/orders/"))
    expect(page.get_by_test_id("reveal")).to_be_visible(timeout=20_000)
    expect(page.get_by_test_id("order-state")).to_have_attribute("data-state", "delivered")


def reveal(page: Page) -> str:
    page.get_by_test_id("reveal").click()
    expect(page.get_by_test_id("code")).to_be_visible()
    return page.get_by_test_id("code").inner_text()


def leave(page: Page) -> str:
    """Leave the channel without paying; the order's number."""
    page.locator('a[href*="/orders/"]').click()
    page.wait_for_url(re.compile("/orders/"))
    return page.get_by_test_id("order-number").inner_text()


def sign_in(page: Page, shop: Shop, who: str = "buyer") -> None:
    """One of those whose sign-in the demo prints: the buyer, or the distributor."""
    page.goto("/account/sign-in")
    page.locator("[name=contact]").fill(shop.demo[who]["login"])
    page.locator("[name=password]").fill(shop.demo[who]["password"])
    page.locator("main form button").click()
    page.wait_for_url(re.compile("/(wallet|account)$"))
