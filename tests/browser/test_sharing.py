"""A friend's link on a phone: followed, bought by, earned by, withdrawn, and put on paper."""

import io
import re
import sqlite3

import pytest
from playwright.sync_api import Page, expect
from pypdf import PdfReader

from tests.browser import journeys, staff
from tests.browser.conftest import DESK, Door, Open
from tests.servers import Shop

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]
SELLER = "阿岚的会员铺"


def whose(shop: Shop, number: str) -> tuple[str, str, str] | None:
    """The distributor's name, the rule, and why it earns nothing."""
    with sqlite3.connect(shop.data_dir / "shop.db", timeout=15) as books:
        found = books.execute(
            "SELECT d.name, a.rule, a.earns_nothing_because FROM attributions a"
            " JOIN distributors d ON d.id = a.distributor_id JOIN orders o ON o.id = a.order_id"
            " WHERE o.number = ?",
            (number,),
        ).fetchone()
    books.close()
    return found  # type: ignore[no-any-return]


def figure(page: Page, testid: str) -> int:
    """An amount of the portal's first page, in fen."""
    shown = page.get_by_test_id(testid).inner_text()
    found = re.search(r"[\d,]+\.\d\d", shown)
    assert found is not None, shown
    return int(re.sub(r"\D", "", found[0]))


def share(seller: Page, shop: Shop) -> str:
    """The demo's distributor signs in and takes her link to the product."""
    journeys.sign_in(seller, shop, "distributor")
    seller.goto("/portal/share")
    seller.locator("li", has_text=journeys.PRODUCT).get_by_test_id("share-product").click()
    expect(seller.get_by_test_id("poster")).to_have_js_property("naturalWidth", 1080)
    assert seller.evaluate("document.documentElement.scrollWidth") <= 360
    return seller.get_by_test_id("share-url").inner_text()


def test_a_friend_buys_by_the_link_and_a_later_visit_overwrites_nothing(
    open_browser: Open, shop: Shop
) -> None:
    seller, friend = open_browser(), open_browser()
    link = share(seller, shop)

    # Two taps and one field from the link to the code.
    journeys.place(friend, path=link)
    first = journeys.pay(friend)
    journeys.reveal(friend)
    journeys.place(friend)
    second = journeys.pay(friend)

    assert whose(shop, first) == whose(shop, second) == (SELLER, "click", "")
    journeys.place(seller, path=link)
    own = whose(shop, journeys.pay(seller))
    assert own == (SELLER, "click", "same_person")
    stranger = open_browser()
    journeys.place(stranger)
    assert whose(shop, journeys.pay(stranger)) is None


def test_what_a_friend_paid_is_earned_withdrawn_and_put_on_paper(
    open_browser: Open, shop: Shop, door: Door
) -> None:
    seller, friend = open_browser(), open_browser()
    link = share(seller, shop)
    seller.goto("/portal")
    before = figure(seller, "payable")
    journeys.place(friend, path=link)
    journeys.pay(friend)
    # 8 % of ¥15.90; the page asks for it by itself.
    earned = f"{(before + 127) / 100:.2f}"
    expect(seller.get_by_test_id("payable")).to_contain_text(earned, timeout=40_000)

    # Two taps.
    seller.locator("#to-withdraw").click()
    seller.get_by_test_id("confirm-withdrawal").click()
    number = seller.url.rpartition("/")[2]
    withdrawal = seller.get_by_test_id("withdrawal")
    expect(withdrawal).to_have_attribute("data-state", "requested")
    desk = open_browser(viewport=DESK, storage_state=door.open())
    desk.goto(f"/admin/withdrawals/{number}")
    staff.confirm(desk, "/approval")
    desk.goto("/admin/payouts")
    desk.locator("form", has=desk.locator("[value=alipay]")).get_by_role("button").click()
    staff.confirm(desk, "/submission")

    seller.reload()
    expect(withdrawal).to_have_attribute("data-state", "paid", timeout=20_000)
    seller.get_by_role("link", name="查看结算单").click()
    with seller.expect_download() as download:
        seller.get_by_role("link", name="保存 PDF").click()
    pages = PdfReader(io.BytesIO(download.value.path().read_bytes())).pages
    text = "".join(page.extract_text() for page in pages)
    assert "结算单" in text and number in text
    assert earned in text
    seller.goto("/portal")
    assert figure(seller, "payable") == 0
