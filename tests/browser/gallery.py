"""Every page there is, of an empty and of a furnished shop, served to a real browser.

The list comes from the routes, so that a new page is looked at without being named anywhere. What
an address does not say (in which state an order is, what a tap unfolds) stands in `states.py`.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Page
from werkzeug.routing import Rule as Route
from werkzeug.serving import WSGIRequestHandler, make_server

from app.domain.accounts.models import Role
from app.web.access import public
from tests import people, sellers
from tests.watching import Watched
from tests.web.house import HALF, HOLDER, OWNER, STRANGER, furnish, routes
from tests.web.visitors import Visitor

# What is no page: files and what machines ask.
NO_PAGES = {
    "static",
    "assets",
    "pictures",
    "referral",
    "show_poster",
    "hooks",
    "show_health",
    "show_readiness",
    "show_refused",
    "show_file",
    "show_pdf",
    "show_xlsx",
    "show_package",
    "show_year_file",
    "show_quarter_file",
    "show_results",
}
# Whom a page is for, where the part of the shop it belongs to does not say it.
DOORS = {
    "admin.sign_in.show": STRANGER,
    "admin.second_factor.show": HALF,
    "account.sessions.new": STRANGER,
    "account.people.new": STRANGER,
    "account.invitation.show": STRANGER,
}
BROKEN = "/broken"


@dataclass(frozen=True)
class View:
    """A page as one person sees it; `then` is what she does there before it is looked at.

    `is_page`: a route as it comes, and not one of many states of it.
    """

    name: str
    path: str
    who: str
    then: Callable[[Page], None] | None = None
    status: int = 200
    is_page: bool = False


@dataclass
class Gallery:
    """A shop that answers at `url`, whoever may be signed in there, and the views into it."""

    app: Flask
    url: str = ""
    secrets: dict[str, str] = field(default_factory=dict)
    views: list[View] = field(default_factory=list)

    def visit(
        self, browser: Browser, watched: Watched, who: str, language: str = "zh", **options: Any
    ) -> BrowserContext:
        """A browser of one of the visitors, who chose that language; nothing moves in it."""
        context = watched.open(browser, self.url, reduced_motion="reduce", **options)
        cookies = {"language": language}
        if who in self.secrets:
            cookies["sid"] = self.secrets[who]
        context.add_cookies(
            [{"name": name, "value": value, "url": self.url} for name, value in cookies.items()]
        )
        return context


@contextmanager
def of_empty_shop(app: Flask) -> Iterator[Gallery]:
    """The first day: an owner, a buyer who sells, and nothing else; the pages that show it, as a
    state of theirs."""
    made = Gallery(app)
    owner, buyer = people.make(Role.OWNER), people.make()
    sellers.make(buyer)
    made.secrets = {OWNER: people.sign_in(owner), HOLDER: people.sign_in(buyer)}
    views = [view(route, route.rule) for route in _pages(app) if not route.arguments]
    made.views = [one for one in views if _is_bare(app, one, made.secrets.get(one.who, ""))]
    with _served(made):
        yield made


@contextmanager
def of_furnished_shop(app: Flask) -> Iterator[Gallery]:
    """Every address has something to show."""
    app.add_url_rule(BROKEN, "broken", public(_break))
    house = furnish(app)
    made = Gallery(app, secrets=house.secrets)
    made.views = [replace(view(route, house.path(route)), is_page=True) for route in _pages(app)]
    with _served(made):
        yield made


def view(route: Route, path: str) -> View:
    """The page of a route, for whom it is."""
    is_staffs = route.endpoint.startswith("admin.")
    return View(route.endpoint, path, DOORS.get(route.endpoint, OWNER if is_staffs else HOLDER))


def _pages(app: Flask) -> list[Route]:
    return [
        route
        for route in routes(app, "GET")
        if NO_PAGES.isdisjoint(route.endpoint.split(".")) and route.rule != BROKEN
    ]


def _is_bare(app: Flask, one: View, secret: str) -> bool:
    """Whether the page says that there is nothing yet: the others are the same in any shop."""
    visitor = Visitor(app)
    visitor.client.set_cookie("sid", secret)
    return 'class="empty' in visitor.get(one.path).text


def _break() -> str:
    raise RuntimeError("meant to break")


class _Silent(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  werkzeug's name
        """The shop has a log of its own."""


@contextmanager
def _served(gallery: Gallery) -> Iterator[None]:
    server = make_server("127.0.0.1", 0, gallery.app, threaded=True, request_handler=_Silent)
    gallery.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
