"""What the two papers say of a content: titles, lines and amounts as texts. Chinese, as the law's.

The document is Chinese whatever the reader's language, so its words are not translated.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.core.money import SYMBOLS, yuan
from app.domain.payouts.tax_rules import STEPS

Content = dict[str, Any]

MODES = {
    "individual_per_month": "劳务报酬，按月预扣",
    "individual_cumulative": "平台从业人员，累计预扣",
    "business_invoice": "凭发票结算，不代扣",
    "outsourced": "由灵活用工机构代扣",
    "non_resident": "非居民个人",
    "": "—",
}
IDENTITIES = {
    "resident_id": "居民身份证",
    "passport": "护照",
    "permit": "通行证",
    "credit_code": "统一社会信用代码",
    "": "证件",
}
ACCOUNTS = {"bank_card": "银行卡", "alipay": "支付宝", "company": "公司账户"}
KINDS = {
    "earning": "佣金",
    "reversal": "退款冲回",
    "withdrawn": "提现",
    "given_back": "提现退回",
    "adjustment": "调整",
}
COLUMNS = (
    *("时间", "摘要", "订单号或单号", "商品", "付款日", "交付日"),
    *("计佣基数", "费率", "级", "佣金", "金额"),
)


@dataclass(frozen=True)
class Paper:
    """A statement to be put on paper. `verify_url` is the public page that knows its number."""

    content: Content
    sha256: str
    verify_url: str
    issued_at: datetime

    @property
    def number(self) -> str:
        return str(self.content["number"])

    @property
    def currency(self) -> str:
        return str(self.content["currency"])

    def money(self, amount: int) -> str:
        """¥1,234.50, with the sign in front."""
        sign = "-" if amount < 0 else ""
        return f"{sign}{SYMBOLS.get(self.currency, '')}{yuan(abs(amount))}"


def day(moment: str) -> str:
    """The date of a moment as it stands in a content."""
    return moment[:10]


def minute(moment: str) -> str:
    return moment[:16].replace("T", " ")


def parties(paper: Paper) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Who pays and who is paid: titles and values."""
    payer, payee = paper.content["payer"], paper.content["payee"]
    account = f"{ACCOUNTS[payee['account_kind']]} {payee['account_masked']}"
    return (
        [("付款方", payer["name"]), ("统一社会信用代码", payer["credit_code"] or "—")],
        [
            ("收款方", payee["name"] or payee["name_masked"]),
            (IDENTITIES[payee["identity_kind"]], payee["identity_masked"] or "—"),
            ("收款账户", f"{account} {payee['bank']}".strip()),
            ("计税方式", MODES[payee["tax_mode"]]),
        ],
    )


def balances(paper: Paper) -> list[tuple[str, int]]:
    """From the opening balance by kinds of lines to the closing one, minor units."""
    content = paper.content
    between = [
        (KINDS[kind], amount)
        for kind, amount in content["subtotals"].items()
        if amount or kind == "earning"
    ]
    ordered = sorted(between, key=lambda one: list(KINDS.values()).index(one[0]))
    return [("期初余额", content["opening"]), *ordered, ("期末余额", content["closing"])]


def sums(paper: Paper) -> list[tuple[str, int]]:
    """From gross to net, minor units."""
    paid = paper.content["settlement"]
    return [
        ("结算金额", paid["gross"]),
        ("计税收入", paid["income"]),
        ("代扣税款", -paid["tax"]),
        ("手续费", -paid["fee"]),
    ]


def payment(paper: Paper) -> list[tuple[str, str]]:
    """How and by whom it was paid."""
    paid = paper.content["settlement"]
    ends = "付款时间" if paid["state"] == "paid" else "退回时间"
    return [
        ("提现单号", paid["withdrawal"]),
        ("付款方式", paid["channel"] or "—"),
        ("流水号", paid["voucher"] or "—"),
        (ends, minute(paid["paid_at"]) or "—"),
        ("经办", paid["prepared_by"] or "—"),
        ("审批", paid["approved_by"] or "—"),
    ]


def steps(paper: Paper) -> list[tuple[str, str]]:
    """The tax, step by step."""
    return [
        (STEPS[name][0], step_text(STEPS[name][1], value, paper))
        for name, value in paper.content["settlement"]["trace"]
    ]


def step_text(kind: str, value: Any, paper: Paper) -> str:
    """A step's value as it is read."""
    if kind == "money":
        return paper.money(int(value))
    if kind == "percent":
        return f"{percent(int(value))}%"
    return str(value)


def percent(rate_bp: int) -> str:
    """Basis points without needless zeros: 2000 → 20, 1250 → 12.5."""
    return f"{rate_bp / 100:.2f}".rstrip("0").rstrip(".")


def rate(line: Content, paper: Paper) -> str:
    """What a commission is computed by: percent, so much a unit, or both."""
    parts = []
    if line.get("rate_bp"):
        parts.append(f"{percent(line['rate_bp'])}%")
    if line.get("per_unit"):
        parts.append(f"{paper.money(line['per_unit'])}/件")
    return " + ".join(parts)


def period(paper: Paper) -> str:
    """From the statement before, or the beginning, to this one."""
    between = paper.content["period"]
    return f"{minute(between['from']) or '首笔'} 至 {minute(between['to'])}"
