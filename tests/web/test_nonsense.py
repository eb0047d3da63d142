"""Nonsense in addresses, forms, queries and headers: it is not found or refused, and no fault."""

import re

import pytest
from werkzeug.routing import Rule as Route

from tests.servers import ROOT
from tests.web.house import (
    FORM,
    HOLDER,
    LAST,
    OWNER,
    STRANGER,
    House,
    routes,
    send,
    token_of,
    wanted,
)

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NOTHINGS = [
    "0",
    "999999",
    str(2**63),
    "9" * 40,
    "-1",
    "日本",
    "a%00b",
    "%ff%fe",
    "%0d%0aSet-Cookie:%20sid=1",
    "..%2f..%2fetc%2fpasswd",
    "x" * 3000,
]


@pytest.mark.parametrize("who", [STRANGER, OWNER])
def test_what_does_not_exist_is_not_found(house: House, who: str) -> None:
    """Whatever stands in an address in place of a name: there is no such thing, and no fault."""
    visitor, seller, wrong = house.visitor(who), house.visitor(HOLDER), []
    for method in ("GET", "POST"):
        for route in routes(house.app, method):
            if wanted(house.app, route, who) != "in":
                continue
            # Who sells nothing is led to the application, whatever stands there.
            is_sellers = route.endpoint.startswith("portal.") and not is_open(route)
            visits = seller if is_sellers else visitor
            form = FORM | {"csrf_token": token_of(visits)[0]} if method == "POST" else None
            for path in paths_to_nothing(house, route):
                from_us = {"Sec-Fetch-Site": "same-origin"}
                status = visits._open(method, path, data=form, headers=from_us).status_code
                # A row of the outbox that is not dead is left alone, without a word.
                is_retry = route.endpoint == "admin.health.create_retry" and status == 303
                # A link that leads nowhere leads to the shop.
                is_link = route.endpoint == "shop.referral.show" and status == 303
                is_right = is_retry or is_link or status in (404, 405)
                wrong += [] if is_right else [f"{method} {path[:80]}: {status}"]
    assert not wrong, "\n".join(wrong)


def is_open(route: Route) -> bool:
    """Whether an address of the portal is for those who do not sell yet."""
    return route.endpoint.startswith("portal.application.")


def paths_to_nothing(house: House, route: Route) -> list[str]:
    # An asset is found by its name; its digest says only how long it may be kept.
    names = route.arguments - ({"digest"} if route.endpoint == "assets.show" else set())
    return [house.path(route, **{name: value}) for name in sorted(names) for value in NOTHINGS]


VALUES = ["", "a\0b", "9" * 40, "-1.5e9", "１２<script>日本"]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ascii(value)[1:20])
def test_no_form_breaks_over_nonsense(house: House, value: str) -> None:
    """Every field of every form, each time with the same nonsense in all of them."""
    wrong = []
    for who in (OWNER, HOLDER):
        visitor = house.visitor(who)
        token, visit = token_of(visitor)
        form = dict.fromkeys(names_of_fields(), value) | {"csrf_token": token}
        for route in routes(house.app, "POST"):
            if route.endpoint in LAST or wanted(house.app, route, who) != "in":
                continue
            visitor.client.set_cookie("visit", visit)
            status = send(visitor, house.path(route), form).status_code
            wrong += [f"{route.rule}: {status}"] if status >= 500 else []
    assert not wrong, "\n".join(wrong)


def test_no_page_breaks_over_a_nonsense_query(house: House) -> None:
    visitor, wrong = house.visitor(OWNER), []
    names = names_of_fields() | {"page", "sort", "size", "next"}
    for value in VALUES:
        for route in routes(house.app, "GET"):
            query = dict.fromkeys(names, value)
            status = visitor.get(house.path(route), query_string=query).status_code
            wrong += [f"{route.rule}: {status} over {value[:9]}"] if status >= 500 else []
    assert not wrong, "\n".join(wrong)


def names_of_fields() -> set[str]:
    """What the forms of the shop call their fields."""
    pages = (page.read_text() for page in (ROOT / "templates").rglob("*.html"))
    found = re.findall(r'(?:\bname="|(?:field|select|checkbox|choice)\(")(\w+)"', "".join(pages))
    return {*FORM, *found}


HEADERS = [
    {"Referer": "http://[", "HX-Current-URL": "http://["},
    {"Accept-Language": "zh;q=x,,;q=" + "9" * 400, "Accept-Encoding": ";;q"},
    {"Cookie": 'sid=\xff; visit=.x.y; orders=[]; theme="; language=../../etc'},
    {"X-Forwarded-For": "nobody", "X-Forwarded-Host": "evil.example", "Forwarded": "for="},
    {"Content-Type": "multipart/form-data; boundary=", "User-Agent": "\xe9" * 4000},
    {"If-None-Match": "W/", "Range": "bytes=9-1", "If-Modified-Since": "yesterday"},
]


@on_sqlite
def test_no_page_breaks_over_nonsense_in_its_headers(house: House) -> None:
    visitor, wrong = house.visitor(STRANGER), []
    for headers in HEADERS:
        for method in ("GET", "POST"):
            for route in routes(house.app, method):
                response = visitor._open(method, house.path(route), headers=headers)
                repeats = b"evil.example" in response.data or "evil" in str(response.headers)
                if response.status_code >= 500 or repeats:
                    wrong.append(f"{route.rule}: {response.status_code} over {headers}")
    assert not wrong, "\n".join(wrong)
