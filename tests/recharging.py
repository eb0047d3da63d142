"""A shop with the real provider simulator beside it, for tests that kill processes."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import sqlalchemy as sa
from flask import Flask

from app import create_app
from app.core import keys
from app.core.db import db, session, transaction
from app.core.tls import TLS
from app.domain.catalog import offers, preferences
from app.domain.catalog.models import AccountFormat, Product, ProductKind
from app.domain.catalog.offers import OfferFields
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.orders.models import Order
from app.domain.recharges import providers
from app.domain.recharges.models import Attempt, Recharge
from app.domain.recharges.providers import ProviderFields
from tests import factories
from tests.conftest import MASTER_KEY, settings
from tests.outside import Process

MERCHANT, KEY = "M00000001", "k" * 40
SKUS = ("10000201", "10000202")


@dataclass
class Counterpart:
    """The simulator, whose own record is the judge of what was executed."""

    process: Process

    def ask(self, method: str, path: str, **asked: object) -> Any:
        url = f"{self.process.url}/control{path}"
        answer = httpx.request(method, url, json=asked, trust_env=False, timeout=30, verify=TLS)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def executed(self) -> dict[str, int]:
        """How often each number of ours was executed."""
        found: dict[str, int] = {}
        for row in self.ask("GET", "/executions")["executions"]:
            found[row["number"]] = found.get(row["number"], 0) + 1
        return found


@dataclass
class Works:
    """The app in this process, the environment that others share with it, and the simulator."""

    app: Flask
    environment: dict[str, str]
    counterpart: Counterpart
    product: Product

    def buy(self, account: str) -> Order:
        """A paid order for this account; its recharge is asked for and not begun."""
        wanted = RechargeAccount.parse(AccountFormat.PHONE, account)
        placed = factories.place(self.product, account=wanted)
        assert placed.payment is not None
        factories.settle(placed.payment)
        return placed.order


@contextmanager
def working(
    directory: Path, database_url: str, redis_url: str = "unix:///nowhere", base_url: str = ""
) -> Iterator[Works]:
    """Everything started, with one product that two accounts at the simulator deliver."""
    simulator = Process(
        "app.simulator",
        directory / "simulator.db",
        {"SIMULATOR_MERCHANT": MERCHANT, "SIMULATOR_KEY": KEY},
    )
    simulator.start()
    preferences.forget()
    made = create_app(settings(directory, database_url, redis_url))
    environment = os.environ | {
        "DATA_DIR": str(directory),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "SECRET_KEY": "test" * 16,
        "MASTER_KEYS": MASTER_KEY,
        "SHOP_ENV": "test",
        "BASE_URL": base_url or "http://localhost",
        "INTERNAL_URL": base_url or "http://localhost",
    }
    with made.app_context():
        transaction(keys.ensure_shop_keys)
        yield Works(made, environment, Counterpart(simulator), _stock(simulator.url))
        session.remove()
        db.engine.dispose()
    simulator.stop()


def _stock(url: str) -> Product:
    values = {"url": url, "merchant": MERCHANT, "key": KEY}
    product = factories.make_product(
        codes=0, kind=ProductKind.RECHARGE, account_format=AccountFormat.PHONE
    )
    for priority, sku in enumerate(SKUS, 1):
        fields = ProviderFields(f"p{priority}", f"供应商 {priority}", "simulator", values)
        provider = transaction(lambda fields=fields: providers.create(fields))
        offer = OfferFields(provider.id, sku, 5000, priority)
        transaction(lambda offer=offer: offers.add_offer(product.id, offer))
    return product


def numbers_by_recharge() -> dict[int, list[str]]:
    """Our numbers, by the recharge that they are attempts of."""
    session.rollback()
    found: dict[int, list[str]] = {}
    for recharge_id, number in session.execute(sa.select(Attempt.recharge_id, Attempt.number)):
        found.setdefault(recharge_id, []).append(number)
    return found


def recharges() -> list[Recharge]:
    session.rollback()
    session.expire_all()
    return list(session.scalars(sa.select(Recharge)))
