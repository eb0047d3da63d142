"""The payment basis (付款依据包): what a bank asks for when a company pays a person much at once.

人民币银行结算账户管理办法, articles 40 to 42: above ¥50,000 a time a company shows what it pays a
person for.
"""

import csv
import io
import zipfile
from collections.abc import Callable
from decimal import Decimal

from app.core.spreadsheets import harmless
from app.domain.payouts.papers import document
from app.domain.payouts.papers.document import Paper

# Minor units; of the amount that is really transferred.
ABOVE = 50_000_00


def is_needed(paper: Paper) -> bool:
    """Whether it was paid to a person, and above the line."""
    payee, paid = paper.content["payee"], paper.content["settlement"]
    return bool(payee["account_kind"] != "company" and paid["net"] > ABOVE)


def render(paper: Paper, statement: Callable[[], bytes]) -> bytes:
    """The bytes of the ZIP: the statement as a PDF, its orders as CSV, and the basis in words."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (
            (f"{paper.number}.pdf", statement()),
            ("orders.csv", orders(paper).encode("utf-8")),
            ("basis.txt", basis(paper).encode("utf-8")),
        ):
            # One moment for all, so that the same statement is the same file.
            stamp = paper.issued_at.timetuple()[:6]
            archive.writestr(zipfile.ZipInfo(name, stamp), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def orders(paper: Paper) -> str:
    """Every line as CSV, harmless in a spreadsheet; the mark in front tells Excel it is UTF-8."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(document.COLUMNS)
    for line in paper.content["lines"]:
        is_sale = "order" in line
        writer.writerow(
            [
                document.minute(line["at"]),
                document.KINDS[line["kind"]],
                harmless(line.get("order") or line["withdrawal"]),
                harmless(line.get("product", "")),
                document.day(line.get("order_paid_at", "")),
                document.day(line.get("delivered_at", "")),
                _yuan(line["base"]) if is_sale else "",
                document.rate(line, paper),
                line["level"] if is_sale else "",
                _yuan(line["commission"]) if is_sale else "",
                _yuan(line["amount"]),
            ]
        )
    return "\ufeff" + out.getvalue()


def basis(paper: Paper) -> str:
    """What is paid for, by whom, to whom, and that the tax was kept."""
    content = paper.content
    payee, paid = content["payee"], content["settlement"]
    identity = document.IDENTITIES[payee["identity_kind"]]
    sales = {line["order"] for line in content["lines"] if "order" in line}
    tax = (
        f"已依法代扣个人所得税 {paper.money(paid['tax'])}（{document.MODES[paid['method']]}）。"
        if paid["tax"]
        else "本次无代扣税款。"
    )
    return "\r\n".join(
        [
            "付款依据说明",
            "",
            f"结算单号：{paper.number}",
            f"付款单位：{content['payer']['name']}",
            f"统一社会信用代码：{content['payer']['credit_code'] or '—'}",
            f"收款人：{payee['name']}（{identity} {payee['identity_masked']}）",
            f"收款账户：{payee['account_masked']}",
            f"付款事由：商品推广服务报酬，涉及订单 {len(sales)} 笔，明细见 orders.csv。",
            f"结算期间：{document.period(paper)}",
            f"应付金额：{paper.money(paid['gross'])}；{tax}",
            f"实付金额：{paper.money(paid['net'])}（{paid['words']}）",
            f"结算单内容 SHA-256：{paper.sha256}",
            f"验证地址：{paper.verify_url}",
            "",
        ]
    )


def _yuan(amount: int) -> Decimal:
    return Decimal(amount).scaleb(-2)
