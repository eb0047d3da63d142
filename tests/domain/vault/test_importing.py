"""A file of codes comes onto the shelf whole, once, and never in plain text."""

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import openpyxl
import pytest
import sqlalchemy as sa
from flask import Flask

from app.core import clock, outbox
from app.core.db import session, transaction
from app.core.errors import Conflict, Refusal
from app.core.outbox import OutboxRow, OutboxState
from app.domain.vault import importing, jobs, reading, stock, taking
from app.domain.vault.batches import BatchDetails
from app.domain.vault.models import BatchState, Import, ImportChunk, ImportState
from app.domain.vault.reading import Format
from tests import factories
from tests.domain.vault.imports import (
    DETAILS,
    batch_of,
    bring,
    everything_in_the_database,
    fresh,
    reasons,
    start,
    texts,
    today,
    upload,
)

pytestmark = pytest.mark.usefixtures("audited")

CODES = [f"CODE-{number:04}-ABCD" for number in range(100)]
FILE = "\n".join(CODES)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A hundred lines make ten chunks."""
    monkeypatch.setattr(reading, "BLOCK", 150)


def count_chunks() -> int:
    return session.scalar(sa.select(sa.func.count()).select_from(ImportChunk)) or 0


def left(product_id: int) -> int:
    session.rollback()
    return stock.stock_of([product_id], today())[product_id]


def run_job() -> OutboxRow:
    """Run the import's job once, whether it is due or waits after a failure."""
    session.rollback()
    row = session.scalars(
        sa.select(OutboxRow).where(OutboxRow.name == "app.domain.vault.jobs.add_codes")
    ).one()

    def make_due() -> None:
        due = sa.update(OutboxRow).where(OutboxRow.id == row.id, OutboxRow.state == "ready")
        session.execute(due.values(due_at=clock.now() - timedelta(seconds=1)))

    transaction(make_due)
    outbox.run(row.id)
    session.rollback()
    session.refresh(row)
    return row


def test_a_file_comes_onto_the_shelf() -> None:
    product = factories.make_product(codes=0)

    done = bring(product, FILE)

    assert done.state == ImportState.DONE
    assert (done.line_count, done.lines_done, done.taken) == (100, 100, 100)
    assert (done.duplicates, done.refused) == (0, 0)
    assert texts(done) == CODES
    batch = batch_of(done)
    assert (batch.state, batch.code_count, batch.unit_cost) == (BatchState.OPEN, 100, 1200)
    assert left(product.id) == 100
    assert count_chunks() == 0


def test_no_code_is_in_plain_text_anywhere_at_any_time() -> None:
    product = factories.make_product(codes=0)
    sent = upload(product, FILE + "\nFAULTY-CODE-\x01-HERE\n" + CODES[5])
    waiting = everything_in_the_database()
    start(sent)
    factories.work()

    for text in (waiting, everything_in_the_database()):
        assert "CODE-0042" not in text
        assert "FAULTY" not in text
        assert b"CODE-0042".hex() not in text


def test_it_does_not_sell_before_all_of_it_is_there(small_chunks: None) -> None:
    product = factories.make_product(codes=0)
    sent = upload(product, FILE)
    start(sent)

    taking.take_steps(sent.id, until=0)

    assert fresh(sent.uid).taken > 0
    assert left(product.id) == 0
    factories.work()
    assert left(product.id) == 100


def gbk() -> bytes:
    return "卡号,卡密\n甲-1,密-1\n甲-2,密-2\n".encode("gb18030")


def utf8_with_mark() -> bytes:
    return "卡号,卡密\r\n甲-1,密-1\r\n甲-2,密-2\r\n".encode("utf-8-sig")


def utf16() -> bytes:
    return "卡号\t卡密\r\n甲-1\t密-1\r\n甲-2\t密-2\r\n".encode("utf-16")


def workbook() -> bytes:
    book = openpyxl.Workbook()
    for row in (["卡号", "卡密"], ["甲-1", "密-1"], ["甲-2", "密-2"]):
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (gbk(), "gbk.csv"),
        (utf8_with_mark(), "mark.csv"),
        (utf16(), "unicode.txt"),
        (workbook(), "book.xlsx"),
    ],
)
def test_every_encoding_gives_the_same_codes(content: bytes, name: str) -> None:
    done = bring(factories.make_product(codes=0), content, name)

    assert texts(done) == ["甲-1\x1f密-1", "甲-2\x1f密-2"]


def test_a_wrong_guess_of_the_encoding_is_overruled() -> None:
    product = factories.make_product(codes=0)
    text = "甲乙丙\n"

    done = bring(product, text.encode("gb18030"), encoding="gb18030")

    assert texts(done) == ["甲乙丙"]


@pytest.mark.parametrize(
    ("_case", "content", "name"),
    [
        ("nothing", b"", "codes.txt"),
        ("a workbook cut in half", workbook()[:2000], "book.xlsx"),
        ("a workbook that is none", b"code\n1234", "book.xlsx"),
        ("an old workbook", b"\xd0\xcf\x11\xe0" + bytes(2000), "book.xls"),
        ("a program", bytes(range(256)) * 50, "codes.txt"),
    ],
)
def test_what_is_no_file_of_codes_is_refused_and_leaves_nothing(
    _case: str, content: bytes, name: str
) -> None:
    product = factories.make_product(codes=0)

    with pytest.raises(Refusal) as refused:
        upload(product, content, name)

    assert refused.value.field == "file"
    assert count_chunks() == 0
    assert session.scalars(sa.select(Import).where(Import.state != ImportState.UNDONE)).all() == []


def test_an_unknown_encoding_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        upload(factories.make_product(codes=0), FILE, encoding="klingon")

    assert refused.value.field == "encoding"


def test_a_double_in_the_file_is_taken_once_and_names_its_line() -> None:
    done = bring(factories.make_product(codes=0), "AAAA-1111\nBBBB-2222\nAAAA1111\n\nBBBB-2222\n")

    assert (done.taken, done.duplicates) == (2, 2)
    assert reasons(done) == [(3, "与第 1 行重复"), (5, "与第 2 行重复")]


def test_a_double_of_an_earlier_chunk_is_told(small_chunks: None) -> None:
    done = bring(factories.make_product(codes=0), FILE + "\n" + CODES[0])

    assert (done.taken, done.duplicates) == (100, 1)
    assert reasons(done) == [(101, "与文件前面的一行重复")]


def test_a_code_of_another_batch_or_product_names_that_batch() -> None:
    bring(factories.make_product(codes=0), FILE)

    done = bring(factories.make_product(codes=0), f"NEW-CODE-1\n{CODES[7]}\n")

    assert (done.taken, done.duplicates) == (1, 1)
    assert reasons(done) == [(2, "库里已有，在批次“七月到货”")]


def test_a_file_that_brings_nothing_new_leaves_no_open_batch() -> None:
    bring(factories.make_product(codes=0), FILE)

    again = bring(factories.make_product(codes=0), FILE)

    assert (again.state, again.taken, again.duplicates) == (ImportState.DONE, 0, 100)
    assert batch_of(again).state == BatchState.VOID


@pytest.mark.parametrize(("case_sensitive", "taken"), [(True, 2), (False, 1)])
def test_letter_case_tells_codes_apart_only_if_the_product_says_so(
    case_sensitive: bool, taken: int
) -> None:
    product = factories.make_product(codes=0, codes_case_sensitive=case_sensitive)

    assert bring(product, "abcd-efgh\nABCD-EFGH\n").taken == taken


def test_faulty_lines_are_counted_and_explained() -> None:
    done = bring(factories.make_product(codes=0), "GOOD-1\nBAD\x01-2\n" + "X" * 600 + "\n")

    assert (done.taken, done.refused) == (1, 2)
    assert [line for line, _ in reasons(done)] == [2, 3]


def test_other_columns_can_be_chosen() -> None:
    product = factories.make_product(codes=0)
    sent = upload(product, "备注,一,二\nx,CODE-A,PASS-A\nx,CODE-B,PASS-B\n", "a.csv")
    wanted = replace(Format.from_json(sent.format), code_column=1, password_column=2)
    transaction(lambda: importing.change_format(sent.id, wanted))
    start(sent)
    factories.work()

    assert texts(sent) == ["CODE-A\x1fPASS-A", "CODE-B\x1fPASS-B"]


@pytest.mark.parametrize(("code", "password"), [(1, 1), (9, None), (-1, None), (0, 9)])
def test_a_column_that_makes_no_sense_is_refused(code: int, password: int | None) -> None:
    sent = upload(factories.make_product(codes=0), "a,b\n1,2\n", "a.csv")
    wanted = replace(Format.from_json(sent.format), code_column=code, password_column=password)

    with pytest.raises(Refusal):
        transaction(lambda: importing.change_format(sent.id, wanted))


def test_a_trial_counts_and_takes_nothing() -> None:
    product = factories.make_product(codes=0)
    bring(product, FILE)
    sent = upload(product, "NEW-CODE-1\nNEW-CODE-1\nBAD\x01\n" + CODES[0])

    trial = taking.try_out(sent)

    assert (trial.fresh, trial.doubles, trial.faulty) == (1, 2, 1)
    assert trial.is_whole
    assert left(product.id) == 100


@pytest.mark.parametrize(
    ("_case", "details", "field"),
    [
        ("without a name", replace(DETAILS, name=""), "name"),
        ("with a cost below zero", replace(DETAILS, unit_cost=-1), "unit_cost"),
        ("already expired", replace(DETAILS, expires_on=today() - timedelta(days=1)), "expires_on"),
        ("with a novel", replace(DETAILS, note="长" * 501), "note"),
    ],
)
def test_a_batch_without_sense_is_refused(_case: str, details: BatchDetails, field: str) -> None:
    sent = upload(factories.make_product(codes=0), FILE)

    with pytest.raises(Refusal) as refused:
        start(sent, details)

    assert refused.value.field == field
    assert fresh(sent.uid).state == ImportState.UPLOADED


def test_a_second_tap_on_start_starts_nothing_more() -> None:
    sent = upload(factories.make_product(codes=0), FILE)
    start(sent)

    with pytest.raises(Conflict):
        start(sent)

    factories.work()
    assert fresh(sent.uid).taken == 100


def test_half_an_upload_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    product = factories.make_product(codes=0)
    monkeypatch.setattr(importing, "_complete", lambda *_: (_ for _ in ()).throw(SystemExit))
    with pytest.raises(SystemExit):
        upload(product, FILE)
    half = session.scalars(sa.select(Import)).one()

    with pytest.raises(Conflict):
        start(half)


def test_an_upload_that_nobody_starts_is_thrown_away() -> None:
    sent = upload(factories.make_product(codes=0), FILE)
    assert count_chunks() > 0

    transaction(jobs.discard_upload(sent.id))

    assert fresh(sent.uid).state == ImportState.UNDONE
    assert count_chunks() == 0


def test_throwing_away_comes_too_late_for_a_started_one() -> None:
    sent = upload(factories.make_product(codes=0), FILE)
    start(sent)

    transaction(jobs.discard_upload(sent.id))

    factories.work()
    assert fresh(sent.uid).taken == 100


def test_a_crash_between_chunks_loses_nothing_and_takes_nothing_twice(
    small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    product = factories.make_product(codes=0)
    sent = upload(product, FILE + "\nBAD\x01\n" + CODES[3])
    start(sent)
    store, calls = taking._store_new, iter(range(100))

    def breaks_the_third_time(*args: object) -> object:
        if next(calls) == 2:
            raise RuntimeError("the machine is gone")
        return store(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(taking, "_store_new", breaks_the_third_time)
    row = run_job()
    assert (row.state, row.last_error) == (OutboxState.READY, "RuntimeError: the machine is gone")
    half = fresh(sent.uid)
    assert 0 < half.taken < 100
    assert half.chunks_done == 2

    row = run_job()

    assert row.state == OutboxState.DONE
    done = fresh(sent.uid)
    assert (done.state, done.taken, done.duplicates, done.refused) == ("done", 100, 1, 1)
    assert texts(done) == CODES


def test_a_job_that_has_worked_long_enough_goes_on_later(
    small_chunks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = upload(factories.make_product(codes=0), FILE)
    start(sent)
    monkeypatch.setattr(jobs, "WORK_FOR", 0.0)

    row = run_job()

    assert row.state == OutboxState.READY
    assert fresh(sent.uid).chunks_done == 1
    factories.work()
    assert fresh(sent.uid).state == ImportState.DONE


def test_a_step_done_by_two_workers_is_done_once(small_chunks: None) -> None:
    sent = upload(factories.make_product(codes=0), FILE)
    start(sent)
    coming = taking._begin(sent.id, None)
    assert coming is not None
    first = coming.finish()

    transaction(lambda: taking._take(sent.id, first, None))
    transaction(lambda: taking._take(sent.id, first, None))

    assert fresh(sent.uid).chunks_done == 1
    factories.work()
    assert texts(fresh(sent.uid)) == CODES


def tamper_with(position: int, sealed: bytes | None = None) -> bytes:
    """Put `sealed` in the place of a waiting chunk, or break it; what was there before."""
    chunk = session.scalars(sa.select(ImportChunk).where(ImportChunk.position == position)).one()
    before = chunk.sealed

    def change() -> None:
        session.execute(
            sa.update(ImportChunk)
            .where(ImportChunk.position == position)
            .values(sealed=sealed or before[:-1] + bytes([before[-1] ^ 1]))
        )

    transaction(change)
    return before


def test_what_was_tampered_with_fails_the_import_which_goes_on_once_mended(
    small_chunks: None,
) -> None:
    product = factories.make_product(codes=0)
    sent = upload(product, FILE)
    start(sent)
    before = tamper_with(3)
    factories.work()
    failed = fresh(sent.uid)
    assert (failed.state, failed.chunks_done) == (ImportState.FAILED, 3)
    assert left(product.id) == 0

    tamper_with(3, before)
    transaction(lambda: importing.resume(sent.id))
    factories.work()

    assert fresh(sent.uid).state == ImportState.DONE
    assert texts(fresh(sent.uid)) == CODES


def test_a_chunk_does_not_open_in_another_place(small_chunks: None) -> None:
    sent = upload(factories.make_product(codes=0), FILE)
    start(sent)
    second = session.get_one(ImportChunk, (sent.id, 1)).sealed
    tamper_with(0, second)

    factories.work()

    assert fresh(sent.uid).state == ImportState.FAILED


def test_two_imports_of_the_same_file_at_once_take_each_code_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "BLOCK", 3000)
    product = factories.make_product(codes=0)
    codes = [f"RACE-{number:05}-ABCD" for number in range(2000)]
    first = upload(product, "\n".join(codes))
    second = upload(product, "\n".join(reversed(codes)))
    start(first)
    start(second)
    rows = session.scalars(
        sa.select(OutboxRow.id).where(OutboxRow.name == "app.domain.vault.jobs.add_codes")
    ).all()
    session.rollback()

    def work(row_id: int) -> None:
        with app.app_context():
            outbox.run(row_id)

    with ThreadPoolExecutor(max_workers=2) as threads:
        list(threads.map(work, rows))
    factories.work()

    first, second = fresh(first.uid), fresh(second.uid)
    assert (first.state, second.state) == (ImportState.DONE, ImportState.DONE)
    assert first.taken + second.taken == 2000
    assert first.duplicates + second.duplicates == 2000
    assert sorted(texts(first) + texts(second)) == codes


def test_only_a_failed_import_is_resumed() -> None:
    done = bring(factories.make_product(codes=0), FILE)

    with pytest.raises(Conflict):
        transaction(lambda: importing.resume(done.id))


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("C:\\Users\\me\\codes.txt", "codes.txt"),
        ("../../etc/passwd", "passwd"),
        ("a\r\nb\x1b[31m.txt", "ab[31m.txt"),
        ("长" * 200 + ".txt", "长" * 100),
    ],
)
def test_a_file_name_is_only_a_name(app: Flask, given: str, kept: str) -> None:
    assert importing._plain_name(given) == kept
