"""Many buyers, few codes: first the race, without the lock; then that the lock prevents it."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import sqlalchemy as sa
from flask import Flask

from app import invariants
from app.core.db import session, transaction
from app.domain.orders import placing
from app.domain.orders.models import Order, Verdict
from app.domain.vault import service as vault
from app.domain.vault.models import Code, CodeState
from tests import factories

BUYERS, CODES = 200, 50


def all_at_once(app: Flask, count: int, deed: Callable[[int], object]) -> list[object]:
    """Do it in as many threads, each with a session of its own, as near to at once as can be."""
    gate = threading.Barrier(20)

    def in_thread(number: int) -> object:
        with app.app_context():
            if number < 20:
                gate.wait()
            try:
                return deed(number)
            finally:
                session.remove()

    with ThreadPoolExecutor(20) as pool:
        return list(pool.map(in_thread, range(count)))


def test_two_hundred_buyers_of_fifty_codes_get_exactly_fifty(app: Flask) -> None:
    product = factories.make_product(codes=CODES)
    wanted = [factories.purchase(product) for _ in range(BUYERS)]
    session.remove()

    def buy(number: int) -> str:
        try:
            placed = transaction(lambda: placing.place(wanted[number], factories.terms()))
        except vault.SoldOut:
            return "sold out"
        assert placed.payment is not None
        assert factories.settle(placed.payment) == Verdict.PAID
        return "bought"

    outcomes = all_at_once(app, BUYERS, buy)

    assert (outcomes.count("bought"), outcomes.count("sold out")) == (CODES, BUYERS - CODES)
    assert session.scalar(sa.select(sa.func.count()).where(Code.state == CodeState.SOLD)) == CODES
    assert [finding for finding in invariants.run(full=True) if not finding.holds] == []


def test_without_the_lock_a_code_is_taken_twice(postgres_url: str) -> None:
    """That the setting of this file can show the race at all: read, then write, as rivals do."""
    engine = sa.create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE shelf (id int PRIMARY KEY, buyer int)"))
        connection.execute(sa.text("INSERT INTO shelf VALUES (1, NULL)"))
    both_have_read = threading.Barrier(2)

    def take(buyer: int) -> bool:
        with engine.begin() as connection:
            free = connection.scalar(sa.text("SELECT id FROM shelf WHERE buyer IS NULL LIMIT 1"))
            both_have_read.wait(10)
            connection.execute(
                sa.text("UPDATE shelf SET buyer = :buyer WHERE id = :id"),
                {"buyer": buyer, "id": free},
            )
            return free is not None

    with ThreadPoolExecutor(2) as pool:
        taken = list(pool.map(take, (1, 2)))
    engine.dispose()

    assert taken == [True, True]


def test_fifty_copies_of_one_callback_deliver_once(app: Flask) -> None:
    placed = factories.place(factories.make_product())
    payment = placed.payment
    assert payment is not None
    messages = [{"event_id": f"event-{number % 10}", "trade_number": "T1"} for number in range(50)]
    session.remove()

    verdicts = all_at_once(app, 50, lambda number: factories.settle(payment, **messages[number]))

    assert verdicts.count(Verdict.PAID) == 1
    assert verdicts.count(Verdict.ALREADY) == 49
    assert session.scalar(sa.select(sa.func.count()).where(Code.state == CodeState.SOLD)) == 1


def test_a_double_tap_is_one_order(app: Flask) -> None:
    product = factories.make_product(codes=20)
    wanted = factories.purchase(product)
    session.remove()

    placed = all_at_once(
        app, 20, lambda _: transaction(lambda: placing.place(wanted, factories.terms())).order.id
    )

    assert len(set(placed)) == 1
    assert session.scalar(sa.select(sa.func.count(Order.id))) == 1
    assert session.scalar(sa.select(sa.func.count()).where(Code.state == CodeState.RESERVED)) == 1
