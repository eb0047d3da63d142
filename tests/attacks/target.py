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

from flask import Flask

from app import connect, create_app
from app.core import outbox
from app.core.db import db, session
from app.domain.catalog.models import Product
from app.settings import Settings
from tests import factories, servers
from tests.attacks.visitor import Page, Visitor

# So many of an attacker's machines at once.
MACHINES = 8
PATIENCE = 30.0


@dataclass
class Target:
    """A running shop, and its database for laying the table and for counting."""

    shop: servers.Shop
    app: Flask
    # How often the honest had to let their browsers work for a second.
    asked_to_prove: int = 0
    _phones: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def url(self) -> str:
        return self.shop.url

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

    def order(self, who: Visitor, path: str, phone: str, **values: str) -> Page:
        """Place an order from a product's page; the channel's page when it worked."""
        return who.submit(who.get(path), "/orders", contact=phone, **values)

    def buy(self, number: int, path: str) -> str:
        """An honest buyer from the product to her code; what troubled her."""
        who = self.honest(number)
        phone = self.phone()
        placed = self.order(who, path, phone)
        if placed.wants_captcha:
            # Her browser does it by itself; she taps once more.
            self.asked_to_prove += 1
            placed = who.solve(placed, "/orders", contact=phone)
        if "/orders" in placed.path:
            return f"could not order ({placed.status}): {_complaint(placed)}"
        page = who.submit(placed, "")
        until = time.monotonic() + PATIENCE
        while page.attribute("data-state") != "delivered":
            if time.monotonic() > until:
                return f"paid and waits: {page.attribute('data-state')}"
            page = who.get(page.path)
        shown = who.submit(page, "/reveal")
        return "" if shown.shows("code") else f"sees no code ({shown.status})"


def _complaint(page: Page) -> str:
    return "captcha" if page.wants_captcha else page.attribute("aria-invalid") or page.path


def path_of(product: Product) -> str:
    return f"/products/{product.slug}"


def product(codes: int, **fields: object) -> Product:
    """A product on the shelf of the shop that is open in this process."""
    return factories.make_product(codes=codes, **fields)


def in_parallel(calls: Sequence[Any]) -> list[Any]:
    """The calls' results; so many at once as an attacker has machines."""
    with ThreadPoolExecutor(MACHINES) as pool:
        return list(pool.map(lambda call: call(), calls))


@contextlib.contextmanager
def running() -> Iterator[Target]:
    """A shop with demo data and everything on, as it is delivered."""
    with TemporaryDirectory(prefix="attacked-") as folder:
        data = Path(folder) / "data"
        shop = servers.start_shop(data, TRUSTED_PROXIES="1", LOG_LEVEL="ERROR")
        try:
            app = create_app(Settings.from_environment(shop.environment))
            yield Target(shop, app)
            with app.app_context():
                db.engine.dispose()
        finally:
            shop.stop()
