"""Canaries are on the shelf and never sold; whoever touches one stops its batch."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.core import clock, keys
from app.core.actors import acting_as
from app.core.audit import AuditEntry
from app.core.crypto import Secret, Tampered
from app.core.db import session, transaction
from app.core.errors import Conflict, Refusal
from app.domain.accounts.models import Role
from app.domain.catalog.models import Product
from app.domain.messages import alerts, jobs
from app.domain.orders import leaks
from app.domain.redemptions import guessing
from app.domain.redemptions.answers import Unusable
from app.domain.risk.visits import Visit
from app.domain.vault import (
    alarms,
    batches,
    canaries,
    generating,
    own_codes,
    service,
    stock,
    undoing,
    watching,
)
from app.domain.vault.alarm_models import Alarm, AlarmState
from app.domain.vault.batches import BatchDetails
from app.domain.vault.models import Batch, BatchState, Code, CodeState, Reveal
from app.domain.vault.rules import unsold_context
from app.domain.vault.watching import Seen
from tests import factories, people
from tests.domain.vault import imports
from tests.domain.vault.imports import today

pytestmark = pytest.mark.usefixtures("audited", "channel")

GUESSER = Visit("", "net", "device")


def generated(count: int, **fields: object) -> Batch:
    """A batch of our own codes, made as staff have it made."""
    product = factories.make_product(codes=0, max_per_order=500, **fields)
    transaction(
        lambda: generating.start(product.id, count, BatchDetails("八月", expires_on=None), today())
    )
    factories.work()
    return newest()


def newest() -> Batch:
    session.rollback()
    session.expire_all()
    return session.scalars(sa.select(Batch).order_by(Batch.id.desc())).first()  # type: ignore[return-value]


def ids(batch: Batch) -> tuple[int, ...]:
    return canaries.ids_of(batch.uid, batch.canaries_sealed)


def text_of(code_id: int, batch: Batch) -> str:
    code = session.get_one(Code, code_id)
    key = keys.by_id(batch.data_key_id)
    return key.open(code.sealed, unsold_context(batch.uid, code.uid)).decode()


def product_of(batch: Batch) -> Product:
    return session.get_one(Product, batch.product_id)


def type_in(text: str) -> None:
    with pytest.raises(Unusable):
        guessing.read(text, GUESSER)


def open_alarms() -> list[Alarm]:
    session.rollback()
    session.expire_all()
    return list(session.scalars(sa.select(Alarm).where(Alarm.state == AlarmState.OPEN)))


def test_canaries_are_planted_over_a_batch_and_are_not_to_be_told_from_its_codes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(generating, "PER_STEP", 100)

    batch = generated(300)

    assert batch.state == BatchState.OPEN
    assert len(ids(batch)) == canaries.PER_BATCH
    planted = [session.get_one(Code, code_id) for code_id in ids(batch)]
    others = session.scalars(sa.select(Code).where(Code.id.not_in(ids(batch)))).all()
    for column in ("state", "order_line_id", "sold_at", "void_reason"):
        assert {getattr(code, column) for code in (*planted, *others)} == {
            getattr(others[0], column)
        }
    assert {len(code.sealed) for code in planted} == {len(code.sealed) for code in others}
    assert all(own_codes.explain(text_of(code.id, batch)).normalised for code in planted)
    # Their list opens for their own batch alone.
    with pytest.raises(Tampered):
        canaries.ids_of(bytes(16), batch.canaries_sealed)


def test_a_canary_is_neither_stock_nor_sold() -> None:
    batch = generated(30)

    assert stock.stock_of([batch.product_id], today()) == {batch.product_id: 30}
    assert batches.count_codes([batch.id])[batch.id][CodeState.AVAILABLE] == 30
    assert batch.code_count == 30
    bought = factories.buy(product_of(batch), quantity=30)
    with pytest.raises(service.SoldOut):
        factories.place(product_of(batch))

    sold = {code.id for code in session.scalars(sa.select(Code).where(Code.sold_at.is_not(None)))}
    assert bought.delivered_at is not None
    assert len(sold) == 30 and sold.isdisjoint(ids(batch))


def test_whoever_types_a_canary_stops_its_batch_and_hears_nothing() -> None:
    batch = generated(30)
    order = factories.buy(product_of(batch))
    canary = text_of(ids(batch)[1], batch)

    transaction(lambda: alarms.notice_typed("ABCD-EFGH", alarms.Touch("typed", "net")))
    assert open_alarms() == []
    type_in(canary.lower())
    type_in(canary)

    (alarm,) = open_alarms()
    assert (alarm.batch_id, alarm.channel, alarm.ip, alarm.times) == (batch.id, "typed", "net", 2)
    assert session.get_one(Batch, batch.id).state == BatchState.FROZEN
    assert stock.stock_of([batch.product_id], today()) == {batch.product_id: 0}
    # A code that is still on the shelf, and is no canary, was guessed: no leak follows from it.
    shelf = session.scalars(
        sa.select(Code.id).where(Code.sold_at.is_(None), Code.id.not_in(ids(batch)))
    ).first()
    assert shelf is not None
    type_in(text_of(shelf, batch))
    assert [one.times for one in open_alarms()] == [2]
    ((code, buyers),) = leaks.sold_lately(batch.id, clock.now() - timedelta(days=1))
    assert (code.order_line_id, buyers.id) == (order.lines[0].id, order.id)


def test_a_recall_takes_the_rest_off_the_shelf_and_makes_it_anew() -> None:
    batch = generated(18)
    product = product_of(batch)
    factories.buy(product)
    type_in(text_of(ids(batch)[0], batch))
    (alarm,) = open_alarms()

    with pytest.raises(Refusal):
        transaction(lambda: alarms.recall(alarm.id, today(), reason=""))
    transaction(lambda: alarms.recall(alarm.id, today(), reason="怀疑店员抄走了"))
    with pytest.raises(Conflict):
        transaction(lambda: alarms.recall(alarm.id, today(), reason="怀疑店员抄走了"))
    factories.work()

    session.expire_all()
    assert session.get_one(Batch, batch.id).state == BatchState.VOID
    assert stock.stock_of([product.id], today()) == {product.id: 17}
    assert newest().id != batch.id and len(ids(newest())) == canaries.PER_BATCH
    transaction(lambda: alarms.close(alarm.id, reason="已经换新了"))
    assert open_alarms() == []
    # What was stolen before the recall still gives its thief away.
    type_in(text_of(ids(batch)[2], batch))
    assert [one.batch_id for one in open_alarms()] == [batch.id]


def test_canaries_of_a_suppliers_codes_look_like_them_and_stay_when_they_are_undone() -> None:
    product = factories.make_product(codes=0)
    lines = [f"BN{number * 7919**3:016d}-XQ,{number * 7919 % 10_000:04d}" for number in range(60)]
    import_ = imports.bring(product, "卡号,密码\n" + "\n".join(lines) + "\n")
    batch = newest()
    texts = [text_of(code_id, batch).split("\x1f") for code_id in ids(batch)]

    assert len(texts) == canaries.PER_BATCH
    for code, password in texts:
        assert code[:4] == "BN00" and code[-3:] == "-XQ" and len(code) == 21
        assert len(password) == 4 and f"{code},{password}" not in lines
    assert stock.stock_of([product.id], today()) == {product.id: 60}

    transaction(lambda: undoing.undo(import_.id, reason="导错了文件"))
    factories.work()
    assert set(session.scalars(sa.select(Code.id))) == set(ids(batch))


@pytest.mark.parametrize(
    ("_case", "lines"),
    [
        ("it could be a real one", [f"BN{number:06d}" for number in range(60)]),
        (
            "there are too few to imitate",
            [f"BN{number * 7919**3:016d}-XQ" for number in range(canaries.LEAST_IMITATED - 1)],
        ),
    ],
)
def test_where_a_suppliers_codes_cannot_be_imitated_there_is_no_canary(
    _case: str, lines: list[str]
) -> None:
    imports.bring(factories.make_product(codes=0), "\n".join(lines))

    assert newest().code_count == len(lines) and newest().canaries_sealed is None


@pytest.mark.parametrize("count", [1, 17])
def test_the_smallest_batch_of_our_own_has_as_many_as_any(count: int) -> None:
    batch = generated(count)

    assert len(ids(batch)) == canaries.PER_BATCH
    assert (batch.code_count, stock.stock_of([batch.product_id], today())) == (
        count,
        {batch.product_id: count},
    )


def test_a_short_last_step_keeps_the_canaries_that_are_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(generating, "PER_STEP", 5)

    for _ in range(5):
        assert len(ids(generated(6))) == canaries.PER_BATCH


# Staff who look


def reveal(code_id: int, who: object) -> Secret:
    with acting_as(f"person:{who}"):
        return watching.reveal_to_staff(code_id, None, reason="买家说打不开", ip="203.0.113.9")


def test_a_member_of_staff_who_sees_unusually_many_is_stopped_until_it_is_looked_into(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "MOST_AN_HOUR", 3)
    monkeypatch.setattr(watching, "MOST_A_NIGHT_HOUR", 3)
    batch = generated(30)
    support = people.make(Role.SUPPORT).id
    shelf = [
        code_id for code_id in session.scalars(sa.select(Code.id)) if code_id not in ids(batch)
    ]

    for code_id in shelf[:3]:
        reveal(code_id, support)
    for _ in range(2):
        with pytest.raises(Conflict):
            reveal(shelf[3], support)
    reveal(shelf[4], people.make(Role.SUPPORT).id)

    (alarm,) = open_alarms()
    assert (alarm.about, alarm.times) == (f"staff:person:{support}", 2)
    assert session.scalar(sa.select(sa.func.count()).select_from(Reveal)) == 4
    transaction(lambda: alarms.close(alarm.id, reason="核对过，都有工单"))
    reveal(shelf[3], support)
    assert open_alarms() == []


def test_a_canary_in_front_of_staff_raises_the_alarm_too() -> None:
    batch = generated(30)

    assert reveal(ids(batch)[0], people.make(Role.SUPPORT).id).reveal() == text_of(
        ids(batch)[0], batch
    )

    (alarm,) = open_alarms()
    assert (alarm.batch_id, alarm.channel) == (batch.id, "staff")
    assert session.get_one(Batch, batch.id).state == BatchState.FROZEN


@pytest.mark.parametrize(
    ("_case", "seen", "hour", "is_so"),
    [
        ("a day's work", Seen(19, 59, 12), 10, False),
        ("too many in an hour", Seen(20, 20, 1), 10, True),
        ("too many in a day", Seen(1, 60, 1), 10, True),
        ("of too many batches", Seen(1, 13, 13), 10, True),
        ("some at night", Seen(4, 4, 1), 3, False),
        ("too many at night", Seen(5, 5, 1), 3, True),
        ("as many in the morning", Seen(5, 5, 1), 6, False),
    ],
)
def test_what_is_unusual(_case: str, seen: Seen, hour: int, is_so: bool) -> None:
    assert watching.is_unusual(seen, hour) is is_so


def test_the_owners_are_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(alerts, "send", lambda _sender, message: sent.append(message.text))
    people.make(Role.OWNER)
    people.make(Role.OPERATOR)
    batch = generated(30)

    type_in(text_of(ids(batch)[0], batch))
    factories.work()
    (alarm,) = open_alarms()
    jobs.alarm(alarm.id)

    assert len(sent) == 1 and sent[0].endswith(f"http://localhost/admin/alarms/{alarm.id}")
    entry = session.scalars(sa.select(AuditEntry).where(AuditEntry.action == "alarm.raise")).one()
    assert (entry.subject_id, entry.actor) == (alarm.id, alarm.actor)
