"""Only the moves of the tables are made, and the trails stay as they were written."""

from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.exc import DBAPIError

from app.core import audit, states
from app.core.db import session, transaction
from app.domain.orders.models import Order, OrderState
from app.domain.payouts.models import Withdrawal
from app.domain.vault import service as vault
from app.domain.vault.models import Code
from tests import factories

MACHINES = (Order, Code, Withdrawal)
APPEND_ONLY = ("audit_log", "ledger_entries", "ledger_transactions", "reveals", "state_changes")


@pytest.mark.parametrize(
    ("model", "before", "after"),
    [
        (model, before, after)
        for model in MACHINES
        for before, after in product(model.MOVES, repeat=2)
        if after not in model.MOVES[before]
    ],
)
def test_what_the_table_does_not_know_is_refused(model: Any, before: Any, after: Any) -> None:
    thing = model(id=1, state=before)
    with pytest.raises(states.NotAllowed):
        states.move(thing, after)
    with pytest.raises(states.NotAllowed):
        states.move_all(model, [1], before, after)
    assert thing.state == before


def test_nothing_is_delivered_before_it_is_paid() -> None:
    unpaid = {OrderState.PENDING, OrderState.CLOSING, OrderState.EXPIRED, OrderState.CANCELLED}
    served = {OrderState.FULFILLING, OrderState.DELIVERED}
    assert all(Order.MOVES[state].isdisjoint(served) for state in unpaid)


@pytest.mark.parametrize("table", APPEND_ONLY)
@pytest.mark.parametrize("deed", ["UPDATE {} SET id = id + 1000000", "DELETE FROM {}"])
def test_the_database_refuses_to_change_a_trail(app: Flask, table: str, deed: str) -> None:
    sell_and_show()
    assert session.scalar(sa.text(f"SELECT count(*) FROM {table}"))
    session.rollback()
    with pytest.raises(DBAPIError, match="append-only"):
        transaction(lambda: session.execute(sa.text(deed.format(table))))


def sell_and_show() -> None:
    """A sale, a look at its code, and an entry in the audit log."""
    order = factories.buy(factories.make_product(codes=1))
    lines, buyer, order_id = [order.lines[0].id], order.contact_index, order.id
    session.rollback()
    transaction(lambda: vault.reveal_to_buyer(lines, buyer, channel="page", ip="203.0.113.7"))
    transaction(lambda: audit.record("order.resend", "orders", order_id))
