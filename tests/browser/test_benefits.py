"""A buyer on a phone: paid, and it has arrived; a code becomes a benefit with a tap, or typed."""

import re
import unicodedata

import pytest
from playwright.sync_api import Page, expect

from tests.browser import benefits, journeys
from tests.browser.benefits import MEMBERSHIP, REDEEM_CODE, TOP_UP, account, masked
from tests.browser.conftest import Open
from tests.servers import Shop

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

ARRIVED = {"zh-CN": "已到账", "en-US": "Arrived"}
TOLD_WHICH_GROUP = {"zh-CN": "第 3 组", "en-US": "group 3"}


def full_width(code: str) -> str:
    """As an input method for Chinese types it."""
    wide = "".join(chr(ord(symbol) + 0xFEE0) for symbol in code)
    assert unicodedata.normalize("NFKC", wide) == code
    return wide


def with_typo(code: str) -> str:
    """Another letter first in the third group."""
    groups = code.split("-")
    groups[2] = ("B" if groups[2][0] == "A" else "A") + groups[2][1:]
    return "-".join(groups)


def type_code(page: Page, code: str) -> None:
    page.goto("/redeem")
    page.get_by_test_id("redeem-code").fill(code)
    page.get_by_test_id("redeem-next").click()


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "bare"])
@pytest.mark.parametrize("locale", ARRIVED)
def test_read_back_paid_and_arrived(open_browser: Open, locale: str, scripts: bool) -> None:
    page, number = open_browser(locale=locale, java_script_enabled=scripts), account()

    benefits.buy_recharge(page, number)

    benefits.arrives(page, number)
    expect(benefits.recharge(page)).to_contain_text(ARRIVED[locale])
    expect(page.locator(".stages__stage--done")).to_have_count(4)
    state = page.get_by_test_id("order-state")
    expect(state).to_have_attribute("data-state", "delivered")
    assert number not in page.content()


def test_an_account_that_was_changed_is_read_back_again(open_browser: Open) -> None:
    page, wrong, right = open_browser(), account(), account()
    journeys.open_product(page, MEMBERSHIP)
    page.get_by_test_id("account").fill(wrong)
    page.get_by_test_id("submit-order").click()
    expect(page.get_by_test_id("account-to-confirm")).to_have_text(benefits.grouped(wrong))

    benefits.read_back(page, right, "submit-order")
    page.get_by_test_id("sandbox-pay").click()

    benefits.arrives(page, right)


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "bare"])
def test_a_wrong_account_is_said_beside_the_field(open_browser: Open, scripts: bool) -> None:
    page = open_browser(java_script_enabled=scripts)
    journeys.open_product(page, TOP_UP)
    field = page.get_by_test_id("account")
    field.fill("1391234")

    page.get_by_test_id("submit-order").click()

    expect(field).to_have_attribute("aria-invalid", "true")
    expect(page.locator(f"#{field.get_attribute('aria-describedby')}")).to_contain_text("11 位")
    assert field.input_value() == "1391234"
    assert page.get_by_test_id("account-to-confirm").count() == 0


def test_what_every_provider_refuses_is_refunded_by_itself(open_browser: Open) -> None:
    page, number = open_browser(), account("2001")

    benefits.buy_recharge(page, number)

    expect(page.get_by_test_id("order-state")).to_have_attribute(
        "data-state", "refunded", timeout=30_000
    )
    expect(benefits.recharge(page)).to_have_attribute("data-state", "failed")
    expect(page.get_by_test_id("recharge-account")).to_have_text(masked(number))
    expect(page.get_by_text("已为这个订单退款 ¥49.80")).to_be_visible()
    expect(page.get_by_role("link", name="重新购买")).to_be_visible()


def test_a_slow_one_shows_its_steps_live(open_browser: Open) -> None:
    page, number = open_browser(), account("1001")
    benefits.buy_recharge(page, number)
    # Neither the page nor the way to it is left: the steps come into this very page.
    page.evaluate("window.isStillThere = true")
    first = benefits.recharge(page).get_attribute("data-state")
    reached = page.locator(".stages__stage--now")

    assert first in ("queued", "sending", "pending")
    expect(reached).to_have_count(1)
    benefits.arrives(page, number)
    expect(reached).to_have_count(0)
    assert page.evaluate("window.isStillThere")


@pytest.mark.parametrize("scripts", [True, False], ids=["script", "bare"])
def test_one_tap_from_the_order_to_the_account(open_browser: Open, scripts: bool) -> None:
    page, number = open_browser(java_script_enabled=scripts), account()
    journeys.place(page, REDEEM_CODE)
    order = journeys.pay(page)

    page.get_by_test_id("redeem-now").click()
    assert page.url.endswith("/redeem/code"), "the link's secret stays in the address"
    benefits.redeem(page, number)

    page.goto(f"/orders/{order}")
    benefits.arrives(page, number)
    assert page.get_by_test_id("redeem-now").count() == 0


def test_a_link_that_was_given_away_works_once(open_browser: Open, shop: Shop) -> None:
    page, friend, late = open_browser(), open_browser(locale="en-US"), open_browser()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=shop.url)
    journeys.place(page, REDEEM_CODE)
    journeys.pay(page)
    page.get_by_test_id("copy-link").click()
    expect(page.get_by_test_id("copy-link")).to_contain_text("已复制")
    link = page.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{shop.url}/r/")
    late.goto(link)
    number = account()

    friend.goto(link)
    benefits.redeem(friend, number)

    # Who had it open all the while is told, and so is its buyer.
    late.get_by_test_id("account").fill(account())
    late.get_by_test_id("redeem-submit").click()
    expect(late.get_by_test_id("redeem")).to_have_attribute("data-slug", "code-used")
    expect(late.get_by_test_id("recharge-account")).to_have_text(masked(number))
    assert late.get_by_test_id("redeem-submit").count() == 0
    page.reload()
    benefits.arrives(page, number)


@pytest.mark.parametrize("locale", TOLD_WHICH_GROUP)
def test_a_typing_slip_is_told_and_mended(open_browser: Open, locale: str) -> None:
    code = benefits.buy_code(open_browser())
    friend, number = open_browser(locale=locale), account()

    type_code(friend, with_typo(code))
    field = friend.get_by_test_id("redeem-code")
    said = friend.locator(f"#{field.get_attribute('aria-describedby')}")
    expect(said).to_contain_text(TOLD_WHICH_GROUP[locale])
    expect(field).to_have_value(with_typo(code))
    expect(field).to_be_focused()

    field.fill(code)
    friend.get_by_test_id("redeem-next").click()
    benefits.redeem(friend, number)


@pytest.mark.parametrize(
    "typed",
    [
        pytest.param(full_width, id="full width"),
        pytest.param(str.lower, id="lower case"),
        pytest.param(lambda code: f"  {code.replace('-', ' ')} ", id="spaces"),
        pytest.param(lambda code: code.replace("-", ""), id="in one go"),
    ],
)
def test_a_code_may_be_typed_as_it_comes(open_browser: Open, typed: benefits.Spelling) -> None:
    code = benefits.buy_code(open_browser())
    friend = open_browser()

    type_code(friend, typed(code))

    expect(friend.get_by_test_id("redeem-submit")).to_be_visible()
    assert friend.url.endswith("/redeem/code")


def test_a_used_code_says_when_and_for_whom_to_its_owner_alone(open_browser: Open) -> None:
    page, stranger, number = open_browser(), open_browser(), account()
    code = benefits.buy_code(page)
    type_code(page, code)
    benefits.redeem(page, number)

    type_code(page, code)
    expect(page.get_by_test_id("redeem")).to_have_attribute("data-slug", "code-used")
    benefits.arrives(page, number)
    expect(page.get_by_test_id("redeem")).to_contain_text(re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d"))

    type_code(stranger, code)
    expect(stranger.get_by_test_id("redeem")).to_have_attribute("data-slug", "code-unusable")
    expect(stranger.get_by_test_id("redeem")).to_contain_text("现在不能使用")
    assert masked(number) not in stranger.content()


def test_what_nobody_could_deliver_leaves_the_code_to_be_tried_again(open_browser: Open) -> None:
    page, right = open_browser(), account()
    journeys.place(page, REDEEM_CODE)
    journeys.pay(page)
    page.get_by_test_id("redeem-now").click()

    benefits.read_back(page, account("2001"), "redeem-submit")
    expect(benefits.recharge(page)).to_have_attribute("data-state", "given_back", timeout=30_000)

    benefits.redeem(page, right)
