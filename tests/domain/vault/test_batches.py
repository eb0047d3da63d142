"""What is done to a batch is done to all its codes at once, with a reason, and is written down."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.core.errors import Conflict, NotFound, Refusal
from app.domain.catalog.models import Product
from app.domain.orders import closing
from app.domain.vault import batches, jobs, own_codes, service, stock
from app.domain.vault.models import Batch, BatchState, Code, CodeState
from tests import factories
from tests.domain.vault.imports import today

pytestmark = pytest.mark.usefixtures("audited", "channel")

REASON = "供应商通知有坏卡"


def make_batch(product: Product, count: int = 5, **values: object) -> Batch:
    return transaction(lambda: factories.add_batch(product, own_codes.generate(count), **values))


def left(product: Product) -> int:
    session.rollback()
    return stock.stock_of([product.id], today())[product.id]


def last_audit() -> AuditEntry:
    return session.scalars(sa.select(AuditEntry).order_by(AuditEntry.id.desc())).first()  # type: ignore[return-value]


def counts(batch: Batch) -> dict[str, int]:
    session.rollback()
    found = batches.count_codes([batch.id])[batch.id]
    return {state.value: count for state, count in found.items() if count}


def test_a_frozen_batch_does_not_sell_and_sells_again() -> None:
    product = factories.make_product(codes=0)
    batch = make_batch(product)

    transaction(lambda: batches.freeze(batch.id, reason=REASON))
    assert left(product) == 0
    with pytest.raises(service.SoldOut):
        factories.place(product)

    transaction(lambda: batches.unfreeze(batch.id, reason="核对后没有问题"))
    assert left(product) == 5


def test_every_act_is_written_down_with_its_reason() -> None:
    batch = make_batch(factories.make_product(codes=0))

    transaction(lambda: batches.freeze(batch.id, reason=f"  {REASON} "))

    entry = last_audit()
    assert (entry.action, entry.reason) == ("batch.freeze", REASON)
    assert entry.detail == {"state": ["open", "frozen"]}


@pytest.mark.parametrize("act", [batches.freeze, batches.void])
def test_without_a_reason_nothing_happens(act: object) -> None:
    product = factories.make_product(codes=0)
    batch = make_batch(product)

    with pytest.raises(Refusal) as refused:
        transaction(lambda: act(batch.id, reason="x"))  # type: ignore[operator]

    assert refused.value.field == "reason"
    assert left(product) == 5


def test_voiding_leaves_buyers_what_they_bought(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "CODES_PER_STEP", 2)
    product = factories.make_product(codes=0)
    batch = make_batch(product, 6)
    factories.buy(product)

    transaction(lambda: batches.void(batch.id, reason=REASON))
    assert left(product) == 0
    factories.work()

    assert counts(batch) == {"sold": 1, "void": 5}
    voided = session.scalars(sa.select(Code).where(Code.state == CodeState.VOID)).first()
    assert voided is not None
    assert voided.void_reason == REASON


def test_a_code_that_was_held_while_its_batch_was_voided_follows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "LOOK_AGAIN", timedelta(0))
    product = factories.make_product(codes=0)
    batch = make_batch(product, 3)
    placed = factories.place(product)
    transaction(lambda: batches.void(batch.id, reason=REASON))
    transaction(jobs.void_codes(batch.id))
    assert counts(batch) == {"reserved": 1, "void": 2}

    transaction(lambda: closing.cancel(placed.order.id))
    factories.work()

    assert counts(batch) == {"void": 3}


def test_a_void_batch_stays_void() -> None:
    batch = make_batch(factories.make_product(codes=0))
    transaction(lambda: batches.void(batch.id, reason=REASON))

    with pytest.raises(Conflict):
        transaction(lambda: batches.unfreeze(batch.id, reason="想恢复它"))
    with pytest.raises(Conflict):
        transaction(lambda: batches.change_expiry(batch.id, None, reason="想改日期"))
    factories.work()


def test_a_batch_that_is_filling_is_left_alone() -> None:
    batch = make_batch(factories.make_product(codes=0), state=BatchState.IMPORTING)

    with pytest.raises(Conflict):
        transaction(lambda: batches.void(batch.id, reason=REASON))


def test_expiry_is_the_last_day_it_sells() -> None:
    product = factories.make_product(codes=0)
    batch = make_batch(product, expires_on=today())
    assert left(product) == 5

    transaction(
        lambda: batches.change_expiry(
            batch.id, today() - timedelta(days=1), reason="供应商提前停用"
        )
    )

    assert left(product) == 0
    assert last_audit().detail["expires_on"][0] == today().isoformat()


def test_what_expires_first_is_sold_first() -> None:
    product = factories.make_product(codes=0)
    never = make_batch(product, 1)
    late = make_batch(product, 1, expires_on=today() + timedelta(days=30))
    soon = make_batch(product, 1, expires_on=today() + timedelta(days=3))

    sold = {"product": product.id, "today": today()}
    found = session.scalars(stock.SELLABLE_BATCHES, sold).all()

    assert list(found) == [soon.id, late.id, never.id]
    factories.buy(product)
    assert counts(soon) == {"sold": 1}


def test_stock_is_counted_up_to_a_cap_and_by_product() -> None:
    full, empty = factories.make_product(codes=12), factories.make_product(codes=0)

    assert stock.stock_of([full.id, empty.id], today()) == {full.id: 12, empty.id: 0}
    assert stock.stock_of([full.id], today(), cap=3) == {full.id: 4}
    assert stock.stock_of([], today()) == {}
    assert stock.has_stock(full.id, today())
    assert not stock.has_stock(empty.id, today())


def test_a_batch_nobody_made_is_not_found() -> None:
    with pytest.raises(NotFound):
        batches.find_batch(999)
