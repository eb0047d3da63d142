"""The shop that the drill is played on: the demo's, with staff, a batch with canaries, and orders.

It is in a time zone where it is two in the morning, so that nobody has to wait for the night.
"""

import secrets
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from app import demo
from app.core import clock, crypto, ids, keys, migrations, outbox
from app.core.actors import acting_as
from app.core.db import db, session, transaction
from app.core.outbox import NoBell, OutboxRow, OutboxState
from app.domain.accounts import service as accounts
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Person, Role
from app.domain.catalog import preferences
from app.domain.catalog.models import Product, ProductKind, ProductState
from app.domain.orders import placing, service
from app.domain.orders.models import Order
from app.domain.risk import pack as risk_rules
from app.domain.vault import generating
from app.domain.vault.batches import BatchDetails
from app.domain.vault.models import Batch, Code
from app.drill.report import Report
from app.settings import Settings

NIGHT = 2
CODES = 120
ORDERS = 12


@dataclass(frozen=True)
class Shop:
    """Who is there, what is on the shelf, and every secret that must not be found."""

    database: Path
    owner: str
    operator: str
    thief: str
    batch_id: int
    contacts: tuple[str, ...]

    @property
    def today(self) -> date:
        return clock.today(preferences.get().zone)


def settings(directory: Path) -> Settings:
    """Of a shop by itself: no setting of the machine's real one is among them."""
    return Settings.from_environment(
        {
            "DATA_DIR": str(directory),
            "DATABASE_URL": f"sqlite:///{directory / 'drill.db'}",
            "REDIS_URL": f"unix://{directory / 'nobody.sock'}",
            "SECRET_KEY": secrets.token_hex(32),
            "MASTER_KEYS": crypto.new_master_key("drill"),
            "SHOP_ENV": "test",
            "BASE_URL": "http://localhost",
            "LOG_LEVEL": "ERROR",
        }
    )


def furnish(report: Report) -> Shop:
    """Put everything in, as a merchant and her buyers do."""
    # No queue: the drill does the workers' work itself.
    outbox.connect(NoBell())
    migrations.upgrade()
    transaction(keys.ensure_shop_keys)
    transaction(risk_rules.install)
    demo.make(lambda _text: None)
    owner = session.scalars(sa.select(Person.id).where(Person.role == Role.OWNER)).one()
    operator, thief = (transaction(partial(_member, role)) for role in STAFF)
    with acting_as(f"person:{owner}"):
        zone = _zone_at_night()
        transaction(lambda: preferences.change({"zone": zone}))
        batch_id = _stock()
        contacts = tuple(_buy(number) for number in range(ORDERS))
    report.scene(
        f"A demo shop of its own: {_count(Code)} codes on the shelf, {_count(Order)} orders paid. "
        f"It is {NIGHT} in the morning there."
    )
    name = db.engine.url.database
    assert name is not None
    staff = (f"person:{owner}", f"person:{operator}", f"person:{thief}")
    return Shop(Path(name), *staff, batch_id, contacts)


STAFF = (Role.OPERATOR, Role.SUPPORT)


def leave() -> None:
    """Let go of the database, so that its directory can be removed."""
    session.remove()
    db.engine.dispose()


def work() -> None:
    """Do what is due, as workers would."""
    while True:
        session.rollback()
        due = session.scalars(
            sa.select(OutboxRow.id).where(
                OutboxRow.state == OutboxState.READY, OutboxRow.due_at <= clock.now()
            )
        ).all()
        session.rollback()
        if not due:
            return
        for row_id in due:
            outbox.run(row_id)


def fresh() -> None:
    """See what the database says now."""
    session.rollback()
    session.expire_all()


def _zone_at_night() -> str:
    """A zone in which it is two in the morning; such names count against the usual sign."""
    ahead = (NIGHT - clock.now().hour) % 24
    ahead = ahead - 24 if ahead > 14 else ahead
    return f"Etc/GMT{-ahead:+d}" if ahead else "Etc/GMT"


def _member(role: Role) -> int:
    contact = Contact.parse(f"{role.value}@example.com")
    return accounts.create(contact, name=role.value, role=role).id


def _stock() -> int:
    """A batch of our own codes for a product of the demo that has none, canaries among them."""
    empty = sa.select(Product).where(
        Product.kind == ProductKind.KEY,
        Product.state == ProductState.ON_SALE,
        ~sa.exists().where(Batch.product_id == Product.id),
    )
    product_id = session.scalars(empty).one().id
    details = BatchDetails("drill")
    today = clock.today(preferences.get().zone)
    transaction(lambda: generating.start(product_id, CODES, details, today))
    work()
    return session.scalars(sa.select(Batch.id).where(Batch.product_id == product_id)).one()


def _buy(number: int) -> str:
    """Somebody buys one code and pays by transfer; her contact."""
    batch = session.scalars(sa.select(Batch).order_by(Batch.id.desc())).first()
    assert batch is not None
    product = session.get_one(Product, batch.product_id)
    phone = f"139{secrets.randbelow(10**6):06d}{number:02d}"
    today = clock.today(preferences.get().zone)
    wanted = placing.Purchase(
        checkout_key=ids.token(),
        product_id=product.id,
        quantity=1,
        shown_price=product.price,
        contact=Contact.parse(phone),
        channel="transfer",
        pickup_hash=None,
        person_id=None,
        ip="203.0.113.7",
        network=f"buyer-{number}",
        language="zh",
    )
    placed = transaction(lambda: placing.place(wanted, placing.Terms(timedelta(minutes=15), today)))
    payment = placed.payment
    assert payment is not None
    transaction(
        lambda: service.confirm_paid(payment.id, f"DRILL{number:04d}", payment.amount, today)
    )
    return phone


def _count(model: type) -> int:
    return int(session.scalar(sa.select(sa.func.count()).select_from(model)) or 0)
