"""The demo's shop: what is on its shelves, and who guards them."""

from collections import Counter

import pytest
import sqlalchemy as sa
from flask import Flask

from app import demo, invariants
from app.core import clock, keys
from app.core.db import session
from app.domain.catalog import preferences
from app.domain.catalog.models import Product
from app.domain.vault import canaries, stock
from app.domain.vault.alarm_models import Alarm, AlarmState
from app.domain.vault.models import Batch, BatchState, Code
from app.domain.vault.rules import unsold_context
from tests.web.visitors import Visitor


@pytest.fixture
def batches(app: Flask) -> list[Batch]:
    """Those of a shop that the demo has just filled."""
    assert demo.make(lambda _text: None)
    return list(session.scalars(sa.select(Batch).order_by(Batch.id)))


def test_every_batch_of_the_demo_has_canaries_and_as_many_codes_as_it_says(
    batches: list[Batch],
) -> None:
    wanted = {line.fields["name"]: line.codes for line in demo.LINES if line.codes}
    names = dict(session.execute(sa.select(Product.id, Product.name)).all())
    assert {names[batch.product_id]: batch.code_count for batch in batches} == wanted
    planted = [canaries.ids_of(batch.uid, batch.canaries_sealed) for batch in batches]
    assert {len(ids) for ids in planted} == {canaries.PER_BATCH}

    # Some have been bought: that of the distributors is a shop with a history.
    bought = Counter(
        session.scalars(
            sa.select(Batch.product_id)
            .join(Code, Code.batch_id == Batch.id)
            .where(Code.order_line_id.is_not(None))
        )
    )
    on_sale = stock.stock_of(list(names), clock.today(preferences.get().zone), cap=1_000)
    assert {
        names[product]: count + bought[product] for product, count in on_sale.items() if count
    } == wanted
    assert [finding for finding in invariants.run(full=True) if not finding.holds] == []


def test_whoever_types_a_canary_of_the_demo_stops_its_batch(
    batches: list[Batch], app: Flask
) -> None:
    batch = batches[0]
    code = session.get_one(Code, canaries.ids_of(batch.uid, batch.canaries_sealed)[0])
    context = unsold_context(batch.uid, code.uid)
    text = keys.by_id(batch.data_key_id).open(code.sealed, context).decode()
    session.rollback()

    Visitor(app).post("/redeem", {"code": text})

    alarm = session.scalars(sa.select(Alarm).where(Alarm.state == AlarmState.OPEN)).one()
    assert (alarm.batch_id, alarm.code_id, alarm.channel) == (batch.id, code.id, "typed")
    session.refresh(batch)
    assert batch.state == BatchState.FROZEN
