"""What somebody tries who means harm: other people's orders, guesses, links that lead elsewhere,
cookies; and what is left lying about after a day's work."""

import re
import zlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import process_time
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest
import sqlalchemy as sa
from flask import Flask
from redis import Redis

from app import create_app
from app.core import keys
from app.core.crypto import Secret
from app.core.db import session, transaction
from app.domain.accounts import passwords
from app.domain.accounts.models import Role, Session
from app.domain.catalog.models import Product
from app.domain.orders import queries, refunding, service
from app.domain.orders.models import (
    Order,
)
from app.domain.vault import queries as vault
from app.domain.vault.models import Code, CodeState
from tests import factories, people
from tests.conftest import settings
from tests.web.deeds import about, call, checkout, contents, lookup, upload
from tests.web.house import HOLDER, OWNER, STRANGER, House, routes
from tests.web.visitors import Visitor, location, words

pytestmark = pytest.mark.usefixtures("audited")
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

EVIL = "evil.example"


# Somebody else's


DEEDS_OF_A_BUYER = ("payment", "cancellation", "reveal", "download", "problems")


def in_hand(app: Flask, *, delivered: bool) -> tuple[Visitor, Order]:
    """A guest with an order of her own, whose link she has opened."""
    placed = factories.place(factories.make_product())
    if delivered:
        assert placed.payment is not None
        factories.settle(placed.payment)
    visitor = Visitor(app)
    location(visitor.get(f"/o/{placed.token}"))
    return visitor, placed.order


@on_sqlite
@pytest.mark.parametrize("delivered", [True, False])
def test_my_own_order_opens_nobody_elses(app: Flask, delivered: bool) -> None:
    mallory, own = in_hand(app, delivered=True)
    _alice, order = in_hand(app, delivered=delivered)
    before = contents()

    assert mallory.get(f"/orders/{own.number}").status_code == 200
    assert mallory.get(f"/orders/{order.number}").status_code == 404
    for deed in DEEDS_OF_A_BUYER:
        form = {"text": "打不开", "channel": "sandbox"}
        response = mallory.post(f"/orders/{order.number}/{deed}", form)
        assert response.status_code == 404, deed
        assert order.contact_masked not in response.text

    assert contents() == before


@on_sqlite
def test_an_account_opens_its_own_orders_only(app: Flask) -> None:
    alice, mallory = people.make(), people.make()
    order = factories.buy(factories.make_product(), person_id=alice.id)
    assert Visitor(app, alice).get(f"/orders/{order.number}").status_code == 200
    stranger = Visitor(app, mallory)
    assert stranger.get(f"/orders/{order.number}").status_code == 404
    assert stranger.post(f"/orders/{order.number}/reveal").status_code == 404
    assert order.number not in stranger.get("/wallet").text


@on_sqlite
def test_a_new_link_closes_the_old_one(app: Flask) -> None:
    """What it opened before, on a phone that had it, stays open there."""
    placed = factories.place(factories.make_product())
    new = transaction(lambda: service.new_link(placed.order.id)).reveal()
    assert Visitor(app).get(f"/o/{placed.token}").status_code == 404
    assert location(Visitor(app).get(f"/o/{new}")) == f"/orders/{placed.order.number}"


@on_sqlite
def test_staff_reach_a_thing_through_its_own_order_only(owner: Visitor) -> None:
    """So that the page, the timeline and the audit log speak of the right one."""
    product = factories.make_product(codes=9)
    first, second = factories.buy(product), factories.buy(product)
    line = queries.lines_of(second.id)[0]
    refund = transaction(lambda: refunding.request_refund(second.id, line.id, 100, "部分退款"))
    problem = transaction(lambda: service.report_problem(second.id, "打不开"))
    code, payment = vault.codes_of([line.id])[0], queries.payments_of(second.id)[0]
    before = contents()

    for thing in (
        f"codes/{code.id}/reveal",
        f"codes/{code.id}/replacement",
        f"payments/{payment.id}/confirmation",
        f"refunds/{refund.id}/confirmation",
        f"refunds/{refund.id}/sending",
        f"problems/{problem.id}/answer",
    ):
        form = {"reason": "客户要求核对", "amount": "30", "reference": "B1234", "answer": "好的"}
        form |= {"trade_number": "B1234"}
        assert owner.post(f"/admin/orders/{first.number}/{thing}", form).status_code == 404, thing
    form = {"line": line.id, "amount": "1", "reason": "退款"}
    assert owner.post(f"/admin/orders/{first.number}/refunds", form).status_code == 404

    assert contents() == before


@on_sqlite
def test_a_code_on_the_shelf_belongs_to_no_order(owner: Visitor) -> None:
    order = factories.buy(factories.make_product())
    shelf = session.scalars(sa.select(Code.id).where(Code.state == CodeState.AVAILABLE)).first()
    response = owner.post(
        f"/admin/orders/{order.number}/codes/{shelf}/reveal", {"reason": "客户要求核对"}
    )
    assert response.status_code == 404


@on_sqlite
@pytest.mark.parametrize("path", ["/account/session/deletion", "/admin/profile/sessions/deletion"])
def test_nobody_signs_somebody_else_out(app: Flask, path: str) -> None:
    alice, mallory = Visitor(app, people.make()), Visitor(app, people.make(Role.SUPPORT))
    theirs = session.scalars(sa.select(Session.id).order_by(Session.id)).first()
    mallory.post(path, {"session": theirs})
    assert alice.get("/account").status_code == 200


# Guessing


@on_sqlite
def test_looking_up_tells_a_guesser_nothing(app: Flask) -> None:
    """Not whether there is such an order, nor whose it is, nor that it has a password; and the
    answer is as much work, because a password is checked in any case."""
    phone, other = factories.contact(), factories.contact()
    product = factories.make_product()
    plain = factories.place(product, phone=phone).order.number
    locked = factories.place(
        product, phone=phone, pickup_hash=passwords.hash(Secret("open sesame"))
    ).order.number
    guesses = {
        "no such order": ("261231ZZZZZZZZZ", phone, ""),
        "another's": (plain, other, ""),
        "no password": (locked, phone, ""),
        "a wrong password": (locked, phone, "sesame"),
        "another's with a password": (locked, other, "open sesame"),
    }
    pages, seconds = set(), {}
    for n, (case, (number, contact, pickup)) in enumerate(guesses.items()):
        guest = Visitor(app, ip=f"203.0.113.{n}")
        took = []
        for _ in range(3):
            token = guest.token()
            start = process_time()
            response = guest._open(
                "POST",
                "/lookup",
                data={"number": number, "contact": contact, "pickup": pickup, "csrf_token": token},
            )
            took.append(process_time() - start)
            assert response.status_code == 422
            assert guest.client.get_cookie("orders") is None
        pages.add(words(response).replace(number, "").replace(contact, ""))
        seconds[case] = min(took)
    assert len(pages) == 1
    assert max(seconds.values()) < 2 * min(seconds.values()), seconds
    assert lookup(Visitor(app), locked, phone, "open sesame").status_code == 303


@on_sqlite
def test_guessing_comes_to_an_end(app: Flask) -> None:
    guest = Visitor(app)
    numbers = (f"261231ZZZZZZZ{n:02d}" for n in range(21))
    statuses = [lookup(guest, number, "13800138000").status_code for number in numbers]
    assert statuses == [422] * 20 + [429]


# Addresses

ELSEWHERE = [
    "https://evil.example/",
    "//evil.example/",
    "///evil.example",
    "/\\evil.example",
    "\\\\evil.example",
    "/\t/evil.example",
    "http:evil.example",
    "javascript:alert(1)",
    "/\r\nLocation: https://evil.example",
    "/%0d%0aSet-Cookie:%20a=b",
    "@evil.example",
    "/..//evil.example",
]


@on_sqlite
def test_no_next_leads_elsewhere(app: Flask) -> None:
    owner = people.make(Role.OWNER, contact="owner@example.com")
    buyer = people.make(contact="buyer@example.com")
    signing_in = {"contact": "buyer@example.com", "password": people.PASSWORD}
    for n, target in enumerate(ELSEWHERE):
        guest, ip = Visitor(app, ip=f"203.0.113.{n}"), f"198.51.100.{n}"
        responses = [
            guest.post("/preferences/language", {"language": "en", "next": target}),
            guest.post("/preferences/theme", {"theme": "dark", "next": target}),
            Visitor(app, buyer, ip=ip).get("/account/sign-in", query_string={"next": target}),
            Visitor(app, buyer, ip=ip).get("/account/registration", query_string={"next": target}),
            Visitor(app, owner, ip=ip).get("/admin/sign-in", query_string={"next": target}),
            Visitor(app, ip=ip).post("/account/sign-in", signing_in | {"next": target}),
        ]
        for response in responses:
            leads_to = urljoin("http://localhost/a", location(response))
            assert urlsplit(leads_to)[:2] == ("http", "localhost"), target
            assert set(response.headers.getlist("Set-Cookie")) & {"a=b"} == set()


@on_sqlite
def test_a_request_does_not_say_where_the_shop_is(house: House) -> None:
    """A forged Host stands in no page, no link and no redirect; not for others either, to whom
    the same page is shown from memory."""
    forged = {"Host": EVIL, "X-Forwarded-Host": EVIL, "X-Forwarded-Proto": "https"}
    for visitor in (house.visitor(STRANGER), house.visitor(HOLDER), house.visitor(OWNER)):
        for route in routes(house.app, "GET"):
            response = visitor.get(house.path(route), headers=forged)
            assert EVIL.encode() not in response.data, route.rule
            assert EVIL not in str(response.headers), route.rule
    owner, number = house.visitor(OWNER), house.values["number"]
    owner.client.set_cookie("sid", house.secrets[OWNER], domain=EVIL)
    token = owner._open("GET", "/admin/profile", headers=forged).text.split('csrf_token" value="')
    form = {"csrf_token": token[1].split('"')[0], "reason": "换手机了"}
    for path in (
        f"/admin/orders/{number}/link",
        f"/admin/people/{house.values['admin.people.uid']}/invitation",
    ):
        made = owner._open("POST", path, data=form, headers=forged)
        assert made.status_code == 200
        assert EVIL not in made.text
        assert re.search(r"http://localhost/(o|account/invitation)/[\w-]{20}", made.text)


@on_sqlite
def test_a_payment_comes_back_to_us(app: Flask) -> None:
    visitor, order = in_hand(app, delivered=False)
    path = f"/orders/{order.number}/payment"
    form = {"csrf_token": visitor.token(), "channel": "sandbox"}
    visitor.client.set_cookie("visit", visitor.client.get_cookie("visit").value, domain=EVIL)
    visitor.client.set_cookie("orders", visitor.client.get_cookie("orders").value, domain=EVIL)
    response = visitor._open("POST", path, data=form, headers={"Host": EVIL})
    assert location(response).startswith("http://127.0.0.1:9/pay?")
    assert EVIL not in location(response)


# Sessions


@on_sqlite
def test_a_planted_session_is_not_taken_over(app: Flask) -> None:
    """Neither the cookie nor the form's token that somebody gave the victim is good afterwards."""
    people.make(contact="buyer@example.com")
    victim, mallory = Visitor(app), Visitor(app)
    planted = mallory.token()
    victim.client.set_cookie("visit", mallory.client.get_cookie("visit").value)
    victim.client.set_cookie("sid", "planted-by-mallory")
    form = {"contact": "buyer@example.com", "password": people.PASSWORD, "csrf_token": planted}
    location(victim._open("POST", "/account/sign-in", data=form))

    assert victim.sid != "planted-by-mallory"
    mallory.client.set_cookie("sid", "planted-by-mallory")
    assert location(mallory.get("/account")).startswith("/account/sign-in")
    stale = {"language": "en", "csrf_token": planted}
    assert victim._open("POST", "/account/language", data=stale).status_code == 400


@on_sqlite
@pytest.mark.parametrize("role", [None, Role.OWNER])
def test_a_cookie_that_was_signed_out_is_worth_nothing(app: Flask, role: Role | None) -> None:
    visitor = Visitor(app, people.make(role))
    kept = visitor.sid
    path = "/admin/session/deletion" if role else "/account/session/deletion"
    assert visitor.post(path).headers["Clear-Site-Data"] == '"cache", "storage"'
    visitor.client.set_cookie("sid", kept)
    home = "/admin/" if role else "/account"
    assert "/sign-in" in location(visitor.get(home))


@on_sqlite
@pytest.mark.parametrize("change", [str.swapcase, lambda sid: sid[:-1], lambda sid: sid + "A"])
def test_a_cookie_that_was_changed_is_worth_nothing(app: Flask, change: Any) -> None:
    visitor = Visitor(app, people.make())
    visitor.client.set_cookie("sid", change(visitor.sid))
    assert "/sign-in" in location(visitor.get("/account"))


@on_sqlite
def test_what_is_kept_of_a_session_does_not_open_it(app: Flask) -> None:
    """Whoever reads the database cannot sign in with what is there."""
    visitor = Visitor(app, people.make())
    kept = session.scalars(sa.select(Session.secret_hash)).one()
    for secret in (kept.hex(), kept.decode("latin-1")):
        visitor.client.set_cookie("sid", secret)
        assert "/sign-in" in location(visitor.get("/account"))


# Secrets

CODES = ("QWER-7TYU-IOPA-9SDF", "ZXCV-8BNM-ASDF-6GHJ", "PLMK-5OIJ-NUHB-4YGV")
BUYERS_PASSWORD, PICKUP = "my cat is called 豆豆", "sesame-4711"
PHONE = "13912348765"


@dataclass
class Day:
    """A shop's day, lived through the web alone, and every secret that was in it."""

    app: Flask
    product: Product
    secrets: dict[str, str] = field(default_factory=dict)

    def live(self) -> None:
        owner = self.sign_in_owner()
        self.bring_codes(owner)
        buyer, order = self.buy()
        shown = buyer.post(f"/orders/{order.number}/reveal").text
        file = buyer.post(f"/orders/{order.number}/download").text
        assert CODES[0] in file and CODES[0].partition("-")[0] in shown
        self.serve(owner, order)
        lookup(Visitor(self.app, ip="203.0.113.9"), order.number, PHONE, PICKUP)
        lookup(Visitor(self.app, ip="203.0.113.9"), order.number, PHONE, "wrong " + PICKUP)

    def sign_in_owner(self) -> Visitor:
        people.make(Role.OWNER, contact="owner@example.com")
        owner = Visitor(self.app)
        login = {"login": "owner@example.com", "password": people.PASSWORD}
        owner.post("/admin/sign-in", login | {"password": "not it, but nearly"})
        location(owner.post("/admin/sign-in", login | {"totp": people.code()}))
        recovery = owner.post("/admin/profile/recovery-codes").text
        found = re.search(r'data-testid="recovery-codes">([^<]+)<', recovery)
        assert found is not None
        self.secrets |= {
            "the owner's password": people.PASSWORD,
            "a mistyped password": "not it, but nearly",
            "the owner's session": owner.sid,
            "the authenticator's secret": people.TOTP,
            "a recovery code": found[1].split()[0],
        }
        return owner

    def bring_codes(self, owner: Visitor) -> None:
        bad = f"{CODES[2]}\0\n"
        url = location(upload(owner, self.product, "\n".join([*CODES[:2], bad]).encode(), "a.txt"))
        location(owner.post(f"{url}/start", {"name": "一批", "code_column": "0"}))
        factories.work()
        for code in CODES:
            self.secrets |= {
                f"the code {code}": code,
                f"{code} written close": code.replace("-", ""),
            }

    def buy(self) -> tuple[Visitor, Order]:
        buyer = Visitor(self.app)
        form = {"contact": PHONE, "password": BUYERS_PASSWORD}
        location(buyer.post("/account/registration", form))
        self.secrets |= {
            "the buyer's password": BUYERS_PASSWORD,
            "the buyer's session": buyer.sid,
            "the pickup password": PICKUP,
            "the phone number": PHONE,
        }
        form = checkout(self.product, quantity="2", contact=PHONE, pickup=PICKUP)
        location(buyer.post("/orders", form))
        session.rollback()
        order = session.scalars(sa.select(Order)).one()
        assert call(buyer, about(queries.payments_of(order.id)[0])).text == "success"
        self.secrets["the form's one-time key"] = form["checkout_key"]
        return buyer, order

    def serve(self, owner: Visitor, order: Order) -> None:
        """Look at a code, make a new link and open it, invite a member."""
        session.rollback()
        code = session.scalars(sa.select(Code).where(Code.state == CodeState.SOLD)).first()
        assert code is not None
        path = f"/admin/orders/{order.number}"
        seen = owner.post(f"{path}/codes/{code.id}/reveal", {"reason": "客户要求核对"})
        assert CODES[0] in seen.text or CODES[1] in seen.text
        link = re.search(r"/o/([\w-]{20,})", owner.post(f"{path}/link").text)
        form = {"name": "王小明", "contact": "new@example.com", "role": "support"}
        invited = re.search(r"/invitation/([\w-]{20,})", owner.post("/admin/people", form).text)
        assert link is not None and invited is not None
        location(Visitor(self.app).get(f"/o/{link[1]}"))
        Visitor(self.app).get(f"/o/{link[1]}x")
        Visitor(self.app).get(f"/account/invitation/{invited[1]}")
        self.secrets |= {"the order's link": link[1], "the invitation's link": invited[1]}

    def found_in(self, text: bytes) -> list[str]:
        return [name for name, secret in self.secrets.items() if secret.encode() in text]


def everything_in(redis: Redis) -> bytes:
    """All that the queue holds; a job's data is compressed."""
    values: list[bytes] = []
    for key in redis.scan_iter():
        values.append(key)
        kind = redis.type(key)
        if kind == b"hash":
            values += [part for pair in redis.hgetall(key).items() for part in pair]
        elif kind == b"list":
            values += redis.lrange(key, 0, -1)
        elif kind == b"string":
            values.append(redis.get(key) or b"")
    return b"\n".join(values + [zlib.decompress(v) for v in values if v[:1] == b"\x78"])


@on_sqlite
def test_after_a_days_work_no_secret_lies_anywhere(
    sqlite_url: str, redis_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Not in what was logged, nor in the queue, nor in the bytes of any file that was written."""
    config = replace(settings(tmp_path, sqlite_url, redis_url), log_level="DEBUG")
    app = create_app(config)
    with app.app_context():
        transaction(keys.ensure_shop_keys)
        day = Day(app, factories.make_product(codes=0, name="测试卡"))
        day.live()
        session.rollback()
    logged = "".join(capfd.readouterr()).encode()
    queued = everything_in(Redis.from_url(redis_url))
    files = {path.name: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    assert b"callback.taken" in logged
    assert b"app.core.outbox.run" in queued or b"outbox" in queued
    assert "测试卡".encode() in b"".join(files.values())
    found = {"log": day.found_in(logged), "queue": day.found_in(queued)}
    found |= {name: day.found_in(content) for name, content in files.items()}
    assert {place: secrets for place, secrets in found.items() if secrets} == {}
