"""From an upload to codes, a chunk at a time: `cut` it once, then `read` each chunk by itself.

Lines are numbered as the merchant's editor numbers them, so that a refused line can be found. A
quoted CSV field that spans lines is not supported: no code does, and a chunk must be readable
alone. Every line of such a field is refused, lest a piece of a note be sold as a code.
"""

import codecs
import re
from collections.abc import Iterator
from itertools import chain, dropwhile, islice
from typing import Any, BinaryIO, NamedTuple

from app.core.errors import N_
from app.domain.vault import spreadsheets
from app.domain.vault.formats import (
    BYTE_ORDER_MARK,
    CONTROL,
    FAULT,
    FAULTS,
    OVERLONG,
    QUOTING,
    REPLACEMENT,
    TORN,
    UNDECIDED,
    UNDECODABLE,
    Format,
    Kind,
    cells,
    detect,
    encoding_of,
    encoding_of_lines,
    with_layout,
)
from app.domain.vault.rules import EDGES, LONGEST, Content

__all__ = [
    "Chunk",
    "Format",
    "Kind",
    "Line",
    "columns",
    "cut",
    "detect",
    "preview",
    "read",
    "with_layout",
]

BLOCK = 1 << 20
LONGEST_LINE = 64 << 10
SHOWN = 2
SHOWN_AT_END = 4
MOST_MASKED = 8

# Not those that only copying brings along inside a code and nobody sees: they are kept.
UNSEEN = re.compile("[\0-\x1f\x7f-\x9f\u2028\u2029]")

NO_CODE = N_("卡密是空的")
NO_PASSWORD = N_("密码是空的")
TOO_MANY = N_("有 %(count)s 列，应为 %(wanted)s 列：分隔符不能出现在卡密里")
TOO_FEW = N_("只有 %(count)s 列，少了第 %(column)s 列")
TOO_LONG = N_("超过 %(limit)s 个字符，不像卡密")
QUOTES = FAULTS[TORN]

# Lines that a quoted field may be spread over; quotes that match no sooner are two mistakes.
MOST_TORN = 20

# Shared by all good lines.
NOTHING: dict[str, Any] = {}
Problem = tuple[str, dict[str, Any]]


class Chunk(NamedTuple):
    """About a megabyte of whole lines: UTF-8, each ended by a line feed."""

    first_line: int
    line_count: int
    text: bytes

    def __repr__(self) -> str:
        return f"Chunk({self.first_line}, {self.line_count})"


class Line(NamedTuple):
    """What one line holds: a content, or a message (marked, filled by `params`) why it has none."""

    number: int
    content: Content | None
    message: str | None = None
    params: dict[str, Any] = NOTHING


def cut(upload: BinaryIO, format: Format) -> Iterator[Chunk]:  # noqa: A002
    """The whole file in chunks, holding one at a time in memory; raises Refusal for a workbook.

    A line that cannot be decoded, is longer than 64 kB or has a NUL becomes a fault in its place.
    """
    if format.kind is Kind.XLSX:
        pieces = _rows(upload)
    else:
        pieces = _text(upload, format.encoding)
        pieces = _refuse_torn(pieces) if format.delimiter in QUOTING else pieces
    number = 1
    for piece in pieces:
        text = piece.removeprefix(BYTE_ORDER_MARK) if number == 1 else piece
        count = text.count("\n")
        yield Chunk(number, count, text.encode())
        number += count


def read(chunk_text: bytes, first_line: int, format: Format) -> Iterator[Line]:  # noqa: A002
    """The lines of one chunk, each with a content or a message; blank lines are passed over."""
    lines: Iterator[tuple[int, str]] = enumerate(chunk_text.decode().split("\n"), first_line)
    if format.has_header and first_line == 1:
        lines = dropwhile(lambda numbered: _is_blank(numbered[1]), lines)
        next(lines, None)
    return _from_columns(lines, format) if format.delimiter else _from_lines(lines)


def columns(chunk_text: bytes, format: Format) -> list[str]:  # noqa: A002
    """What the file's first chunk calls its columns; empty where there is no name."""
    header = next(_sample(chunk_text), "") if format.has_header else ""
    names = cells(header, format.delimiter)
    return (names + [""] * format.column_count)[: format.column_count]


def preview(chunk_text: bytes, format: Format, limit: int = 20) -> list[list[str]]:  # noqa: A002
    """The first rows of the file's first chunk, masked: enough to see which column is which."""
    start = int(format.has_header)
    lines = islice(_sample(chunk_text), start, start + limit)
    return [[_masked(cell) for cell in cells(line, format.delimiter)] for line in lines]


def _rows(upload: BinaryIO) -> Iterator[str]:
    waiting: list[str] = []
    size = 0
    for line in spreadsheets.rows(upload):
        waiting.append(line if len(line) <= LONGEST_LINE else OVERLONG)
        size += len(waiting[-1]) + 1
        if size >= BLOCK:
            yield "\n".join(waiting) + "\n"
            waiting, size = [], 0
    if waiting:
        yield "\n".join(waiting) + "\n"


def _text(upload: BinaryIO, encoding: str) -> Iterator[str]:
    blocks = iter(lambda: upload.read(BLOCK), b"")
    if encoding.startswith("utf-16"):
        blocks, encoding = _as_utf8(blocks, encoding), "utf-8"
    for whole in _whole_lines(blocks):
        if encoding == UNDECIDED and not whole.isascii():
            encoding = encoding_of_lines(whole)
        yield _decoded(whole, encoding)


def _refuse_torn(pieces: Iterator[str]) -> Iterator[str]:
    """Make a fault of every line over which a quoted field is spread."""
    rest: list[str] = []
    for piece in chain(pieces, [""]):
        if piece and not rest and '"' not in piece:
            yield piece
            continue
        lines = rest + piece.split("\n")[:-1]
        opened = None
        for number, line in enumerate(lines):
            if line.count('"') % 2 == 0:
                continue
            if opened is not None and number - opened <= MOST_TORN:
                lines[opened : number + 1] = [TORN] * (number + 1 - opened)
                opened = None
            else:
                opened = number
        # The field may end in the next piece, of which the last is empty.
        is_open = piece and opened is not None and len(lines) - opened <= MOST_TORN
        whole, rest = (lines[:opened], lines[opened:]) if is_open else (lines, [])
        if whole:
            yield "\n".join(whole) + "\n"


def _as_utf8(blocks: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    head = next(blocks, b"")
    if encoding == "utf-16":
        # Chosen by the merchant, who does not know the byte order either.
        guessed = encoding_of(head)
        encoding = guessed if guessed.startswith(encoding) else "utf-16-le"
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    for block in chain([head], blocks):
        yield decoder.decode(block).encode()
    yield decoder.decode(b"", final=True).encode()


def _whole_lines(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Blocks that end where a line ends, with CRLF and CR turned into LF, the last LF left out."""
    rest = b""
    for block in blocks:
        data = rest + block
        # A CR at the end may be half of a CRLF.
        held = b"\r" if data.endswith(b"\r") else b""
        data = data.removesuffix(held).replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        whole, newline, rest = data.rpartition(b"\n")
        if newline:
            yield whole
        # What is cut off here is not needed to see that the line is too long.
        rest = rest[: LONGEST_LINE + 1] + held
    if rest:
        yield rest.removesuffix(b"\r")


def _decoded(whole: bytes, encoding: str) -> str:
    lines = whole.split(b"\n")
    try:
        text = whole.decode(encoding)
    except UnicodeDecodeError:
        text = REPLACEMENT
    if REPLACEMENT in text or FAULT in text or max(map(len, lines)) > LONGEST_LINE:
        text = "\n".join([_decoded_line(line, encoding) for line in lines])
    return text + "\n"


def _decoded_line(line: bytes, encoding: str) -> str:
    if len(line) > LONGEST_LINE:
        return OVERLONG
    try:
        text = line.decode(encoding)
    except UnicodeDecodeError:
        return UNDECODABLE
    if REPLACEMENT in text:
        return UNDECODABLE
    return CONTROL if FAULT in text else text


def _from_lines(lines: Iterator[tuple[int, str]]) -> Iterator[Line]:
    for number, line in lines:
        code = line.strip(EDGES)
        if code.isprintable() and len(code) <= LONGEST:
            if code:
                yield Line(number, Content(code))
        elif problem := _problem(code, NO_CODE):
            yield Line(number, None, *problem)
        else:
            yield Line(number, Content(code))


def _from_columns(lines: Iterator[tuple[int, str]], format: Format) -> Iterator[Line]:  # noqa: A002
    for number, line in lines:
        if _is_blank(line):
            continue
        row = cells(line, format.delimiter)
        if not row:
            yield Line(number, None, QUOTES, {})
        elif any(row):
            yield _from_row(number, row, format)


def _from_row(number: int, row: list[str], format: Format) -> Line:  # noqa: A002
    code, password, count = format.code_column, format.password_column, format.column_count
    if len(row) <= max(code, password or 0):
        if row[0].startswith(FAULT):
            return Line(number, None, *_fault(row[0]))
        return Line(number, None, TOO_FEW, {"count": len(row), "column": len(row) + 1})
    if len(row) > count and any(row[count:]):
        # The delimiter stands in a password too, which would be sold without its end.
        return Line(number, None, TOO_MANY, {"count": len(row), "wanted": count})
    problem = _problem(row[code], NO_CODE)
    if password is None:
        return Line(number, None, *problem) if problem else Line(number, Content(row[code]))
    if problem := problem or _problem(row[password], NO_PASSWORD):
        return Line(number, None, *problem)
    return Line(number, Content(row[code], row[password]))


def _problem(text: str, when_empty: str) -> Problem | None:
    if not text:
        return when_empty, {}
    if len(text) > LONGEST:
        return TOO_LONG, {"limit": LONGEST}
    return None if text.isprintable() or not UNSEEN.search(text) else _fault(text)


def _fault(text: str) -> Problem:
    return FAULTS.get(text, FAULTS[CONTROL]), {}


def _sample(chunk_text: bytes) -> Iterator[str]:
    """The lines of a chunk that have something in them."""
    return (line for line in chunk_text.decode().split("\n") if not _is_blank(line))


def _is_blank(line: str) -> bool:
    return not line or line.isspace()


def _masked(cell: str) -> str:
    shown_at_end = max(SHOWN, min(SHOWN_AT_END, len(cell) // 3))
    hidden = len(cell) - SHOWN - shown_at_end
    if hidden < SHOWN + shown_at_end or FAULT in cell:
        return "•" * min(len(cell), MOST_MASKED)
    return cell[:SHOWN] + "•" * min(hidden, MOST_MASKED) + cell[-shown_at_end:]
