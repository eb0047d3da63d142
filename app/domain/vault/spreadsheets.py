"""XLSX as lines of text: one for each row of the sheet, its cells with tabs between them.

An XLSX file is a zip of XML. This reads the parts it needs as a stream, so a million rows cost
seconds and little memory. Nothing is evaluated. What Excel has already spoilt (a number of more
than 15 digits, a code taken for a date) is marked, so that the line can be refused with the reason
instead of a wrong code being sold.
"""

import re
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from posixpath import join, normpath, split
from typing import BinaryIO
from xml.parsers import expat

from app.core.errors import N_, Refusal
from app.domain.vault.formats import CELL_ERROR, DATE, FORMULA, ROUNDED
from app.domain.vault.rules import LONGEST

MOST_BYTES = 512 << 20
MOST_TIMES = 200
SMALL_PART = 4 << 20
MOST_ROWS = 1_048_576
MOST_COLUMNS = 64
# Of one text; expat gives it in pieces of 8 KiB.
MOST_PIECES = 8
LONGEST_TOKEN = 1 << 20
BLOCK = 1 << 16

# Excel keeps 15 digits of a number and makes zeros of the rest; other programs write them all.
DIGITS = 15
# Below this a double tells all whole numbers apart.
DOUBLE = 2**53
WHOLE = re.compile(r"-?[0-9]+")
CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029\ud800-\udfff]")
ESCAPED = re.compile("_x([0-9A-Fa-f]{4})_")
NOT_FORMAT = re.compile(r'"[^"]*"|\\.|\[[^\]]*\]')
BUILT_IN_DATES = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
IS_DATE = -1

BROKEN = N_("这个 Excel 文件已损坏或无法读取，请用 Excel 打开后另存为 .xlsx 再导入")
NOT_EXCEL = N_("这不是 Excel 表格，请导入 .xlsx、.csv 或 .txt 文件")

Attributes = dict[str, str]
Styles = dict[int, int]


def rows(file: BinaryIO) -> Iterator[str]:
    """The rows of the only sheet with content, as lines; an empty line for an empty row.

    `file` must be seekable. Raises Refusal, perhaps after some rows: what was made of them must be
    undone then.
    """
    with _refusing(), zipfile.ZipFile(file) as archive:
        _refuse_bomb(archive.infolist())
        workbook = _Workbook.of(archive)
        filled = [sheet for sheet in workbook.sheets if any(map(str.strip, workbook.rows(sheet)))]
        if not filled:
            raise Refusal(N_("表格里没有内容"), field="file")
        if len(filled) > 1:
            message = N_("有 %(count)s 个工作表里有内容，请只留下卡密所在的那个再导入")
            raise Refusal(message, field="file", count=len(filled))
        yield from workbook.rows(filled[0])


@contextmanager
def _refusing() -> Iterator[None]:
    """Turn what zipfile and expat raise for a broken file into words for a merchant."""
    try:
        yield
    except (
        zipfile.BadZipFile,
        zlib.error,
        expat.ExpatError,
        EOFError,
        LookupError,
        RuntimeError,
        ValueError,
    ):
        # Not chained: those errors quote cells.
        raise Refusal(BROKEN, field="file") from None


def _refuse_bomb(parts: Sequence[zipfile.ZipInfo]) -> None:
    # zipfile reads no more of a part than its declared size, so the sizes cannot lie.
    is_swollen = any(
        part.file_size > SMALL_PART and part.file_size > MOST_TIMES * part.compress_size
        for part in parts
    )
    if is_swollen or sum(part.file_size for part in parts) > MOST_BYTES:
        raise Refusal(N_("这个 Excel 文件解开后太大，请拆成几个文件导入"), field="file")
    if {part.compress_type for part in parts} - {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise Refusal(BROKEN, field="file")


@dataclass
class _Workbook:
    archive: zipfile.ZipFile
    sheets: list[str]
    strings: list[str]
    styles: Styles

    @classmethod
    def of(cls, archive: zipfile.ZipFile) -> "_Workbook":
        """Find the parts of the workbook and read all but the sheets; raises Refusal."""
        main = next(iter(_related(archive, "", "officeDocument").values()), "")
        sheets = _related(archive, main, "worksheet")
        if not sheets:
            raise Refusal(NOT_EXCEL, field="file")
        visible = [
            sheets[attributes["id"]]
            for name, attributes in _elements(archive, main)
            if name == "sheet"
            and attributes.get("state", "visible") == "visible"
            and attributes.get("id") in sheets
        ]
        styles, strings = (
            list(_related(archive, main, kind).values()) for kind in ("styles", "sharedStrings")
        )
        return cls(
            archive,
            visible,
            _shared_strings(archive, strings[0]) if strings else [],
            _styles(_elements(archive, styles[0])) if styles else {},
        )

    def rows(self, sheet: str) -> Iterator[str]:
        reader = _SheetReader(self.strings, self.styles)
        for _ in _parse(self.archive, sheet, reader.start, reader.end, reader.text):
            yield from reader.lines
            reader.lines.clear()


class _SheetReader:
    """Builds the lines of a sheet from its elements."""

    def __init__(self, strings: list[str], styles: Styles) -> None:
        self.lines: list[str] = []
        self._strings = strings
        self._styles = styles
        self._row = 0
        self._cells: list[str] = []
        self._column = 0
        self._kind = ""
        self._style = 0
        self._parts: list[str] = []
        self._is_text = False
        self._is_formula = False

    def start(self, name: str, attributes: Attributes) -> None:
        if name == "c":
            reference = attributes.get("r")
            self._column = _column(reference) if reference else self._column + 1
            self._kind = attributes.get("t", "n")
            self._style = int(attributes.get("s", 0))
            self._is_formula = False
            self._parts.clear()
        elif name in ("v", "t"):
            self._is_text = True
        elif name == "row":
            row = int(attributes.get("r", self._row + 1))
            if not self._row < row <= MOST_ROWS:
                raise ValueError("rows out of order")
            self.lines.extend([""] * (row - self._row - 1))
            self._row, self._column, self._cells = row, 0, []
        elif name == "f":
            self._is_formula = True

    def end(self, name: str) -> None:
        if name in ("v", "t"):
            self._is_text = False
        elif name == "c":
            if (self._parts or self._is_formula) and self._column <= MOST_COLUMNS:
                self._cells.extend([""] * (self._column - len(self._cells)))
                self._cells[self._column - 1] = _quoted(self._cell("".join(self._parts)))
        elif name == "row":
            self.lines.append("\t".join(self._cells))

    def text(self, text: str) -> None:
        if self._is_text and len(self._parts) < MOST_PIECES:
            self._parts.append(text)

    def _cell(self, value: str) -> str:
        if self._is_formula:
            return FORMULA
        if self._kind == "s":
            return self._strings[int(value)]
        if self._kind == "n":
            return _number(value, self._styles.get(self._style, 0))
        if self._kind in ("d", "e"):
            return DATE if self._kind == "d" else CELL_ERROR
        return _clean(value)


def _column(reference: str) -> int:
    """27 of AA5."""
    number = 0
    for letter in reference.rstrip("0123456789"):
        number = number * 26 + ord(letter) - ord("A") + 1
    if number < 1:
        raise ValueError("not a cell reference")
    return number


def _number(value: str, style: int) -> str:
    if style == IS_DATE:
        return DATE
    digits = value
    if not WHOLE.fullmatch(value):
        number = float(value)
        if not number.is_integer():
            return value
        digits = str(int(number))
    if len(digits) <= DIGITS:
        return digits.zfill(style)
    return value if value == digits and _is_exact(digits) else ROUNDED


def _is_exact(digits: str) -> bool:
    """Nobody rounded this long number: neither to 15 digits, nor to what a double can hold."""
    number = int(digits)
    return bool(digits[DIGITS:].strip("0")) and (
        abs(number) < DOUBLE or int(float(number)) != number
    )


def _quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if '"' in text else text


def _clean(value: str) -> str:
    """As one line without tabs; nobody's code is longer than what is kept."""
    value = ESCAPED.sub(lambda found: chr(int(found[1], 16)), value) if "_x" in value else value
    return (value if value.isprintable() else CONTROL.sub("\v", value))[: LONGEST + 1]


def _styles(elements: Sequence[tuple[str, Attributes]]) -> Styles:
    """Of the cell styles that change what a number means: IS_DATE, or how wide zeros pad it."""
    formats = {
        int(attributes["numFmtId"]): attributes.get("formatCode", "")
        for name, attributes in elements
        if name == "numFmt"
    }
    names = [name for name, _ in elements]
    start = names.index("cellXfs") if "cellXfs" in names else len(names)
    styles: Styles = {}
    count = 0
    for name, attributes in elements[start + 1 :]:
        if name == "xf":
            number = int(attributes.get("numFmtId", 0))
            styles[count] = _meaning(number, formats.get(number, ""))
            count += 1
        elif name in ("cellStyles", "dxfs"):
            break
    return styles


def _meaning(number: int, code: str) -> int:
    if re.fullmatch("0+", code):
        return min(len(code), LONGEST)
    letters = set(NOT_FORMAT.sub("", code.lower()))
    return IS_DATE if number in BUILT_IN_DATES or letters & set("ymdhs") else 0


def _shared_strings(archive: zipfile.ZipFile, part: str) -> list[str]:
    """The texts of the workbook, each once; cells refer to them by position."""
    strings: list[str] = []
    parts: list[str] = []
    inside: list[str] = []

    def start(name: str, _attributes: Attributes) -> None:
        if name in ("t", "rPh"):
            inside.append(name)

    def end(name: str) -> None:
        if name in ("t", "rPh"):
            inside.pop()
        elif name == "si":
            strings.append(_clean("".join(parts)))
            parts.clear()

    def text(text: str) -> None:
        # rPh holds how a text is read aloud, which is not part of it.
        if inside == ["t"] and len(parts) < MOST_PIECES:
            parts.append(text)

    for _ in _parse(archive, part, start, end, text):
        pass
    return strings


def _related(archive: zipfile.ZipFile, part: str, kind: str) -> dict[str, str]:
    """The parts of that kind that a part refers to, by relationship id."""
    folder, name = split(part)
    relations = join(folder, "_rels", f"{name}.rels")
    if relations not in archive.NameToInfo:
        return {}
    return {
        attributes["Id"]: normpath(join("/", folder, attributes["Target"])).lstrip("/")
        for name, attributes in _elements(archive, relations)
        if name == "Relationship" and attributes.get("Type", "").endswith(f"/{kind}")
    }


def _elements(archive: zipfile.ZipFile, part: str) -> list[tuple[str, Attributes]]:
    """Every element of a small part, with its attributes, in order; names without namespace."""
    found: list[tuple[str, Attributes]] = []

    def start(name: str, attributes: Attributes) -> None:
        found.append((name, {key.rpartition(" ")[2]: attributes[key] for key in attributes}))

    if archive.getinfo(part).file_size > SMALL_PART:
        raise ValueError("a part is larger than it can be")
    for _ in _parse(archive, part, start):
        pass
    return found


def _parse(
    archive: zipfile.ZipFile,
    part: str,
    start: Callable[[str, Attributes], None],
    end: Callable[[str], None] = lambda _name: None,
    text: Callable[[str], None] = lambda _text: None,
) -> Iterator[None]:
    """Parse a part of the archive, pausing after each block for what came out to be taken."""
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, values: start(name.rpartition(" ")[2], values)
    parser.EndElementHandler = lambda name: end(name.rpartition(" ")[2])
    parser.CharacterDataHandler = text
    parser.StartDoctypeDeclHandler = _refuse_doctype
    with archive.open(part) as file:
        while block := file.read(BLOCK):
            parser.Parse(block)
            if file.tell() - parser.CurrentByteIndex > LONGEST_TOKEN:
                raise ValueError("a tag without end")
            yield
        parser.Parse(b"", True)
        yield


def _refuse_doctype(*_declaration: object) -> None:
    # Nothing that writes XLSX has one. It can only declare entities that expand without end.
    raise ValueError("a document type declaration")
