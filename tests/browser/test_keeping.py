"""The owner keeps the shop: who may come in, what it is called, how it is."""

import itertools
import re

import pyotp
import pytest
from playwright.sync_api import Page, expect

from tests.browser import staff
from tests.browser.conftest import FACES, Open

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PASSWORD = "a sentence nobody guesses"
_numbers = itertools.count(1)


def test_a_member_is_invited_comes_in_and_is_shut_out(
    console: Page, open_browser: Open, request: pytest.FixtureRequest
) -> None:
    name, login = f"小林 {next(_numbers)}", f"member{next(_numbers)}@example.com"
    console.goto("/admin/people/new")
    console.locator("[name=name]").fill(name)
    console.locator("[name=contact]").fill(login)
    console.locator("[name=role]").select_option(label="客服")
    console.get_by_role("button", name="生成邀请链接").click()
    link = console.get_by_test_id("invitation-link").inner_text()

    member = open_browser(**FACES["bare phone"])
    member.goto(link)
    member.locator("[name=password]").fill(PASSWORD)
    member.get_by_role("button", name="保存密码").click()
    staff.was_told(member, "密码已设置，请登录")
    staff.sign_in(member, login, PASSWORD)
    member.get_by_text("不能扫码，手动输入").click()
    totp = pyotp.TOTP(member.locator("#totp-secret").inner_text().replace(" ", ""))
    member.get_by_test_id("totp").fill(totp.now())
    member.get_by_test_id("sign-in").click()
    recovery = member.get_by_test_id("recovery-codes").inner_text().split()
    assert len(set(recovery)) == 10
    member.get_by_role("link", name="已保存，继续").click()
    expect(member.get_by_role("heading", name="首页")).to_be_visible()
    assert member.locator('.rail a[href="/admin/people"]').count() == 0

    # The phone is lost: the password, and one of the codes on paper.
    member.context.clear_cookies()
    staff.sign_in(member, login, PASSWORD)
    member.get_by_text("验证器不在身边").click()
    member.locator("[name=recovery_code]").fill(recovery[0])
    member.get_by_role("button", name="用恢复码登录").click()
    member.wait_for_url(re.compile("/admin/$"))

    console.goto("/admin/people")
    console.get_by_role("link", name=name).click()
    staff.confirm(console, "/disablement", reason="离职了")
    staff.was_told(console, "账号已停用")
    member.reload()
    member.wait_for_url(re.compile("/admin/sign-in"))
    staff.sign_in(member, login, PASSWORD)
    expect(member.get_by_text("账号、密码或验证码不对")).to_be_visible()


def test_what_the_owner_decides_is_on_the_shop_at_once(
    open_console: Open, open_browser: Open
) -> None:
    console = open_console(**FACES["bare phone"])
    words = f"周末照常发货 {next(_numbers)}"
    console.goto("/admin/settings")
    console.locator("[name=announcement]").fill(words)
    console.locator("[name=hold_minutes]").fill("20")
    console.get_by_role("button", name="保存", exact=True).click()
    staff.was_told(console, "设置已保存")

    buyer = open_browser()
    buyer.goto("/")
    for _ in range(100):
        if buyer.get_by_text(words).is_visible():
            break
        buyer.reload()
    expect(buyer.get_by_text(words)).to_be_visible()

    console.locator("[name=zone]").fill("Nowhere/Else")
    console.get_by_role("button", name="保存", exact=True).click()
    expect(console.locator("[name=zone]")).to_have_attribute("aria-invalid", "true")
    assert console.locator("[name=zone]").input_value() == "Nowhere/Else"
    assert console.locator("[name=announcement]").input_value() == words


def test_the_shop_says_how_it_is(open_console: Open) -> None:
    console = open_console()
    console.goto("/admin/health")
    expect(staff.figure(console, "队列")).to_have_text("运转正常")
    expect(console.get_by_text("没有失败的任务")).to_be_visible()

    console.get_by_role("link", name="运行全面检查").click()

    expect(console.locator("#findings .note--good")).to_have_text("全部通过")
    expect(console.locator("#findings tbody tr").first).to_contain_text("通过")


def test_the_rail_of_a_phone_opens_without_a_script(open_console: Open) -> None:
    console = open_console(**FACES["bare phone"])
    console.goto("/admin/")
    expect(console.locator("#rail")).to_be_hidden()

    console.get_by_role("button", name="打开导航").click()
    console.locator("#rail").get_by_role("link", name="订单").click()

    console.wait_for_url(re.compile("/admin/orders"))


def test_slash_goes_to_the_search(open_console: Open) -> None:
    console = open_console()
    console.goto("/admin/")

    console.keyboard.press("/")
    console.keyboard.type("星河")
    console.keyboard.press("Enter")

    console.wait_for_url(re.compile("/admin/orders"))
    assert console.locator("#filter-q").input_value() == "星河"
