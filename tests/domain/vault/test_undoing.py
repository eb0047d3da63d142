"""An import is undone while nothing of it is held or sold; then the same file may come again."""

import pytest
import sqlalchemy as sa

from app.core.db import session, transaction
from app.core.errors import Conflict, Refusal
from app.domain.vault import batches, jobs, reading, service, taking, undoing
from app.domain.vault.models import BatchState, Code, CodeState, ImportState
from tests import factories
from tests.domain.vault.imports import batch_of, bring, fresh, start, texts, upload

pytestmark = pytest.mark.usefixtures("audited", "channel")

CODES = [f"CODE-{number:04}-ABCD" for number in range(40)]
FILE = "\n".join(CODES)
REASON = "供应商发错了文件"


def undo(import_id: int) -> None:
    transaction(lambda: undoing.undo(import_id, reason=REASON))


def test_everything_is_taken_out_and_may_come_again() -> None:
    product = factories.make_product(codes=0)
    done = bring(product, FILE)

    undo(done.id)
    factories.work()

    assert fresh(done.uid).state == ImportState.UNDONE
    assert texts(done) == []
    batch = batch_of(done)
    assert (batch.state, batch.code_count) == (BatchState.VOID, 0)
    assert texts(bring(product, FILE)) == CODES


def test_it_stops_selling_at_once() -> None:
    product = factories.make_product(codes=0)
    done = bring(product, FILE)

    undo(done.id)

    with pytest.raises(service.SoldOut):
        factories.place(product)


def test_a_large_one_is_taken_out_in_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    done = bring(factories.make_product(codes=0), FILE)
    monkeypatch.setattr(batches, "CODES_PER_STEP", 15)
    undo(done.id)

    transaction(jobs.remove_codes(done.id))
    assert len(texts(done)) == 25
    assert batch_of(done).code_count == 25

    factories.work()
    assert texts(done) == []


@pytest.mark.parametrize("take", ["place", "buy"])
def test_it_is_too_late_once_a_code_is_held_or_sold(take: str) -> None:
    product = factories.make_product(codes=0)
    done = bring(product, FILE)
    getattr(factories, take)(product)

    assert not undoing.can_be_undone(done)
    with pytest.raises(Conflict):
        undo(done.id)

    assert fresh(done.uid).state == ImportState.DONE
    assert len(texts_left(done.batch_id)) == 39


def texts_left(batch_id: int | None) -> list[int]:
    session.rollback()
    available = Code.state == CodeState.AVAILABLE
    return list(session.scalars(sa.select(Code.id).where(Code.batch_id == batch_id, available)))


def test_a_running_import_stops_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "BLOCK", 150)
    sent = upload(factories.make_product(codes=0), FILE)
    start(sent)
    taking.take_steps(sent.id, until=0)
    assert 0 < fresh(sent.uid).taken < 40

    undo(sent.id)
    factories.work()

    assert fresh(sent.uid).state == ImportState.UNDONE
    assert texts(fresh(sent.uid)) == []
    assert batch_of(fresh(sent.uid)).state == BatchState.VOID


def test_an_upload_is_undone_before_it_began() -> None:
    sent = upload(factories.make_product(codes=0), FILE)

    undo(sent.id)

    assert fresh(sent.uid).state == ImportState.UNDONE
    with pytest.raises(Conflict):
        undo(sent.id)


def test_a_code_that_staff_have_looked_at_stays_void_for_the_trail() -> None:
    done = bring(factories.make_product(codes=0), FILE)
    code = session.scalars(sa.select(Code).where(Code.batch_id == done.batch_id)).first()
    assert code is not None
    transaction(
        lambda: service.reveal_to_staff(code, None, reason="核对供应商账单", ip="203.0.113.1")
    )

    undo(done.id)
    factories.work()

    session.expire_all()
    kept = session.scalars(sa.select(Code).where(Code.batch_id == done.batch_id)).all()
    assert [(left.id, left.state) for left in kept] == [(code.id, CodeState.VOID)]
    assert batch_of(done).code_count == 1


def test_why_must_be_said() -> None:
    done = bring(factories.make_product(codes=0), FILE)

    with pytest.raises(Refusal) as refused:
        transaction(lambda: undoing.undo(done.id, reason=" "))

    assert refused.value.field == "reason"
