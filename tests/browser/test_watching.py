"""That a browser test fails with a breach of the policy, wherever in it that happens."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser, BrowserContext

from tests.browser import gallery
from tests.watching import watching
from tests.web.house import STRANGER

pytestmark = [pytest.mark.browser, pytest.mark.own_app, pytest.mark.xdist_group("browser")]
SERVED = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

TESTS = Path(__file__).parent.parent
STYLED = '<!doctype html><p style="color: red">'
BREACHES = {
    "style": "document.body.setAttribute('style', 'color: red')",
    "script": "document.body.append(Object.assign(document.createElement('script'), {text: '1'}))",
    "eval": "setTimeout('1')",
    "picture": "document.body.append(Object.assign(new Image(), {src: 'https://other.example/'}))",
    "form": """() => {
      const form = document.createElement("form");
      form.action = "http://other.example/";
      document.body.append(form);
      form.submit();
    }""",
}


@SERVED
@pytest.mark.parametrize("breach", BREACHES)
def test_a_breach_of_the_policy_fails_the_test(app: Flask, browser: Browser, breach: str) -> None:
    def do(context: BrowserContext) -> None:
        page = context.new_page()
        page.goto("/")
        with page.expect_console_message():
            page.evaluate(BREACHES[breach])

    with pytest.raises(AssertionError, match="Content Security Policy"):
        watch(app, browser, do)


@SERVED
def test_so_does_one_in_a_second_tab_without_scripts(app: Flask, browser: Browser) -> None:
    def do(context: BrowserContext) -> None:
        answer = context.new_page().goto("/")
        assert answer is not None
        headers = {"Content-Security-Policy": answer.headers["content-security-policy"]}
        second = context.new_page()
        second.route("**/*", lambda route: route.fulfill(headers=headers, body=STYLED))
        with second.expect_console_message():
            second.goto("/")

    with pytest.raises(AssertionError, match="Content Security Policy"):
        watch(app, browser, do, java_script_enabled=False)


@SERVED
def test_what_breaks_nothing_passes(app: Flask, browser: Browser) -> None:
    watch(app, browser, lambda context: context.new_page().goto("/"))


def test_every_browser_is_opened_before_these_eyes() -> None:
    opens = re.compile(r"\.new_context\(|browser\.new_page\(|launch_persistent_context")
    files = [path.relative_to(TESTS) for path in TESTS.rglob("*.py") if path != Path(__file__)]
    assert [str(path) for path in files if opens.search((TESTS / path).read_text())] == [
        "watching.py"
    ]


def watch(
    app: Flask, browser: Browser, do: Callable[[BrowserContext], object], **options: Any
) -> None:
    """What every browser test does: open a browser, do something there, and look what was said."""
    with gallery.of_empty_shop(app) as shown, watching() as watched:
        context = shown.visit(browser, watched, STRANGER, **options)
        do(context)
        context.close()
