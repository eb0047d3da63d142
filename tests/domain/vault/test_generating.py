"""Our own codes: as many as were asked for, each right, in a batch of their own."""

import pytest

from app.core import outbox
from app.core.db import session, transaction
from app.core.errors import Refusal
from app.domain.vault import generating, jobs, own_codes, taking, undoing
from app.domain.vault.models import BatchState, Import, ImportState
from tests import factories
from tests.domain.vault.imports import DETAILS, batch_of, fresh, texts, today

pytestmark = pytest.mark.usefixtures("audited")


def start(count: int) -> Import:
    product = factories.make_product(codes=0)
    return fresh(transaction(lambda: generating.start(product.id, count, DETAILS, today())))


def test_exactly_as_many_as_were_asked_for() -> None:
    making = start(250)
    factories.work()

    done = fresh(making.uid)
    assert (done.state, done.taken, done.lines_done) == (ImportState.DONE, 250, 250)
    made = texts(done)
    assert len(set(made)) == 250
    assert all(own_codes.explain(code).normalised for code in made)
    batch = batch_of(done)
    assert (batch.state, batch.is_generated, batch.code_count) == (BatchState.OPEN, True, 250)


def test_it_goes_on_where_it_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generating, "PER_STEP", 100)
    monkeypatch.setattr(jobs, "WORK_FOR", 0.0)
    making = start(250)

    taking.take_steps(making.id, until=0)
    assert fresh(making.uid).taken == 100

    factories.work()
    assert len(texts(fresh(making.uid))) == 250


def test_a_code_that_exists_is_made_up_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """It will not happen in the life of the universe; a broken random source makes it happen."""
    generate, known = own_codes.generate, own_codes.generate(10)
    monkeypatch.setattr(own_codes, "generate", lambda count: known[:count])
    start(10)
    factories.work()
    answers = iter([known[:5] + generate(5)])
    monkeypatch.setattr(own_codes, "generate", lambda count: next(answers, None) or generate(count))

    making = start(10)
    factories.work()

    done = fresh(making.uid)
    assert (done.state, done.taken) == (ImportState.DONE, 10)
    assert len(texts(done)) == 10


def test_it_can_be_undone() -> None:
    making = start(20)
    factories.work()

    transaction(lambda: undoing.undo(making.id, reason="数量填错了"))
    factories.work()

    assert texts(fresh(making.uid)) == []


@pytest.mark.parametrize("count", [0, -1, generating.MOST + 1])
def test_a_number_beyond_sense_is_refused(count: int) -> None:
    with pytest.raises(Refusal) as refused:
        start(count)

    assert refused.value.field == "count"


def test_the_job_is_asked_for_by_id_only() -> None:
    making = start(5)
    row = session.query(outbox.OutboxRow).filter_by(key=f"import:{making.id}").one()

    assert row.args == [making.id]
    factories.work()
