"""A list of accounts to recharge, as it is pasted or sent as a file: an account a line, and after a
comma how many, if not one. Every line is judged before anything is bought."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from app.core.errors import N_, Refusal
from app.domain.catalog.models import AccountFormat, Product
from app.domain.catalog.recharge_accounts import RechargeAccount
from app.domain.orders.balances import Recipient
from app.domain.vault.formats import UNDECIDED, encoding_of

# An order has a line for each, and its page shows them all.
MOST_LINES = 200
SEPARATOR = re.compile(r"[,，;；\t]")
# What spreadsheets write above the first account.
HEADINGS = {"账号", "充值账号", "手机", "手机号", "手机号码", "邮箱", "account", "phone", "email"}


@dataclass(frozen=True)
class Line:
    """A line of the list: who gets how many, or what is wrong with it."""

    number: int
    text: str
    recipient: Recipient | None = None
    fault: Refusal | None = None


def decoded(content: bytes) -> str:
    """The text of a file in whatever encoding spreadsheets save in; raises Refusal."""
    encoding = encoding_of(content)
    try:
        text = content.decode("utf-8-sig" if encoding in (UNDECIDED, "utf-8") else encoding)
    except (UnicodeDecodeError, LookupError):
        text = "\0"
    if "\0" in text:
        raise Refusal(N_("这个文件不是文本。请另存为 CSV 再上传"), field="file")
    return text.removeprefix("\ufeff")


def read(text: str, product: Product) -> list[Line]:
    """Judge every line that is not empty; an account that stands there twice is a fault.

    Raises Refusal for an empty list and for one that is too long.
    """
    found: list[Line] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip(" ,，;；\t\"'") or (not found and _account(line).lower() in HEADINGS):
            continue
        found.append(_judge(number, line.strip()[:200], product, seen))
        if len(found) > MOST_LINES:
            raise Refusal(N_("一次最多 %(most)s 行，请分几次"), field="accounts", most=MOST_LINES)
    if not found:
        raise Refusal(N_("请粘贴账号，或选择文件，一行一个"), field="accounts")
    return found


def good(lines: Sequence[Line]) -> list[Recipient]:
    """Those that can be bought for."""
    return [line.recipient for line in lines if line.recipient is not None]


def as_text(recipients: Sequence[Recipient]) -> str:
    """The list again, without what was wrong."""
    return "\n".join(f"{one.account.value},{one.quantity}" for one in recipients)


def _judge(number: int, text: str, product: Product, seen: dict[str, int]) -> Line:
    try:
        recipient = _recipient(text, product)
        first = seen.setdefault(recipient.account.value, number)
        if first != number:
            raise Refusal(N_("与第 %(line)s 行重复；要充几份，请在逗号后写数量"), line=first)
    except Refusal as fault:
        return Line(number, text, fault=fault)
    return Line(number, text, recipient)


def _recipient(text: str, product: Product) -> Recipient:
    cells = [cell.strip(" \"'") for cell in SEPARATOR.split(text)]
    account = RechargeAccount.parse(product.account_format or AccountFormat.PLATFORM, cells[0])
    wanted = next((cell for cell in cells[1:] if cell), str(product.min_per_order))
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 6):
        raise Refusal(N_("逗号后面要是数量，例如 2"))
    quantity = int(wanted)
    if not product.min_per_order <= quantity <= product.max_per_order:
        raise Refusal(
            N_("每个账号可以充 %(least)s 到 %(most)s 份"),
            least=product.min_per_order,
            most=product.max_per_order,
        )
    return Recipient(account, quantity)


def _account(line: str) -> str:
    return SEPARATOR.split(line)[0].strip(" \"'\ufeff")
