"""Every route, for every kind of visitor, with real things in its address.

What is expected is computed from the rule on the view and the matrix PERMISSIONS; who may see an
order is written out here, because no rule on a view says it.
"""

import re
from collections.abc import Iterator

import pytest
from itsdangerous import URLSafeSerializer
from werkzeug.routing import Rule as Route
from werkzeug.test import TestResponse

from app.web.access import public
from tests import factories
from tests.domain.vault import imports
from tests.web.deeds import contents
from tests.web.house import (
    BUYER,
    FORM,
    HALF,
    HOLDER,
    OWNER,
    ROLES,
    STRANGER,
    VISITORS,
    House,
    Reader,
    routes,
    send,
    token_of,
    wanted,
)
from tests.web.visitors import Visitor, location, words

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# Pages of which HTMX swaps a part.
WITH_FRAGMENT = {
    "shop.home.index",
    "shop.categories.show",
    "shop.search.index",
    "shop.orders.show",
    "shop.passes.show",
    "portal.home.show",
    "portal.deliveries.show",
    "portal.withdrawals.show",
    "redeem.code",
    "admin.imports.show",
}
KEPT_BY_BROWSERS = {"static", "assets.show", "shop.pictures.show", "shop.pictures.show_small"}
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self' data:",
    "font-src": "'self'",
    "connect-src": "'self'",
    "form-action": "'self' http://127.0.0.1:9",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
    "manifest-src": "'self'",
}


# Who may come in


def answer(response: TestResponse) -> str:
    target = response.headers.get("Location", "")
    for door, name in (
        ("/account/sign-in?next=", "sign in"),
        ("/admin/sign-in?next=", "sign in as staff"),
        ("/admin/step-up?next=", "step up"),
    ):
        if response.status_code == 303 and target.startswith(door):
            return name
    return "forbidden" if response.status_code == 403 else "in"


def status_within(route: Route, who: str) -> int:
    """What a page answers to whoever may come in."""
    leads_on = {
        "shop.orders.open": True,
        "redeem.open": True,
        "shop.referral.show": True,
        # Of nothing in particular it is the price list.
        "portal.purchases.new": True,
        # Nothing was scanned yet.
        "admin.counter.show_pass": True,
        # No secret is being set up.
        "portal.second_factor.show": True,
        "account.sessions.new": who not in (STRANGER, HALF),
        "account.people.new": who not in (STRANGER, HALF),
        "admin.sign_in.show": who in ROLES,
        "admin.second_factor.show": who != HALF,
    }
    if leads_on.get(route.endpoint, False):
        return 303
    # She is led to the application.
    is_application = route.endpoint.startswith("portal.application.")
    if route.endpoint.startswith("portal.") and who != HOLDER and not is_application:
        return 303
    if route.endpoint in ("shop.orders.show", "shop.passes.show") and who != HOLDER:
        return 404
    return 400 if route.endpoint == "hooks.payments.create" else 200


@on_sqlite
def test_every_page_opens_for_whom_it_is(house: House) -> None:
    wrong = []
    for who in VISITORS:
        visitor = house.visitor(who)
        for route in routes(house.app, "GET"):
            # Opening an order's link puts the order into this browser's hand.
            visitor.client.delete_cookie("orders")
            response = visitor.get(house.path(route))
            expected, got = wanted(house.app, route, who), answer(response)
            if route.endpoint == "admin.second_factor.show":
                expected = "sign in as staff" if who == STRANGER else "in"
            is_right = got == expected
            if got == "in":
                is_right = is_right and response.status_code == status_within(route, who)
            faults = [] if is_right else [f"{got} ({response.status_code}), not {expected}"]
            faults += faults_of(route, response)
            wrong += [f"{who} at {route.rule}: {fault}" for fault in faults]
    assert not wrong, "\n".join(wrong)


@on_sqlite
@pytest.mark.parametrize("who", VISITORS)
def test_every_form_is_taken_from_whom_it_is_for(house: House, who: str) -> None:
    """With its token and with some sense in it, so that the view runs. An order's forms are for
    its owner; to everybody else there is no such order."""
    visitor, wrong = house.visitor(who), []
    token, visit = token_of(visitor)
    for route in routes(house.app, "POST"):
        visitor.client.set_cookie("visit", visit)
        response = send(visitor, house.path(route), FORM | {"csrf_token": token})
        expected, got = wanted(house.app, route, who), answer(response)
        if route.endpoint.startswith("admin.second_factor."):
            expected = got if who == HALF else "sign in as staff"
        is_right = got == expected and response.status_code < 500
        if "number" in route.arguments and route.endpoint.startswith("shop."):
            is_right = (response.status_code == 404) == (who != HOLDER)
        wrong += [] if is_right else [f"{route.rule}: {response.status_code}, not {expected}"]
        wrong += [f"{route.rule}: {fault}" for fault in faults_of(route, response)]
    assert not wrong, "\n".join(wrong)


@on_sqlite
def test_an_order_is_its_buyers(house: House) -> None:
    """Staff have the console for it."""
    number = house.values["number"]
    statuses = {who: house.visitor(who).get(f"/orders/{number}").status_code for who in VISITORS}
    assert statuses == dict.fromkeys(VISITORS, 404) | {HOLDER: 200}


@on_sqlite
def test_an_orders_link_opens_that_order_and_no_other(house: House) -> None:
    number, other = house.values["number"], house.pending
    guest = house.visitor(STRANGER)

    link = f"/o/{house.values['shop.orders.token']}"
    assert location(guest.get(link)) == f"/orders/{number}"

    assert guest.get(f"/orders/{number}").status_code == 200
    assert guest.get(f"/orders/{other}").status_code == 404
    assert other not in guest.get("/wallet").text


@on_sqlite
def test_a_cookie_that_is_not_ours_opens_nothing(house: House) -> None:
    """Not signed, signed with no key or another, and with ours for another purpose."""
    number = house.values["number"]
    guest = house.visitor(STRANGER)
    ours = house.app.config["SECRET_KEY"]
    for cookie in (
        f'["{number}"]',
        URLSafeSerializer("", salt="orders-in-hand").dumps([number]),
        URLSafeSerializer("another shop's", salt="orders-in-hand").dumps([number]),
        URLSafeSerializer(ours, salt="another purpose").dumps([number]),
    ):
        guest.client.set_cookie("orders", cookie)
        assert guest.get(f"/orders/{number}").status_code == 404
        assert number not in guest.get("/wallet").text


# Forms from elsewhere


@on_sqlite
@pytest.mark.parametrize("who", [STRANGER, HOLDER, OWNER])
def test_no_form_works_without_its_token_or_from_another_site(house: House, who: str) -> None:
    visitor = house.visitor(who)
    token, _visit = token_of(visitor)
    foreign, _visit = token_of(Visitor(house.app))
    before, wrong = contents(), []
    for route in routes(house.app, "POST"):
        if route.endpoint.startswith("hooks."):
            continue
        path = house.path(route)
        is_in = wanted(house.app, route, who) == "in"
        sent = {
            "no token": send(visitor, path, FORM),
            "another's token": send(visitor, path, FORM | {"csrf_token": foreign}),
            "token in the address": send(visitor, f"{path}?csrf_token={token}", FORM),
            "another site": send(
                visitor, path, FORM | {"csrf_token": token}, **{"Sec-Fetch-Site": "cross-site"}
            ),
            "a sibling domain": send(
                visitor, path, FORM | {"csrf_token": token}, **{"Sec-Fetch-Site": "same-site"}
            ),
        }
        for case, response in sent.items():
            refused = 403 if case in ("another site", "a sibling domain") else 400
            is_right = response.status_code == refused or (not is_in and refused == 400)
            wrong += [] if is_right else [f"{path} with {case}: {response.status_code}"]
    assert not wrong, "\n".join(wrong)
    assert contents() == before


@on_sqlite
def test_other_methods_are_refused(house: House) -> None:
    visitor = house.visitor(OWNER)
    for route in house.app.url_map.iter_rules():
        response = visitor._open("DELETE", house.path(route))
        assert response.status_code == 405
        assert set(response.allow) >= set(route.methods or ()), "what is allowed is said"
        assert list(faults_of(route, response)) == []


# Pages and their parts


@on_sqlite
def test_a_page_and_its_fragment_are_one_address(house: House) -> None:
    """HTMX gets the part, a reader without it the whole, and going back gets the whole again."""
    visitors = [house.visitor(HOLDER), house.visitor(OWNER)]
    begin_import(house)
    found = set()
    for visitor in visitors:
        for route in routes(house.app, "GET"):
            path = house.path(route) + ("?q=卡" if route.endpoint == "shop.search.index" else "")
            page = visitor.get(path)
            if page.mimetype != "text/html" or page.status_code != 200:
                continue
            assert "<html" in page.text, path
            assert "HX-Request" in page.headers["Vary"], path
            part = visitor.get(path, headers={"HX-Request": "true"})
            if "<html" in part.text:
                continue
            found.add(route.endpoint)
            assert part.status_code == 200
            assert "HX-Request" in part.headers["Vary"]
            assert words(part) in words(page)
            for header in ("HX-Boosted", "HX-History-Restore-Request"):
                again = visitor.get(path, headers={"HX-Request": "true", header: "true"})
                assert "<html" in again.text, (path, header)
    assert found == WITH_FRAGMENT


def begin_import(house: House) -> None:
    """Put an import that runs in the place of the one that waits for its columns."""
    uid = house.values["admin.imports.uid"]
    imports.start(imports.fresh(uid))


@on_sqlite
def test_a_part_is_not_given_to_whoever_may_not_have_the_whole(house: House) -> None:
    for route in routes(house.app, "GET"):
        for who in (STRANGER, BUYER, "finance"):
            response = house.visitor(who).get(house.path(route), headers={"HX-Request": "true"})
            if wanted(house.app, route, who).startswith(("sign in", "step up")):
                assert response.status_code == 401, route.rule
                assert response.headers["HX-Redirect"].startswith(("/admin/", "/account/"))
                assert response.text == ""


# What every answer carries


def faults_of(route: Route, response: TestResponse) -> Iterator[str]:
    """What is wrong with an answer, whatever it says."""
    headers = response.headers
    parts = (part.strip().partition(" ") for part in headers["Content-Security-Policy"].split(";"))
    if {name: sources for name, _, sources in parts} != POLICY:
        yield f"policy {headers['Content-Security-Policy']}"
    if headers.get("X-Content-Type-Options") != "nosniff":
        yield "may be sniffed"
    if headers.get("Referrer-Policy") != "same-origin":
        yield "referrer"
    is_kept = route.endpoint in KEPT_BY_BROWSERS and response.status_code == 200
    if headers.get("Cache-Control") != "no-store" and not is_kept:
        yield f"may be kept: {headers.get('Cache-Control')}"
    if response.status_code >= 500:
        yield "a fault of ours"
    if response.mimetype == "text/html" and "<html" in response.text:
        yield from Reader.faults_of(response.text)


@on_sqlite
def test_a_page_of_any_state_of_an_order_is_within_the_policy(house: House) -> None:
    visitor = house.visitor(HOLDER)
    delivered, waiting = house.values["number"], house.pending
    pages = [
        visitor.get(f"/orders/{waiting}"),
        visitor.post(f"/orders/{delivered}/reveal"),
        visitor.post(f"/orders/{delivered}/problems", {"text": ""}),
        visitor.get("/orders/nothing"),
        visitor.post("/orders", {"product": house.values["shop.products.slug"]}),
        house.visitor(OWNER).get(f"/admin/orders/{waiting}"),
    ]
    visitor.post(f"/orders/{waiting}/cancellation")
    pages.append(visitor.get(f"/orders/{waiting}"))
    factories.work()
    pages.append(visitor.get(f"/orders/{waiting}"))
    assert [page.status_code for page in pages] == [200, 200, 422, 404, 422, 200, 200, 200]
    for page in pages:
        assert "<html" in page.text
        assert Reader.faults_of(page.text) == []
        assert page.headers["Cache-Control"] == "no-store"


@on_sqlite
def test_a_page_kept_for_strangers_has_each_strangers_own_secrets(house: House) -> None:
    path = f"/products/{house.values['shop.products.slug']}"
    pages = [Visitor(house.app).get(path).text for _ in range(2)]
    for name in ("csrf_token", "checkout_key"):
        found = [re.findall(rf'name="{name}" value="([^"]+)"', page) for page in pages]
        assert found[0] and set(found[0]).isdisjoint(found[1])
        assert len(set(found[0])) == 1


@on_sqlite
def test_a_message_for_one_is_not_kept_for_everybody(house: House) -> None:
    """What was flashed to one visitor stands on her next page and on nobody else's."""
    guest = Visitor(house.app)
    guest.get("/lookup")
    with guest.client.session_transaction() as visit:
        visit["_flashes"] = [("good", "只给我看")]
    assert "只给我看" in words(guest.get("/categories"))
    assert "只给我看" not in words(Visitor(house.app).get("/categories"))
    assert "只给我看" not in words(guest.get("/categories"))


@pytest.mark.own_app
@on_sqlite
def test_a_fault_of_ours_says_nothing_about_itself(house: House) -> None:
    def broken() -> str:
        raise RuntimeError("a secret of the machine")

    house.app.add_url_rule("/broken", "broken", public(broken))
    response = house.visitor(OWNER).get("/broken")

    assert response.status_code == 500
    assert "a secret of the machine" not in response.text
    assert "Traceback" not in response.text
    assert list(faults_of(Route("/broken", endpoint="broken"), response)) == ["a fault of ours"]
