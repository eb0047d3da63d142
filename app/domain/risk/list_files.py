"""Lists as a file: a table whose first row names its columns, an entry a line.

A line that is wrong is told by its number; the others are taken all the same.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from app.core.errors import N_, Refusal
from app.domain.risk import lists
from app.domain.risk.models import ListKind, Subject

T = TypeVar("T")

MOST_BYTES = 1024 * 1024
MOST_LINES = 1_000
# What the columns may be called, and what may stand in the first two.
LIST, SUBJECT = ("list", "名单", "哪个名单"), ("type", "kind", "类型")
VALUE = ("value", "content", "内容")
REASON, DAYS = ("reason", "原因"), ("days", "天数")
KINDS = {
    "trust": ListKind.TRUST,
    "信任": ListKind.TRUST,
    "信任名单": ListKind.TRUST,
    "block": ListKind.BLOCK,
    "黑名单": ListKind.BLOCK,
    "watch": ListKind.WATCH,
    "观察": ListKind.WATCH,
    "观察名单": ListKind.WATCH,
}
SUBJECTS = {
    "address": Subject.ADDRESS,
    "ip": Subject.ADDRESS,
    "ip 地址或网段": Subject.ADDRESS,
    "contact": Subject.CONTACT,
    "联系方式": Subject.CONTACT,
    "email_domain": Subject.EMAIL_DOMAIN,
    "邮箱域名": Subject.EMAIL_DOMAIN,
    "keyword": Subject.KEYWORD,
    "关键词": Subject.KEYWORD,
}


@dataclass(frozen=True)
class Line:
    """A line of the file, by its number, as it was typed."""

    number: int
    kind: str
    subject: str
    value: str
    reason: str
    days: str


@dataclass(frozen=True)
class Fault:
    """A line that was not taken, and why."""

    line: int
    refusal: Refusal


def read(content: bytes) -> list[Line]:
    """The lines of a file; raises Refusal when it is no such file."""
    if len(content) > MOST_BYTES:
        raise Refusal(N_("文件不能超过 1 MB"), field="file")
    rows = csv.reader(io.StringIO(_text(content), newline=""))
    try:
        titles = [title.strip().lower() for title in next(rows, [])]
        found = list(_lines(rows, titles))
    except csv.Error:
        raise Refusal(N_("文件不是 CSV，请另存为 CSV 后再导入"), field="file") from None
    if not found:
        raise Refusal(N_("文件里没有内容"), field="file")
    return found


def take(lines: Sequence[Line]) -> list[Fault]:
    """Put on their lists what can be; what could not. Within a unit."""
    faults = []
    for line in lines:
        try:
            value = lists.parse(_of(SUBJECTS, line.subject, "subject"), line.value)
            lists.add(_of(KINDS, line.kind, "list"), value, line.reason, _days(line.days))
        except Refusal as refusal:
            # Whatever refuses has written nothing yet.
            faults.append(Fault(line.number, refusal))
    return faults


def _lines(rows: Iterator[list[str]], titles: Sequence[str]) -> Iterator[Line]:
    places = [_place(titles, names) for names in (LIST, SUBJECT, VALUE, REASON, DAYS)]
    if None in places[:-1]:
        raise Refusal(N_("文件第一行要有列名：名单、类型、内容、原因，可以再加天数"), field="file")
    for count, row in enumerate(rows):
        if count >= MOST_LINES:
            raise Refusal(N_("一个文件最多 %(most)s 行"), field="file", most=MOST_LINES)
        if any(cell.strip() for cell in row):
            yield Line(count + 2, *(_at(row, place) for place in places))


def _of(words: Mapping[str, T], text: str, field: str) -> T:
    try:
        return words[text.lower()]
    except KeyError:
        raise Refusal(N_("名单或类型写得不对"), field=field) from None


def _days(text: str) -> int:
    if not text:
        return lists.DEFAULT_DAYS
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0


def _place(titles: Sequence[str], names: Sequence[str]) -> int | None:
    return next((titles.index(name) for name in names if name in titles), None)


def _at(row: Sequence[str], place: int | None) -> str:
    # A spreadsheet's mark for "this is text" is none of the text.
    return row[place].strip().removeprefix("'") if place is not None and place < len(row) else ""


def _text(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding).replace("\0", "")
        except UnicodeDecodeError:
            continue
    raise Refusal(N_("文件的编码不对，请另存为 UTF-8 的 CSV"), field="file")
