"""A statement as a PDF, set like a document: A4, two weights, hairlines, a page number.

The letters come from our own files, so that it looks the same on a machine without any font. What
no file has a letter for is 〓, and its code point stands at the foot, so that no name is silently
another one.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import segno
from fontTools.ttLib import TTFont
from fpdf import FPDF
from fpdf.enums import TextMode, XPos, YPos

from app.domain.payouts.papers import document
from app.domain.payouts.papers.document import Content, Paper

FONTS = Path(__file__).parents[3] / "fonts"
# The common characters, and the rest of GBK, which names need; a file is embedded only if used.
COMMON, RARE = FONTS / "NotoSansSC.ttf", FONTS / "NotoSansSC-Rare.ttf"
MISSING = "〓"
MARGIN, WIDTH, BOTTOM = 18.0, 174.0, 22.0
INK, GREY, LINE = (28, 27, 25), (110, 106, 100), (214, 209, 201)
HAIRLINE = 0.1
# The stroke that makes the second weight out of the one that the file has, for each point of size.
STROKE = 0.0105
ROW = 5.6
# More lines than a person reads; all of them are in the spreadsheet.
MOST_LINES = 200
# Of the table of lines: title, width in mm, whether it is a number.
TABLE = (
    ("时间", 24.0, False),
    ("摘要", 14.0, False),
    ("订单号或单号", 35.0, False),
    ("商品", 29.0, False),
    ("交付日", 17.0, False),
    ("基数", 17.0, True),
    ("费率", 14.0, True),
    ("级", 5.0, True),
    ("金额", 19.0, True),
)


def render(paper: Paper) -> bytes:
    """The bytes of the PDF; the same statement gives the same page."""
    sheet = _Sheet(paper)
    sheet.add_page()
    _title(sheet)
    _parties(sheet)
    _sums(sheet)
    _tax_and_payment(sheet)
    _lines(sheet)
    _proof(sheet)
    return bytes(sheet.output())


class _Sheet(FPDF):
    """A4 with our letters; the foot of each page has its number."""

    def __init__(self, paper: Paper) -> None:
        super().__init__("P", "mm", "A4")
        self.paper = paper
        self.missing: set[str] = set()
        self.set_margins(MARGIN, 16, MARGIN)
        self.set_auto_page_break(True, BOTTOM)
        self.c_margin = 0
        self.add_font("common", "", str(COMMON))
        if _letters_of(paper) & _known(RARE):
            self.add_font("rare", "", str(RARE))
            self.set_fallback_fonts(["rare"])
        self.set_font("common", size=9)
        self.set_title(f"结算单 {paper.number}")
        self.set_author(self.shown(paper.content["payer"]["name"]))
        self.set_creation_date(paper.issued_at)
        self.set_lang("zh-CN")
        self.set_text_color(*INK)
        self.set_draw_color(*LINE)
        self.set_line_width(HAIRLINE)

    def footer(self) -> None:
        self.set_y(-16)
        self.rule(self.get_y() - 2)
        self.write_at(MARGIN, f"结算单 {self.paper.number}", size=7.5, colour=GREY)
        if self.missing:
            codes = " ".join(f"U+{ord(letter):04X}" for letter in sorted(self.missing))
            self.write_at(MARGIN + 60, f"{MISSING} {codes}", size=7.5, colour=GREY)
        # The mark for the number of pages is wider than the number that takes its place.
        wider = self.get_string_width("{nb}") - self.get_string_width("0")
        pages = f"第 {self.page_no()} 页 / 共 {{nb}} 页"
        self.write_at(MARGIN, pages, size=7.5, colour=GREY, align="R", width=WIDTH + wider)

    def shown(self, text: str) -> str:
        """The text with a mark in place of each letter that no font has."""
        unknown = {one for one in text if ord(one) > 31} - _known(COMMON) - _known(RARE)
        self.missing |= unknown
        return "".join(MISSING if one in unknown else one for one in text if ord(one) > 31)

    def fitting(self, text: str, width: float) -> str:
        """As much of a text as the width has room for, with … for the rest."""
        text = self.shown(text)
        if self.get_string_width(text) <= width:
            return text
        while text and self.get_string_width(text + "…") > width:
            text = text[:-1]
        return text + "…"

    def write_at(
        self,
        x: float,
        text: str,
        *,
        width: float = 0,
        size: float = 9,
        bold: bool = False,
        colour: tuple[int, int, int] = INK,
        align: str = "L",
    ) -> None:
        """One line of text at `x`, cut to `width` when there is one; the pen stays on the line."""
        y = self.get_y()
        self.set_font_size(size)
        self.set_text_color(*colour)
        self.set_x(x)
        shown = self.fitting(text, width) if width else self.shown(text)
        with self.weight(bold=bold, colour=colour):
            self.cell(width or None, ROW, shown, align=align, new_x=XPos.RIGHT, new_y=YPos.TOP)
        self.set_y(y)

    @contextmanager
    def weight(self, *, bold: bool, colour: tuple[int, int, int]) -> Iterator[None]:
        """The second weight within the block: the same letters with a thin line around them."""
        if not bold:
            yield
            return
        with self.local_context(
            text_mode=TextMode.FILL_STROKE,
            line_width=STROKE * self.font_size_pt,
            draw_color=colour,
        ):
            yield

    def rule(self, y: float | None = None) -> None:
        """A hairline over the whole width."""
        at = self.get_y() if y is None else y
        self.line(MARGIN, at, MARGIN + WIDTH, at)

    def heading(self, text: str) -> None:
        """The title of a part, which does not stand alone at the foot of a page."""
        self.make_room(4 * ROW)
        self.ln(5)
        self.write_at(MARGIN, text, size=9, bold=True)
        self.ln(ROW + 1)
        self.rule()
        self.ln(1.2)

    def make_room(self, height: float) -> None:
        """Begin a new page when this one has less room than that."""
        if self.get_y() + height > self.h - BOTTOM:
            self.add_page()

    def facts(self, x: float, width: float, rows: Sequence[tuple[str, str]], title: float) -> None:
        """Titles in grey and their values beside them; goes down by as many lines."""
        for name, value in rows:
            self.write_at(x, name, size=8, colour=GREY, width=title)
            self.write_at(x + title, value, size=9, width=width - title)
            self.ln(ROW)


def _title(sheet: _Sheet) -> None:
    paper = sheet.paper
    sheet.write_at(MARGIN, "结算单", size=20, bold=True)
    sheet.write_at(MARGIN, paper.number, size=10, bold=True, align="R", width=WIDTH)
    sheet.ln(ROW)
    issued = f"开具 {document.minute(paper.content['issued_at'])}"
    sheet.write_at(MARGIN, issued, size=8, colour=GREY, align="R", width=WIDTH)
    sheet.ln(ROW + 3)
    sheet.write_at(MARGIN, f"结算期间 {document.period(paper)}", size=8, colour=GREY)
    sheet.ln(ROW)
    if paper.content["corrects"]:
        text = f"更正 {paper.content['corrects']}：{paper.content['reason']}"
        sheet.write_at(MARGIN, text, size=9, bold=True, width=WIDTH)
        sheet.ln(ROW + 1)
    sheet.ln(1)
    sheet.rule()
    sheet.ln(2)


def _parties(sheet: _Sheet) -> None:
    payer, payee = document.parties(sheet.paper)
    half, top = WIDTH / 2 - 3, sheet.get_y()
    sheet.facts(MARGIN, half, payer, 28)
    sheet.set_y(top)
    sheet.facts(MARGIN + WIDTH / 2, half, payee, 28)


def _sums(sheet: _Sheet) -> None:
    paper = sheet.paper
    paid, half = paper.content["settlement"], WIDTH / 2 - 6
    sheet.heading("结算")
    top = sheet.get_y()
    for title, amount in document.balances(paper):
        _amount(sheet, MARGIN, half, title, paper.money(amount))
    left = sheet.get_y()
    sheet.set_y(top)
    right = MARGIN + WIDTH / 2 + 3
    for title, amount in document.sums(paper):
        _amount(sheet, right, half + 3, title, paper.money(amount))
    sheet.line(right, sheet.get_y() + 0.6, MARGIN + WIDTH, sheet.get_y() + 0.6)
    sheet.ln(1.6)
    sheet.write_at(right, "实付金额", size=11, bold=True)
    sheet.write_at(right, paper.money(paid["net"]), size=13, bold=True, align="R", width=half + 3)
    sheet.ln(ROW + 1)
    sheet.set_y(max(left, sheet.get_y()) + 1)
    sheet.write_at(MARGIN, "大写", size=8, colour=GREY)
    sheet.write_at(MARGIN + 12, paid["words"], size=10, bold=True, width=WIDTH - 12)
    sheet.ln(ROW)
    if paid["state"] != "paid":
        sheet.write_at(MARGIN, "款项已退回，本单不产生付款。", size=9, bold=True)
        sheet.ln(ROW)


def _amount(sheet: _Sheet, x: float, width: float, title: str, amount: str) -> None:
    sheet.write_at(x, title, size=8, colour=GREY, width=width / 2)
    sheet.write_at(x, amount, size=9, align="R", width=width)
    sheet.ln(ROW)


def _tax_and_payment(sheet: _Sheet) -> None:
    steps = document.steps(sheet.paper)
    payment, half = document.payment(sheet.paper), WIDTH / 2 - 6
    sheet.heading("计税与付款" if steps else "付款")
    sheet.make_room(max(len(steps), len(payment)) * ROW)
    top, bottom = sheet.get_y(), sheet.get_y()
    if steps:
        for title, value in steps:
            _amount(sheet, MARGIN, half, title, value)
        bottom = sheet.get_y()
        sheet.set_y(top)
    x = MARGIN + WIDTH / 2 + 3 if steps else MARGIN
    sheet.facts(x, half, payment, 22)
    sheet.set_y(max(bottom, sheet.get_y()))


def _lines(sheet: _Sheet) -> None:
    lines = sheet.paper.content["lines"]
    sheet.heading(f"明细（{len(lines)} 笔）")
    _row(sheet, [title for title, _, _ in TABLE], colour=GREY)
    sheet.rule()
    for line in lines[:MOST_LINES]:
        if sheet.get_y() + ROW > sheet.h - BOTTOM:
            sheet.add_page()
            _row(sheet, [title for title, _, _ in TABLE], colour=GREY)
            sheet.rule()
        _row(sheet, _cells(line, sheet.paper))
        sheet.rule()
    rest = lines[MOST_LINES:]
    if rest:
        total = sheet.paper.money(sum(line["amount"] for line in rest))
        text = f"另有 {len(rest)} 笔，合计 {total}，逐笔列在同号的电子表格中"
        sheet.write_at(MARGIN, text, size=8, bold=True)
        sheet.ln(ROW)


def _row(sheet: _Sheet, cells: Sequence[str], colour: tuple[int, int, int] = INK) -> None:
    x = MARGIN
    for text, (_, width, is_number) in zip(cells, TABLE, strict=True):
        # What stands at the left of its column keeps clear of the next one.
        room = width if is_number else width - 1.5
        sheet.write_at(
            x, text, size=7.5, width=room, align="R" if is_number else "L", colour=colour
        )
        x += width
    sheet.ln(ROW)


def _cells(line: Content, paper: Paper) -> list[str]:
    return [
        document.minute(line["at"]),
        document.KINDS[line["kind"]],
        line.get("order") or line["withdrawal"],
        line.get("product", ""),
        document.day(line.get("delivered_at", "")),
        paper.money(line["base"]) if "base" in line else "",
        document.rate(line, paper),
        str(line.get("level", "")),
        paper.money(line["amount"]),
    ]


def _proof(sheet: _Sheet) -> None:
    """The hash and the way to verify it; the payee's say."""
    side = 26.0
    sheet.make_room(side + 14)
    sheet.ln(6)
    top = sheet.get_y()
    _qr(sheet, MARGIN, top, side)
    x = MARGIN + side + 6
    for name, value in (
        ("验证", sheet.paper.verify_url),
        ("SHA-256", sheet.paper.sha256),
        ("确认", "签发后 7 日内未提出异议视为确认；15 日内可以提出异议"),
    ):
        sheet.write_at(x, name, size=8, colour=GREY)
        sheet.write_at(x + 16, value, size=7.5, width=WIDTH - side - 22)
        sheet.ln(ROW)
    sheet.set_y(top + side)


def _qr(sheet: _Sheet, x: float, y: float, side: float) -> None:
    """Drawn, not a picture: it stays sharp on paper."""
    matrix = segno.make(sheet.paper.verify_url, error="m", micro=False).matrix
    module = side / len(matrix)
    sheet.set_fill_color(*INK)
    for row, modules in enumerate(matrix):
        for column, is_dark in enumerate(modules):
            if is_dark:
                sheet.rect(x + column * module, y + row * module, module, module, style="F")


@cache
def _known(font: Path) -> frozenset[str]:
    """The letters that a file has."""
    with TTFont(font, lazy=True) as file:
        return frozenset(map(chr, file.getBestCmap()))


def _letters_of(paper: Paper) -> set[str]:
    """Every letter there may be on it, that the common file has not."""
    found: set[str] = set()

    def look(value: Any) -> None:
        if isinstance(value, str):
            found.update(value)
        elif isinstance(value, dict):
            for each in value.values():
                look(each)
        elif isinstance(value, list):
            for each in value:
                look(each)

    look(paper.content)
    return found - _known(COMMON)
