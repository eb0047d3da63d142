"""What a member of staff does in the console, by its `data-testid`s and its forms' addresses."""

import re
import sqlite3
from typing import Any

from playwright.sync_api import Locator, Page, expect

from app.core import ids
from tests.servers import Shop

# How each code in an uploaded file begins: no browser tells what is in a file that it sends.
IN_A_FILE = "SUPPLIER-0"


def sign_in(page: Page, login: str, password: str, code: str = "") -> None:
    """Through the console's door; without a code as far as that is asked for."""
    page.goto("/admin/sign-in")
    page.get_by_test_id("login").fill(login)
    page.get_by_test_id("password").fill(password)
    page.get_by_test_id("totp").fill(code)
    page.get_by_test_id("sign-in").click()


def sign_in_as_owner(page: Page, shop: Shop) -> None:
    owner = shop.demo["admin"]
    sign_in(page, owner["login"], owner["password"], shop.one_time_code())
    page.wait_for_url(re.compile("/admin/$"))


def let_five_minutes_pass(page: Page, shop: Shop) -> None:
    """For this browser's proof of who is at the keyboard, which lasts no longer."""
    secret = next(c["value"] for c in page.context.cookies() if c["name"] == "sid")
    with sqlite3.connect(shop.data_dir / "shop.db", timeout=30) as database:
        changed = database.execute(
            "UPDATE sessions SET stepped_up_at = NULL WHERE secret_hash = ?",
            (ids.hash_token(secret),),
        )
        assert changed.rowcount == 1


def ask(page: Page, action: str, within: str = "main") -> Locator:
    """Unfold the question whose form goes to `action`; its form."""
    form = page.locator(f'{within} form[action$="{action}"]').first
    form.locator("xpath=ancestor::details[1]/summary").click()
    return form


def confirm(page: Page, action: str, **fields: Any) -> None:
    """Unfold the question, answer it, press the real button."""
    form = ask(page, action)
    for name, value in fields.items():
        form.locator(f"[name={name}]").fill(value)
    form.locator("button[type=submit]").click()


def was_told(page: Page, words: str) -> None:
    """What the console said about the last action, above everything else."""
    expect(page.locator("#flash")).to_contain_text(words)


def upload(page: Page, product: str, lines: list[str]) -> None:
    """A file of codes as far as the preview."""
    page.goto("/admin/imports/new")
    page.locator("[name=product]").select_option(label=product)
    content = "\n".join(lines).encode()
    page.get_by_test_id("import-file").set_input_files(
        {"name": "codes.csv", "mimeType": "text/csv", "buffer": content}
    )
    page.get_by_test_id("import-submit").click()
    expect(page.get_by_text("内容已遮住")).to_be_visible()


def import_codes(page: Page, product: str, lines: list[str]) -> None:
    """A file of codes from the upload to the shelf."""
    upload(page, product, lines)
    page.get_by_test_id("import-submit").click()
    expect(page.get_by_test_id("import-progress")).to_be_visible()
    expect(page.get_by_text("已经上架，可以出售")).to_be_visible(timeout=20_000)


def figure(page: Page, label: str) -> Locator:
    """The value of the tile with this label."""
    return page.locator(".tile").filter(has_text=label).locator(".tile__value")


def fact(page: Page, label: str) -> Locator:
    """The value beside this name in a list of facts."""
    return page.locator(f'dt:text-is("{label}") + dd').first


def find_order(page: Page, quoted: str) -> None:
    """Look for an order by what a buyer quotes, and open the one that is found."""
    page.goto(f"/admin/orders?q={quoted}")
    page.locator('main td a[href^="/admin/orders/"]').click()
    page.wait_for_url(re.compile(r"/admin/orders/\w+$"))


def comes_to(page: Page, label: str, value: str) -> None:
    """The tile shows that value, at once or after a worker has done its part."""
    shown = figure(page, label)
    expect(shown).to_be_visible()
    for _ in range(60):
        if shown.inner_text() == value:
            break
        page.wait_for_load_state("networkidle")
        page.reload()
    expect(shown).to_have_text(value)
