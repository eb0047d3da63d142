"""A friend's link on a phone: followed, bought by with two taps, whose order it then is."""

import sqlite3

import pytest
from playwright.sync_api import expect

from tests.browser import journeys
from tests.browser.conftest import Open
from tests.servers import Shop

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("browser")]


def make_the_buyer_a_distributor(shop: Shop) -> None:
    """The demo's buyer, whose sign-in is known, sells from now on."""
    with sqlite3.connect(shop.data_dir / "shop.db", timeout=15) as books:
        books.execute(
            "INSERT INTO tiers (name, threshold, discount_bp, created_at)"
            " SELECT '普通', 0, 0, CURRENT_TIMESTAMP"
            " WHERE NOT EXISTS (SELECT 1 FROM tiers WHERE threshold = 0)"
        )
        books.execute(
            "INSERT INTO distributors (uid, code, person_id, tier_id, state, name, introduction,"
            " state_reason, low_balance_at, applied_at)"
            " SELECT 'seller-of-this-test', 'XIAOLI', p.id, t.id, 'active', '小李', '', '', 0,"
            " CURRENT_TIMESTAMP FROM people p, tiers t WHERE p.role IS NULL AND t.threshold = 0"
            " ORDER BY p.id LIMIT 1"
        )
    books.close()


def whose(shop: Shop, number: str) -> tuple[str, str, str] | None:
    """The distributor's code, the rule, and why it earns nothing."""
    with sqlite3.connect(shop.data_dir / "shop.db", timeout=15) as books:
        found = books.execute(
            "SELECT d.code, a.rule, a.earns_nothing_because FROM attributions a"
            " JOIN distributors d ON d.id = a.distributor_id JOIN orders o ON o.id = a.order_id"
            " WHERE o.number = ?",
            (number,),
        ).fetchone()
    books.close()
    return found  # type: ignore[no-any-return]


def test_a_friend_buys_by_the_link_and_a_later_visit_overwrites_nothing(
    open_browser: Open, shop: Shop
) -> None:
    make_the_buyer_a_distributor(shop)
    seller, friend = open_browser(), open_browser()
    journeys.sign_in(seller, shop)
    seller.goto("/portal/share")
    seller.locator("li", has_text=journeys.PRODUCT).get_by_test_id("share-product").click()
    expect(seller.get_by_test_id("poster")).to_have_js_property("naturalWidth", 1080)
    link = seller.get_by_test_id("share-url").inner_text()
    assert seller.evaluate("document.documentElement.scrollWidth") <= 360

    # Two taps and one field from the link to the code.
    journeys.place(friend, path=link)
    first = journeys.pay(friend)
    journeys.reveal(friend)
    journeys.place(friend)
    second = journeys.pay(friend)

    assert whose(shop, first) == whose(shop, second) == ("XIAOLI", "click", "")
    journeys.place(seller, path=link)
    own = whose(shop, journeys.pay(seller))
    assert own == ("XIAOLI", "click", "same_person")
    stranger = open_browser()
    journeys.place(stranger)
    assert whose(shop, journeys.pay(stranger)) is None
