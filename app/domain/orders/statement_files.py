"""A channel's statement as a file: a table whose first row names its columns, amounts in yuan.

A refund is recognised by its kind or, in a file without kinds, by a negative amount.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from app.core.errors import N_, Refusal
from app.core.money import fen
from app.domain.orders.statement_models import LineKind

MOST_BYTES = 20 * 1024 * 1024
MOST_ROWS = 200_000
# What channels call the columns we need; the first that is there is taken.
KINDS = ("kind", "type", "类型", "业务类型", "交易类型")
NUMBERS = ("number", "out_trade_no", "商户订单号", "商户单号", "单号")
AMOUNTS = ("amount", "total", "金额", "订单金额", "交易金额")
FEES = ("fee", "手续费", "服务费")
STATES = ("state", "status", "状态", "交易状态")
KIND_WORDS = {
    "payment": LineKind.PAYMENT,
    "trade": LineKind.PAYMENT,
    "交易": LineKind.PAYMENT,
    "支付": LineKind.PAYMENT,
    "收款": LineKind.PAYMENT,
    "refund": LineKind.REFUND,
    "退款": LineKind.REFUND,
    "remittance": LineKind.REMITTANCE,
    "settlement": LineKind.REMITTANCE,
    "结算": LineKind.REMITTANCE,
    "提现": LineKind.REMITTANCE,
}
# A statement lists what happened: a line without a state is one that did.
DONE = {"", "success", "succeeded", "paid", "成功", "支付成功", "交易成功", "退款成功", "结算成功"}


@dataclass(frozen=True)
class TheirLine:
    """What a channel says about one number; amounts in minor units, positive. The amount of a
    remittance is what left the channel, its fee included."""

    kind: LineKind
    number: str
    amount: int
    state: str = ""
    fee: int = 0

    @property
    def is_done(self) -> bool:
        return self.state.strip().lower() in DONE


def read(content: bytes) -> list[TheirLine]:
    """The lines of a statement; raises Refusal, naming the line that cannot be read."""
    if len(content) > MOST_BYTES:
        raise Refusal(N_("文件不能超过 20 MB"), field="file")
    rows = csv.DictReader(io.StringIO(_text(content)))
    columns = _Columns.of(rows.fieldnames or ())
    found = []
    for line, row in enumerate(_readable(rows), 2):
        if line > MOST_ROWS:
            raise Refusal(N_("一个文件最多 %(most)s 行"), field="file", most=MOST_ROWS)
        found.append(columns.line(row, line))
    return found


@dataclass(frozen=True)
class _Columns:
    number: str
    amount: str
    kind: str | None
    fee: str | None
    state: str | None

    @classmethod
    def of(cls, titles: Sequence[str]) -> "_Columns":
        names = {(title or "").strip().lower(): title for title in titles}
        number, amount, kind, fee, state = (
            next((names[name] for name in wanted if name in names), None)
            for wanted in (NUMBERS, AMOUNTS, KINDS, FEES, STATES)
        )
        if number is None or amount is None:
            raise Refusal(N_("文件第一行要有列名，至少包括 number 和 amount"), field="file")
        return cls(number, amount, kind, fee, state)

    def line(self, row: Mapping[str, str | None], line: int) -> TheirLine:
        number = (row[self.number] or "").strip()
        if not number:
            raise Refusal(N_("第 %(line)s 行没有单号"), field="file", line=line)
        amount = _amount(row[self.amount] or "", line)
        kind = LineKind.REFUND if amount < 0 else LineKind.PAYMENT
        if self.kind and (word := (row[self.kind] or "").strip().lower()):
            if word not in KIND_WORDS:
                raise Refusal(N_("第 %(line)s 行的类型不认识"), field="file", line=line)
            kind = KIND_WORDS[word]
        fee = abs(_amount(row[self.fee] or "0", line)) if self.fee else 0
        state = (row[self.state] or "").strip() if self.state else ""
        return TheirLine(kind, number, abs(amount), state, fee)


def _readable(rows: "csv.DictReader[str]") -> Iterator[dict[str, str]]:
    try:
        yield from rows
    except csv.Error:
        raise Refusal(N_("文件不是 CSV，请另存为 CSV 后再导入"), field="file") from None


def _text(content: bytes) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding).replace("\0", "")
        except UnicodeDecodeError:
            continue
    raise Refusal(N_("文件的编码不对，请另存为 UTF-8 的 CSV"), field="file")


def _amount(text: str, line: int) -> int:
    """Yuan, with a sign or without, in minor units; raises Refusal."""
    bare = text.strip().lstrip("+")
    is_negative = bare.startswith("-")
    try:
        amount = fen(bare.removeprefix("-"))
    except ValueError:
        raise Refusal(N_("第 %(line)s 行的金额读不懂"), field="file", line=line) from None
    return -amount if is_negative else amount
