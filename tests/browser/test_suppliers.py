"""The owner and her suppliers: one is added and tried, prices kept above cost, doubts settled."""

import csv
import io
import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from app.core import clock
from tests.browser import benefits, journeys
from tests.browser.benefits import MEMBERSHIP, account
from tests.browser.conftest import PHONE, Open
from tests.servers import Shop

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

PERIOD = "纸间自习室 月卡"


def environment(shop: Shop) -> dict[str, str]:
    """What `bin/run` wrote down about its own outside world."""
    lines = (shop.data_dir / "shop.env").read_text().splitlines()
    pairs = (line.partition("=") for line in lines if not line.startswith("#"))
    return {name: value for name, _, value in pairs}


@pytest.fixture(scope="module")
def owner_cookies(browser: Browser, shop: Shop) -> Any:
    """Who has just signed in with both factors is not asked for them again in these tests."""
    context = browser.new_context(viewport=PHONE, locale="zh-CN", base_url=shop.url)
    journeys.staff_sign_in(context.new_page(), shop)
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def owner(open_browser: Open, owner_cookies: Any) -> Page:
    return open_browser(storage_state=owner_cookies)


def open_admin(page: Page, product: str, link: str) -> None:
    """A page of that product in the console."""
    page.goto("/admin/products")
    page.get_by_role("link", name=product).click()
    page.get_by_role("link", name=link).click()
    page.wait_for_url(re.compile(r"/(offers|rules)$"))


def card(page: Page, title: str) -> Locator:
    return page.locator(".card").filter(has=page.get_by_role("heading", name=title))


def recharge_of(page: Page, order: str) -> None:
    """The recharge of an order, in the console."""
    page.goto(f"/admin/orders/{order}")
    page.get_by_role("link", name="查看充值").click()
    page.wait_for_url(re.compile("/admin/recharges/"))


def test_a_supplier_is_added_tried_and_priced(owner: Page, shop: Shop) -> None:
    given = environment(shop)
    owner.goto("/admin/providers")
    owner.get_by_role("link", name="添加供应商").click()
    owner.get_by_role("link", name="充值模拟器").click()
    owner.locator("[name=name]").fill("备用供应商")
    owner.locator("[name=slug]").fill("spare")
    owner.locator("[name=field_url]").fill(given["SIMULATOR_URL"])
    owner.locator("[name=field_merchant]").fill(given["SIMULATOR_MERCHANT"])
    owner.locator("[name=field_key]").fill(given["SIMULATOR_KEY"])
    owner.get_by_role("button", name="保存供应商").click()
    expect(owner.get_by_role("heading", name="备用供应商")).to_be_visible()

    owner.get_by_role("button", name="测试连接").click()
    expect(owner.get_by_text(re.compile(r"连接正常，余额 [\d,.]+ 元"))).to_be_visible()
    assert given["SIMULATOR_KEY"] not in owner.content()

    open_admin(owner, MEMBERSHIP, "充值报价")
    owner.locator("[name=provider_id]").select_option(label="备用供应商")
    owner.locator("[name=sku]").fill("10000101")
    form = owner.locator("form[action$='/offers']")
    form.locator("[name=cost]").fill("12.60")
    form.locator("[name=priority]").fill("3")
    form.get_by_role("button", name="添加报价").click()
    offer = card(owner, "备用供应商 · 10000101")
    expect(offer).to_contain_text("毛利 ¥3.30")
    expect(offer).to_contain_text("20.8%")

    offer.locator("[name=cost]").fill("16.00")
    offer.get_by_role("button", name="保存").click()
    expect(offer.get_by_role("alert")).to_have_text("售价低于成本，每卖一件亏 ¥0.10")


def test_a_wrong_key_is_found_out_by_the_test(owner: Page, shop: Shop) -> None:
    given = environment(shop)
    owner.goto("/admin/providers/new?adapter=simulator")
    owner.locator("[name=name]").fill("密钥抄错了")
    owner.locator("[name=slug]").fill("wrong-key")
    owner.locator("[name=field_url]").fill(given["SIMULATOR_URL"])
    owner.locator("[name=field_merchant]").fill(given["SIMULATOR_MERCHANT"])
    owner.locator("[name=field_key]").fill("0" * 64)
    owner.get_by_role("button", name="保存供应商").click()

    owner.get_by_role("button", name="测试连接").click()

    expect(owner.get_by_text("没有得到余额")).to_be_visible()
    calls = card(owner, "最近的调用")
    calls.locator("summary").first.click()
    expect(calls).to_contain_text("bad_sign")


def test_rules_of_use_change_for_later_buyers_only(open_browser: Open, owner: Page) -> None:
    before = open_browser()
    journeys.place(before, PERIOD)
    journeys.pay(before)

    open_admin(owner, PERIOD, "使用规则")
    owner.locator("[name=uses_per_day]").fill("2")
    owner.locator("[name=hours]").fill("")
    owner.locator("[name=duration]").fill("一阵子")
    owner.get_by_role("button", name="按这些规则出售").click()
    expect(owner.locator("[name=duration]")).to_have_attribute("aria-invalid", "true")
    expect(owner.locator("[name=uses_per_day]")).to_have_value("2")
    owner.locator("[name=duration]").fill("2个月")
    owner.get_by_role("button", name="按这些规则出售").click()
    expect(owner.get_by_text("从现在起按第 2 版规则出售")).to_be_visible()
    expect(owner.locator("[name=duration]")).to_have_value("2 个月")

    after = open_browser()
    journeys.open_product(after, PERIOD)
    expect(after.get_by_text("首次使用后 2 个月内有效")).to_be_visible()
    expect(after.get_by_text("每天最多 2 次")).to_be_visible()
    before.reload()
    expect(before.get_by_text("每天 07:00–23:00 可用")).to_be_visible()
    expect(before.get_by_text("首次使用后 1 个月内有效")).to_be_visible()
    assert before.get_by_text("每天最多 2 次").count() == 0


def test_a_doubt_is_rerouted_and_then_marked(open_browser: Open, owner: Page) -> None:
    buyer, number = open_browser(), account("6001")
    order = benefits.buy_recharge(buyer, number)
    # Where in the page the buyer is does not matter: she is told in place, without a tap.
    told = benefits.recharge(buyer)
    expect(told).to_have_attribute("data-state", "pending", timeout=20_000)

    recharge_of(owner, order)
    journeys.confirm(owner, "/review", reason="供应商说查不到了")
    expect(owner.get_by_text("供应商没有给出明确结果")).to_be_visible()
    expect(told).to_have_attribute("data-state", "review", timeout=20_000)

    journeys.confirm(owner, "/reroute", reason="供应商确认没有充值")
    expect(told).to_have_attribute("data-state", "pending", timeout=20_000)
    owner.reload()
    attempts = card(owner, "每次尝试")
    expect(attempts.locator(".slip")).to_have_count(2)

    journeys.confirm(owner, "/review", reason="第二家也没有答复")
    journeys.confirm(owner, "/delivery", reason="买家说已经到账")
    expect(owner.get_by_text("已标记为到账")).to_be_visible()
    benefits.arrives(buyer, number)
    state = buyer.get_by_test_id("order-state")
    expect(state).to_have_attribute("data-state", "delivered")


def test_what_is_given_up_is_refunded(open_browser: Open, owner: Page) -> None:
    buyer = open_browser()
    order = benefits.buy_recharge(buyer, account("6001"))
    expect(benefits.recharge(buyer)).to_have_attribute("data-state", "pending", timeout=20_000)

    recharge_of(owner, order)
    journeys.confirm(owner, "/review", reason="买家等不及了")
    journeys.confirm(owner, "/giving-up", reason="供应商确认没有充值")

    state = buyer.get_by_test_id("order-state")
    expect(state).to_have_attribute("data-state", "refunded", timeout=30_000)
    expect(buyer.get_by_text("已为这个订单退款 ¥49.80")).to_be_visible()


def test_a_statement_with_a_difference_is_settled(
    open_browser: Open, owner: Page, shop: Shop
) -> None:
    buyer, number = open_browser(), account()
    order = benefits.buy_recharge(buyer, number)
    benefits.arrives(buyer, number)
    recharge_of(owner, order)
    ours = card(owner, "每次尝试").locator(".figures").first.inner_text()
    today = f"{clock.today('Asia/Shanghai')}"
    url = f"{environment(shop)['SIMULATOR_URL']}/control/statement"
    theirs = httpx.get(url, params={"day": today}).raise_for_status().text
    rows = list(csv.DictReader(io.StringIO(theirs)))
    (row,) = (row for row in rows if row["number"] == ours)
    row["cost"] = "50.00"
    changed = io.StringIO(newline="")
    writer = csv.DictWriter(changed, rows[0])
    writer.writeheader()
    writer.writerows(rows)

    owner.goto("/admin/statements")
    owner.get_by_text("导入对账单").click()
    owner.locator("[name=provider_id]").select_option(label="模拟供应商")
    owner.locator("[name=day]").fill(today)
    owner.locator("[name=file]").set_input_files(
        {"name": "day.csv", "mimeType": "text/csv", "buffer": changed.getvalue().encode()}
    )
    owner.get_by_role("button", name="导入并比对").click()
    expect(owner.get_by_text(re.compile(rf"已导入 {len(rows)} 行，有 \d+ 条差异"))).to_be_visible()

    difference = owner.locator("tr").filter(has_text=ours)
    expect(difference).to_contain_text("成本不同")
    difference.locator("summary").click()
    difference.locator("[name=reason]").fill("供应商多收，已退回预存款")
    difference.locator("button[type=submit]").click()
    expect(owner.get_by_text("已标记为处理过")).to_be_visible()
    expect(difference).to_have_count(0)


def test_a_problem_is_solved_in_one_tap(open_browser: Open, owner: Page) -> None:
    buyer = open_browser()
    journeys.place(buyer)
    order = journeys.pay(buyer)
    code = journeys.reveal(buyer)
    buyer.get_by_text("卡密有问题？").click()
    buyer.locator("[name=text]").fill("兑换时提示已使用")
    buyer.get_by_role("button", name="提交").click()
    expect(buyer.get_by_text("兑换时提示已使用")).to_be_visible()

    owner.goto(f"/admin/orders/{order}")
    expect(owner.get_by_text("兑换时提示已使用")).to_be_visible()
    journeys.confirm(owner, "/replacement")
    expect(owner.get_by_text("已处理并回复买家")).to_be_visible()

    buyer.reload()
    expect(buyer.get_by_text("已为你更换新的卡密")).to_be_visible()
    assert journeys.reveal(buyer) != code
