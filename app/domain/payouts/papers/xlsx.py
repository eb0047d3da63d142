"""A statement as a spreadsheet: every line, amounts as numbers, and no cell that computes."""

import io
from decimal import Decimal
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import Cell
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.worksheet.worksheet import Worksheet

from app.core.spreadsheets import FORMULA_SIGNS
from app.domain.payouts.papers import document
from app.domain.payouts.papers.document import Content, Paper

BOLD = Font(bold=True)
MONEY = "#,##0.00"
WIDTHS = (17, 11, 24, 28, 12, 12, 13, 12, 6, 13, 14)
# Control characters that XML has no room for.
UNWRITABLE = {code: None for code in range(32) if chr(code) not in "\t\n\r"}


def render(paper: Paper) -> bytes:
    """The bytes of the .xlsx: a sheet with the settlement, and one with all its lines."""
    book = Workbook()
    summary = book.worksheets[0]
    summary.title = "结算单"
    _summary(summary, paper)
    _lines(book.create_sheet("明细"), paper)
    book.properties.title = f"结算单 {paper.number}"
    book.properties.creator = paper.content["payer"]["name"].translate(UNWRITABLE)
    # Of the statement and not of the download, so that the file says nothing about who asks when.
    book.properties.created = book.properties.modified = paper.issued_at.replace(tzinfo=None)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def _summary(sheet: Worksheet, paper: Paper) -> None:
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 22, 60
    content, row = paper.content, 1
    _put(sheet.cell(row, 1), "结算单", BOLD)
    _put(sheet.cell(row, 2), paper.number, BOLD)
    payer, payee = document.parties(paper)
    facts: list[tuple[str, Any]] = [
        ("开具时间", document.minute(content["issued_at"])),
        ("结算期间", document.period(paper)),
        *(
            [("更正", content["corrects"]), ("更正原因", content["reason"])]
            * bool(content["corrects"])
        ),
        *payer,
        *payee,
        *((title, _yuan(amount)) for title, amount in document.balances(paper)),
        *((title, _yuan(amount)) for title, amount in document.sums(paper)),
        ("实付金额", _yuan(content["settlement"]["net"])),
        ("大写", content["settlement"]["words"]),
        *document.steps(paper),
        *document.payment(paper),
        ("SHA-256", paper.sha256),
        ("验证", paper.verify_url),
    ]
    for title, value in facts:
        row += 1
        _put(sheet.cell(row, 1), title)
        _put(sheet.cell(row, 2), value)
        sheet.cell(row, 2).alignment = Alignment(horizontal="left", wrap_text=True)


def _lines(sheet: Worksheet, paper: Paper) -> None:
    for column, (title, width) in enumerate(zip(document.COLUMNS, WIDTHS, strict=True), 1):
        _put(sheet.cell(1, column), title, BOLD)
        sheet.column_dimensions[get_column_letter(column)].width = width
    sheet.freeze_panes = "A2"
    for row, line in enumerate(paper.content["lines"], 2):
        for column, value in enumerate(_cells(line, paper), 1):
            _put(sheet.cell(row, column), value)


def _cells(line: Content, paper: Paper) -> list[Any]:
    is_sale = "order" in line
    return [
        document.minute(line["at"]),
        document.KINDS[line["kind"]],
        line.get("order") or line["withdrawal"],
        line.get("product", ""),
        document.day(line.get("order_paid_at", "")),
        document.day(line.get("delivered_at", "")),
        _yuan(line["base"]) if is_sale else "",
        document.rate(line, paper),
        line["level"] if is_sale else "",
        _yuan(line["commission"]) if is_sale else "",
        _yuan(line["amount"]),
    ]


def _put(cell: Cell | Any, value: Any, font: Font | None = None) -> None:
    """A text is a text, whatever it begins with: openpyxl would make "=…" a formula."""
    if isinstance(value, str):
        cell.value = value.translate(UNWRITABLE)
        cell.data_type = "s"
        # Also when somebody edits the cell, or saves the sheet as CSV and opens that.
        cell.quotePrefix = value.startswith(FORMULA_SIGNS)
    else:
        cell.value = value
        if isinstance(value, Decimal):
            cell.number_format = MONEY
    if font is not None:
        cell.font = font


def _yuan(amount: int) -> Decimal:
    return Decimal(amount).scaleb(-2)
