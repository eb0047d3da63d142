"""A file becomes the same codes and line numbers whatever wrote it and wherever it is cut."""

import io
from dataclasses import replace
from datetime import date
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook

from app.domain.vault import reading
from app.domain.vault.formats import CONTROL, DATE, FAULTS, OVERLONG, ROUNDED, UNDECODABLE
from app.domain.vault.reading import (
    Chunk,
    Format,
    Kind,
    Line,
    columns,
    cut,
    detect,
    preview,
    read,
    with_layout,
)
from app.domain.vault.rules import LONGEST, Content

ONE = Format()
CSV = Format(delimiter=",", column_count=2, password_column=1)
LINES = st.lists(st.text(st.sampled_from('ab1密ß,"\t '), max_size=12), max_size=20)
NEWLINES = st.sampled_from(["\n", "\r\n", "\r"])


def lines_of(upload: bytes, format: Format) -> list[Line]:  # noqa: A002
    return [
        line
        for chunk in cut(io.BytesIO(upload), format)
        for line in read(chunk.text, chunk.first_line, format)
    ]


def codes_of(upload: bytes, format: Format | None = None) -> list[tuple[int, str]]:  # noqa: A002
    known = format or detect(upload, "codes.txt")
    return [(line.number, line.content.code) for line in lines_of(upload, known) if line.content]


def messages_of(upload: bytes, format: Format) -> list[tuple[int, str | None]]:  # noqa: A002
    return [(line.number, line.message) for line in lines_of(upload, format) if not line.content]


# Cutting


def test_lines_are_numbered_as_an_editor_numbers_them() -> None:
    upload = b"\n A1B2 \r\n\r\nC3D4\rE5F6\n\r\n\r  \nG7H8"

    assert codes_of(upload, ONE) == [(2, "A1B2"), (4, "C3D4"), (5, "E5F6"), (9, "G7H8")]


@pytest.mark.parametrize(
    "encoding",
    ["utf-8", "utf-8-sig", "gbk", "gb18030", "utf-16", "utf-16-le", "utf-16-be"],
)
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_usual_encoding_is_read(encoding: str, newline: str) -> None:
    text = newline.join(["卡号,密码", "ABCD-0001,汉字密码", "ABCD-0002,1234", ""])
    upload = text.encode(encoding)

    known = detect(upload, "codes.csv")

    assert [line.content for line in lines_of(upload, known)] == [
        Content("ABCD-0001", "汉字密码"),
        Content("ABCD-0002", "1234"),
    ]
    assert [line.number for line in lines_of(upload, known)] == [2, 3]


@pytest.mark.parametrize("order", ["utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_utf_16_chosen_by_hand_needs_no_byte_order(order: str, mark: str) -> None:
    upload = f"{mark}ABCD\n密EFG\n".encode(order)

    assert codes_of(upload, Format(encoding="utf-16")) == [(1, "ABCD"), (2, "密EFG")]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_an_encoding_that_shows_only_late_is_found(encoding: str) -> None:
    upload = b"ABCD\n" * 300_000 + "汉字,卡密\n第二行\n".encode(encoding)

    known = detect(upload[:65536], "codes.txt")

    assert codes_of(upload, known)[-2:] == [(300_001, "汉字,卡密"), (300_002, "第二行")]


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_a_line_that_cannot_be_decoded_is_refused_alone(encoding: str) -> None:
    upload = "卡密一\n".encode(encoding) + b"AB\xff\x81\nCD\x81\nEFGH\n" + "卡密二".encode(encoding)
    known = replace(ONE, encoding=encoding)

    assert codes_of(upload, known) == [(1, "卡密一"), (4, "EFGH"), (5, "卡密二")]
    assert messages_of(upload, known) == [(2, FAULTS[UNDECODABLE]), (3, FAULTS[UNDECODABLE])]


def test_utf_16_cut_in_the_middle_of_a_character_loses_that_line_only() -> None:
    upload = "ABCD\nEF".encode("utf-16") + b"\x01"

    assert codes_of(upload) == [(1, "ABCD")]
    assert messages_of(upload, detect(upload, "")) == [(2, FAULTS[UNDECODABLE])]


def test_what_somebody_elses_conversion_destroyed_is_refused() -> None:
    assert messages_of("AB\ufffdCD\nEFGH".encode(), ONE) == [(1, FAULTS[UNDECODABLE])]


def test_a_nul_is_refused_and_cannot_forge_a_fault() -> None:
    upload = b"AB\0CD\n\0l\n\0\nEFGH"

    assert messages_of(upload, ONE) == [(number, FAULTS[CONTROL]) for number in (1, 2, 3)]
    assert codes_of(upload, ONE) == [(4, "EFGH")]


@pytest.mark.parametrize("size", [reading.LONGEST_LINE + 1, 5 * reading.BLOCK + 7])
def test_a_giant_line_is_refused_without_holding_it(size: int) -> None:
    upload = b"ABCD\n" + b"9" * size + b"\r\nEFGH"

    chunks = list(cut(io.BytesIO(upload), ONE))

    assert max(len(chunk.text) for chunk in chunks) < 64
    assert codes_of(upload, ONE) == [(1, "ABCD"), (3, "EFGH")]
    assert messages_of(upload, ONE) == [(2, FAULTS[OVERLONG])]


def test_a_giant_line_that_ends_the_file_is_refused() -> None:
    assert messages_of(b"9" * (3 * reading.BLOCK), ONE) == [(1, FAULTS[OVERLONG])]


def test_no_more_than_a_block_and_a_line_is_read_ahead() -> None:
    upload = io.BytesIO(b"ABCD-EFGH\n" * 500_000)
    for chunk in cut(upload, ONE):
        given = chunk.first_line - 1 + chunk.line_count
        assert len(chunk.text) <= reading.BLOCK + reading.LONGEST_LINE
        assert upload.tell() - given * 10 <= reading.LONGEST_LINE


def test_an_empty_file_has_no_chunks() -> None:
    assert list(cut(io.BytesIO(b""), ONE)) == []
    assert list(cut(io.BytesIO(b"A"), ONE)) == [Chunk(1, 1, b"A\n")]


@given(LINES, st.lists(NEWLINES, min_size=20, max_size=20), st.integers(1, 30), st.booleans())
def test_where_the_file_is_cut_changes_nothing(
    lines: list[str], newlines: list[str], block: int, ends_open: bool
) -> None:
    text = "".join(line + end for line, end in zip(lines, newlines, strict=False))
    text = text.rstrip("\r\n") if ends_open else text
    for encoding in ("utf-8", "gb18030", "utf-16-le"):
        upload, known = text.encode(encoding, "ignore"), Format(encoding=encoding)
        with mock.patch.object(reading, "BLOCK", block):
            chunks = list(cut(io.BytesIO(upload), known))
        # The standard library's idea of lines.
        expected = io.StringIO(upload.decode(encoding), newline=None).read()
        expected += "\n" if expected and not expected.endswith("\n") else ""
        assert b"".join(chunk.text for chunk in chunks).decode() == expected
        assert [chunk.line_count for chunk in chunks] == [
            chunk.text.count(b"\n") for chunk in chunks
        ]
        for known in (ONE, CSV, replace(ONE, delimiter="\t")):
            apart = [line for c in chunks for line in read(c.text, c.first_line, known)]
            assert apart == list(read(expected.encode(), 1, known))


@given(st.binary(max_size=200), st.integers(1, 9), st.sampled_from(["utf-8", "gb18030", "ascii"]))
def test_no_bytes_whatever_stop_the_import_or_shift_a_line(
    noise: bytes, block: int, encoding: str
) -> None:
    upload = noise + b"\nABCD-EFGH\n"
    with mock.patch.object(reading, "BLOCK", block), mock.patch.object(reading, "LONGEST_LINE", 40):
        lines = lines_of(upload, Format(encoding=encoding))

    number = len(upload.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")) - 1
    assert lines[-1] == Line(number, Content("ABCD-EFGH"))
    assert [line.number for line in lines] == sorted({line.number for line in lines})


@given(st.binary(max_size=100), st.sampled_from(["utf-16", "utf-16-le", "utf-16-be"]))
def test_no_bytes_whatever_stop_the_import_of_utf_16(noise: bytes, encoding: str) -> None:
    for line in lines_of(noise, Format(encoding=encoding)):
        assert (line.content is None) != (line.message is None)


# Workbooks


def workbook(*rows: list[object]) -> io.BytesIO:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file


def test_a_workbook_is_cut_and_read_like_a_text() -> None:
    file = workbook(
        ["卡号", "密码", "生成日期"],
        ['A "1"\t', 1234567890123456, date(2024, 1, 2)],
        [],
        [date(2024, 1, 2), "x", "y"],
        [1234567890123450, "x"],
        ["AB\nCD", "x"],
        ["only the code"],
        ["A2", 7],
    )
    known = detect(file.getvalue()[:100], "codes.xlsx")

    with mock.patch.object(reading, "BLOCK", 30):
        chunks = list(cut(file, known))
    known = with_layout(known, chunks[0].text)

    assert len(chunks) > 1
    assert columns(chunks[0].text, known) == ["卡号", "密码", "生成日期"]
    assert [line for c in chunks for line in read(c.text, c.first_line, known)] == [
        Line(2, Content('A "1"', "1234567890123456")),
        Line(4, None, FAULTS[DATE]),
        Line(5, None, FAULTS[ROUNDED]),
        Line(6, None, FAULTS[CONTROL]),
        Line(7, None, reading.TOO_FEW, {"count": 1, "column": 2}),
        Line(8, Content("A2", "7")),
    ]


def test_a_row_longer_than_a_line_may_be_is_refused() -> None:
    file = workbook(["code"], ["9" * 500] * 3, ["A"])

    with mock.patch.object(reading, "LONGEST_LINE", 1000):
        lines = lines_of(file.getvalue(), Format(Kind.XLSX, delimiter="\t"))

    assert lines[1:] == [Line(2, None, FAULTS[OVERLONG]), Line(3, Content("A"))]


# Reading


def test_a_code_is_kept_as_it_was_written_without_what_copying_left_around_it() -> None:
    upload = "\ufeff\u200b abcd-EFGH \u3000\u200e\nAB\u3000CD\n".encode()

    assert codes_of(upload, ONE) == [(1, "abcd-EFGH"), (2, "AB\u3000CD")]


@pytest.mark.parametrize("control", ["\x01", "\x1f", "\x7f", "\x85", "\u2028", "\t", "\x0b"])
def test_a_control_character_inside_a_code_is_refused(control: str) -> None:
    upload = f"AB{control}CD\nEFGH\n".encode()

    assert messages_of(upload, ONE) == [(1, FAULTS[CONTROL])]
    assert messages_of(upload.replace(b"\n", b",1\n"), CSV) == [(1, FAULTS[CONTROL])]


def test_a_code_may_have_so_many_characters_and_not_one_more() -> None:
    for format in (ONE, CSV):  # noqa: A001
        longest, longer = "密" * LONGEST, "密" * (LONGEST + 1)
        rest = ",1" if format is CSV else ""
        lines = lines_of(f"{longest}{rest}\n{longer}{rest}".encode(), format)
        assert lines[0].content is not None
        assert lines[1] == Line(2, None, reading.TOO_LONG, {"limit": LONGEST})


def test_missing_columns_and_empty_ones_are_refused_and_blank_rows_passed_over() -> None:
    upload = b"A,1\nB\n,2\nC,\n,\n\n  \nD,3,,\n"

    assert lines_of(upload, CSV) == [
        Line(1, Content("A", "1")),
        Line(2, None, reading.TOO_FEW, {"count": 1, "column": 2}),
        Line(3, None, reading.NO_CODE),
        Line(4, None, reading.NO_PASSWORD),
        Line(8, Content("D", "3")),
    ]


def test_the_chosen_columns_are_taken() -> None:
    known = Format(delimiter="\t", column_count=3, code_column=2, password_column=0)

    assert lines_of(b"pw\tx\tcode\nonly\tx\n", known) == [
        Line(1, Content("code", "pw")),
        Line(2, None, reading.TOO_FEW, {"count": 2, "column": 3}),
    ]


@pytest.mark.parametrize(
    ("line", "content"),
    [
        (b'"A,B",C', Content("A,B", "C")),
        (b'"A ""B""", C ', Content('A "B"', "C")),
        (b'A, "C,D"', Content("A", "C,D")),
        (b'A"B",C', Content('A"B"', "C")),
        (b'" A ","C"', Content("A", "C")),
        (b'"A,C', None),
        (b'A",C', None),
        (b'"A"B,C', None),
    ],
)
def test_quotes_within_a_line_follow_rfc_4180(line: bytes, content: Content | None) -> None:
    (read_line,) = lines_of(line, CSV)

    assert read_line.content == content
    assert read_line.message == (None if content else reading.QUOTES)


def test_a_delimiter_inside_a_password_does_not_cut_it_off() -> None:
    for known in (CSV, replace(CSV, delimiter="----"), replace(CSV, delimiter=" ")):
        upload = known.delimiter.join(["A", "half", "half"]).encode()
        assert lines_of(upload, known) == [
            Line(1, None, reading.TOO_MANY, {"count": 3, "wanted": 2})
        ]


def test_no_piece_of_a_quoted_field_that_spans_lines_is_taken_for_a_code() -> None:
    upload = b'A,"note\nbetween, with\n\nthe ends"\nB,2\n'
    known = replace(CSV, password_column=None)

    for block in range(1, len(upload)):
        with mock.patch.object(reading, "BLOCK", block):
            assert messages_of(upload, known) == [
                (number, reading.QUOTES) for number in (1, 2, 3, 4)
            ]
            assert codes_of(upload, known)[-1] == (5, "B")


@given(st.lists(st.sampled_from(["A,1", 'B,"', '"C",2', '"', "", 'x"y,3']), max_size=60), st.data())
def test_where_a_file_with_quotes_is_cut_changes_nothing(
    lines: list[str], data: st.DataObject
) -> None:
    upload = "\n".join(lines).encode()
    at_once = lines_of(upload, CSV)

    with mock.patch.object(reading, "BLOCK", data.draw(st.integers(1, 40))):
        assert lines_of(upload, CSV) == at_once


def test_a_quoted_field_may_be_spread_over_so_many_lines() -> None:
    upload = b'"A' + b"\nnote,1" * (reading.MOST_TORN - 1) + b'\nend",1\nB,1'

    assert codes_of(upload, CSV) == [(reading.MOST_TORN + 2, "B")]


def test_two_quotes_far_apart_are_two_mistakes() -> None:
    between = [b"%d,1" % number for number in range(reading.MOST_TORN)]
    upload = b"\n".join([b'"A,1', *between, b'"B,1', b"C,1", b'"D,1'])

    for block in (1, 50, 1000):
        with mock.patch.object(reading, "BLOCK", block):
            assert [number for number, _ in messages_of(upload, CSV)] == [1, 22, 23, 24]


def test_both_ends_of_a_quoted_field_that_spans_lines_are_refused() -> None:
    assert messages_of(b'A,"x\ny",C\nB,2', CSV) == [(1, reading.QUOTES), (2, reading.QUOTES)]


def test_quotes_mean_nothing_where_there_are_no_columns() -> None:
    assert codes_of(b'"AB"CD\nA"B', ONE) == [(1, '"AB"CD'), (2, 'A"B')]
    assert codes_of(b'A"B----C', replace(CSV, delimiter="----")) == [(1, 'A"B')]


def test_the_header_is_the_first_line_with_content_of_the_first_chunk_only() -> None:
    known = replace(ONE, has_header=True)

    assert [line.number for line in read(b"\n \ncode\nA\nB\n", 1, known)] == [4, 5]
    assert [line.number for line in read(b"code\nA\n", 7, known)] == [7, 8]
    assert list(read(b"\n\n", 1, known)) == []


def test_a_line_does_not_show_its_content() -> None:
    (line,) = lines_of(b"hunter2,secret", CSV)

    assert "hunter2" not in repr(line)
    assert "secret" not in f"{line}"
    assert "hunter2" not in repr(next(cut(io.BytesIO(b"hunter2"), ONE)))


# Showing


def test_the_preview_shows_enough_to_tell_columns_apart_and_no_code() -> None:
    first = b"\nserial,code,pin\n1,ABCDEFGHKLMN,1234\n\n22,ABCDEFGH,ABCDEFG\n3,A\n"
    known = detect(first, "codes.csv")

    assert columns(first, known) == ["serial", "code", "pin"]
    assert preview(first, known) == [
        ["•", "AB••••••KLMN", "••••"],
        ["••", "AB••••GH", "•••••••"],
        ["•", "•"],
    ]
    assert preview(first, known, limit=1) == [["•", "AB••••••KLMN", "••••"]]


@given(st.text(st.characters(codec="utf-8", exclude_characters="\n\r"), max_size=60))
def test_a_mask_hides_at_least_half(code: str) -> None:
    for (shown,) in preview((code + "\n").encode(), ONE):
        kept = len(shown) - shown.count("•")
        assert kept <= len(code) / 2
        assert kept <= 6
        assert len(shown) <= 14


def test_columns_without_names_are_still_counted() -> None:
    upload = b"A,1\nB,2\n"

    assert columns(upload, CSV) == ["", ""]
    assert columns(b"code,x,y\n", replace(CSV, has_header=True)) == ["code", "x"]
