"""One whole shop as `bin/run` starts it, with its demo data, and eyes on every page opened."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser import staff
from tests.browser.left_behind import searched_at_the_end
from tests.servers import Shop
from tests.watching import Watched, watching

PHONE = {"width": 360, "height": 740}
DESK = {"width": 1280, "height": 860}
# How staff work, and the least that must do: a phone whose browser runs no script.
FACES = {
    "desk": {"viewport": DESK},
    "bare phone": {"viewport": PHONE, "java_script_enabled": False},
}


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """When its last journey is over, nothing that was typed in it is left in the clear."""
    with searched_at_the_end(tmp_path_factory.mktemp("browser") / "data") as started:
        yield started


@dataclass
class Door:
    """The console's: signed in once for many tests, because a one-time code is good once."""

    browser: Browser
    shop: Shop
    cookies: Any = None
    opened_at: float = 0.0

    def open(self) -> Any:
        """A signed-in owner's cookies, whose proof is good for dangerous acts for a minute yet."""
        if self.cookies is None or time.monotonic() - self.opened_at > 240:
            with watching() as eyes:
                context = eyes.open(self.browser, self.shop.url, locale="zh-CN")
                staff.sign_in_as_owner(context.new_page(), self.shop)
                self.cookies, self.opened_at = context.storage_state(), time.monotonic()
                context.close()
            self.shop.typed |= eyes.typed
        return self.cookies


@pytest.fixture(scope="session")
def door(browser: Browser, shop: Shop) -> Door:
    return Door(browser, shop)


Open = Callable[..., Page]


@pytest.fixture
def open_browser(browser: Browser, shop: Shop, watched: Watched) -> Iterator[Open]:
    """Makes a person's browser: options are those of `new_context`; a phone without any."""
    contexts: list[BrowserContext] = []

    def new(**options: Any) -> Page:
        context = watched.open(
            browser, shop.url, **({"viewport": PHONE, "locale": "zh-CN"} | options)
        )
        contexts.append(context)
        return context.new_page()

    yield new
    for context in contexts:
        # The row of a session has no more than the hash of it.
        watched.typed |= {one["value"] for one in context.cookies() if one["name"] == "sid"}
        context.close()
    shop.typed |= watched.typed


@pytest.fixture
def open_console(open_browser: Open, door: Door) -> Open:
    """Makes an owner's browser, signed in; at a desk unless the options say otherwise."""

    def new(**options: Any) -> Page:
        return open_browser(**({"viewport": DESK, "storage_state": door.open()} | options))

    return new


@pytest.fixture(params=FACES)
def console(request: pytest.FixtureRequest, open_console: Open) -> Page:
    """An owner's page in the console, with each of FACES in turn."""
    return open_console(**FACES[request.param])
