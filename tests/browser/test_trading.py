"""A distributor on her phone tops up, buys at her tier price, and recharges a list of accounts."""

import re
import sqlite3
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser import journeys
from tests.browser.conftest import Open
from tests.locked_zips import opened
from tests.servers import Shop

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]

RECHARGED = "星河视频会员 直充月卡"
BEYOND = "document.documentElement.scrollWidth"


def give_everybody_a_discount(shop: Shop) -> None:
    with sqlite3.connect(shop.data_dir / "shop.db", timeout=15) as books:
        books.execute("UPDATE tiers SET discount_bp = 500")
    books.close()


def fen(text: str) -> int:
    found = re.search(r"[\d,]+\.\d\d", text)
    assert found is not None, text
    return int(re.sub(r"\D", "", found[0]))


def open_in_price_list(page: Page, name: str) -> int:
    """The product's page in the portal; what one costs her, in fen."""
    page.goto("/portal/prices")
    row = page.locator("li", has_text=name)
    price = fen(row.get_by_test_id("tier-price").inner_text())
    row.get_by_test_id("buy").click()
    page.wait_for_url(re.compile("/portal/purchases/new"))
    assert page.evaluate(BEYOND) <= 360
    return price


def test_from_a_top_up_to_codes_and_a_list_of_accounts(
    open_browser: Open, shop: Shop, tmp_path: Path
) -> None:
    give_everybody_a_discount(shop)
    page = open_browser()
    journeys.sign_in(page, shop, "distributor")

    page.goto("/portal/top-ups/new")
    page.locator("label.choice", has_text="500").first.click()
    page.get_by_test_id("pay-top-up").click()
    page.get_by_test_id("sandbox-pay").click()
    page.wait_for_url(re.compile("/orders/"))
    page.get_by_test_id("to-balance").click(timeout=20_000)
    assert fen(page.get_by_test_id("balance").inner_text()) == 50_000

    price = open_in_price_list(page, journeys.PRODUCT)
    page.locator("[name=quantity]").fill("3")
    page.get_by_test_id("buy").click()
    expect(page.get_by_test_id("download")).to_be_visible()
    assert page.evaluate(BEYOND) <= 360
    password = page.locator("[name=password]").input_value()
    with page.expect_download() as download:
        page.get_by_test_id("download").click()
    _name, text = opened(download.value.path().read_bytes(), password)
    page.get_by_test_id("see-codes").click()
    page.get_by_test_id("reveal").click()
    expect(page.get_by_test_id("code")).to_have_count(3)
    seen = [re.sub(r"\s", "", one) for one in page.get_by_test_id("code").all_inner_texts()]
    assert [line.split()[0] for line in text.decode("utf-8-sig").splitlines()] == seen

    unit = open_in_price_list(page, RECHARGED)
    customers = tmp_path / "customers.csv"
    customers.write_text("手机号\n13912340000\n1391234\n13912340010,2\n", "gb18030")
    page.locator("[name=file]").set_input_files(customers)
    page.get_by_test_id("preview").click()
    expect(page.get_by_test_id("faults").locator("li")).to_have_count(1)
    page.get_by_test_id("buy-good").click()
    results = page.get_by_test_id("results").locator("li")
    expect(results).to_have_count(2)
    for row in results.all():
        expect(row).to_have_attribute("data-state", "delivered", timeout=20_000)

    page.goto("/portal/balance")
    left = fen(page.get_by_test_id("balance").inner_text())
    assert left == 50_000 - 3 * price - 3 * unit
    assert price < 50_000 // 3 and page.evaluate(BEYOND) <= 360
