"""A pass: made in the console, bought on a phone, used at the counter, by typing and by camera."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserType, Page, expect

from tests.browser import camera, journeys, staff
from tests.browser.benefits import buy_code
from tests.browser.conftest import PHONE, Door, Open
from tests.servers import Shop
from tests.watching import Watched

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

GYM = "街角健身 10 次卡"


def make_pass(page: Page, name: str, uses: int) -> None:
    """A product whose codes are good for so many uses, from nothing to the shelf."""
    page.goto("/admin/products/new")
    page.locator("[name=name]").fill(name)
    page.locator("[name=price]").fill("60")
    page.locator("[name=kind]").select_option("multi")
    page.get_by_role("button", name="保存商品").click()
    page.wait_for_url(re.compile(r"/admin/products/\d+$"))
    product = page.url

    page.get_by_role("link", name="使用规则").click()
    page.locator("[name=anchor]").select_option("fixed")
    page.locator("[name=uses_total]").fill(str(uses))
    page.get_by_role("button", name="按这些规则出售").click()
    expect(page.locator(".timeline")).to_contain_text(f"共 {uses} 次")

    page.goto(f"/admin/generations/new?product={product.rpartition('/')[2]}")
    page.locator("[name=count]").fill("3")
    page.get_by_test_id("import-submit").click()
    expect(page.get_by_test_id("import-progress")).to_contain_text("3", timeout=20_000)

    page.goto(product)
    page.get_by_role("button", name="上架").click()
    expect(page.get_by_role("button", name="下架")).to_be_visible()


def look_up(page: Page, code: str) -> None:
    """At the counter, what a customer said."""
    page.goto("/admin/counter")
    page.get_by_test_id("counter-code").fill(code)
    page.locator("#counter-form button").click()
    expect(page.get_by_test_id("counter-pass")).to_be_visible()


def show(page: Page, left: int) -> None:
    """The pass as its buyer holds it up."""
    page.get_by_test_id("show-pass").click()
    expect(page.get_by_test_id("uses-left")).to_contain_text(f"还剩 {left} 次")


def test_three_uses_and_the_fourth_is_refused(open_browser: Open, open_console: Open) -> None:
    desk = open_console(viewport=PHONE)
    make_pass(desk, "手作陶艺 三次卡", 3)
    buyer = open_browser()
    code = buy_code(buyer, "手作陶艺 三次卡")
    show(buyer, 3)
    expect(buyer.locator(".dots__dot")).to_have_count(3)

    look_up(desk, code.lower())
    for number in (1, 2, 3):
        desk.get_by_test_id("take-use").click()
        expect(desk.get_by_text(f"已核销第 {number} 次")).to_be_visible()
        expect(desk.get_by_test_id("uses-left")).to_contain_text(f"还剩 {3 - number} 次")
        buyer.reload()
        expect(buyer.get_by_test_id("uses-left")).to_contain_text(f"还剩 {3 - number} 次")
        expect(buyer.locator(".dots__dot--used")).to_have_count(number)

    look_up(desk, code)
    counter = desk.get_by_test_id("counter-pass")
    expect(counter).to_have_attribute("data-slug", "code-used")
    expect(counter).to_contain_text(re.compile(r"已于 \d{4}-\d\d-\d\d \d\d:\d\d 用完"))
    assert desk.get_by_test_id("take-use").count() == 0
    expect(buyer.locator("#showing")).to_contain_text("用完")
    assert buyer.locator("#showing .qr").count() == 0


def test_the_pass_draws_itself_anew(open_browser: Open) -> None:
    """By itself the page asks for the picture of now, which is another one every half minute."""
    page = open_browser()
    journeys.place(page, GYM)
    journeys.pay(page)
    page.clock.install()
    show(page, 10)
    showing = urlsplit(page.url).path

    for _ in range(2):
        with page.expect_response(lambda answer: urlsplit(answer.url).path == showing) as asked:
            page.clock.run_for(16_000)
        assert asked.value.status == 200
        expect(page.locator("#showing img")).to_be_visible()


@pytest.fixture
def counter(
    browser_type: BrowserType,
    browser_type_launch_args: dict[str, Any],
    tmp_path: Path,
    shop: Shop,
    door: Door,
    watched: Watched,
) -> Iterator[Page]:
    """A phone at the counter, whose camera sees what is put into `tmp_path`."""
    arguments = [*browser_type_launch_args["args"], *camera.switches(tmp_path / "seen.y4m")]
    with browser_type.launch(**browser_type_launch_args | {"args": arguments}) as browser:
        context = watched.open(
            browser, shop.url, viewport=PHONE, locale="zh-CN", storage_state=door.open()
        )
        yield context.new_page()


def scan(counter: Page, buyer: Page, video: Path) -> None:
    """The buyer shows the pass of this moment, and the counter looks at it."""
    counter.goto("/admin/counter")
    buyer.reload()
    camera.hold_up(buyer.locator("#showing .qr").screenshot(), video)
    counter.get_by_test_id("open-camera").click()


def test_the_camera_takes_a_use_and_gives_it_back(
    open_browser: Open, counter: Page, tmp_path: Path
) -> None:
    buyer = open_browser()
    journeys.place(buyer, GYM)
    journeys.pay(buyer)
    show(buyer, 10)

    scan(counter, buyer, tmp_path / "seen.y4m")
    expect(counter.get_by_test_id("counter-pass")).to_be_visible(timeout=20_000)
    expect(counter.get_by_role("heading", name=GYM)).to_be_visible()
    counter.get_by_test_id("take-use").click()
    expect(counter.get_by_test_id("uses-left")).to_contain_text("还剩 9 次")

    staff.confirm(counter, "/undo", reason="扫错了顾客")
    expect(counter.get_by_text("已撤销，次数已还给顾客")).to_be_visible()
    expect(counter.get_by_test_id("uses-left")).to_contain_text("还剩 10 次")
    buyer.reload()
    expect(buyer.get_by_test_id("uses-left")).to_contain_text("还剩 10 次")


def test_one_showing_is_good_for_one_use(open_browser: Open, counter: Page, tmp_path: Path) -> None:
    buyer = open_browser()
    journeys.place(buyer, GYM)
    journeys.pay(buyer)
    show(buyer, 10)
    scan(counter, buyer, tmp_path / "seen.y4m")
    counter.get_by_test_id("take-use").click(timeout=20_000)

    counter.get_by_test_id("take-use").click()

    expect(counter.get_by_text("这个二维码刚刚已经核销过")).to_be_visible()
    expect(counter.get_by_test_id("uses-left")).to_contain_text("还剩 9 次")
