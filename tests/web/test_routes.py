"""Every route, for every kind of visitor, with real things in its address and with nonsense.

What is expected is computed from the rule on the view and the matrix PERMISSIONS; who may see an
order is written out here, because no rule on a view says it.
"""

import io
import pathlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from itsdangerous import URLSafeSerializer
from PIL import Image
from werkzeug.routing import Rule as Route
from werkzeug.test import TestResponse

from app.core import clock
from app.core.db import db, session, transaction
from app.core.outbox import OutboxRow, OutboxState
from app.domain.accounts import service as accounts
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Person, Role, Session
from app.domain.accounts.rules import PERMISSIONS
from app.domain.catalog import pictures, preferences
from app.domain.catalog import service as catalog
from app.domain.catalog.models import Product
from app.domain.orders import queries, refunding, service
from app.domain.orders.models import Order
from app.domain.vault import queries as vault
from app.domain.vault.models import Batch
from app.web import access
from app.web.access import Who, public
from tests import factories, people
from tests.domain.vault import imports
from tests.web.visitors import Visitor, location, words

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

STAFF = [(role, fresh) for role in Role for fresh in (False, True)]
VISITORS = ["stranger", "half signed in", "buyer", "owner of the order"] + [
    f"{role.value}{', stepped up' if fresh else ''}" for role, fresh in STAFF
]
# Pages of which HTMX swaps a part.
WITH_FRAGMENT = {
    "shop.home.index",
    "shop.categories.show",
    "shop.search.index",
    "shop.orders.show",
    "admin.imports.show",
}
KEPT_BY_BROWSERS = {"static", "assets.show", "shop.pictures.show", "shop.pictures.show_small"}
# They end the visit they are asked in, so each visitor comes to them last.
LAST = {"account.sessions.delete", "admin.sign_in.delete"}
# What a form may hold: enough of it is right for many a view to go all the way.
FORM = {
    "reason": "测试一下理由",
    "amount": "1.00",
    "trade_number": "BANK-0001",
    "reference": "BANK-0002",
    "text": "打不开",
    "answer": "已经处理好了",
    "name": "新的名字",
    "role": "support",
    "contact": "new@example.com",
    "language": "en",
    "theme": "dark",
    "hold_minutes": "20",
    "expires_on": "2099-12-31",
    "code_column": "0",
}
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
    # Not within default-src's fence for all browsers; the shop has one of its own at most.
    "manifest-src": "'self'",
}


@dataclass
class House:
    """A shop in which each argument of each route is the name of something real."""

    app: Flask
    secrets: dict[str, str] = field(default_factory=dict)
    # By argument, and where one name has two meanings by endpoint's part and argument.
    values: dict[str, Any] = field(default_factory=dict)
    pending: Order | None = None
    token: str = ""

    def visitor(self, who: str) -> Visitor:
        visitor = Visitor(self.app, ip=f"203.0.113.{VISITORS.index(who) + 1}")
        if who in self.secrets:
            visitor.client.set_cookie("sid", self.secrets[who])
        return visitor

    def value(self, route: Route, name: str) -> Any:
        part = route.endpoint.rpartition(".")[0]
        return self.values.get(f"{part}.{name}", self.values.get(name))

    def path(self, route: Route, **other: object) -> str:
        """The route's address for the real thing, or with `other` arguments instead."""
        given = {name: other.get(name, self.value(route, name)) for name in route.arguments}
        return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(given[found[1]]), route.rule)


@pytest.fixture
def house(app: Flask) -> House:
    made = House(app)
    buyer = people.make()
    sign_everybody_in(made, buyer)
    category = transaction(lambda: catalog.create_category("礼品卡"))
    product = factories.make_product(codes=9, category_id=category.id, description="好用")
    drawn = pictures.draw(png())
    transaction(lambda: catalog.set_picture(product.id, drawn))
    add_orders(made, product, buyer)
    member = transaction(
        lambda: accounts.invite(Contact.parse("member@example.com"), "王小明", Role.SUPPORT)
    )
    made.values |= {
        "product_id": product.id,
        "category_id": category.id,
        "batch_id": session.scalars(sa.select(Batch.id)).one(),
        "row_id": transaction(dead_job),
        "digest": drawn.digest,
        "name": "css/shop.css",
        "filename": "bundles.toml",
        "channel": "sandbox",
        "shop.products.slug": product.slug,
        "shop.categories.slug": category.slug,
        "shop.orders.token": made.token,
        "account.invitation.token": member.token.reveal(),
        "admin.people.uid": member.person.uid,
        "admin.imports.uid": imports.upload(product, "AAAA-BBBB-0001\nAAAA-BBBB-0002\n").uid,
    }
    return made


def sign_everybody_in(house: House, buyer: Person) -> None:
    half = people.make(Role.OWNER)
    house.secrets = {
        "half signed in": people.sign_in(half, second_factor=False),
        "buyer": people.sign_in(people.make()),
        "owner of the order": people.sign_in(buyer),
    }
    persons = {role: people.make(role) for role in Role}
    for role in Role:
        house.secrets[role.value] = people.sign_in(persons[role])
    transaction(lambda: session.execute(sa.update(Session).values(stepped_up_at=None)))
    for role in Role:
        house.secrets[f"{role.value}, stepped up"] = people.sign_in(persons[role])


def add_orders(house: House, product: Product, buyer: Person) -> None:
    """One delivered with a problem and a refund on its way, one that waits for a transfer."""
    placed = factories.place(product, quantity=2, person_id=buyer.id)
    assert placed.payment is not None
    factories.settle(placed.payment)
    order, line = placed.order, queries.lines_of(placed.order.id)[0]
    problem = transaction(lambda: service.report_problem(order.id, "打不开"))
    refund = transaction(lambda: refunding.request_refund(order.id, line.id, 100, "部分退款"))
    house.pending = factories.place(product, channel="transfer", person_id=buyer.id).order
    house.token = placed.token or ""
    house.values |= {
        "number": order.number,
        "payment_id": placed.payment.id,
        "refund_id": refund.id,
        "problem_id": problem.id,
        "code_id": vault.codes_of([line.id])[0].id,
    }


def dead_job() -> int:
    row = OutboxRow(
        name="app.domain.orders.jobs.verify",
        args=[1],
        state=OutboxState.DEAD,
        due_at=clock.now(),
        created_at=clock.now(),
    )
    session.add(row)
    session.flush()
    return row.id


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "teal").save(out, "PNG")
    return out.getvalue()


def routes(app: Flask, method: str) -> list[Route]:
    found = [route for route in app.url_map.iter_rules() if method in (route.methods or ())]
    return sorted(found, key=lambda route: route.endpoint in LAST)


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


def wanted(app: Flask, route: Route, who: str) -> str:
    """What the view's rule and the matrix say."""
    rule = access.rule_of(app.view_functions[route.endpoint])
    if route.endpoint == "static" or rule is None or rule.who in (Who.ANYBODY, Who.CHANNEL):
        return "in"
    role = next((role for role in Role if who.startswith(role.value + ",") or who == role), None)
    if who == "owner of the order":
        role = None
    if rule.who is Who.SIGNED_IN:
        return "sign in" if who in ("stranger", "half signed in") else "in"
    if role is None:
        return "sign in as staff"
    if role not in PERMISSIONS[rule.permission]:
        return "forbidden"
    return "step up" if rule.step_up and "stepped up" not in who else "in"


def status_within(route: Route, who: str) -> int:
    """What a page answers to whoever may come in."""
    is_known = who not in ("stranger", "half signed in")
    is_staff = is_known and who not in ("buyer", "owner of the order")
    leads_on = {
        "shop.orders.open": True,
        "account.sessions.new": is_known,
        "account.people.new": is_known,
        "admin.sign_in.show": is_staff,
        "admin.second_factor.show": who != "half signed in",
    }
    if leads_on.get(route.endpoint, False):
        return 303
    if route.endpoint == "shop.orders.show" and who != "owner of the order":
        return 404
    return 400 if route.endpoint == "hooks.payments.create" else 200


@on_sqlite
@pytest.mark.parametrize("who", VISITORS)
def test_every_page_opens_for_whom_it_is(house: House, who: str) -> None:
    visitor, wrong = house.visitor(who), []
    for route in routes(house.app, "GET"):
        path = house.path(route)
        # Opening an order's link would put it into this browser's hand.
        visitor.client.delete_cookie("orders")
        response = visitor.get(path)
        expected, got = wanted(house.app, route, who), answer(response)
        if route.endpoint == "admin.second_factor.show":
            expected = "in" if who != "stranger" else "sign in as staff"
        is_right = got == expected
        if is_right and got == "in":
            is_right = response.status_code == status_within(route, who)
        wrong += [] if is_right else [f"{path}: {got} ({response.status_code}), not {expected}"]
        wrong += [f"{path}: {fault}" for fault in faults_of(route, response)]
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
            expected = got if who == "half signed in" else "sign in as staff"
        is_right = got == expected and response.status_code < 500
        if "number" in route.arguments and route.endpoint.startswith("shop."):
            is_right = (response.status_code == 404) == (who != "owner of the order")
        wrong += [] if is_right else [f"{route.rule}: {response.status_code}, not {expected}"]
        wrong += [f"{route.rule}: {fault}" for fault in faults_of(route, response)]
    assert not wrong, "\n".join(wrong)


def token_of(visitor: Visitor) -> tuple[str, str]:
    """A form's token and the visit it is good in, to come back to after a sign-out."""
    token, cookie = visitor.token(), visitor.client.get_cookie("visit")
    assert cookie is not None
    return token, cookie.value


def send(visitor: Visitor, path: str, form: dict[str, Any], **headers: str) -> TestResponse:
    from_us = {"Sec-Fetch-Site": "same-origin"}
    return visitor._open("POST", path, data=form, headers=from_us | headers)


HOLDERS = {
    "stranger": 404,
    "half signed in": 404,
    "buyer": 404,
    "owner": 404,
    "owner, stepped up": 404,
    "support, stepped up": 404,
    "owner of the order": 200,
}


@on_sqlite
@pytest.mark.parametrize("who", HOLDERS)
def test_an_order_is_its_buyers(house: House, who: str) -> None:
    visitor = house.visitor(who)
    assert visitor.get(f"/orders/{house.values['number']}").status_code == HOLDERS[who]


@on_sqlite
def test_an_orders_link_opens_that_order_and_no_other(house: House) -> None:
    assert house.pending is not None
    number, other = house.values["number"], house.pending.number
    guest = house.visitor("stranger")

    assert location(guest.get(f"/o/{house.token}")) == f"/orders/{number}"

    assert guest.get(f"/orders/{number}").status_code == 200
    assert guest.get(f"/orders/{other}").status_code == 404
    assert other not in guest.get("/wallet").text


@on_sqlite
@pytest.mark.parametrize("secret_key", ["", "another shop's"])
def test_a_cookie_that_is_not_ours_opens_nothing(house: House, secret_key: str) -> None:
    """Signed with nothing, with another key, and with ours for another purpose."""
    number = house.values["number"]
    guest = house.visitor("stranger")
    ours = house.app.config["SECRET_KEY"]
    for cookie in (
        f'["{number}"]',
        URLSafeSerializer(secret_key, salt="orders-in-hand").dumps([number]),
        URLSafeSerializer(ours, salt="another purpose").dumps([number]),
    ):
        guest.client.set_cookie("orders", cookie)
        assert guest.get(f"/orders/{number}").status_code == 404
        assert number not in guest.get("/wallet").text


# Forms from elsewhere


@on_sqlite
@pytest.mark.parametrize("who", ["stranger", "owner of the order", "owner, stepped up"])
def test_no_form_works_without_its_token_or_from_another_site(house: House, who: str) -> None:
    visitor = house.visitor(who)
    token, _visit = token_of(visitor)
    foreign, _visit = token_of(Visitor(house.app))
    before, wrong = contents(), []
    for route in routes(house.app, "POST"):
        if route.endpoint == "hooks.payments.create":
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


def contents() -> list[str]:
    """Everything in the database."""
    session.rollback()
    connection = session.connection().connection.driver_connection
    assert connection is not None
    return list(connection.iterdump())


@on_sqlite
def test_other_methods_are_refused(house: House) -> None:
    visitor = house.visitor("owner, stepped up")
    for route in house.app.url_map.iter_rules():
        for method in ("PUT", "PATCH", "DELETE"):
            response = visitor._open(method, house.path(route))
            assert response.status_code == 405
            assert list(faults_of(route, response)) == []


# Pages and their parts


@on_sqlite
def test_a_page_and_its_fragment_are_one_address(house: House) -> None:
    """HTMX gets the part, a reader without it the whole, and going back gets the whole again."""
    visitors = [house.visitor("owner of the order"), house.visitor("owner, stepped up")]
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
                assert route.endpoint not in WITH_FRAGMENT or part.text, path
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
        for who in ("stranger", "buyer", "finance"):
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


class Reader(HTMLParser):
    """Reads a page as a browser under our policy would, and notes what it would not run."""

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.open_form: str | None = None

    @classmethod
    def faults_of(cls, page: str) -> list[str]:
        reader = cls()
        reader.feed(page)
        reader.close()
        if "csrf-mark" in page or "checkout-mark" in page:
            reader.faults.append("a mark was left in the place of a secret")
        return reader.faults

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._look_at_attributes(tag, given)
        if tag == "style" or (tag == "script" and not given.get("src", "").startswith("/assets/")):
            self.faults.append(f"inline {tag}")
        if tag == "form" and given.get("method", "").lower() == "post":
            self.open_form = given.get("action", "(here)")
        if tag == "input" and given.get("name") == "csrf_token" and given.get("value"):
            self.open_form = None
        polls = given.get("hx-trigger", "").startswith("every ")
        for swap, own in (("hx-get", "href"), ("hx-get", "action"), ("hx-post", "action")):
            if swap in given and own in given and given[swap] != given[own]:
                self.faults.append(f"{swap} is not {own}")
        if ("hx-get" in given and tag not in ("a", "form") and not polls) or (
            "hx-post" in given and tag != "form"
        ):
            self.faults.append(f"{tag} needs HTMX")

    def _look_at_attributes(self, tag: str, given: dict[str, str]) -> None:
        for name, value in given.items():
            bare = value.strip().lower()
            if name == "style" or name.startswith(("on", "hx-on")) or name == "hx-vals":
                self.faults.append(f"{tag} {name}")
            if bare.startswith(("javascript:", "vbscript:", "js:")):
                self.faults.append(f"{tag} {name}={value}")
            if name == "src" and not bare.startswith(("/", "data:image/")):
                self.faults.append(f"{tag} from elsewhere: {value}")
            if name == "hx-trigger" and "[" in value:
                self.faults.append("a trigger filter")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self.open_form is not None:
            self.faults.append(f"a form without its token: {self.open_form}")
            self.open_form = None


@on_sqlite
def test_a_page_of_any_state_of_an_order_is_within_the_policy(house: House) -> None:
    assert house.pending is not None
    visitor = house.visitor("owner of the order")
    expired = factories.fresh(house.pending)
    delivered, waiting = house.values["number"], expired.number
    pages = [
        visitor.get(f"/orders/{waiting}"),
        visitor.post(f"/orders/{delivered}/reveal"),
        visitor.post(f"/orders/{delivered}/problems", {"text": ""}),
        visitor.get("/orders/nothing"),
        visitor.post("/orders", {"product": house.values["shop.products.slug"]}),
        house.visitor("owner, stepped up").get(f"/admin/orders/{waiting}"),
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
    preferences.forget()
    guest = Visitor(house.app)
    guest.get("/lookup")
    with guest.client.session_transaction() as visit:
        visit["_flashes"] = [("good", "只给我看")]
    assert "只给我看" in words(guest.get("/categories"))
    assert "只给我看" not in words(Visitor(house.app).get("/categories"))
    assert "只给我看" not in words(guest.get("/categories"))


@on_sqlite
def test_a_fault_of_ours_says_nothing_about_itself(house: House) -> None:
    def broken() -> str:
        raise RuntimeError("a secret of the machine")

    house.app.add_url_rule("/broken", "broken", public(broken))
    response = house.visitor("owner, stepped up").get("/broken")

    assert response.status_code == 500
    assert "a secret of the machine" not in response.text
    assert "Traceback" not in response.text
    assert list(faults_of(Route("/broken", endpoint="broken"), response)) == ["a fault of ours"]


# Nonsense

NOTHINGS = [
    "0",
    "999999",
    str(2**63 - 1),
    str(2**63),
    "9" * 40,
    "-1",
    "1.5",
    "nothing",
    "日本",
    "%00",
    "a%00b",
    "%ff%fe",
    "%ED%A0%80",
    "%0d%0aSet-Cookie:%20sid=1",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e",
    "'%20OR%201=1--",
    "%7B%7B7*7%7D%7D",
    "x" * 3000,
]


@pytest.mark.parametrize("who", ["stranger", "owner, stepped up"])
def test_what_does_not_exist_is_not_found(house: House, who: str) -> None:
    """Whatever stands in an address in place of a name: there is no such thing, and no fault."""
    visitor, wrong = house.visitor(who), []
    token, _visit = token_of(visitor)
    for method in ("GET", "POST"):
        for route in routes(house.app, method):
            if wanted(house.app, route, who) != "in":
                continue
            for name in sorted(route.arguments - {"digest"} or route.arguments):
                for nothing in NOTHINGS:
                    path = house.path(route, **{name: nothing})
                    got = visitor._open(
                        method,
                        path,
                        data=FORM | {"csrf_token": token} if method == "POST" else None,
                        headers={"Sec-Fetch-Site": "same-origin"},
                    )
                    is_right = got.status_code in allowed_for_nothing(route, nothing)
                    wrong += [] if is_right else [f"{method} {path[:80]}: {got.status_code}"]
    assert not wrong, "\n".join(wrong)


def allowed_for_nothing(route: Route, nothing: str) -> set[int]:
    if nothing == "%2e%2e":
        # A server may take it for the folder above.
        return {303, 308, 404, 405, 200}
    # A row of the outbox that is not dead is left alone, without a word.
    return {303, 404} if route.endpoint == "admin.health.create_retry" else {404}


VALUES = ["", "\0", "a\0b", "9" * 40, "-1", "1e9", "NaN", "１２", "日" * 3000, "<script>", "../.."]


@pytest.mark.parametrize("value", VALUES)
def test_no_form_breaks_over_nonsense(house: House, value: str) -> None:
    """Every field of every form, each time with the same nonsense in all of them."""
    names = {*FORM, *names_of_fields()}
    owner, buyer = house.visitor("owner, stepped up"), house.visitor("owner of the order")
    wrong = []
    for visitor in (owner, buyer):
        token, visit = token_of(visitor)
        form = dict.fromkeys(names, value) | {"csrf_token": token}
        for route in routes(house.app, "POST"):
            if route.endpoint in LAST or route.endpoint.startswith("admin.second_factor"):
                continue
            visitor.client.set_cookie("visit", visit)
            status = send(visitor, house.path(route), form).status_code
            wrong += [f"{route.rule}: {status}"] if status >= 500 else []
    assert not wrong, "\n".join(wrong)


def names_of_fields() -> set[str]:
    from tests.conftest import __file__ as here

    templates = (pathlib.Path(here).parent.parent / "templates").rglob("*.html")
    text = "\n".join(path.read_text() for path in templates)
    return set(re.findall(r'name="(\w+)"', text)) | set(re.findall(r'field\("(\w+)"', text))
