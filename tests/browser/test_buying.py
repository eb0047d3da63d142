"""A buyer on a phone: from the product to the code, and back to it on every other way."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import journeys
from tests.browser.conftest import Open
from tests.servers import Shop

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PRODUCT_CODE = re.compile(r"^[A-Z2-9]{4}( ?-?[A-Z2-9]{4})+$")
LANGUAGES = {"zh-CN": "已发货", "en-US": "Delivered"}


def orders_of(page: Page) -> list[str]:
    """The orders in the wallet of this browser."""
    page.goto("/wallet")
    return [
        link.get_attribute("href") or "" for link in page.locator('main a[href^="/orders/"]').all()
    ]


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "bare"])
@pytest.mark.parametrize("locale", LANGUAGES)
def test_two_taps_and_one_field(open_browser: Open, locale: str, scripts: bool) -> None:
    page = open_browser(locale=locale, java_script_enabled=scripts)
    journeys.open_product(page)

    # The one field, the first tap; what is done at the channel is not the shop's.
    page.get_by_test_id("contact").fill(journeys.phone())
    page.get_by_test_id("submit-order").click()
    page.get_by_test_id("sandbox-pay").click()
    journeys.wait_until_delivered(page)
    assert LANGUAGES[locale] in page.get_by_test_id("order-state").inner_text()
    # The second.
    code = journeys.reveal(page)

    assert PRODUCT_CODE.match(code), "not a code"


def test_the_code_is_copied_with_a_tap(open_browser: Open, shop: Shop) -> None:
    page = open_browser()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=shop.url)
    journeys.place(page)
    journeys.pay(page)
    shown = journeys.reveal(page)

    page.get_by_test_id("copy-code").click()

    expect(page.get_by_test_id("copy-code")).to_contain_text("已复制")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.replace("-", "") == re.sub(r"[\s-]", "", shown)


def test_a_code_is_hidden_again_and_never_in_the_address(open_browser: Open) -> None:
    page = open_browser()
    journeys.place(page)
    journeys.pay(page)
    code = journeys.reveal(page)
    assert code not in page.url

    page.reload()
    expect(page.get_by_test_id("reveal")).to_be_visible()
    assert page.get_by_test_id("code").count() == 0


def test_several_are_copied_at_once(open_browser: Open) -> None:
    page = open_browser()
    journeys.open_product(page, "云端点卡 100 元")
    page.locator("[name=quantity]").fill("3")
    expect(page.get_by_test_id("submit-order")).to_contain_text("289.50")
    page.get_by_test_id("contact").fill(journeys.phone())
    page.get_by_test_id("submit-order").click()
    page.get_by_test_id("sandbox-pay").click()
    journeys.wait_until_delivered(page)

    page.get_by_test_id("reveal").click()

    expect(page.get_by_test_id("code")).to_have_count(3)
    assert len({code.inner_text() for code in page.get_by_test_id("code").all()}) == 3
    expect(page.get_by_role("button", name="复制全部 3 个")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "bare"])
def test_a_double_tap_on_a_slow_network_is_one_order(open_browser: Open, scripts: bool) -> None:
    page = open_browser(java_script_enabled=scripts)
    journeys.open_product(page)
    network = page.context.new_cdp_session(page)
    network.send("Network.enable")
    slow = {"offline": False, "latency": 300, "downloadThroughput": 50e3, "uploadThroughput": 20e3}
    network.send("Network.emulateNetworkConditions", slow)
    page.get_by_test_id("contact").fill(journeys.phone())
    page.get_by_test_id("submit-order").dblclick()
    expect(page.get_by_test_id("sandbox-pay")).to_be_visible(timeout=20_000)

    assert len(orders_of(page)) == 1


def test_a_second_tab_and_the_back_button_are_the_same_order(open_browser: Open) -> None:
    page = open_browser(java_script_enabled=False)
    journeys.open_product(page)
    contact = journeys.phone()
    page.get_by_test_id("contact").fill(contact)
    page.get_by_test_id("submit-order").click()
    first = journeys.leave(page)

    page.go_back()
    page.go_back()
    page.get_by_test_id("contact").fill(contact)
    page.get_by_test_id("submit-order").click()
    again = journeys.leave(page)

    assert again == first
    assert len(orders_of(page)) == 1


def test_she_leaves_without_paying_and_pays_later(open_browser: Open) -> None:
    page = open_browser()
    journeys.place(page)
    number = journeys.leave(page)
    expect(page.get_by_test_id("order-state")).to_have_attribute("data-state", "pending")

    page.get_by_test_id("pay").click()

    assert journeys.pay(page) == number
    journeys.reveal(page)


def test_the_page_that_waits_brings_the_code_by_itself(open_browser: Open) -> None:
    page = open_browser()
    journeys.place(page)
    channel = page.url
    number = journeys.leave(page)
    other = page.context.new_page()
    other.goto(channel)
    other.get_by_test_id("sandbox-pay").click()

    expect(page.get_by_test_id("reveal")).to_be_visible(timeout=20_000)

    assert page.get_by_test_id("order-number").inner_text() == number


def test_she_cancels(open_browser: Open) -> None:
    page = open_browser()
    journeys.place(page)
    journeys.leave(page)

    page.locator("#cancel-button").click()

    state = page.get_by_test_id("order-state")
    expect(state).to_have_attribute("data-state", "cancelled", timeout=20_000)
    expect(page.get_by_role("link", name="重新购买")).to_be_visible()


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "bare"])
def test_a_wrong_contact_is_said_beside_the_field(open_browser: Open, scripts: bool) -> None:
    page = open_browser(java_script_enabled=scripts)
    journeys.open_product(page)
    page.locator("[name=quantity]").fill("2")
    page.get_by_test_id("contact").fill("13800")

    page.get_by_test_id("submit-order").click()

    field = page.get_by_test_id("contact")
    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator(f"#{field.get_attribute('aria-describedby')}")).to_be_visible()
    assert field.input_value() == "13800"
    assert page.locator("[name=quantity]").input_value() == "2"


def test_a_guest_finds_the_order_on_another_phone(open_browser: Open) -> None:
    page, contact = open_browser(), journeys.phone()
    journeys.place(page, contact=contact)
    number = journeys.pay(page)
    other = open_browser()

    other.goto("/lookup")
    other.locator("[name=number]").fill(number)
    other.locator("[name=contact]").fill(journeys.phone())
    other.locator("main form button").click()
    expect(other.locator("main .note--bad, main .field__error").first).to_be_visible()
    assert other.locator("[name=number]").input_value() == number

    other.locator("[name=contact]").fill(contact)
    other.locator("main form button").click()
    journeys.wait_until_delivered(other)
    journeys.reveal(other)


def test_a_strangers_browser_does_not_open_an_order(open_browser: Open) -> None:
    page = open_browser()
    journeys.place(page)
    number = journeys.pay(page)

    stranger = open_browser()
    answer = stranger.goto(f"/orders/{number}")

    assert answer is not None
    assert stranger.get_by_test_id("reveal").count() == 0


def test_the_wallet_of_an_account_follows_to_another_phone(open_browser: Open, shop: Shop) -> None:
    page = open_browser()
    journeys.sign_in(page, shop)
    journeys.place(page)
    number = journeys.pay(page)
    other = open_browser()
    journeys.sign_in(other, shop)

    other.goto("/wallet")
    other.locator(f'main a[href="/orders/{number}"]').first.click()
    journeys.wait_until_delivered(other)


def test_a_problem_is_reported_and_stays_on_the_page(open_browser: Open) -> None:
    page = open_browser()
    journeys.place(page)
    journeys.pay(page)

    page.get_by_text("卡密有问题？").click()
    page.locator("[name=text]").fill("兑换时提示已使用")
    page.get_by_role("button", name="提交").click()

    expect(page.get_by_text("兑换时提示已使用")).to_be_visible()
