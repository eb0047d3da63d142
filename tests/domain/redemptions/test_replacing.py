"""After an alarm everybody who bought lately of the batch has another code; counts are exact."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.core import clock, ids, outbox
from app.core.audit import AuditEntry
from app.core.db import session, transaction
from app.core.errors import Conflict, Refusal
from app.core.outbox import OutboxRow
from app.domain.catalog.models import Product, ProductKind
from app.domain.orders import refunding, telling
from app.domain.orders.models import Order
from app.domain.redemptions import jobs, replacing
from app.domain.redemptions import service as redemptions
from app.domain.redemptions.replacing import Counts
from app.domain.redemptions.validity import Policy
from app.domain.vault import alarms, batches, own_codes
from app.domain.vault.alarm_models import Alarm, AlarmKind
from app.domain.vault.models import Batch, Code, CodeState
from tests import factories

pytestmark = pytest.mark.usefixtures("audited", "channel")

LATELY = timedelta(days=30)


class Leak:
    """A product with a batch that has leaked, of which some codes were sold, and an alarm."""

    def __init__(self, **fields: object) -> None:
        self.product: Product = factories.make_product(codes=8, max_per_order=5, **fields)
        self.batch_id = session.scalars(sa.select(Batch.id)).one()

    def raise_alarm(self) -> Alarm:
        def act() -> Alarm:
            batches.freeze(self.batch_id, reason="诱饵被使用")
            touch = alarms.Touch("typed", "203.0.113.0/24")
            return alarms.raise_alarm(
                AlarmKind.CANARY, f"batch:{self.batch_id}", touch, self.batch_id
            )

        self.alarm = transaction(act)
        return self.alarm

    def restock(self, count: int) -> None:
        codes = own_codes.generate(count)
        transaction(lambda: factories.add_batch(self.product, codes, name="另一批"))

    def replace(self, reason: str = "疑似泄漏") -> int:
        since = clock.now() - LATELY
        return transaction(lambda: replacing.start(self.alarm.id, since, reason=reason))

    def counts(self) -> Counts:
        session.rollback()
        session.expire_all()
        return replacing.counts(alarms.find(self.alarm.id), clock.now() - LATELY)


def codes_of(order: Order) -> list[tuple[int, CodeState]]:
    """The batch and state of each code that is or was an order's."""
    session.rollback()
    session.expire_all()
    rows = session.execute(
        sa.select(Code.batch_id, Code.state)
        .where(Code.order_line_id == order.lines[0].id)
        .order_by(Code.id)
    )
    return [(batch_id, state) for batch_id, state in rows]


def asked_for(name: str) -> int:
    found = sa.select(sa.func.count()).where(OutboxRow.name == f"app.domain.messages.jobs.{name}")
    return int(session.scalar(found) or 0)


def test_each_buyer_has_another_code_and_one_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "_can_be_told", lambda _order: True)
    leak = Leak()
    first = factories.buy(leak.product, quantity=3)
    second = factories.buy(leak.product, quantity=2)
    leak.raise_alarm()
    with pytest.raises(Refusal):
        leak.replace("")
    leak.restock(4)
    assert leak.counts() == Counts(5, 0, 0, 0, 0, 0)

    assert leak.replace() == 5
    assert leak.counts() == Counts(0, 5, 0, 0, 0, 0) and not leak.counts().can_begin
    factories.work()

    # Four are there for five, so one buyer keeps one of hers, and it is said which.
    assert leak.counts() == Counts(0, 0, 4, 1, 0, 0) and leak.counts().can_begin
    old, new = leak.batch_id, leak.batch_id + 1
    assert codes_of(first) == [(old, CodeState.VOID)] * 3 + [(new, CodeState.SOLD)] * 3
    kept = [(old, CodeState.VOID), (old, CodeState.SOLD), (new, CodeState.SOLD)]
    assert sorted(codes_of(second)) == sorted(kept)
    assert asked_for("replaced") == 2

    leak.restock(3)
    assert leak.replace() == 1
    factories.work()
    assert leak.counts() == Counts(0, 0, 5, 0, 0, 0) and not leak.counts().can_begin
    assert asked_for("replaced") == 3
    with pytest.raises(Conflict):
        leak.replace()
    acts = session.scalars(
        sa.select(AuditEntry.action).where(AuditEntry.action.in_(["code.replace", "alarm.replace"]))
    ).all()
    assert sorted(acts) == ["alarm.replace"] * 2 + ["code.replace"] * 5


def test_a_batch_that_still_sells_is_no_source_and_what_is_old_stays() -> None:
    leak = Leak()
    factories.buy(leak.product)
    leak.raise_alarm()
    leak.restock(3)
    transaction(lambda: batches.unfreeze(leak.batch_id, reason="先卖着看看"))
    with pytest.raises(Conflict):
        leak.replace()
    transaction(lambda: batches.void(leak.batch_id, reason="召回没卖出的"))
    transaction(lambda: session.execute(sa.update(Code).values(sold_at=clock.now() - 2 * LATELY)))
    assert leak.counts().not_asked == 0
    with pytest.raises(Conflict):
        leak.replace()
    transaction(lambda: alarms.close(leak.alarm.id, reason="已经处理完"))
    with pytest.raises(Conflict):
        leak.replace()


def test_what_was_used_or_refunded_stays_and_a_worker_that_dies_replaces_nothing_twice() -> None:
    leak = Leak(kind=ProductKind.MULTI, policy=Policy(uses_total=10))
    used, refunded, good = (factories.buy(leak.product) for _ in range(3))
    (code_id,) = session.scalars(sa.select(Code.id).where(Code.order_line_id == used.lines[0].id))
    transaction(lambda: redemptions.take_use(code_id, ids.token()))
    leak.raise_alarm()
    leak.restock(8)
    assert leak.replace() == 3
    line = refunded.lines[0]
    transaction(lambda: refunding.request_refund(refunded.id, line.id, line.amount, "不想要了"))
    refund = session.scalars(sa.select(OutboxRow.id).where(OutboxRow.name.endswith("send_refund")))
    outbox.run(refund.one())

    # One order, and then the worker died; others go on, twice.
    assert transaction(lambda: replacing.replace_next(leak.alarm.id))
    jobs.replace_leaked(leak.alarm.id)
    jobs.replace_leaked(leak.alarm.id)
    factories.work()

    assert leak.counts() == Counts(0, 0, 1, 0, 1, 1)
    assert [state for _, state in codes_of(good)] == [CodeState.VOID, CodeState.SOLD]
    assert len(codes_of(used)) == len(codes_of(refunded)) == 1
    assert not leak.counts().can_begin
