"""Every page there is: no rule of accessibility broken, nothing wider than a phone, no complaint.

A page is examined on a phone in the dark and at a desk in the light, one of many states of the same
page on the phone; in English, whose words are longer, it must fit, too. Everything that has a name
has an absurdly long one.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import axe_playwright_python
import pytest
from flask import Flask
from playwright.sync_api import Browser, Page, ViewportSize

from app.core.db import transaction
from tests.browser import gallery, long_names, states
from tests.browser.conftest import DESK, PHONE
from tests.browser.gallery import Gallery, View
from tests.fake_provider import ObedientProvider, speaking
from tests.watching import Watched
from tests.web.house import OWNER, STRANGER

pytestmark = [
    pytest.mark.browser,
    pytest.mark.own_app,
    pytest.mark.xdist_group("browser"),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]

Look = tuple[ViewportSize, Literal["light", "dark"]]
Looks = tuple[Look, ...]

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text()
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
# The widths and themes that the rules are asked at: what they find depends on no language.
LOOKS: Looks = ((DESK, "light"), (PHONE, "dark"))
LANGUAGES = ("zh", "en")
# Style sheets are not read: of the rules asked for, none but that of videos that play by themselves
# wants them, and there are no videos.
RUN = """async ([rules, apart]) => {
  const options = {runOnly: rules, resultTypes: ["violations"], preload: false};
  const found = await axe.run({include: [["html"]], exclude: apart}, options);
  return found.violations.flatMap(({id, nodes}) =>
    nodes.map((node) => `${id}: ${node.html} ${node.failureSummary}`));
}"""
# What is folded away is looked at, too; the menu, which would lie over the page, has its own view.
UNFOLD = """() => {
  for (const fold of document.querySelectorAll("details:not(.menu)")) fold.open = true;
  return document.documentElement.lang;
}"""
# The console's rail is half of what there is to look at: looked at again only where it is another
# than on the pages before, not where another of its links is the current one.
RAIL = ".rail"
READ_RAIL = f"""document.querySelector("{RAIL}")?.outerHTML.replace(' aria-current="page"', "")"""
BEYOND = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def test_no_page_of_an_empty_shop_has_a_fault(app: Flask, browser: Browser) -> None:
    with gallery.of_empty_shop(app) as shown:
        assert len(shown.views) >= 10
        found = [fault for language in LANGUAGES for fault in faults(shown, browser, language)]
    assert not found, "\n".join(found)


# Each part is looked at by itself: while all of them were, a member of staff's proof of who is at
# the keyboard would run out.
PARTS: dict[str, Callable[[View], bool]] = {
    "console": lambda view: view.is_page and view.who == OWNER,
    "shop and portal": lambda view: view.is_page and view.who != OWNER,
    "states": lambda view: not view.is_page,
}


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "part", [pytest.param(part, marks=pytest.mark.xdist_group(f"pages: {part}")) for part in PARTS]
)
def test_no_page_of_a_furnished_shop_has_a_fault(app: Flask, browser: Browser, part: str) -> None:
    obedient = ObedientProvider()
    with speaking(obedient=obedient), gallery.of_furnished_shop(app) as shown:
        shown.views += states.of_everything(shown, obedient)
        transaction(long_names.name_everything)
        shown.views = [view for view in shown.views if PARTS[part](view)]
        assert len(shown.views) >= 30
        found = [fault for language in LANGUAGES for fault in faults(shown, browser, language)]
    assert not found, "\n".join(found)


def test_the_eyes_are_open(app: Flask, browser: Browser) -> None:
    """A button without a name, a line too wide and a style that the policy forbids are seen."""
    with gallery.of_empty_shop(app) as shown:
        eyes = open_eyes(shown, browser, STRANGER, "zh")
        page = eyes.page
        page.goto("/")
        page.evaluate("document.querySelector('h1').innerHTML = '<button></button>'")
        page.evaluate("document.querySelector('h1').setAttribute('style', 'color: red')")
        page.evaluate("document.querySelector('h1').style.width = '500px'")
        found = [*broken_rules(page), *too_wide(page)]
        page.context.close()
    assert any(fault.startswith("button-name") for fault in found)
    assert any(fault.startswith("scrolls sideways") for fault in found)
    assert any("Content Security Policy" in fault for fault in eyes.watched.faults)


def test_a_rail_is_looked_at_again_where_it_is_another(app: Flask, browser: Browser) -> None:
    with gallery.of_empty_shop(app) as shown:
        eyes = open_eyes(shown, browser, OWNER, "zh")
        seen = []
        for path in ("/admin/orders", "/admin/products", "/admin/products"):
            eyes.page.goto(path)
            seen.append(eyes.has_seen_rail(LOOKS[0]))
        eyes.page.locator(".rail__link").last.evaluate("link => link.remove()")
        seen += [eyes.has_seen_rail(LOOKS[0]), eyes.has_seen_rail(LOOKS[1])]
        eyes.page.context.close()
    assert seen == [False, True, True, False, False]


@dataclass
class Eyes:
    """A visitor's browser in one language, what went wrong in it, and the rails it has shown."""

    page: Page
    watched: Watched
    rails: set[tuple[int, str, str]] = field(default_factory=set)

    def has_seen_rail(self, look: Look) -> bool:
        """Whether the rail of the page was looked at like this on a page before; now it is."""
        size, theme = look
        rail = size["width"], theme, str(self.page.evaluate(READ_RAIL))
        is_known = rail in self.rails
        self.rails.add(rail)
        return is_known


def faults(shown: Gallery, browser: Browser, language: str) -> Iterator[str]:
    """Everything that is wrong with any of the views."""
    browsers: dict[str, Eyes] = {}
    for view in shown.views:
        # What she does there may be done once only.
        if view.then is not None and language != LANGUAGES[0]:
            continue
        if view.who not in browsers:
            browsers[view.who] = open_eyes(shown, browser, view.who, language)
        eyes = browsers[view.who]
        for fault in faults_of(view, eyes, language):
            yield f"{view.name} ({language}): {fault}"
        # The console reports the answer of a page that is meant to be a fault.
        for fault in eyes.watched.faults:
            if f"status of {view.status}" not in fault:
                yield f"{view.name} ({language}): {fault}"
        eyes.watched.faults.clear()
    for eyes in browsers.values():
        eyes.page.context.close()


def open_eyes(shown: Gallery, browser: Browser, who: str, language: str) -> Eyes:
    watched = Watched()
    page = shown.visit(browser, watched, who, language, viewport=PHONE).new_page()
    return Eyes(page, watched)


def faults_of(view: View, eyes: Eyes, language: str) -> Iterator[str]:
    page = eyes.page
    answer = page.goto(view.path)
    assert answer is not None
    if answer.status != view.status:
        yield f"answered {answer.status}"
    if view.then is not None:
        view.then(page)
    if not page.evaluate(UNFOLD).startswith(language):
        yield "is in another language"
    if language != LANGUAGES[0]:
        yield from too_wide(page)
        return
    for look in LOOKS if view.is_page else LOOKS[1:]:
        size, theme = look
        if page.viewport_size != size:
            page.set_viewport_size(size)
        page.emulate_media(color_scheme=theme)
        apart = [RAIL] if eyes.has_seen_rail(look) else []
        for fault in [*broken_rules(page, *apart), *too_wide(page)]:
            yield f"at {size['width']} px, {theme}: {fault}"


def broken_rules(page: Page, *apart: str) -> list[str]:
    """What breaks a rule on the page, without what is `apart`."""
    if page.evaluate("typeof axe") == "undefined":
        page.evaluate(AXE)
    return list(page.evaluate(RUN, [RULES, [[selector] for selector in apart]]))


def too_wide(page: Page) -> Iterator[str]:
    beyond = page.evaluate(BEYOND)
    if beyond:
        yield f"scrolls sideways by {beyond} px"
