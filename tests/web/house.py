"""A shop in which everything is real: what each argument of each route may name, and visitors.

Also the eyes of a browser: what a page under our policy must not have in it.
"""

import io
import re
from contextlib import suppress
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import sqlalchemy as sa
from flask import Flask
from PIL import Image
from werkzeug.routing import Rule as Route
from werkzeug.test import TestResponse

from app.core import clock
from app.core.db import session, transaction
from app.core.outbox import OutboxRow, OutboxState
from app.domain.accounts import service as accounts
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Person, Role, Session
from app.domain.accounts.rules import PERMISSIONS
from app.domain.catalog import offers, pictures
from app.domain.catalog import service as catalog
from app.domain.catalog.models import AccountFormat, Product, ProductKind
from app.domain.catalog.offers import OfferFields
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.orders import queries, refunding, service
from app.domain.recharges import reconciling
from app.domain.recharges import service as recharges
from app.domain.recharges.models import Recharge, StatementRow
from app.domain.redemptions import links as redeem_links
from app.domain.redemptions import service as redemptions
from app.domain.redemptions.validity import Policy
from app.domain.risk import cases, events, lists, live_rules, pack, stopping
from app.domain.risk.models import EventKind, ListKind, Restriction, Rule, RuleMode, Subject
from app.domain.vault import alarms, exporting
from app.domain.vault import queries as vault
from app.domain.vault.alarm_models import AlarmKind
from app.domain.vault.models import Batch
from app.web import access
from app.web.access import Who
from tests import factories, people
from tests.domain.risk import shopping
from tests.domain.vault import imports
from tests.fake_provider import add_provider
from tests.web import selling
from tests.web.visitors import Visitor

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
    "account": "13912345678",
    "code": "AAAA-BBBB",
    "introduction": "两个同学群",
    "threshold": "5000",
}
# Where so many order that the next is limited; nobody else is there.
CROWDED = "198.51.100.77"
STRANGER, HALF, BUYER, HOLDER = "stranger", "half signed in", "buyer", "holder of the order"
FRESH = ", stepped up"
OWNER = Role.OWNER + FRESH
# Members by the name of their visitor; after a step-up they are another visitor.
ROLES = {f"{role}{fresh}": role for role in Role for fresh in ("", FRESH)}
VISITORS = (STRANGER, HALF, BUYER, HOLDER, *ROLES)
# They end the visit they are asked in, so each visitor comes to them last.
LAST = {"account.sessions.delete", "admin.sign_in.delete"}


@dataclass
class House:
    """A shop in which each argument of each route is the name of something real."""

    app: Flask
    secrets: dict[str, str] = field(default_factory=dict)
    # By argument, and where one name has two meanings by endpoint's part and argument.
    values: dict[str, Any] = field(default_factory=dict)
    # Of the holder's other order, which waits for a transfer.
    pending: str = ""

    def visitor(self, who: str) -> Visitor:
        """One of VISITORS, with a browser and an address of their own."""
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


def furnish(app: Flask) -> House:
    """Put in what there is to put in."""
    made = House(app)
    buyer = people.make()
    sign_everybody_in(made, buyer)
    category = transaction(lambda: catalog.create_category("礼品卡"))
    product = factories.make_product(codes=10, category_id=category.id, description="好用")
    drawn = pictures.draw(png())
    transaction(lambda: catalog.set_picture(product.id, drawn))
    add_orders(made, product, buyer)
    add_pass(made, buyer)
    add_recharge(made, buyer)
    made.values |= selling.distributors() | selling.commissions(product)
    recharged = made.values["shop.recharge_accounts.number"]
    made.values |= selling.earnings(product, buyer, recharged) | selling.payouts(buyer)
    made.values |= selling.papers(buyer) | selling.purchases(product, buyer)
    made.values |= selling.books(product)
    member = transaction(
        lambda: accounts.invite(Contact.parse("member@example.com"), "王小明", Role.SUPPORT)
    )
    made.values |= {
        "product_id": product.id,
        "category_id": category.id,
        "batch_id": session.scalars(
            sa.select(Batch.id).where(Batch.product_id == product.id)
        ).one(),
        "alarm_id": transaction(lambda: an_alarm(product)),
        "export_id": transaction(lambda: an_export(product)),
        "row_id": transaction(dead_job),
        "digest": drawn.digest,
        "name": "css/shop.css",
        "filename": "bundles.toml",
        "channel": "sandbox",
        "shop.products.slug": product.slug,
        "shop.categories.slug": category.slug,
        "account.invitation.token": member.token.reveal(),
        "admin.people.uid": member.person.uid,
        **risk_at_work(product),
        "admin.imports.uid": imports.upload(product, "AAAA-BBBB-0001\nAAAA-BBBB-0002\n").uid,
    }
    return made


def an_alarm(product: Product) -> int:
    """That a canary of the product's batch was typed; the batch still sells for other tests."""
    batch_id = session.scalars(sa.select(Batch.id).where(Batch.product_id == product.id)).one()
    touch = alarms.Touch("typed", "203.0.113.0/24")
    return alarms.raise_alarm(AlarmKind.CANARY, f"batch:{batch_id}", touch, batch_id).id


def an_export(product: Product) -> int:
    """That somebody asked for some of the product's codes."""
    batch_id = session.scalars(sa.select(Batch.id).where(Batch.product_id == product.id)).one()
    return exporting.request(batch_id, 2, reason="交给线下门店").id


def sign_everybody_in(house: House, buyer: Person) -> None:
    """In browsers of their own; the members in two each, of which one is stepped up."""
    members = {role: people.make(role) for role in Role}
    house.secrets = {
        HALF: people.sign_in(people.make(Role.OWNER), second_factor=False),
        BUYER: people.sign_in(people.make()),
        HOLDER: people.sign_in(buyer),
    }
    house.secrets |= {role: people.sign_in(member) for role, member in members.items()}
    transaction(lambda: session.execute(sa.update(Session).values(stepped_up_at=None)))
    house.secrets |= {role + FRESH: people.sign_in(member) for role, member in members.items()}


def add_orders(house: House, product: Product, buyer: Person) -> None:
    """One delivered with a problem and a refund on its way, one that waits for a transfer."""
    placed = factories.place(product, quantity=2, person_id=buyer.id)
    assert placed.payment is not None
    factories.settle(placed.payment)
    order, line = placed.order, queries.lines_of(placed.order.id)[0]
    problem = transaction(lambda: service.report_problem(order.id, "打不开"))
    refund = transaction(lambda: refunding.request_refund(order.id, line.id, 100, "部分退款"))
    other = factories.place(product, channel="transfer", person_id=buyer.id)
    house.pending = other.order.number
    house.values |= {
        "number": order.number,
        "payment_id": placed.payment.id,
        "refund_id": refund.id,
        "problem_id": problem.id,
        "code_id": vault.codes_of([line.id])[0].id,
        "shop.orders.token": placed.token,
    }


def risk_at_work(product: Product) -> dict[str, Any]:
    """A paid order that is held, a limited buyer, an entry on a list. The rules are off again."""
    transaction(pack.install)
    live_rules.forget()
    dear = factories.make_product(codes=1, price=60_000)
    placed = factories.place(dear)
    assert placed.payment is not None
    factories.settle(placed.payment)
    transaction(lambda: crowd(CROWDED))
    with suppress(stopping.Stopped):
        shopping.order(product, ip=CROWDED)
    banned = lists.parse(Subject.ADDRESS, "192.0.2.0/24")
    entry = transaction(lambda: lists.add(ListKind.BLOCK, banned, "扫号的网段", 30))
    transaction(lambda: session.execute(sa.update(Rule).values(state=RuleMode.OFF)))
    live_rules.forget()
    restriction = session.scalars(sa.select(Restriction)).one()
    return {
        "admin.cases.uid": cases.queue()[0].uid,
        "admin.decisions.uid": restriction.decision_uid,
        "admin.risk_rules.slug": restriction.rule_slug,
        "entry_id": entry.id,
        "restriction_id": restriction.id,
    }


def crowd(ip: str) -> None:
    """So many orders from there that the next is limited."""
    whose = events.hashed(events.from_address(ip, "198.51.100.0/24"))
    for _ in range(10):
        events.record(EventKind.PLACED, whose)


def add_pass(house: House, buyer: Person) -> None:
    """A pass of the holder's, and a redeem code."""
    kept = factories.make_product(
        codes=2, kind=ProductKind.MULTI, name="健身次卡", policy=Policy(uses_total=3)
    )
    order = factories.buy(kept, person_id=buyer.id)
    code = vault.codes_of([order.lines[0].id])[0]
    house.values |= {
        "shop.passes.number": order.number,
        "shop.passes.code_id": code.id,
        "redeem.token": redeem_links.token_of(code.uid),
        "admin.policies.product_id": kept.id,
        "redemption_id": transaction(lambda: redemptions.take_use(code.id, "k" * 16)).id,
    }


def add_recharge(house: House, buyer: Person) -> None:
    """A recharge of the holder's that nobody was asked for yet."""
    provider = add_provider("obedient")
    product = factories.make_product(
        codes=0, kind=ProductKind.RECHARGE, account_format=AccountFormat.PHONE, name="话费"
    )
    offer = transaction(lambda: offers.add_offer(product.id, OfferFields(provider.id, "S1", 2000)))
    account = RechargeAccount.parse(AccountFormat.PHONE, "13912345678")
    placed = factories.place(product, person_id=buyer.id, account=account)
    assert placed.payment is not None
    factories.settle(placed.payment)
    line = queries.lines_of(placed.order.id)[0]
    recharge_id = transaction(lambda: recharges.begin_line(line.id))
    theirs = [reconciling.TheirRow("NOBODY", "success", 2000)]
    statement = transaction(
        lambda: reconciling.take(provider.id, clock.today(factories.ZONE), theirs)
    )
    rows = sa.select(StatementRow.id).where(StatementRow.statement_id == statement.id)
    house.values |= {
        "admin.recharges.uid": session.get_one(Recharge, recharge_id).uid,
        "admin.offers.product_id": product.id,
        "offer_id": offer.id,
        "admin.statements.row_id": session.scalars(rows).one(),
        "slug": provider.slug,
        "shop.recharge_accounts.number": placed.order.number,
        "shop.recharge_accounts.line_id": line.id,
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
    """Every route that answers the method."""
    found = [route for route in app.url_map.iter_rules() if method in (route.methods or ())]
    return sorted(found, key=lambda route: route.endpoint in LAST)


def wanted(app: Flask, route: Route, who: str) -> str:
    """What the view's rule and the matrix say."""
    if route.endpoint == "static":
        return "in"
    rule = access.rule_of(app.view_functions[route.endpoint])
    if rule is None:
        return "forbidden"
    if rule.who in (Who.ANYBODY, Who.CHANNEL):
        return "in"
    if rule.who is Who.SIGNED_IN:
        return "sign in" if who in (STRANGER, HALF) else "in"
    if who not in ROLES:
        return "sign in as staff"
    if ROLES[who] not in PERMISSIONS[rule.permission]:
        return "forbidden"
    return "step up" if rule.step_up and not who.endswith(FRESH) else "in"


def token_of(visitor: Visitor) -> tuple[str, str]:
    """A form's token and the visit it is good in, to come back to after a sign-out."""
    token, cookie = visitor.token(), visitor.client.get_cookie("visit")
    assert cookie is not None
    return token, cookie.value


def send(visitor: Visitor, path: str, form: dict[str, Any], **headers: str) -> TestResponse:
    from_us = {"Sec-Fetch-Site": "same-origin"}
    return visitor._open("POST", path, data=form, headers=from_us | headers)


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
