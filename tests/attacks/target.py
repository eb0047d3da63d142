"""The shop that is attacked: started as `bin/run` does, behind a proxy that tells addresses."""

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import urlsplit

import sqlalchemy as sa
from flask import Flask

from app import connect, create_app
from app.core import clock, migrations, outbox
from app.core.db import db, session
from app.core.outbox import OutboxRow, OutboxState
from app.domain.accounts.models import Role
from app.domain.catalog.models import Product
from app.settings import Settings
from app.web.visitor import cookie_name
from tests import factories, people, servers
from tests.attacks.visitor import Page, Visitor

# So many of an attacker's machines at once.
MACHINES = 8
PATIENCE = 30.0
# As the order's page asks for itself.
LOOKS_AGAIN = 1.0
# Of so many honest people one in a hundred is one.
CROWD = 110


@dataclass(frozen=True)
class Member:
    """Of staff: `actor` is how rows name her."""

    browser: Visitor
    actor: str


@dataclass
class Target:
    """A running shop, and its database for laying the table and for counting."""

    shop: servers.Shop
    app: Flask
    # How often the honest had to let their browsers work for a second.
    asked_to_prove: int = 0
    _members: "itertools.count[int]" = field(default_factory=lambda: itertools.count(60_000))
    _phones: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return self.shop.url

    @property
    def settings(self) -> Settings:
        found: Settings = self.app.config["SETTINGS"]
        return found

    @contextlib.contextmanager
    def inside(self) -> Iterator[None]:
        """The app's own context, to lay the table or to count."""
        with self.app.app_context():
            # Another attack may have opened another shop in this process.
            connect(self.app)
            outbox.connect(outbox.NoBell())
            try:
                yield
            finally:
                session.remove()

    def phone(self) -> str:
        with self._lock:
            return f"137{next(self._phones):08d}"

    def attacker(self, number: int) -> Visitor:
        """One of the attacker's, each in a network of its own."""
        return Visitor(self.url, f"45.{number >> 8 & 255}.{number & 255}.7")

    def honest(self, number: int) -> Visitor:
        """An honest person, each in a network of her own."""
        return Visitor(self.url, f"101.{number >> 8 & 255}.{number & 255}.9")

    def member(self, role: Role) -> "Member":
        """A member of staff with that role, just signed in with both factors."""
        with self.inside(), self.app.test_request_context():
            person = people.make(role)
            member = Member(self.honest(next(self._members)), f"person:{person.id}")
            member.browser.cookies[cookie_name()] = people.sign_in(person)
        return member

    def wait_for_jobs(self, *names: str) -> None:
        """Until the workers have done every job of these names that is due."""
        waiting = sa.select(OutboxRow.id).where(
            OutboxRow.name.in_(names),
            OutboxRow.state.in_((OutboxState.READY, OutboxState.RUNNING)),
            OutboxRow.due_at <= clock.now(),
        )

        def are_done() -> bool:
            with self.inside():
                return session.scalar(waiting.limit(1)) is None

        servers.wait_until(are_done, "the workers", within=60)

    def order(self, who: Visitor, path: str, phone: str, **values: str) -> Page:
        """Place an order from a product's page; the channel's page when it worked."""
        return who.submit(who.get(path), "/orders", contact=phone, **values)

    def buy(self, number: int, path: str) -> str:
        """An honest buyer from the product to her code; what troubled her."""
        return self.buy_as(self.honest(number), path)

    def buy_as(self, who: Visitor, path: str) -> str:
        """The same, in a browser that is there already."""
        phone = self.phone()
        placed = self.order(who, path, phone)
        if placed.wants_captcha:
            # Her browser does it by itself; she taps once more.
            self.asked_to_prove += 1
            placed = who.solve(placed, "/orders", contact=phone)
        if "/orders" in placed.path:
            return f"could not order ({placed.status}): {_complaint(placed)}"
        paid = self.pay(who, placed)
        if not paid.shows("code"):
            return f"paid, and sees no code ({paid.status}): {paid.attribute('data-state')}"
        return ""

    def pay(self, who: Visitor, placed: Page) -> Page:
        """Pay on the channel's page, wait for the goods and look at them."""
        page = who.submit(placed, "")
        until = time.monotonic() + PATIENCE
        while page.attribute("data-state") != "delivered":
            if time.monotonic() > until:
                return page
            time.sleep(LOOKS_AGAIN)
            # Whatever the channel's page said: it may have been too busy to lead back.
            page = who.get(order_of(placed))
        return who.submit(page, "/reveal")


def _complaint(page: Page) -> str:
    return "captcha" if page.wants_captcha else page.attribute("aria-invalid") or page.path


def order_of(placed: Page) -> str:
    """The path of the order's own page, to which the channel's page leads back."""
    return urlsplit(placed.query["return_url"]).path


def path_of(product: Product) -> str:
    return f"/products/{product.slug}"


def id_of(slug: str) -> int:
    """Of the product that has this slug."""
    return session.scalars(sa.select(Product.id).where(Product.slug == slug)).one()


def product(codes: int, **fields: object) -> Product:
    """A product on the shelf of the shop that is open in this process."""
    return factories.make_product(codes=codes, **fields)


def crowd_of(scale: float) -> int:
    """How many honest people there must have been at the least: one in a hundred must show."""
    return max(int(CROWD * scale), 3)


def at_once(calls: Sequence[Any]) -> list[Any]:
    """The calls' results; all of them begin in the same moment."""
    barrier = threading.Barrier(len(calls))

    def run(call: Any) -> Any:
        barrier.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def in_parallel(calls: Sequence[Any]) -> list[Any]:
    """The calls' results; so many at once as an attacker has machines."""
    with ThreadPoolExecutor(MACHINES) as pool:
        return list(pool.map(lambda call: call(), calls))


@contextlib.contextmanager
def running(*, on_postgres: bool = False) -> Iterator[Target]:
    """A shop with demo data and everything on, as it is delivered. On PostgreSQL two units of work
    really run at once, which a file of SQLite never lets them."""
    with TemporaryDirectory(prefix="attacked-") as folder, contextlib.ExitStack() as opened:
        database = {"DATABASE_URL": opened.enter_context(_postgres())} if on_postgres else {}
        data = Path(folder) / "data"
        shop = servers.start_shop(data, TRUSTED_PROXIES="1", LOG_LEVEL="ERROR", **database)
        opened.callback(shop.stop)
        yield opened.enter_context(attacking(shop))


@contextlib.contextmanager
def attacking(shop: servers.Shop) -> Iterator[Target]:
    """A shop that runs, behind one proxy; with its app in this process."""
    app = create_app(Settings.from_environment(shop.environment))
    yield Target(shop, app)
    with app.app_context():
        session.remove()
        db.engine.dispose()


@contextlib.contextmanager
def _postgres() -> Iterator[str]:
    """The URL of a migrated, empty database of a server of its own."""
    server = servers.start_postgres()
    server.create(servers.TEMPLATE, template="template0")
    migrations.upgrade(server.url(servers.TEMPLATE))
    yield server.create("attacked")
    server.close()
