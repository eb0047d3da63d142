"""A random shop against a model of one: whatever happens in whatever order, the two agree.

Hypothesis places, pays, repeats, cancels, expires, refunds, freezes and restocks, on a real SQLite
database; the model is two counters and a dict. After every step the books balance and stock adds
up; at the end every invariant of `flask audit` holds.
"""

import shutil
import tempfile
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import hypothesis.strategies as st
import sqlalchemy as sa
import time_machine
from flask import Flask
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    multiple,
    precondition,
    rule,
)

from app import connect, create_app, invariants
from app.core import audit_chain, clock, keys, migrations
from app.core.db import db, session, transaction
from app.core.errors import Refusal
from app.domain.catalog import preferences
from app.domain.ledger.models import LedgerAccount, LedgerBalance
from app.domain.orders import closing, refunding
from app.domain.orders.models import Order, OrderState, Payment, Verdict
from app.domain.vault import batches, own_codes
from app.domain.vault import service as vault
from app.domain.vault.models import Batch, BatchState, Code, CodeState
from app.providers import payments
from tests import factories
from tests.conftest import settings as shop_settings
from tests.fake_channel import ObedientChannel

_template = Path(tempfile.mkdtemp(prefix="hardshelf-model-")) / "template.db"


def migrated_copy(folder: Path) -> str:
    if not _template.exists():
        migrations.upgrade(f"sqlite:///{_template}")
        with sa.create_engine(f"sqlite:///{_template}").connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(_template, folder / "shop.db")
    return f"sqlite:///{folder / 'shop.db'}"


@dataclass(frozen=True)
class Sale:
    """One order, by what never changes about it: rows belong to the session that read them."""

    order_id: int
    line_id: int
    payment_id: int
    number: str
    quantity: int


class ShopMachine(RuleBasedStateMachine):
    """What a buyer, a channel, a clock and a merchant may do, in any order."""

    orders = Bundle("orders")
    folder: Path
    app: Flask | None = None

    @classmethod
    def app_on_an_empty_database(cls) -> Flask:
        """One app for every example: a new one would have to learn how each statement reads."""
        if cls.app is None:
            cls.folder = Path(tempfile.mkdtemp(prefix="hardshelf-model-"))
            cls.app = create_app(shop_settings(cls.folder, migrated_copy(cls.folder)))
        else:
            # Of the database before nothing stays, nor what was not yet written into it.
            for left in cls.folder.glob("shop.db*"):
                left.unlink()
            migrated_copy(cls.folder)
            connect(cls.app)
        return cls.app

    @initialize(codes=st.integers(0, 6))
    def open_the_shop(self, codes: int) -> None:
        preferences.forget()
        self.context = self.app_on_an_empty_database().app_context()
        self.context.push()
        payments._channels["sandbox"] = ObedientChannel()
        transaction(keys.ensure_shop_keys)
        self.traveller = time_machine.travel(clock.now(), tick=False)
        self.time = self.traveller.start()
        self.product = factories.make_product(codes=codes, max_per_order=4)
        self.on_shelf = codes
        # order number → (quantity, paid so far in fen, refunded so far in fen)
        self.bought: dict[str, list[int]] = {}

    @rule(target=orders, quantity=st.integers(1, 4))
    def place(self, quantity: int) -> object:
        try:
            placed = factories.place(self.product, quantity=quantity)
        except vault.SoldOut as refusal:
            assert quantity > refusal.left  # noqa: PT017  the shop may also have enough
            return multiple()
        order = placed.order
        return Sale(order.id, order.lines[0].id, placed.payment.id, order.number, quantity)

    @rule(sale=orders, wrong_by=st.sampled_from([0, 0, 0, -1, 1]), event=st.integers(0, 2))
    def the_channel_says_paid(self, sale: Sale, wrong_by: int, event: int) -> None:
        payment = session.get_one(Payment, sale.payment_id)
        amount = payment.amount
        verdict = factories.settle(
            payment, amount=amount + wrong_by, event_id=f"{sale.payment_id}-{event}"
        )
        if verdict == Verdict.PAID:
            assert wrong_by == 0
            assert sale.number not in self.bought, "one order was paid twice"
            self.bought[sale.number] = [sale.quantity, amount, 0]

    @rule(sale=orders)
    def the_buyer_cancels(self, sale: Sale) -> None:
        try:
            transaction(lambda: closing.cancel(sale.order_id))
        except Refusal:
            session.rollback()
            assert session.get_one(Order, sale.order_id).state != OrderState.PENDING

    @rule(sale=orders, part=st.integers(1, 100), whole=st.booleans())
    def staff_refund(self, sale: Sale, part: int, whole: bool) -> None:
        known = self.bought.get(sale.number)
        left = known[1] - known[2] if known else 0
        amount = left if whole else max(left * part // 100, 1)
        try:
            transaction(
                lambda: refunding.request_refund(sale.order_id, sale.line_id, amount, "买家要求")
            )
        except Refusal:
            session.rollback()
            assert not 0 < amount <= left
            return
        assert known is not None
        known[2] += amount

    @rule(minutes=st.sampled_from([1, 5, 16, 60, 13 * 60]))
    def time_passes(self, minutes: int) -> None:
        self.time.shift(timedelta(minutes=minutes))
        factories.work()

    @rule(codes=st.integers(1, 3))
    def the_merchant_restocks(self, codes: int) -> None:
        transaction(lambda: factories.add_batch(self.product, own_codes.generate(codes)))
        self.on_shelf += codes

    @rule(freeze=st.booleans(), which=st.integers(0, 5))
    @precondition(lambda self: self.on_shelf)
    def the_merchant_freezes_or_thaws_a_batch(self, freeze: bool, which: int) -> None:
        session.rollback()
        found = session.scalars(sa.select(Batch).order_by(Batch.id)).all()
        batch = found[which % len(found)]
        wanted = BatchState.OPEN if freeze else BatchState.FROZEN
        if batch.state != wanted:
            return
        batch_id, change = batch.id, batches.freeze if freeze else batches.unfreeze
        transaction(lambda: change(batch_id, reason="供应商要求"))

    @invariant()
    def every_code_is_somewhere_once(self) -> None:
        if not hasattr(self, "bought"):
            return
        session.rollback()
        assert session.scalar(sa.select(sa.func.count(Code.id))) == self.on_shelf
        sold = session.scalar(sa.select(sa.func.count()).where(Code.state == CodeState.SOLD))
        wanted = sum(
            quantity for quantity, paid, refunded in self.bought.values() if refunded < paid
        )
        assert sold is not None and sold <= wanted

    @invariant()
    def the_books_say_what_the_model_says(self) -> None:
        if not hasattr(self, "bought"):
            return
        session.rollback()
        rows = session.execute(
            sa.select(LedgerAccount.code, LedgerBalance.balance).join(
                LedgerBalance, LedgerBalance.account_id == LedgerAccount.id
            )
        )
        balance = {row[0]: row[1] for row in rows}
        kept = sum(paid - refunded for _, paid, refunded in self.bought.values())
        assert -(balance.get("sales", 0) + balance.get("deferred", 0)) == kept
        assert sum(balance.values()) == 0

    def teardown(self) -> None:
        if not hasattr(self, "bought"):
            return
        self.time.shift(timedelta(hours=1))
        factories.work()
        session.rollback()
        # Its clock has gone on for days, and no relay has sealed meanwhile.
        audit_chain.seal_all()
        broken = [finding for finding in invariants.run(full=True) if not finding.holds]
        self.traveller.stop()
        session.remove()
        db.engine.dispose()
        self.context.pop()
        assert broken == []


ShopMachine.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


class TestShop(ShopMachine.TestCase):
    @classmethod
    def tearDownClass(cls) -> None:
        shutil.rmtree(ShopMachine.folder)
