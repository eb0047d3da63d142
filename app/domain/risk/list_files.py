"""Lists as a file: a table whose first row names its columns, an entry a line.

A line that is wrong is told by its number; the others are taken all the same.

What is personal is kept as a keyed hash, so a file cannot say it in the open. It says the hash
instead, with a check that it is this shop's and of this line: so the file brings the entry back to
any shop with the same keys, and says nothing to anybody else.
"""

import csv
import hmac
import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from zoneinfo import ZoneInfo

from app.core import keys
from app.core.errors import N_, Refusal
from app.core.spreadsheets import plain
from app.domain.risk import lists
from app.domain.risk.lists import Value
from app.domain.risk.models import ListEntry, ListKind, Subject

T = TypeVar("T")

MOST_BYTES = 1024 * 1024
MOST_LINES = 1_000
# What the columns may be called, and what may stand in the first two: the words of the exported
# file in each language, and those of this code.
LIST, SUBJECT = ("list", "名单", "哪个名单"), ("type", "kind", "类型")
VALUE = ("value", "content", "内容")
REASON, DAYS = ("reason", "原因"), ("days", "天数")
END, CHECK = ("expires at", "到期时间"), ("check value", "校验值")
KINDS = {
    "trust": ListKind.TRUST,
    "trust list": ListKind.TRUST,
    "信任": ListKind.TRUST,
    "信任名单": ListKind.TRUST,
    "block": ListKind.BLOCK,
    "block list": ListKind.BLOCK,
    "黑名单": ListKind.BLOCK,
    "watch": ListKind.WATCH,
    "watch list": ListKind.WATCH,
    "观察": ListKind.WATCH,
    "观察名单": ListKind.WATCH,
}
SUBJECTS = {
    "address": Subject.ADDRESS,
    "ip": Subject.ADDRESS,
    "ip address or network": Subject.ADDRESS,
    "ip 地址或网段": Subject.ADDRESS,
    "contact": Subject.CONTACT,
    "联系方式": Subject.CONTACT,
    "email_domain": Subject.EMAIL_DOMAIN,
    "e-mail domain": Subject.EMAIL_DOMAIN,
    "邮箱域名": Subject.EMAIL_DOMAIN,
    "keyword": Subject.KEYWORD,
    "关键词": Subject.KEYWORD,
    "device": Subject.DEVICE,
    "设备": Subject.DEVICE,
    "payer": Subject.PAYER,
    "付款账户": Subject.PAYER,
    "account": Subject.ACCOUNT,
    "账号": Subject.ACCOUNT,
}
# What is shown of these does not say whom they mean.
MASKED = (Subject.CONTACT, Subject.DEVICE, Subject.PAYER, Subject.ACCOUNT)
# A moment as the exported file has it, and as a spreadsheet writes it back.
MOMENTS = tuple(
    f"%Y{sign}%m{sign}%d{time}" for sign in "-/" for time in (" %H:%M:%S", " %H:%M", "")
)
MAC_LENGTH = 16


@dataclass(frozen=True)
class Line:
    """A line of the file, by its number, as it was typed."""

    number: int
    kind: str
    subject: str
    value: str
    reason: str
    days: str
    end: str
    check: str


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


def take(lines: Sequence[Line], zone: str) -> list[Fault]:
    """Put on their lists what can be; what could not. `zone` is that of its moments. Within a
    unit."""
    faults = []
    for line in lines:
        try:
            _take(line, zone)
        except Refusal as refusal:
            # Whatever refuses has written nothing yet.
            faults.append(Fault(line.number, refusal))
    return faults


def check_of(entry: ListEntry) -> str:
    """What stands in the file for what must not: the hash, and by whom it is known to be one.

    Empty where what is shown is all there is to say.
    """
    if entry.subject not in MASKED:
        return ""
    value = Value(entry.subject, entry.value_hash, entry.shown)
    return f"{entry.source}:{entry.value_hash.hex()}:{_mac(value, entry.source)}"


def _take(line: Line, zone: str) -> None:
    subject = _of(SUBJECTS, line.subject, "subject")
    value, source = (
        _checked(subject, line) if line.check else (lists.parse(subject, line.value), "staff")
    )
    lists.add(_of(KINDS, line.kind, "list"), value, line.reason, _end(line, zone), source)


def _checked(subject: Subject, line: Line) -> tuple[Value, str]:
    """What the line's check says, and where it came from."""
    source, _, rest = line.check.partition(":")
    known, _, mac = rest.partition(":")
    with suppress(ValueError):
        value = Value(subject, bytes.fromhex(known), line.value)
        if hmac.compare_digest(_mac(value, source).encode(), mac.encode()):
            return value, source
    raise Refusal(N_("校验值不是本店导出的，或与类型、内容对不上"), field="check")


def _mac(value: Value, source: str) -> str:
    said = f"{source}:{value.subject.value}:{value.value_hash.hex()}:{value.shown}"
    return keys.index("risk-list-file", said).hex()[:MAC_LENGTH]


def _lines(rows: Iterator[list[str]], titles: Sequence[str]) -> Iterator[Line]:
    places = [_place(titles, names) for names in (LIST, SUBJECT, VALUE, REASON)]
    if None in places:
        raise Refusal(N_("文件第一行要有列名：名单、类型、内容、原因"), field="file")
    places += [_place(titles, names) for names in (DAYS, END, CHECK)]
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


def _end(line: Line, zone: str) -> int | datetime:
    """When the entry ends: at its moment, else after its days, else after the usual number."""
    if line.end:
        return _moment(line.end, zone)
    text = line.days or str(lists.DEFAULT_DAYS)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 5 else 0


def _moment(text: str, zone: str) -> datetime:
    for form in MOMENTS:
        # Too large for the calendar once it is moved to another zone.
        with suppress(ValueError, OverflowError):
            return datetime.strptime(text, form).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
    raise Refusal(N_("到期时间要像 2027-01-31 18:00:00 这样写"), field="end")


def _place(titles: Sequence[str], names: Sequence[str]) -> int | None:
    return next((titles.index(name) for name in names if name in titles), None)


def _at(row: Sequence[str], place: int | None) -> str:
    return plain(row[place].strip()) if place is not None and place < len(row) else ""


def _text(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding).replace("\0", "")
        except UnicodeDecodeError:
            continue
    raise Refusal(N_("文件的编码不对，请另存为 UTF-8 的 CSV"), field="file")
