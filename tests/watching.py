"""Eyes on a real browser: what it complains of, what it asks of others than the shop, and what is
typed in it that must be found nowhere afterwards.

Every browser of every test is opened here, so none can break the policy unseen.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes
from typing import Any
from urllib.parse import parse_qsl

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Request, WebError

# The fields that hold a code, a contact, an account, a password or a key.
SECRET_FIELDS = {
    *("contact", "login", "account", "confirmed", "accounts", "bank_account"),
    *("password", "current", "pickup", "code", "recovery_code", "field_key"),
}
# There an account is chosen from a list, by its id.
CHOSEN_BY_ID = "/portal/withdrawals"


@dataclass
class Watched:
    """What the browsers opened through it complained of, and the secrets that were sent by them."""

    faults: list[str] = field(default_factory=list)
    typed: set[str] = field(default_factory=set)

    def open(self, browser: Browser, url: str, **options: Any) -> BrowserContext:
        """A browser of one person, for the shop at `url`; options are those of `new_context`."""
        # The sandbox is the payment channel: another server on the same machine.
        own = (url, "http://127.0.0.1:", "data:", "blob:", "about:")

        def said(message: ConsoleMessage) -> None:
            # A refused form is answered with 4xx, which the console reports as an error; what a
            # page is made of has to be there. A breach of the policy is an error, too.
            is_refusal = "status of 4" in message.text and "/assets/" not in message.location["url"]
            if message.type == "error" and not is_refusal:
                where = message.page.url if message.page else "a page"
                self.faults.append(f"{where}: {message.text}")

        def failed(error: WebError) -> None:
            self.faults.append(f"{error.page.url if error.page else 'a page'}: {error.error}")

        def asked(request: Request) -> None:
            if not request.url.startswith(own):
                self.faults.append(f"{request.url} was asked")
            if request.url.startswith(url):
                self.typed |= secrets_in(request)

        context = browser.new_context(base_url=url, **options)
        context.on("console", said)
        context.on("weberror", failed)
        context.on("request", asked)
        return context


@contextmanager
def watching() -> Iterator[Watched]:
    """What is opened meanwhile complains of nothing, or this fails."""
    watched = Watched()
    yield watched
    assert not watched.faults, "\n".join(watched.faults)


@pytest.fixture
def watched() -> Iterator[Watched]:
    """Opens browsers; the test fails with what went wrong in them."""
    with watching() as eyes:
        yield eyes


def secrets_in(request: Request) -> set[str]:
    """What the form that is sent has in its secret fields."""
    body = request.post_data_buffer
    if request.method != "POST" or not body or request.url.endswith(CHOSEN_BY_ID):
        return set()
    values = (value for name, value in _fields(request, body) if name in SECRET_FIELDS)
    return {word for value in values for word in [value.strip(), *re.split(r"[\s,]+", value)]}


def _fields(request: Request, body: bytes) -> Iterator[tuple[str, str]]:
    kind = request.headers.get("content-type", "")
    if not kind.startswith("multipart/"):
        yield from parse_qsl(body.decode())
        return
    form = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
    for part in form.get_payload():
        if not part.get_filename():
            name = str(part.get_param("name", header="content-disposition"))
            yield name, part.get_payload(decode=True).decode()
