"""A workbook is read as it looks in Excel; what Excel has spoilt is marked; a trap is refused."""

import io
import zipfile
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.cell.rich_text import CellRichText, TextBlock
from openpyxl.cell.text import InlineFont

from app.core.errors import Refusal
from app.domain.vault import spreadsheets
from app.domain.vault.formats import CELL_ERROR, DATE, FORMULA, ROUNDED
from app.domain.vault.spreadsheets import rows

MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
RELATIONS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"


def saved(book: Workbook) -> io.BytesIO:
    file = io.BytesIO()
    book.save(file)
    return file


def workbook(*given: list[Any]) -> io.BytesIO:
    book = Workbook()
    for row in given:
        book.active.append(row)
    return saved(book)


def by_hand(sheet: str, **parts: str) -> io.BytesIO:
    """A workbook of one sheet from its XML; `parts` are added to the folder xl, or replaced."""
    files = {
        "_rels/.rels": f'<Relationships><Relationship Id="r" Type="{RELATIONS}/officeDocument"'
        ' Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{MAIN}" xmlns:r="{RELATIONS}"><sheets>'
        '<sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships><Relationship Id="r1" Type="{RELATIONS}'
        '/worksheet" Target="/xl/sheet1.xml"/></Relationships>',
        "xl/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{sheet}</sheetData></worksheet>',
    } | {f"xl/{name}": content for name, content in parts.items()}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return file


def text_row(*texts: str) -> str:
    return (
        "<row>"
        + "".join(f'<c t="inlineStr"><is><t>{text}</t></is></c>' for text in texts)
        + ("</row>")
    )


# Reading


def test_rows_are_lines_and_cells_are_between_tabs() -> None:
    file = workbook(["卡号", "密码"], ["AB-1", "x 1"], ["AB-2", None, "note"], [None, "p"])

    assert list(rows(file)) == ["卡号\t密码", "AB-1\tx 1", "AB-2\t\tnote", "\tp"]


def test_line_numbers_are_those_of_the_sheet() -> None:
    book = Workbook()
    book.active["B3"] = "code"
    book.active["A7"] = "last"

    assert list(rows(saved(book))) == ["", "", "\tcode", "", "", "", "last"]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.lists(
            st.text(st.characters(exclude_categories=["C", "Zl", "Zp"]), max_size=20).filter(
                lambda text: "_x" not in text and '"' not in text and not text.startswith("=")
            ),
            max_size=5,
        ),
        max_size=8,
    ).filter(lambda given: any(any(row) for row in given))
)
def test_what_openpyxl_writes_is_read_back(given_rows: list[list[str]]) -> None:
    read = [line.split("\t") for line in rows(workbook(*given_rows))]

    def content(table: list[list[str]]) -> dict[tuple[int, int], str]:
        return {(y, x): cell for y, row in enumerate(table) for x, cell in enumerate(row) if cell}

    assert content(read) == content(given_rows)


@pytest.mark.parametrize(
    ("value", "number_format", "shown"),
    [
        (12345, "General", "12345"),
        (0, "General", "0"),
        (12345.0, "General", "12345"),
        (12.5, "General", "12.5"),
        (123456789012345, "General", "123456789012345"),
        (1234567890123456, "General", "1234567890123456"),
        (1234567890123450, "General", ROUNDED),
        (9007199254740991, "General", "9007199254740991"),
        (9007199254740993, "General", ROUNDED),
        (12345678901234567, "General", ROUNDED),
        (1.2345678901234e17, "General", ROUNDED),
        (Decimal("1E+16"), "General", ROUNDED),
        (42, "00000000", "00000042"),
        (123456789, "0000", "123456789"),
        (42, "0.00", "42"),
        (42, '0"days"', "42"),
        (45000, "yyyy-mm-dd", DATE),
        (45000, "[$-804]yyyy年m月d日", DATE),
        (datetime(2024, 3, 4), "General", DATE),  # noqa: DTZ001  a cell has no zone
        ("=A1", "General", FORMULA),
        ("#N/A", "General", CELL_ERROR),
        (True, "General", "1"),
        ("00042", "General", "00042"),
        ("123456789012345678901234567890", "@", "123456789012345678901234567890"),
    ],
)
def test_a_cell_is_what_it_looks_like_or_says_how_it_was_spoilt(
    value: object, number_format: str, shown: str
) -> None:
    book = Workbook()
    cell = book.active["A1"]
    cell.value = value
    if number_format != "General":
        cell.number_format = number_format

    assert list(rows(saved(book))) == [shown]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("12345678901234567", "12345678901234567"),
        ("12345678901234568", ROUNDED),
        ("12345678901234500", ROUNDED),
        ("1.2345678901234567E16", ROUNDED),
        ("1.5E3", "1500"),
        ("98765432109876543210987654321", "98765432109876543210987654321"),
    ],
)
def test_a_long_number_is_taken_only_when_nobody_can_have_rounded_it(
    written: str, read: str
) -> None:
    assert list(rows(by_hand(f"<row><c><v>{written}</v></c></row>"))) == [read]


def test_a_text_in_several_fonts_is_one_text() -> None:
    book = Workbook()
    book.active["A1"] = CellRichText(["AB", TextBlock(InlineFont(b=True), "CD"), "EF"])

    assert list(rows(saved(book))) == ["ABCDEF"]


def test_how_a_text_is_read_aloud_is_not_part_of_it() -> None:
    strings = (
        f'<sst xmlns="{MAIN}"><si><t>課</t><rPh sb="0" eb="1"><t>カ</t></rPh></si>'
        "<si><r><t>A</t></r><r><t>B</t></r></si></sst>"
    )
    relations = (
        f'<Relationships><Relationship Id="r1" Type="{RELATIONS}/worksheet" Target="sheet1.xml"/>'
        f'<Relationship Id="r2" Type="{RELATIONS}/sharedStrings" Target="strings.xml"/>'
        "</Relationships>"
    )
    sheet = '<row><c t="s"><v>0</v></c><c t="s"><v>1</v></c></row>'
    file = by_hand(sheet, **{"strings.xml": strings, "_rels/workbook.xml.rels": relations})

    assert list(rows(file)) == ["課\tAB"]


def test_line_breaks_in_a_cell_stay_in_their_line_and_are_no_part_of_a_code() -> None:
    (line,) = rows(workbook(["AB\nCD\tEF", "x"]))

    assert "\n" not in line
    assert line.split("\t") == ["AB\vCD\vEF", "x"]


def test_quotes_in_a_cell_are_written_as_csv_has_them() -> None:
    assert list(rows(workbook(['5" disk', "x"]))) == ['"5"" disk"\tx']


@pytest.mark.parametrize(
    ("written", "read"),
    [("A_x0042_C", "ABC"), ("A_x005F_x0042_C", "A_x0042_C"), ("A_x000D_", "A\v"), ("_x", "_x")],
)
def test_what_excel_escapes_is_unescaped(written: str, read: str) -> None:
    assert list(rows(by_hand(text_row(written)))) == [read]


def test_a_lone_surrogate_does_not_come_out() -> None:
    (line,) = rows(by_hand(text_row("A_xD800_B")))

    assert line.encode() == b"A\vB"


def test_prefixes_of_namespaces_do_not_matter() -> None:
    sheet = (
        f'<x:worksheet xmlns:x="{MAIN}"><x:sheetData><x:row><x:c t="str"><x:v>AB</x:v></x:c>'
        "</x:row></x:sheetData></x:worksheet>"
    )

    assert list(rows(by_hand("", **{"sheet1.xml": sheet}))) == ["AB"]


def test_a_formula_is_not_taken_even_when_its_value_is_kept() -> None:
    assert list(rows(by_hand('<row><c t="str"><f>B1</f><v>AB</v></c></row>'))) == [FORMULA]


def test_a_hidden_sheet_and_an_empty_one_are_passed_over() -> None:
    book = Workbook()
    book.active["A1"] = "hidden"
    book.active.sheet_state = "hidden"
    book.create_sheet("empty")
    book.create_sheet("codes")["A1"] = "code"
    book.active = 2

    assert list(rows(saved(book))) == ["code"]


def test_two_sheets_with_content_are_asked_about() -> None:
    book = Workbook()
    book.active["A1"] = "code"
    book.create_sheet("more")["A1"] = "code"

    with pytest.raises(Refusal, match="有 2 个工作表"):
        list(rows(saved(book)))


def test_nothing_after_column_64_is_read() -> None:
    (line,) = rows(workbook([str(number) for number in range(100)]))

    assert line.split("\t") == [str(number) for number in range(64)]


# Refusing


@pytest.mark.parametrize(
    "sheet",
    [
        '<row r="2"/><row r="1"/>',
        '<row r="1048577"/>',
        '<row r="999999999999"/>',
        '<row r="x"/>',
        '<row r="0"/>',
        '<row><c r="1"><v>1</v></c></row>',
        '<row><c t="s"><v>5</v></c></row>',
        '<row><c t="s"><v>x</v></c></row>',
        '<row><c s="x"><v>1</v></c></row>',
        "<row><c><v>x</v></c></row>",
        "<row><c></row>",
        "<row>",
    ],
)
def test_a_sheet_that_makes_no_sense_is_refused(sheet: str) -> None:
    with pytest.raises(Refusal, match="已损坏"):
        list(rows(by_hand(text_row("A") + sheet)))


@pytest.mark.parametrize(
    "content",
    [b"", b"PK\x03\x04", b"PK\x03\x04" + bytes(1000), b"code\n" * 100, bytes(range(256)) * 10],
    ids=["empty", "only the start", "zeros", "text", "bytes"],
)
def test_what_is_no_archive_is_refused(content: bytes) -> None:
    with pytest.raises(Refusal, match="已损坏") as raised:
        list(rows(io.BytesIO(content)))
    assert raised.value.field == "file"


def test_an_archive_of_something_else_is_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("photo.jpg", b"not a workbook")

    with pytest.raises(Refusal, match="不是 Excel"):
        list(rows(file))


def test_a_workbook_without_content_is_refused() -> None:
    for file in (saved(Workbook()), workbook(["", " "], [None])):
        with pytest.raises(Refusal, match="没有内容"):
            list(rows(file))


def test_a_bomb_of_zeros_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    file = by_hand("<row>" + " " * (20 << 20) + "</row>")
    monkeypatch.setattr(zipfile.ZipFile, "open", lambda *_: pytest.fail("it was unpacked"))

    assert len(file.getvalue()) < 50_000
    with pytest.raises(Refusal, match="太大"):
        list(rows(file))


def test_a_workbook_too_large_for_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "MOST_BYTES", 1000)

    with pytest.raises(Refusal, match="太大"):
        list(rows(workbook(["code"])))


def test_an_archive_that_lies_about_a_size_is_refused() -> None:
    file = by_hand(text_row("A" * 5000))
    with zipfile.ZipFile(file) as archive:
        size = archive.getinfo("xl/sheet1.xml").file_size
    lying = file.getvalue().replace(size.to_bytes(4, "little"), (200).to_bytes(4, "little"))

    assert lying != file.getvalue()
    with pytest.raises(Refusal, match="已损坏"):
        list(rows(io.BytesIO(lying)))


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_a_compression_that_excel_does_not_use_is_refused(method: int) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        archive.writestr("xl/workbook.xml", "x" * 1000)

    with pytest.raises(Refusal, match="已损坏"):
        list(rows(file))


@pytest.mark.parametrize("part", ["sheet1.xml", "workbook.xml"])
def test_entities_that_expand_without_end_are_refused(part: str) -> None:
    lols = "".join(f'<!ENTITY l{number} "{f"&l{number - 1};" * 10}">' for number in range(1, 10))
    bomb = f'<!DOCTYPE x [<!ENTITY l0 "lol">{lols}]><x>&l9;</x>'

    with pytest.raises(Refusal, match="已损坏"):
        list(rows(by_hand("", **{part: bomb})))


def test_an_entity_that_reads_a_file_is_refused() -> None:
    bomb = (
        '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><row><c t="str"><v>&e;</v></c></row>'
    )

    with pytest.raises(Refusal, match="已损坏"):
        list(rows(by_hand("", **{"sheet1.xml": bomb})))


def test_a_tag_without_end_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spreadsheets, "LONGEST_TOKEN", 1 << 18)
    read: list[int] = []
    original = zipfile.ZipExtFile.read

    def counting(self: zipfile.ZipExtFile, size: int | None = -1) -> bytes:
        block = original(self, size)
        read.append(len(block))
        return block

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counting)
    endless = "".join(f' a{number}="{number}"' for number in range(200_000))

    with pytest.raises(Refusal, match="已损坏"):
        list(rows(by_hand(f"<row{endless}/>")))
    assert sum(read) < 1 << 20


def test_a_text_without_end_is_cut_where_it_is_too_long_anyway() -> None:
    (line,) = rows(by_hand(text_row("A" * 3_000_000 + "<b/>" * 10)))

    assert line == "A" * 513


VALID = workbook(["code", "pin"], ["ABCD", 1234], [datetime(2024, 1, 1), "x"]).getvalue()  # noqa: DTZ001


def read_or_refused(content: bytes) -> None:
    with suppress(Refusal):
        for line in rows(io.BytesIO(content)):
            assert "\n" not in line
            line.encode()


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_a_damaged_workbook_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    damaged = bytearray(VALID)
    for _ in range(data.draw(st.integers(1, 4))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([len(damaged), *range(0, len(damaged), 97)]))

    read_or_refused(bytes(damaged[:cut]))


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_damaged_xml_is_read_or_refused_and_nothing_else(data: st.DataObject) -> None:
    """Inside the archive, where no checksum is in the way."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(VALID)) as sound, zipfile.ZipFile(file, "w") as damaged:
        victim = data.draw(st.sampled_from([n for n in sound.namelist() if "docProps" not in n]))
        for name in sound.namelist():
            content = sound.read(name)
            if name == victim:
                place = data.draw(st.integers(0, len(content)))
                junk = data.draw(st.binary(max_size=3) | st.sampled_from([b'"', b"<c>", b"9" * 30]))
                content = content[:place] + junk + content[place + data.draw(st.integers(0, 9)) :]
            damaged.writestr(name, content)

    read_or_refused(file.getvalue())
