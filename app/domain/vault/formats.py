"""How a merchant's file is written: its encoding, its columns, which of them is the code.

Between `cut` and `read` any file is the same thing: UTF-8, one code a line, ended by a line feed.
A line or cell that cannot be read stands there as a NUL and the letter of its fault.
"""

import codecs
import csv
import re
import unicodedata
from collections import Counter
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from app.core.errors import N_, Refusal
from app.domain.vault.rules import EDGES, tidy

FAULT = "\0"
UNDECODABLE, OVERLONG, CONTROL, TORN = "\0u", "\0l", "\0c", "\0q"
FORMULA, ROUNDED, DATE, CELL_ERROR = "\0f", "\0r", "\0d", "\0e"
FAULTS = {
    UNDECODABLE: N_("有无法识别的字符，请把文件另存为 UTF-8 再导入"),
    OVERLONG: N_("这一行太长，不像卡密"),
    CONTROL: N_("含有换行或不可见的控制字符"),
    TORN: N_("引号没有成对，一条卡密只能占一行"),
    FORMULA: N_("这一格是公式，请在表格里复制后“粘贴为数值”再导入"),
    ROUNDED: N_("数字超过 15 位，Excel 已经改掉了末尾几位，请向供货方要文本格式的原始文件"),
    DATE: N_("Excel 把这一格变成了日期，请改成文本格式后重新填写"),
    CELL_ERROR: N_("这一格是 Excel 的错误值"),
}

SPACES = " "
# In the order of how seldom each stands inside a code.
DELIMITERS = ("\t", "----", ",", ";", "|", SPACES)
# Those with which spreadsheets write fields in quotes.
QUOTING = ("\t", ",", ";", "|")
SAMPLE_LINES = 200
MOST_LINES = 0.8
UNDECIDED = "ascii"
BYTE_ORDER_MARK = "\ufeff"
REPLACEMENT = "\ufffd"
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16-le",
    codecs.BOM_UTF16_BE: "utf-16-be",
}
ZIP = b"PK\x03\x04"
OLE = b"\xd0\xcf\x11\xe0"
NO_TEXT = re.compile("[\0-\x08\x0e-\x1a\x1c-\x1f\ufffd]")

# The names of columns, as suppliers write them: without spaces and marks, in lower case. The
# first name that is found wins: where there are a card number and a code, the code is the code.
CODE_NAMES = (
    *("兑换码", "激活码", "充值码", "提货码", "券码", "代码", "卡券码", "cdkey", "code", "codes"),
    *("礼品码", "礼品卡号", "充值卡号", "兑换券码", "核销码", "券号", "卡券号", "cdk", "cdkeys"),
    *("vouchercode", "redeemcode", "giftcode", "couponcode", "activationcode", "voucher"),
    *("licensekey", "licence", "license", "key", "卡号", "账号", "帐号", "cardnumber", "cardno"),
    *("card", "account", "number", "序列号", "串号", "serialnumber", "serialno", "serial", "sn"),
)
# With a card number beside it this is the card's password, alone it is the code.
EITHER_NAMES = ("卡密", "pin", "pincode", "pinnumber")
PASSWORD_NAMES = (
    *("卡密码", "密码", "口令", "提取码", "password", "passwd", "pwd", "pass", "passcode"),
    *("cardpassword", "secret"),
)
OTHER_NAMES = (
    *(
        "编号",
        "序号",
        "id",
        "no",
        "面值",
        "面额",
        "金额",
        "价格",
        "商品",
        "商品名称",
        "产品",
        "名称",
    ),
    *(
        "备注",
        "有效期",
        "到期时间",
        "过期时间",
        "日期",
        "状态",
        "value",
        "amount",
        "price",
        "product",
    ),
    *("name", "note", "remark", "expires", "expiry", "expirydate", "date", "status"),
)
NAMES = {*CODE_NAMES, *EITHER_NAMES, *PASSWORD_NAMES, *OTHER_NAMES}


class Kind(StrEnum):
    TEXT = "text"
    XLSX = "xlsx"


@dataclass(frozen=True)
class Format:
    """How a file is read. The merchant corrects it with `dataclasses.replace` or `with_layout`.

    `delimiter` is empty for one code a line. Columns count from 0.
    """

    kind: Kind = Kind.TEXT
    encoding: str = "utf-8"
    delimiter: str = ""
    has_header: bool = False
    column_count: int = 1
    code_column: int = 0
    password_column: int | None = None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Format":
        return cls(**{**stored, "kind": Kind(stored["kind"])})


def detect(head: bytes, file_name: str) -> Format:
    """Guess the format from the first bytes of a file (64 kB are plenty); raises Refusal.

    A workbook's columns are not in its first bytes: `with_layout` finds them in its first chunk.
    """
    if not head:
        raise Refusal(N_("文件是空的"), field="file")
    if head.startswith(ZIP):
        return Format(Kind.XLSX, delimiter="\t")
    if head.startswith(OLE):
        raise Refusal(
            N_("旧版 .xls 或加密的表格打不开，请另存为 .xlsx 或 CSV 再导入"), field="file"
        )
    if file_name.lower().endswith((".xlsx", ".xlsm")):
        raise Refusal(N_("这个表格文件已损坏，请重新导出"), field="file")
    encoding = encoding_of(head)
    text = head.decode(encoding, "replace").removeprefix(BYTE_ORDER_MARK)
    if len(NO_TEXT.findall(text)) > len(text) // 10 + 1:
        raise Refusal(N_("这不是文本或 .xlsx 文件"), field="file")
    whole, newline, rest = text.replace("\r\n", "\n").replace("\r", "\n").rpartition("\n")
    return with_layout(Format(encoding=encoding), (whole if newline else rest).encode())


def encoding_of(head: bytes) -> str:
    """Guess how text is encoded; UNDECIDED while it is all ASCII, and so the same in any."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return encoding
    even, odd = head[::2].count(0), head[1::2].count(0)
    # ASCII in UTF-16 is every other byte a NUL; elsewhere a NUL is an accident.
    if max(even, odd) > len(head) // 20 and max(even, odd) > 4 * min(even, odd):
        return "utf-16-le" if odd > even else "utf-16-be"
    if head.isascii():
        return UNDECIDED
    return encoding_of_lines(head)


def encoding_of_lines(text: bytes) -> str:
    """Guess between UTF-8 and GB18030 (which includes GBK and GB2312), by counting lines."""
    lines = [line for line in re.split(rb"[\r\n]", text) if not line.isascii()]
    readable = {e: sum(_decodes(line, e) for line in lines) for e in ("utf-8", "gb18030")}
    # One broken line does not decide; GB18030 accepts much of what was written in UTF-8.
    return "gb18030" if readable["gb18030"] > readable["utf-8"] else "utf-8"


def _decodes(line: bytes, encoding: str) -> bool:
    try:
        # Not final: the sample may end in the middle of a character.
        codecs.getincrementaldecoder(encoding)().decode(line)
    except UnicodeDecodeError:
        return False
    return True


def with_layout(known: Format, chunk_text: bytes, delimiter: str | None = None) -> Format:
    """Find the columns in the first lines of the first chunk; `delimiter` when it was chosen."""
    sample = chunk_text.decode().split("\n", SAMPLE_LINES)[:SAMPLE_LINES]
    lines = [line for line in sample if line.strip()]
    if delimiter is None:
        delimiter = "\t" if known.kind is Kind.XLSX else _delimiter(lines)
    rows = [row for line in lines if (row := cells(line, delimiter))]
    if not rows:
        return replace(known, delimiter=delimiter)
    names = [_name(cell) for cell in rows[0]]
    has_header = any(name in NAMES for name in names)
    ((count, _),) = Counter(map(len, rows)).most_common(1)
    code, password = _columns(names) if has_header else (0, None)
    if delimiter == "----" and count == 2 and not has_header:
        # 卡号----密码 is what everybody writes; code and password are never left apart.
        password = 1
    return replace(
        known,
        delimiter=delimiter,
        has_header=has_header,
        column_count=max(count, len(names) if has_header else 1),
        code_column=code,
        password_column=password,
    )


def cells(line: str, delimiter: str) -> list[str]:
    """The fields of a line, tidied; none at all when its quotes do not match (RFC 4180)."""
    if not delimiter:
        return [tidy(line)]
    if delimiter == SPACES:
        return line.split()
    if '"' not in line or delimiter not in QUOTING:
        return [cell.strip(EDGES) for cell in line.split(delimiter)]
    if line.count('"') % 2:
        return []
    try:
        (row,) = csv.reader([line], delimiter=delimiter, strict=True, skipinitialspace=True)
    except csv.Error:
        return []
    return [tidy(cell) for cell in row]


def _delimiter(lines: list[str]) -> str:
    for delimiter in DELIMITERS:
        if delimiter == SPACES:
            fits = bool(lines) and all(map(_is_code_and_password, lines))
        else:
            fits = _divides(lines, delimiter)
        if fits:
            return delimiter
    if lines and all(len(line) > 1 and line[0] == line[-1] == '"' for line in lines):
        return ","
    return ""


def _divides(lines: list[str], delimiter: str) -> bool:
    """It stands between names that we know, or as often in most of the lines."""
    rows = [cells(line, delimiter) for line in lines]
    if not rows:
        return False
    if len(rows[0]) > 1 and any(_name(cell) in NAMES for cell in rows[0]):
        return True
    width, count = Counter(map(len, rows)).most_common(1)[0]
    return width > 1 and count >= len(rows) * MOST_LINES


def _is_code_and_password(line: str) -> bool:
    """Two words, of which the first is no mere group of a code that was written in groups."""
    words = line.split()
    return len(words) == 2 and (len(words[0]) > 5 or _name(words[0]) in NAMES)


def _columns(names: list[str]) -> tuple[int, int | None]:
    """The code's column and the password's, by the names in the header."""
    password = _first(PASSWORD_NAMES, names)
    code = _first(CODE_NAMES, names)
    either = _first(EITHER_NAMES, names)
    if code is None:
        code, either = either, None
    if password is None:
        password = either
    if code is None:
        # None has a name of a code: the first with a name unknown to us, then one that is secret.
        unknown = (column for column, name in enumerate(names) if name not in NAMES)
        code = next(unknown, password or 0)
    return code, None if password == code else password


def _first(wanted: tuple[str, ...], names: list[str]) -> int | None:
    return next((names.index(name) for name in wanted if name in names), None)


def _name(cell: str) -> str:
    """A header's name as the lists above have it."""
    name = unicodedata.normalize("NFKC", cell).partition("(")[0]
    return re.sub(r"[\s_*:.#\-]", "", name).lower()
