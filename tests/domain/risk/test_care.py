"""What risk forgets, whom it tells, and what must always be true of what it holds."""

from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.db import session, transaction
from app.core.outbox import OutboxRow, OutboxState
from app.domain.accounts.contacts import Contact
from app.domain.accounts.models import Role
from app.domain.messages import alerts, jobs
from app.domain.orders.models import Order, OrderState
from app.domain.risk import arriving, cases, list_files, lists, pruning
from app.domain.risk.models import (
    Action,
    Case,
    Checkpoint,
    Decision,
    Key,
    Label,
    ListEntry,
    ListKind,
    RiskEvent,
    SpentProof,
    Subject,
)
from app.domain.risk.visits import Visit
from app.invariants import risk as invariants
from tests import factories, people
from tests.domain.risk.shopping import order

pytestmark = pytest.mark.usefixtures("rules", "channel")


def held() -> Case:
    """The case of an order that was just paid and is held."""
    product = factories.make_product(codes=1, price=60_000)
    placed = order(product, device=factories.contact())
    assert placed.payment is not None
    factories.settle(placed.payment)
    case = cases.of_order(placed.order.id)
    assert case is not None
    return case


def count(model: type[Any]) -> int:
    session.rollback()
    return session.scalar(sa.select(sa.func.count()).select_from(model)) or 0


def change(model: type[Any], *which: sa.ColumnElement[bool], **values: object) -> None:
    transaction(lambda: session.execute(sa.update(model).where(*which).values(**values)))
    session.expire_all()


@pytest.mark.usefixtures("audited")
def test_what_is_old_is_forgotten_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "PART", 2)
    case = held()
    product = factories.make_product(codes=9)
    for _ in range(3):
        order(product)
    long_ago = clock.now() - timedelta(days=181)
    change(Decision, at=long_ago)
    change(RiskEvent, at=clock.now() - timedelta(days=32))
    proof = SpentProof(nonce=b"n" * 12, at=clock.now() - timedelta(hours=1))
    transaction(lambda: session.add(proof))
    order(product)

    again_at = pruning.prune()

    # What a case points to stays, and so does what is new.
    assert min(session.scalars(sa.select(Decision.at))) == long_ago
    assert (count(Decision), count(RiskEvent), count(SpentProof)) == (2, 1, 0)
    assert session.get_one(Case, case.id).decision_id
    assert timedelta(0) < again_at - clock.now() <= timedelta(days=1)
    # Much to do is done in several runs, one soon after the other.
    change(RiskEvent, at=clock.now() - timedelta(days=32))
    monkeypatch.setattr(pruning, "PARTS", 1)
    assert pruning.prune() <= clock.now()


def test_who_was_let_in_is_forgotten_sooner_than_who_was_stopped_or_bought() -> None:
    product = factories.make_product(codes=3)
    order(product)
    visit = Visit("203.0.113.7", "203.0.113.0/24", "a browser")
    for _ in range(2):
        transaction(lambda: arriving.sign_in(visit, Contact.parse("13800000000")))
    latest = sa.select(sa.func.max(Decision.id)).scalar_subquery()
    change(Decision, Decision.id == latest, action=Action.CAPTCHA)
    change(Decision, at=clock.now() - timedelta(days=32))
    pruning.prune()
    kept = session.execute(sa.select(Decision.checkpoint, Decision.action).order_by(Decision.id))
    assert [tuple(row) for row in kept] == [
        (Checkpoint.CHECKOUT, Action.ALLOW),
        (Checkpoint.SIGN_IN, Action.CAPTCHA),
    ]


def test_it_is_done_every_night() -> None:
    row = session.scalars(sa.select(OutboxRow).where(OutboxRow.key == pruning.WATCH_KEY)).one()
    assert row.due_at > clock.now()
    change(OutboxRow, OutboxRow.id == row.id, due_at=clock.now())
    factories.work()
    session.expire_all()
    row = session.get_one(OutboxRow, row.id)
    assert (row.state, row.due_at > clock.now()) == (OutboxState.READY, True)


def test_the_owners_are_told_of_an_overdue_case_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(alerts, "send", lambda _sender, message: sent.append(message.text))
    people.make(Role.OWNER)
    people.make(Role.SUPPORT)
    first, second, third = held(), held(), held()
    factories.work()
    assert sent == []

    transaction(lambda: cases.approve(third.uid, Label.FALSE_POSITIVE, "", trust=False))
    change(Case, due_at=clock.now())
    change(OutboxRow, OutboxRow.key.like("case-due:%"), due_at=clock.now())
    factories.work()
    jobs.overdue_case(first.id)
    jobs.overdue_case(second.id)

    assert len(sent) == 1
    assert sent[0].startswith("2 个") and sent[0].endswith("http://localhost/admin/cases")
    # Nobody looked, so nothing was let go.
    states = session.scalars(sa.select(Order.state).where(Order.id != third.order_id))
    assert set(states) == {OrderState.HELD}


def test_what_is_held_and_cannot_go_on_is_found() -> None:
    first, second = held(), held()
    assert invariants.held_orders_are_carried(False) == (2, 0)
    transaction(lambda: cases.approve(first.uid, Label.FALSE_POSITIVE, "", trust=False))
    assert invariants.held_orders_are_carried(False) == (2, 0)
    change(OutboxRow, OutboxRow.key == f"release:{first.order_id}", state=OutboxState.DONE)
    assert invariants.held_orders_are_carried(False) == (2, 1)

    assert invariants.open_cases_hold_their_order(False) == (1, 0)
    change(Order, Order.id == second.order_id, state=OrderState.PAID)
    assert invariants.open_cases_hold_their_order(False) == (1, 1)

    looked_at, breaches = invariants.decisions_are_possible(False)
    assert (looked_at > 0, breaches) == (True, 0)
    change(Decision, Decision.id == second.decision_id, action=Action.BLOCK)
    assert invariants.decisions_are_possible(False)[1] == 1


def test_a_file_is_taken_but_for_the_lines_that_are_wrong() -> None:
    text = (
        "名单,类型,内容,原因,天数\r\n"
        "黑名单,邮箱域名,trash.example,一次性邮箱,30\r\n"
        "trust,address,203.0.113.0/24,公司网络,\r\n"
        "\r\n"
        "黑名单,联系方式,138****0001,刷单,30\r\n"
        "黑名单,设备,abc,刷单,30\r\n"
        "watch,email_domain,trash.example,,30\r\n"
        "watch,email_domain,other.example,可疑,31\r\n"
        "block,email_domain,trash.example,再来一次,30\r\n"
    )
    lines = list_files.read(text.encode("gb18030"))
    faults = transaction(lambda: list_files.take(lines, factories.ZONE))

    assert [fault.line for fault in faults] == [5, 6, 7, 8, 9]
    assert [fault.refusal.field for fault in faults] == [
        *("value", "subject", "reason", "days", "value")
    ]
    found = session.scalars(sa.select(ListEntry).order_by(ListEntry.id)).all()
    assert [(entry.list, entry.subject, entry.shown) for entry in found] == [
        (ListKind.BLOCK, Subject.EMAIL_DOMAIN, "trash.example"),
        (ListKind.TRUST, Subject.ADDRESS, "203.0.113.0/24"),
    ]
    assert found[1].expires_at == found[1].added_at + timedelta(days=lists.DEFAULT_DAYS)


@pytest.mark.parametrize(
    "end",
    ["2027-13-01", "tomorrow", "0001-01-01", "9999-12-31 23:59:59", "2020-01-01 00:00:00"],
)
def test_an_end_that_is_none_or_beyond_sense_is_refused(end: str) -> None:
    text = f"list,type,value,reason,expires at\nblock,address,192.0.2.1,扫号,{end}\n"
    # The first day begins before the calendar in the East, the last ends after it in the West.
    for zone in ("Asia/Shanghai", "America/New_York"):
        lines = list_files.read(text.encode())
        (fault,) = transaction(lambda lines=lines, zone=zone: list_files.take(lines, zone))  # type: ignore[misc]
        assert fault.refusal.field == "end"
    assert count(ListEntry) == 0


def test_an_end_is_read_as_a_spreadsheet_writes_it() -> None:
    day = clock.now().astimezone(ZoneInfo(factories.ZONE)).date() + timedelta(days=40)
    for number, time in enumerate(("", " 18:00", " 18:00:30")):
        text = (
            "list,type,value,reason,days,expires at\n"
            f"block,address,192.0.2.{number},扫号,7,{day:%Y/%m/%d}{time}\n"
        )
        lines = list_files.read(text.encode())
        assert transaction(lambda lines=lines: list_files.take(lines, factories.ZONE)) == []  # type: ignore[misc]
    ends = session.scalars(sa.select(ListEntry.expires_at).order_by(ListEntry.id)).all()
    midnight = datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(factories.ZONE))
    assert [end - midnight for end in ends if end] == [
        timedelta(0),
        timedelta(hours=18),
        timedelta(hours=18, seconds=30),
    ]


def test_a_check_is_of_this_shop_and_of_its_line() -> None:
    known = lists.known_as(Key.DEVICE, bytes(range(16)), "R2026")
    entry = transaction(lambda: lists.add(ListKind.BLOCK, known, "R2026", 30, source="case"))
    check = list_files.check_of(entry)
    transaction(lambda: lists.remove(entry.id))
    assert check.startswith(f"case:{bytes(range(16)).hex()}:")

    def fields(subject: str, shown: str, check: str) -> list[str | None]:
        text = f"list,type,value,reason,check value\nblock,{subject},{shown},R2026,{check}\n"
        lines = list_files.read(text.encode())
        faults = transaction(lambda: list_files.take(lines, factories.ZONE))
        return [fault.refusal.field for fault in faults]

    assert fields("contact", "R2026", check) == ["check"]
    assert fields("device", "R2027", check) == ["check"]
    assert fields("device", "R2026", check.replace("case", "staff")) == ["check"]
    assert fields("device", "R2026", check.replace("00", "01", 1)) == ["check"]
    assert fields("device", "R2026", "case:zz:é") == ["check"]
    assert fields("device", "R2026", "") == ["subject"]
    assert fields("device", "R2026", check) == []
    (again,) = session.scalars(sa.select(ListEntry).where(ListEntry.removed_at.is_(None)))
    assert (again.value_hash, again.shown, again.source) == (bytes(range(16)), "R2026", "case")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xff\xff",
        "名单,类型\n".encode(),
        "名单,类型,内容,原因\n".encode(),
        b"list,type,value,reason\n" + b"x,y,z,w\n" * (list_files.MOST_LINES + 1),
        b"x" * (list_files.MOST_BYTES + 1),
    ],
)
def test_what_is_no_such_file_is_refused(content: bytes) -> None:
    with pytest.raises(list_files.Refusal):
        list_files.read(content)
