"""A visitor with a browser: keeps cookies, sends the form's token, comes from an address."""

import re
from typing import Any

from flask import Flask
from werkzeug.test import TestResponse

from app.domain.accounts.models import Person
from tests import people

TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')
UNREMEMBERED = "/account/registration"


class Visitor:
    """Each request has an app context of its own, as in production; the fixture's is not shared."""

    def __init__(
        self, app: Flask, person: Person | None = None, *, ip: str = "203.0.113.7"
    ) -> None:
        self.app = app
        self.client = app.test_client()
        self.ip = ip
        if person is not None:
            self.client.set_cookie("sid", people.sign_in(person))

    def get(self, url: str, **options: Any) -> TestResponse:
        return self._open("GET", url, **options)

    def post(self, url: str, data: dict[str, Any] | None = None, **options: Any) -> TestResponse:
        """Send a form with its token, from a page of ours."""
        headers = {"Sec-Fetch-Site": "same-origin"} | options.pop("headers", {})
        form = {"csrf_token": self.token()} | (data or {})
        return self._open("POST", url, data=form, headers=headers, **options)

    def token(self) -> str:
        """A form's token for this visit."""
        for page in (UNREMEMBERED, "/account", "/admin/profile"):
            found = TOKEN.search(self.get(page).text)
            if found:
                return found.group(1)
        raise AssertionError("no page with a form")

    @property
    def sid(self) -> str:
        cookie = self.client.get_cookie("sid")
        return cookie.value if cookie is not None else ""

    def _open(self, method: str, url: str, **options: Any) -> TestResponse:
        options.setdefault("environ_base", {"REMOTE_ADDR": self.ip})
        with self.app.app_context():
            return self.client.open(url, method=method, **options)


def location(response: TestResponse) -> str:
    """Where a redirect leads."""
    assert response.status_code == 303, (response.status_code, response.text[:500])
    return str(response.headers["Location"])


def words(response: TestResponse) -> str:
    """The page's text without markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.text))
