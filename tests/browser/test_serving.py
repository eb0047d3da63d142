"""Staff serve buyers: find an order, confirm money, give it back, replace what is bad."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import journeys, staff
from tests.browser.conftest import FACES, Open
from tests.servers import Shop

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def bought(page: Page, contact: str = "") -> str:
    """A paid and delivered order of this browser's; its number."""
    journeys.place(page, contact=contact)
    return journeys.pay(page)


def is_now(page: Page, state: str) -> None:
    """The buyer's page comes to that by itself."""
    shown = page.get_by_test_id("order-state")
    expect(shown).to_have_attribute("data-state", state, timeout=20_000)


def test_an_order_is_found_by_whatever_the_buyer_quotes(
    open_console: Open, open_browser: Open
) -> None:
    console = open_console()
    buyer, contact = open_browser(), journeys.phone()
    number = bought(buyer, contact)
    last_four = journeys.reveal(buyer)[-4:]

    for quoted in (number, contact, last_four):
        console.goto("/admin/orders")
        console.locator("#filter-q").fill(quoted)
        console.locator(".filters button[type=submit]").click()
        assert f"q={quoted}" in console.url
        expect(console.locator("main tbody")).to_contain_text(number)

    console.locator("#filter-state").select_option(label="待付款")
    console.locator(".filters button[type=submit]").click()
    assert "state=pending" in console.url
    expect(console.get_by_text("没有符合条件的订单")).to_be_visible()
    console.reload()
    assert console.locator("#filter-q").input_value() == last_four
    console.locator(".filters").get_by_role("link", name="清除筛选").click()
    expect(console.locator("main tbody")).to_contain_text(number)


def test_a_transfer_is_confirmed_and_delivers(console: Page, open_browser: Open) -> None:
    buyer = open_browser()
    journeys.open_product(buyer)
    buyer.get_by_test_id("contact").fill(journeys.phone())
    buyer.locator("[name=channel][value=transfer]").check()
    buyer.get_by_test_id("submit-order").click()
    expect(buyer.get_by_text("6222 0000 0000 0000")).to_be_visible()
    number = buyer.get_by_test_id("order-number").inner_text()

    staff.find_order(console, number)
    staff.confirm(console, "/confirmation", trade_number=f"ICBC-{number}")
    staff.was_told(console, "已确认到账")

    journeys.wait_until_delivered(buyer)
    journeys.reveal(buyer)


def test_a_part_and_then_the_rest_goes_back(console: Page, open_browser: Open) -> None:
    buyer = open_browser()
    number = bought(buyer)
    staff.find_order(console, number)

    staff.confirm(console, "/refunds", amount="5.00", reason="补偿迟到")
    staff.was_told(console, "退款已提交，会原路退回")
    expect(staff.fact(console, "已退")).to_have_text("¥5.00")
    expect(staff.ask(console, "/refunds").locator("[name=amount]")).to_have_value("10.90")
    console.reload()
    staff.confirm(console, "/refunds", reason="其余也退")
    staff.was_told(console, "退款已提交，会原路退回")
    expect(console.locator('form[action$="/refunds"]')).to_have_count(0)

    buyer.reload()
    is_now(buyer, "refunded")
    expect(buyer.get_by_text("款项已原路退回。")).to_be_visible()
    expect(buyer.get_by_test_id("reveal")).to_have_count(0)
    console.reload()
    expect(console.locator("aside").get_by_text("订单已全额退款")).to_be_visible()


def test_more_than_was_paid_does_not_go_back(open_console: Open, open_browser: Open) -> None:
    number = bought(open_browser())
    console = open_console()
    staff.find_order(console, number)

    staff.confirm(console, "/refunds", amount="15.91", reason="多退一分")

    expect(console.locator("#flash .note--bad")).to_be_visible()
    expect(staff.fact(console, "小计")).to_have_text("¥15.90")
    expect(console.locator('dt:text-is("已退")')).to_have_count(0)


def test_a_reported_code_is_replaced_and_the_buyer_told(console: Page, open_browser: Open) -> None:
    buyer = open_browser()
    number = bought(buyer)
    bad = journeys.reveal(buyer)
    buyer.get_by_text("卡密有问题？").click()
    buyer.locator("[name=text]").fill("提示已使用")
    buyer.get_by_role("button", name="提交").click()

    console.goto("/admin/")
    console.locator(".tile").filter(has_text="买家反馈的问题").click()
    console.locator(f'main a[href="/admin/orders/{number}"]').click()
    expect(console.locator("main")).to_contain_text("提示已使用")
    code = console.locator('main form[action*="/codes/"][action$="/replacement"]').first
    action = code.get_attribute("action") or ""
    staff.confirm(console, action, reason="供应商说是坏卡")
    staff.was_told(console, "已作废坏卡并换上新的")
    console.locator("[name=answer]").fill("换了一条新的，请再试")
    console.get_by_role("button", name="发送回复").click()
    staff.was_told(console, "已回复")

    buyer.reload()
    expect(buyer.get_by_text("换了一条新的，请再试")).to_be_visible()
    assert journeys.reveal(buyer) != bad


def test_a_member_of_staff_sees_a_code_with_a_reason_and_leaves_a_trace(
    open_console: Open, open_browser: Open
) -> None:
    console = open_console(**FACES["bare phone"])
    buyer = open_browser()
    number = bought(buyer)
    code = journeys.reveal(buyer)
    staff.find_order(console, number)
    expect(console.locator("main")).not_to_contain_text(code)

    staff.confirm(console, "/reveal", reason=f"买家读不清 {number}")
    expect(console.locator("main code").first).to_have_text(code)
    assert code not in console.url

    console.goto("/admin/reveals")
    row = console.locator("main tbody tr").filter(has_text=f"买家读不清 {number}")
    expect(row).to_contain_text("店主")
    expect(row).to_contain_text("后台")


def test_a_new_link_opens_the_order_and_the_old_one_no_more(
    open_console: Open, open_browser: Open
) -> None:
    number = bought(open_browser())
    console = open_console()
    links = []
    for _ in range(2):
        staff.find_order(console, number)
        staff.confirm(console, "/link")
        links.append(console.locator("main .note code").inner_text())

    stranger = open_browser()
    stranger.goto(links[0])
    expect(stranger.get_by_test_id("reveal")).to_have_count(0)
    stranger.goto(links[1])
    journeys.wait_until_delivered(stranger)
    assert stranger.url.endswith(f"/orders/{number}")


def test_money_wants_a_fresh_proof_of_who_is_there(open_browser: Open, shop: Shop) -> None:
    number = bought(open_browser())
    console = open_browser(**FACES["bare phone"])
    staff.sign_in_as_owner(console, shop)
    staff.find_order(console, number)
    staff.let_five_minutes_pass(console, shop)

    staff.confirm(console, "/refunds", amount="1.00", reason="补偿")
    console.wait_for_url(re.compile("/admin/step-up"))
    console.get_by_test_id("password").fill("not it")
    console.get_by_test_id("totp").fill("000000")
    console.get_by_test_id("step-up").click()
    expect(console.locator("main .note--bad")).to_be_visible()
    console.get_by_test_id("password").fill(shop.demo["admin"]["password"])
    console.get_by_test_id("totp").fill(shop.one_time_code())
    console.get_by_test_id("step-up").click()

    console.wait_for_url(re.compile(f"/admin/orders/{number}"))
    staff.was_told(console, "请继续刚才的操作")
    staff.confirm(console, "/refunds", amount="1.00", reason="补偿")
    staff.was_told(console, "退款已提交，会原路退回")
