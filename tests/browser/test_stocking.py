"""Staff stock the shelf: codes from a file or made here, taken back, frozen, made void."""

import itertools
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import journeys, staff
from tests.browser.conftest import FACES, Open

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

_numbers = itertools.count(1)


def new_codes(count: int) -> list[str]:
    """Codes of a supplier's that nobody has had yet."""
    return [f"{staff.IN_A_FILE}{next(_numbers):03d}-{next(_numbers):04d}" for _ in range(count)]


def test_from_an_empty_shelf_to_a_code_in_a_buyers_hand(console: Page, open_browser: Open) -> None:
    name, codes = f"新到的卡 {next(_numbers)}", new_codes(3)
    console.goto("/admin/products/new")
    console.locator("[name=name]").fill(name)
    console.locator("[name=price]").fill("12.50")
    console.get_by_role("button", name="保存商品").click()
    staff.was_told(console, "商品已保存为草稿")
    console.get_by_role("button", name="上架").click()
    staff.was_told(console, "已上架")
    shelf = console.get_by_role("link", name="在店里查看").get_attribute("href") or ""

    staff.upload(console, name, [*codes, codes[0]])
    expect(staff.figure(console, "新卡密")).to_have_text("3")
    expect(staff.figure(console, "重复")).to_have_text("1")
    for code in codes:
        expect(console.locator("main")).not_to_contain_text(code)
    console.get_by_test_id("import-submit").click()
    expect(console.get_by_text("已经上架，可以出售")).to_be_visible(timeout=20_000)
    expect(console.get_by_test_id("import-progress")).to_contain_text("4 / 4")
    expect(console.get_by_role("table", name="没有导入的行")).to_contain_text("重复")

    buyer = open_browser()
    journeys.place(buyer, path=shelf)
    journeys.pay(buyer)
    assert journeys.reveal(buyer) in codes


def test_an_import_is_taken_back_and_may_come_again(open_console: Open) -> None:
    console = open_console(**FACES["bare phone"])
    product, codes = "每日听书 半年卡", new_codes(2)
    staff.import_codes(console, product, codes)

    staff.confirm(console, "/undoing", reason="传错了文件")

    expect(console.get_by_text("已经撤销，这些卡密不再出售")).to_be_visible()
    staff.upload(console, product, codes)
    staff.comes_to(console, "新卡密", "2")
    expect(staff.figure(console, "重复")).to_have_text("0")


def test_what_was_sold_from_is_not_taken_back(open_console: Open, open_browser: Open) -> None:
    console, codes = open_console(), new_codes(1)
    staff.import_codes(console, "一杯咖啡 电子券", codes)
    imported = console.url
    buyer = open_browser()
    journeys.place(buyer, "一杯咖啡 电子券")
    journeys.pay(buyer)

    console.goto(imported)

    expect(console.locator('form[action$="/undoing"]')).to_have_count(0)
    assert journeys.reveal(buyer) in codes


def test_a_file_that_is_none_is_refused_beside_its_field(open_console: Open) -> None:
    console = open_console()
    console.goto("/admin/imports/new")
    broken = {"name": "codes.xlsx", "mimeType": "application/zip", "buffer": b"not a workbook"}
    console.get_by_test_id("import-file").set_input_files(broken)

    console.get_by_test_id("import-submit").click()

    expect(console.get_by_test_id("import-file")).to_have_attribute("aria-invalid", "true")
    expect(console.locator(".field__error")).to_be_visible()


def test_our_own_codes_are_made_frozen_and_made_void(open_console: Open) -> None:
    console = open_console()
    console.goto("/admin/generations/new")
    console.locator("[name=product]").select_option(label="青柠音乐 季卡")
    console.locator("[name=count]").fill("25")
    console.locator("[name=name]").fill(f"自制 {next(_numbers)}")
    console.get_by_test_id("import-submit").click()
    expect(console.get_by_text("已经上架，可以出售")).to_be_visible(timeout=20_000)
    expect(console.get_by_test_id("import-progress")).to_contain_text("25 / 25")

    console.locator('main a[href^="/admin/batches/"]').click()
    expect(staff.figure(console, "可售")).to_have_text("25")
    staff.confirm(console, "/freezing", reason="先停一下")
    staff.was_told(console, "冻结")
    staff.confirm(console, "/freezing/deletion", reason="没有问题")
    staff.confirm(console, "/voiding", reason="供应商收回")

    expect(console.locator("aside")).to_contain_text("已作废")
    # Nothing is left to do but to destroy its keys.
    expect(console.locator("main form")).to_have_count(1)
    expect(console.locator("main form")).to_have_attribute("action", re.compile("/shredding$"))
    staff.comes_to(console, "已作废", "25")
    expect(staff.figure(console, "可售")).to_have_text("0")
