"""One whole shop as `bin/run` starts it, with its demo data, and eyes on every page opened."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.journeys import Watched, staff_sign_in
from tests.servers import Shop, start_shop

PHONE = {"width": 360, "height": 740}


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    started = start_shop(tmp_path_factory.mktemp("browser") / "data")
    yield started
    assert started.stop() == 0


@pytest.fixture(scope="session")
def staff_cookies(browser: Browser, shop: Shop) -> Any:
    """A signed-in owner's: a one-time code is good once, so all tests share the one sign-in."""
    context = browser.new_context(viewport=PHONE, locale="zh-CN", base_url=shop.url)
    page = context.new_page()
    staff_sign_in(page, shop)
    state = context.storage_state()
    context.close()
    return state


Open = Callable[..., Page]


@pytest.fixture
def watched() -> Watched:
    """What went wrong in the browser meanwhile; the test fails with it."""
    return Watched()


@pytest.fixture
def open_browser(browser: Browser, shop: Shop, watched: Watched) -> Iterator[Open]:
    """Makes a person's browser: options are those of `new_context`; a phone without any."""
    contexts: list[BrowserContext] = []

    def new(**options: Any) -> Page:
        context = browser.new_context(
            **({"viewport": PHONE, "locale": "zh-CN", "base_url": shop.url} | options)
        )
        contexts.append(context)
        page = context.new_page()
        watched.look_at(page, shop.url)
        return page

    yield new
    for context in contexts:
        context.close()
    assert watched.faults == []
