"""Somebody with a browser and an address of her own, as a script is: forms, cookies, no eyes."""

import re
import time
from dataclasses import dataclass, field
from functools import cached_property
from html.parser import HTMLParser
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx

from app.domain.risk import proofs

PHONE = "Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/130 Mobile"
# As it is called over http and over https.
SESSION_COOKIES = ("sid", "__Host-sid")
REDIRECTS = (301, 302, 303, 307)
MOST_REDIRECTS = 5
# One pool of connections for all: what they share is the wire, not the cookies.
# Kept shorter than a server keeps an idle one: none is used at the moment it is closed.
WIRE = httpx.HTTPTransport(
    verify=False, limits=httpx.Limits(max_keepalive_connections=32, keepalive_expiry=2)
)
# So long a browser waits for a page before it gives up, in seconds.
PAGE_WITHIN = 60.0


@dataclass
class Form:
    """A form as it stands in a page: what it would send if nobody touched it."""

    action: str
    fields: dict[str, str] = field(default_factory=dict)


class _Forms(HTMLParser):
    """Every form of a page, with hidden fields, ticked boxes and chosen options filled in."""

    def __init__(self) -> None:
        super().__init__()
        self.forms: list[Form] = []
        self._select = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.forms.append(Form(given.get("action", "")))
        elif not self.forms:
            return
        elif tag == "input" and given.get("name"):
            self._take_input(given)
        elif tag == "select":
            self._select = given.get("name", "")
        elif tag == "option" and self._select:
            fields = self.forms[-1].fields
            if "selected" in given or self._select not in fields:
                fields[self._select] = given.get("value", "")
        elif tag == "textarea" and given.get("name"):
            self.forms[-1].fields.setdefault(given["name"], "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "select":
            self._select = ""

    def _take_input(self, given: dict[str, str]) -> None:
        kind = given.get("type", "text")
        if kind in ("radio", "checkbox") and "checked" not in given:
            return
        if kind not in ("submit", "button", "file"):
            self.forms[-1].fields[given["name"]] = given.get("value", "")


@dataclass(frozen=True)
class Page:
    """An answer: where it came from in the end, and what stands in it."""

    status: int
    url: str
    body: bytes

    @cached_property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def path(self) -> str:
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, str]:
        """What its address asks for."""
        return dict(parse_qsl(urlsplit(self.url).query))

    @cached_property
    def forms(self) -> list[Form]:
        parser = _Forms()
        parser.feed(self.text)
        return parser.forms

    def form(self, action: str) -> Form:
        """The first form whose action has this in it; raises LookupError."""
        found = next((form for form in self.forms if action in form.action), None)
        if found is None:
            raise LookupError(f"no form for {action} at {self.url} ({self.status})")
        return found

    def has_form(self, action: str) -> bool:
        return any(action in form.action for form in self.forms)

    def shows(self, testid: str) -> bool:
        return f'data-testid="{testid}"' in self.text

    def attribute(self, name: str) -> str:
        """The value of the first attribute of this name; empty without one."""
        found = re.search(rf'{name}="([^"]*)"', self.text)
        return found[1] if found else ""

    @property
    def wants_captcha(self) -> bool:
        return self.shows("captcha")


class Visitor:
    """A browser at an address. `worked` is the time in seconds that captchas took to solve."""

    def __init__(self, url: str, address: str) -> None:
        self.base = url
        self.address = address
        self.cookies: dict[str, str] = {}
        self.worked = 0.0
        self.solved = 0

    def with_cookies_of(self, other: "Visitor") -> "Visitor":
        """This browser, with what the other's has in its jar now."""
        self.cookies = dict(other.cookies)
        return self

    def get(self, path: str) -> Page:
        return self._ask("GET", path, None)

    def post(self, path: str, data: dict[str, str]) -> Page:
        return self._ask("POST", path, data)

    def submit(self, page: Page, action: str, **values: str) -> Page:
        """Fill in the form of a page and send it, as its button would."""
        form = page.form(action)
        return self.post(urljoin(page.url, form.action), form.fields | values)

    def sign_in(self, contact: str, password: str) -> Page:
        """Sign in at the door for everybody; the profile's page when it worked."""
        door = "/account/sign-in"
        return self.submit(self.get(door), door, contact=contact, password=password)

    @property
    def sid(self) -> str:
        """The cookie that says whose session it is."""
        return next((self.cookies[name] for name in SESSION_COOKIES if name in self.cookies), "")

    def forget_session(self) -> None:
        """Leave the account as who clears one cookie does: the shop is not told."""
        for name in SESSION_COOKIES:
            self.cookies.pop(name, None)

    def solve(self, page: Page, action: str, **values: str) -> Page:
        """Do the work that the form's captcha asks for, and send it again."""
        form = page.form(action)
        begin = time.perf_counter()
        number = proofs.solve(form.fields["captcha"])
        self.worked += time.perf_counter() - begin
        self.solved += 1
        return self.submit(page, action, **values, captcha_number=number)

    def _ask(self, method: str, path: str, data: dict[str, str] | None) -> Page:
        url = urljoin(self.base, path)
        for _ in range(MOST_REDIRECTS):
            answer = self._send(method, url, data)
            target = answer.headers.get("location")
            if answer.status_code not in REDIRECTS or target is None:
                return Page(answer.status_code, url, answer.content)
            method, data, url = "GET", None, urljoin(url, target)
        raise LookupError(f"too many redirects from {path}")

    def _send(self, method: str, url: str, data: dict[str, str] | None) -> httpx.Response:
        headers = {
            "User-Agent": PHONE,
            "Accept-Language": "zh-CN",
            "Sec-Fetch-Site": "same-origin",
            "X-Forwarded-For": self.address,
        }
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        patience = dict.fromkeys(("connect", "read", "write", "pool"), PAGE_WITHIN)
        request = httpx.Request(
            method, url, headers=headers, data=data, extensions={"timeout": patience}
        )
        answer = WIRE.handle_request(request)
        answer.request = request
        answer.read()
        # Kept by hand: the jar of the library would keep a cookie for https from this http.
        for header in answer.headers.get_list("set-cookie"):
            name, _, rest = header.partition("=")
            self.cookies[name.strip()] = rest.partition(";")[0]
        return answer
