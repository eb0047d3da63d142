"""What a person does with recharges, codes to redeem and passes, beside what `journeys` knows."""

import itertools
import re
from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

from tests.browser import journeys

TOP_UP = "手机话费 50 元"
MEMBERSHIP = "星河视频会员 直充月卡"
REDEEM_CODE = "青柠音乐 年卡兑换码"
Spelling = Callable[[str], str]
_numbers = itertools.count(1)


def account(ends: str = "0000") -> str:
    """A phone number that nobody else has; the simulator does what its last four digits say."""
    return f"138{next(_numbers):04d}{ends}"


def masked(number: str) -> str:
    return f"{number[:3]}****{number[-4:]}"


def grouped(number: str) -> str:
    """As it is read back, in the groups in which people say a number."""
    return f"{number[:3]} {number[3:7]} {number[7:]}"


def read_back(page: Page, number: str, button: str) -> None:
    """Fill in the account, read it once more, and say that it is right."""
    page.get_by_test_id("account").fill(number)
    page.get_by_test_id(button).click()
    expect(page.get_by_test_id("account-to-confirm")).to_have_text(grouped(number))
    page.get_by_test_id(button).click()


def place_recharge(page: Page, number: str, product: str = TOP_UP) -> None:
    """From the home page to the payment channel."""
    journeys.open_product(page, product)
    read_back(page, number, "submit-order")
    expect(page.get_by_test_id("sandbox-pay")).to_be_visible()


def buy_recharge(page: Page, number: str, product: str = TOP_UP) -> str:
    """Placed and paid for; the order's number."""
    place_recharge(page, number, product)
    page.get_by_test_id("sandbox-pay").click()
    page.wait_for_url(re.compile("/orders/"))
    return page.get_by_test_id("order-number").inner_text()


def redeem(page: Page, number: str) -> None:
    """From the page of an opened code to its benefit in the account."""
    read_back(page, number, "redeem-submit")
    arrives(page, number)


def recharge(page: Page) -> Locator:
    """Where the page says how far the recharge has come: its `data-state`."""
    return page.get_by_test_id("recharge")


def arrives(page: Page, number: str) -> None:
    expect(recharge(page)).to_have_attribute("data-state", "delivered", timeout=30_000)
    expect(page.get_by_test_id("recharge-account")).to_have_text(masked(number))


def buy_code(page: Page, product: str = REDEEM_CODE) -> str:
    """Buy one and look at it: the code, without what sets its groups apart."""
    journeys.place(page, product)
    journeys.pay(page)
    return re.sub(r"\s", "", journeys.reveal(page))
