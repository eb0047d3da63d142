"""Codes are sealed anew while they are sold: a code that is locked for it is not sold out."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask

from app import invariants
from app.core.db import db, session, transaction
from app.domain.orders import jobs, placing, resealing
from app.domain.orders.models import Verdict
from app.domain.vault import rotating
from app.domain.vault.models import Code, CodeState
from tests import factories
from tests.races.test_last_code import all_at_once
from tests.servers import wait_until

CODES = 40


@pytest.mark.parametrize("database_url", ["postgres"], indirect=True)
def test_a_buyer_waits_for_the_last_code_that_is_being_sealed_anew(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Passed over as a rival's would be, it would be sold out for her and on the shelf the next
    moment."""
    product = factories.make_product(codes=1)
    wanted = factories.purchase(product)
    rotation_id = transaction(rotating.begin).id
    exchange, is_locked = rotating.exchange, threading.Event()
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    def exchange_and_be_waited_for(codes: Any) -> int:
        done = exchange(codes)
        is_locked.set()
        with db.engine.connect() as watcher:
            wait_until(lambda: watcher.scalar(waiting) == 1, "the buyer to wait")
        return done

    monkeypatch.setattr(rotating, "exchange", exchange_and_be_waited_for)

    def reseal() -> None:
        with app.app_context():
            resealing.work(rotation_id, until=0)
            session.remove()

    with ThreadPoolExecutor(1) as pool:
        sealing = pool.submit(reseal)
        assert is_locked.wait(10)
        placed = transaction(lambda: placing.place(wanted, factories.terms()))
        sealing.result()

    assert placed.payment is not None
    assert factories.settle(placed.payment) == Verdict.PAID
    assert [finding for finding in invariants.run(full=True) if not finding.holds] == []


def test_all_are_sold_while_all_are_sealed_anew(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resealing, "CODES_PER_PIECE", 7)
    product = factories.make_product(codes=CODES)
    wanted = [factories.purchase(product) for _ in range(CODES)]
    rotation_id = transaction(rotating.begin).id
    session.remove()

    def deed(number: int) -> None:
        if number == 0:
            jobs.reseal(rotation_id)
            return
        placed = transaction(lambda: placing.place(wanted[number], factories.terms()))
        assert placed.payment is not None
        assert factories.settle(placed.payment) == Verdict.PAID

    all_at_once(app, CODES, deed)

    sold = session.scalar(sa.select(sa.func.count()).where(Code.state == CodeState.SOLD))
    assert sold == CODES - 1
    assert [finding for finding in invariants.run(full=True) if not finding.holds] == []
