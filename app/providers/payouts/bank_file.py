"""A batch as a file for the bank's bulk payment, and the bank's answer read back from one.

The columns follow the bulk templates of the banks' business clients; banks change theirs, so a
column's title is data here, and the generic file has everything for copying. A text that a
spreadsheet would compute is refused or made harmless; numbers of accounts stay texts.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from app.core.errors import N_, Refusal
from app.core.money import fen, yuan
from app.core.spreadsheets import harmless
from app.providers.payouts.interface import BANK_CARD, COMPANY, Transfer
from app.providers.payouts.manual import Manual

Value = Callable[[int, Transfer], str]


@dataclass(frozen=True)
class Template:
    """A bank's columns in their order: title, and what of a transfer stands there."""

    title: str
    columns: tuple[tuple[str, Value], ...]


def _line(position: int, _transfer: Transfer) -> str:
    return str(position)


def _account(_position: int, transfer: Transfer) -> str:
    return transfer.payee.account.reveal()


def _holder(_position: int, transfer: Transfer) -> str:
    return transfer.payee.holder.reveal()


def _bank(_position: int, transfer: Transfer) -> str:
    return transfer.payee.bank


def _branch(_position: int, transfer: Transfer) -> str:
    return transfer.payee.branch or transfer.payee.bank


def _amount(_position: int, transfer: Transfer) -> str:
    return yuan(transfer.amount).replace(",", "")


def _number(_position: int, transfer: Transfer) -> str:
    return transfer.number


def _currency(_position: int, _transfer: Transfer) -> str:
    return "人民币"


def _nature(_position: int, transfer: Transfer) -> str:
    return "对公" if transfer.payee.kind == COMPANY else "对私"


def _use(_position: int, _transfer: Transfer) -> str:
    return "推广服务费"


TEMPLATES = {
    "generic": Template(
        N_("通用"),
        (
            ("number", _number),
            ("收款户名", _holder),
            ("收款账号", _account),
            ("开户银行", _bank),
            ("开户支行", _branch),
            ("对公对私", _nature),
            ("amount", _amount),
            ("用途", _use),
        ),
    ),
    "icbc": Template(
        N_("工商银行"),
        (
            ("序号", _line),
            ("币种", _currency),
            ("收款账号", _account),
            ("收款单位名称", _holder),
            ("收款账号开户行", _branch),
            ("付款金额", _amount),
            ("用途", _use),
            ("备注", _number),
        ),
    ),
    "cmb": Template(
        N_("招商银行"),
        (
            ("业务参考号", _number),
            ("收款人账号", _account),
            ("收款人名称", _holder),
            ("收款人开户行", _branch),
            ("收方行名称", _bank),
            ("币种", _currency),
            ("交易金额", _amount),
            ("用途", _use),
        ),
    ),
    "ccb": Template(
        N_("建设银行"),
        (
            ("序号", _line),
            ("收款账户账号", _account),
            ("收款账户名称", _holder),
            ("收款行", _bank),
            ("收款机构", _branch),
            ("金额", _amount),
            ("摘要", _use),
            ("备注", _number),
        ),
    ),
}


class BankFile(Manual):
    """Staff upload the file to their bank, and its answer to the shop."""

    name = "bank_file"
    title = N_("银行批量代发")
    kinds = frozenset({BANK_CARD, COMPANY})
    has_file = True


def write(template: str, transfers: Sequence[Transfer]) -> bytes:
    """The batch as CSV, marked as UTF-8 for Excel; raises KeyError for no such template."""
    columns = TEMPLATES[template].columns
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([title for title, _ in columns])
    for position, transfer in enumerate(transfers, 1):
        writer.writerow([harmless(value(position, transfer)) for _, value in columns])
    return ("\ufeff" + out.getvalue()).encode()


@dataclass(frozen=True)
class ResultRow:
    """What the bank says about one number; `amount` in minor units when the file has one."""

    line: int
    number: str
    is_paid: bool
    amount: int | None = None
    reference: str = ""
    reason: str = ""


# Titles by which a bank's answer is read, the first that is there.
RESULT_COLUMNS = {
    "number": ("number", "业务参考号", "备注", "单号", "客户流水号"),
    "state": ("state", "交易状态", "处理结果", "状态", "结果"),
    "amount": ("amount", "交易金额", "付款金额", "金额"),
    "reference": ("reference", "流水号", "交易流水号", "银行流水号"),
    "reason": ("reason", "失败原因", "退票原因", "原因"),
}
PAID = {"paid", "success", "成功", "交易成功", "处理成功", "已付款"}
RETURNED = {"returned", "failed", "fail", "失败", "交易失败", "处理失败", "退票", "已退回"}
LARGEST_FILE = 2 * 1024 * 1024


def read_results(content: bytes) -> list[ResultRow]:
    """The bank's answer, UTF-8 or GB18030; raises Refusal naming the first line that is wrong."""
    rows = list(csv.reader(io.StringIO(_text(content), newline="")))
    titles = [title.strip() for title in rows[0]] if rows else []
    places = {name: _place(titles, known) for name, known in RESULT_COLUMNS.items()}
    if places["number"] is None or places["state"] is None:
        raise Refusal(N_("文件里要有单号（number）和结果（state）两列"), field="file")
    found, seen = [], set()
    for line, row in enumerate(rows[1:], 2):
        if not any(cell.strip() for cell in row):
            continue
        read = _row(line, {name: _at(row, place) for name, place in places.items()})
        if read.number in seen:
            raise Refusal(N_("第 %(line)s 行的单号出现了两次"), field="file", line=line)
        seen.add(read.number)
        found.append(read)
    if not found:
        raise Refusal(N_("文件里没有结果"), field="file")
    return found


def _row(line: int, texts: dict[str, str]) -> ResultRow:
    state = texts["state"].lower()
    if state not in PAID | RETURNED:
        raise Refusal(N_("第 %(line)s 行的结果看不懂，请写“成功”或“失败”"), field="file", line=line)
    try:
        amount = fen(texts["amount"]) if texts["amount"] else None
    except ValueError:
        raise Refusal(N_("第 %(line)s 行的金额不对"), field="file", line=line) from None
    return ResultRow(
        line,
        texts["number"].upper(),
        state in PAID,
        amount,
        texts["reference"][:64],
        texts["reason"][:200],
    )


def _text(content: bytes) -> str:
    if not content or len(content) > LARGEST_FILE:
        raise Refusal(N_("请选择银行的结果文件（CSV，最大 2 MB）"), field="file")
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return content.decode(encoding).replace("\0", "")
        except UnicodeDecodeError:
            continue
    raise Refusal(N_("这个文件不是 CSV 文本"), field="file")


def _place(titles: Sequence[str], known: Sequence[str]) -> int | None:
    return next((titles.index(title) for title in known if title in titles), None)


def _at(row: Sequence[str], place: int | None) -> str:
    text = row[place].strip() if place is not None and place < len(row) else ""
    return text.removeprefix("'").strip()
