"""A controlled export: two people, half an hour, one file that names itself when it gets about."""

from collections.abc import Callable
from datetime import timedelta

import pytest
import sqlalchemy as sa

from app.core import clock
from app.core.actors import acting_as
from app.core.audit import AuditEntry
from app.core.crypto import Secret
from app.core.db import session, transaction
from app.core.errors import Conflict, Refusal
from app.domain.accounts.models import Role
from app.domain.messages import alerts
from app.domain.redemptions import guessing
from app.domain.redemptions.answers import Unusable
from app.domain.risk.visits import Visit
from app.domain.vault import alarms, canaries, exporting, own_codes, service, stock, watching
from app.domain.vault.alarm_models import Alarm, AlarmState
from app.domain.vault.export_models import CodeExport, ExportedCode, ExportState
from app.domain.vault.models import Batch, BatchState, Code, CodeState, Reveal
from app.domain.vault.watching import Asked
from tests import factories, locked_zips, people
from tests.domain.vault import imports
from tests.domain.vault.imports import today

pytestmark = pytest.mark.usefixtures("audited", "channel")

IP = "203.0.113.9"


@pytest.fixture(autouse=True)
def by_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whenever the tests are run: at night less may be exported."""
    monkeypatch.setattr(watching, "_hour", lambda _now: 12)


class Two:
    """A maker and a checker, and a batch with codes."""

    def __init__(self, codes: int = 12, *, is_generated: bool = True) -> None:
        self.maker = f"person:{people.make(Role.OPERATOR).id}"
        self.checker = f"person:{people.make(Role.OWNER).id}"
        self.product = factories.make_product(codes=0, max_per_order=500)
        texts = own_codes.generate(codes)
        self.batch_id = transaction(
            lambda: factories.add_batch(self.product, texts, is_generated=is_generated)
        ).id
        self.texts = set(texts)

    def ask(self, quantity: int | None = 5, reason: str = "交给线下门店") -> int:
        with acting_as(self.maker):
            return watching.request_export(self.batch_id, quantity, reason=reason, ip=IP).id

    def by(self, who: str, act: Callable[[], object]) -> object:
        with acting_as(who):
            return transaction(act)

    def approved(self, quantity: int | None = 5) -> int:
        export_id = self.ask(quantity)
        self.by(self.checker, lambda: exporting.approve(export_id))
        return export_id

    def password(self, export_id: int) -> str:
        made = self.by(self.maker, lambda: exporting.new_password(export_id))
        assert isinstance(made, Secret)
        return made.reveal()

    def download(self, export_id: int) -> list[str]:
        """The lines of the file, opened with a password got for it."""
        password = self.password(export_id)
        with acting_as(self.maker):
            file = watching.download_export(export_id, ip=IP)
        name, plain = locked_zips.opened(file.content, password)
        assert (file.name, name) == (f"codes-{export_id}.zip", f"codes-{export_id}.txt")
        return plain.decode("utf-8-sig").splitlines()


def fresh(export_id: int) -> CodeExport:
    session.rollback()
    session.expire_all()
    return exporting.find(export_id)


def on_shelf(two: Two) -> int:
    return stock.stock_of([two.product.id], today())[two.product.id]


def test_codes_leave_by_two_people_and_are_never_sold() -> None:
    two = Two()
    export_id = two.approved()

    lines = two.download(export_id)

    export = fresh(export_id)
    assert (export.state, export.code_count) == (ExportState.DOWNLOADED, 5)
    assert export.password_sealed is None and export.checked_by == two.checker
    # Five of the batch's, and one that is in this file alone.
    assert len(lines) == 6 and len(set(lines) & two.texts) == 5
    (mark,) = set(lines) - two.texts
    assert own_codes.explain(mark).normalised
    assert on_shelf(two) == 7
    factories.buy(two.product, quantity=7)
    with pytest.raises(service.SoldOut):
        factories.place(two.product)
    gone = set(session.scalars(sa.select(ExportedCode.code_id)))
    states = session.scalars(sa.select(Code.state).where(Code.id.in_(gone))).all()
    assert len(gone) == 5 and set(states) == {CodeState.VOID}
    reveal = session.scalars(sa.select(Reveal)).one()
    assert (reveal.channel, reveal.code_count, reveal.ip) == ("export", 5, IP)
    entries = session.scalars(
        sa.select(AuditEntry).where(AuditEntry.subject == "code_exports").order_by(AuditEntry.id)
    ).all()
    assert [(entry.action, entry.actor) for entry in entries] == [
        ("export.request", two.maker),
        ("export.approve", two.checker),
        ("export.download", two.maker),
    ]
    # Once is once; and the database itself keeps what left from coming back.
    with pytest.raises(Conflict):
        two.password(export_id)
    with pytest.raises(Conflict), acting_as(two.maker):
        watching.download_export(export_id, ip=IP)
    with pytest.raises(sa.exc.DatabaseError):
        transaction(lambda: session.execute(sa.delete(ExportedCode)))


def test_the_canary_of_a_file_names_its_export() -> None:
    two = Two()
    export_id = two.approved(None)
    lines = two.download(export_id)
    (mark,) = set(lines) - two.texts
    assert len(lines) == 13 and on_shelf(two) == 0
    batch = session.get_one(Batch, two.batch_id)
    assert len(canaries.ids_of(batch.uid, batch.canaries_sealed)) == 1 and batch.code_count == 12

    with pytest.raises(Unusable):
        guessing.read(mark, Visit("", "net", "device"))

    session.rollback()
    session.expire_all()
    (alarm,) = session.scalars(sa.select(Alarm).where(Alarm.state == AlarmState.OPEN))
    assert alarm.about == f"export:{export_id}" and alarm.batch_id == two.batch_id
    found = alarms.export_of(alarm)
    assert found is not None
    assert (found.requested_by, found.checked_by) == (two.maker, two.checker)
    assert session.get_one(Batch, two.batch_id).state == BatchState.FROZEN


def test_nobody_does_both_halves_and_nobody_elses_is_touched() -> None:
    two = Two()
    export_id = two.ask()

    for who, act in (
        (two.maker, lambda: exporting.approve(export_id)),
        (two.maker, lambda: exporting.refuse(export_id, reason="不想要了")),
        (two.maker, lambda: exporting.new_password(export_id)),
        (two.checker, lambda: exporting.cancel(export_id)),
    ):
        with pytest.raises(Conflict):
            two.by(who, act)
    two.by(two.checker, lambda: exporting.approve(export_id))
    with pytest.raises(Conflict):
        two.by(two.checker, lambda: exporting.new_password(export_id))
    with acting_as(two.maker), pytest.raises(Conflict):
        watching.download_export(export_id, ip=IP)
    # Nor does the database take one person for two.
    with pytest.raises(sa.exc.IntegrityError):
        transaction(
            lambda: session.execute(
                sa.update(CodeExport).values(checked_by=CodeExport.requested_by)
            )
        )
    first = two.password(export_id)
    assert two.password(export_id) != first
    two.by(two.checker, lambda: exporting.refuse(export_id, reason="门店说不要了"))
    assert fresh(export_id).password_sealed is None
    with acting_as(two.maker), pytest.raises(Conflict):
        watching.download_export(export_id, ip=IP)
    again = two.ask(3)
    two.by(two.maker, lambda: exporting.cancel(again))
    with pytest.raises(Conflict):
        two.by(two.checker, lambda: exporting.approve(again))
    assert on_shelf(two) == 12 and session.scalar(sa.select(Reveal.id)) is None


def test_what_is_asked_for_must_be_there_and_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    two = Two()
    for quantity, reason in ((0, "交给门店"), (13, "交给门店"), (5, "给")):
        with pytest.raises(Refusal):
            two.ask(quantity, reason)
    export_id = two.approved(10)
    two.password(export_id)
    factories.buy(two.product, quantity=3)
    with acting_as(two.maker), pytest.raises(Conflict) as short:
        watching.download_export(export_id, ip=IP)
    assert short.value.params == {"left": 9}
    waiting = two.ask(2)
    real = clock.now()

    monkeypatch.setattr(clock, "now", lambda: real + timedelta(minutes=31))
    assert exporting.is_over(fresh(export_id)) and not exporting.is_over(fresh(waiting))
    with acting_as(two.maker), pytest.raises(Conflict):
        watching.download_export(export_id, ip=IP)
    monkeypatch.setattr(clock, "now", lambda: real + timedelta(hours=25))
    assert exporting.count_waiting() == 0
    with pytest.raises(Conflict):
        two.by(two.checker, lambda: exporting.approve(waiting))
    monkeypatch.setattr(clock, "now", lambda: real)
    assert on_shelf(two) == 9


def test_a_suppliers_codes_get_a_mark_that_looks_like_them_or_none() -> None:
    two = Two()
    product = factories.make_product(codes=0)
    lines = [f"BN{number * 7919**3:016d}-XQ,{number * 7919 % 10_000:04d}" for number in range(60)]
    imports.bring(product, "卡号,密码\n" + "\n".join(lines) + "\n")
    two.batch_id = session.scalars(sa.select(Batch.id).order_by(Batch.id.desc())).first() or 0

    got = two.download(two.approved(40))

    (mark,) = set(got) - {line.replace(",", " ") for line in lines}
    assert len(got) == 41 and mark[:4] == "BN00" and mark[18:22] == "-XQ " and len(mark) == 26
    short = factories.make_product(codes=0)
    imports.bring(short, "\n".join(f"BN{number:06d}" for number in range(60)))
    two.batch_id = session.scalars(sa.select(Batch.id).order_by(Batch.id.desc())).first() or 0
    export_id = two.approved(None)
    assert len(two.download(export_id)) == 60
    assert fresh(export_id).watermark_sealed is None


@pytest.mark.parametrize(
    ("_case", "asked", "hour", "is_so"),
    [
        ("the fourth of a day", Asked(3, 2), 10, False),
        ("the fifth of a day", Asked(4, 1), 10, True),
        ("of a third batch", Asked(2, 3), 10, True),
        ("the first of a night", Asked(0, 1), 3, False),
        ("the second of a night", Asked(1, 1), 3, True),
    ],
)
@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_what_is_unusual(_case: str, asked: Asked, hour: int, is_so: bool) -> None:
    assert watching.is_unusual_export(asked, hour) is is_so


def test_who_asks_unusually_often_is_stopped_and_gets_nothing_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(watching, "MOST_EXPORTS_A_DAY", 2)
    monkeypatch.setattr(watching, "MOST_EXPORTS_A_NIGHT", 2)
    two = Two()
    approved = two.approved(2)
    two.password(approved)
    two.ask(2)

    with pytest.raises(Conflict, match="导出异常多"):
        two.ask(2)
    with acting_as(two.maker):
        with pytest.raises(Conflict, match="导出异常多"):
            watching.download_export(approved, ip=IP)
        # What stopped her is said where she sees codes one by one, too.
        code_id = session.scalars(sa.select(Code.id)).first() or 0
        with pytest.raises(Conflict, match="导出异常多"):
            watching.reveal_to_staff(code_id, None, reason="买家说打不开", ip=IP)

    session.rollback()
    (alarm,) = session.scalars(sa.select(Alarm))
    assert (alarm.about, alarm.channel, alarm.times) == (f"staff:{two.maker}", "export", 3)
    transaction(lambda: alarms.close(alarm.id, reason="核对过，是换货"))
    two.ask(2)
    # What two people let out does not count as seen by one.
    assert len(two.download(approved)) == 3
    assert watching.seen_by(two.maker, clock.now()).in_a_day == 0


def test_staff_are_told_each_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, str]] = []
    monkeypatch.setattr(
        alerts, "send", lambda _sender, message: sent.append((message.kind, message.reference))
    )
    two = Two()
    finance = people.make(Role.FINANCE).id
    maker, checker = (int(name.removeprefix("person:")) for name in (two.maker, two.checker))

    export_id = two.approved()
    factories.work()
    two.download(export_id)
    factories.work()

    assert sent == [
        ("export_requested", f"export_requested-{export_id}-{checker}"),
        ("export_requested", f"export_requested-{export_id}-{finance}"),
        ("export_approved", f"export_approved-{export_id}-{maker}"),
        ("export_downloaded", f"export_downloaded-{export_id}-{maker}"),
        ("export_downloaded", f"export_downloaded-{export_id}-{checker}"),
    ]
    assert transaction(lambda: alerts.begin_export(alerts.Event.EXPORT_APPROVED, export_id)) == []
