"""Decisions about payouts that need no database: what a number must look like, who has to look."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from app.core.errors import N_, Refusal
from app.domain.accounts.contacts import Contact, ContactKind
from app.domain.payouts.models import AccountKind

# A new account is paid to only after this: time for its owner to notice that it is not hers.
COOLING = timedelta(hours=24)
# Whatever goes to an account younger than this needs a second pair of eyes.
ACCOUNT_IS_NEW = timedelta(hours=72)

# When a channel that has not said how it ended is asked again, counted from the answer before.
QUERY_AFTER = tuple(timedelta(seconds=s) for s in (5, 15, 60, 300))
QUERY_EVERY = timedelta(minutes=15)
# "Not found" is believed, and the number sent once more, when no call can be under way any more.
SEND_AGAIN_AFTER = timedelta(seconds=30)
# A payee's bank may send money back for some days: a paid one is looked at so often again.
LOOK_BACK_AFTER = (timedelta(days=1), timedelta(days=3))

SPACES = re.compile(r"[\s-]+")
CARD = re.compile(r"\d{13,19}")
COMPANY_ACCOUNT = re.compile(r"\d{8,32}")
TEXT_LENGTH = 60


@dataclass(frozen=True)
class AccountFields:
    """A payout account as it was typed, or in the one form it is stored and paid to."""

    kind: AccountKind
    holder: str = field(repr=False)
    account: str = field(repr=False)
    bank: str = ""
    branch: str = ""


def read(typed: AccountFields) -> AccountFields:
    """The account in its one form; raises Refusal for the first field that is wrong."""
    for fault in faults(typed):
        raise fault
    account, is_alipay = _clean(typed.account), typed.kind == AccountKind.ALIPAY
    return AccountFields(
        kind=typed.kind,
        holder=_clean(typed.holder),
        account=_alipay(account) or "" if is_alipay else SPACES.sub("", account),
        bank="" if is_alipay else _clean(typed.bank),
        branch=_clean(typed.branch) if typed.kind == AccountKind.COMPANY else "",
    )


def faults(typed: AccountFields) -> Iterator[Refusal]:
    """All that is wrong with what was typed, each fault naming its field."""
    if not 2 <= len(_clean(typed.holder)) <= TEXT_LENGTH:
        yield Refusal(N_("请填写收款人户名，和银行或支付宝登记的一致"), field="holder")
    if not READERS[typed.kind](_clean(typed.account)):
        yield Refusal(FAULTS[typed.kind], field="account")
    if typed.kind != AccountKind.ALIPAY and not 2 <= len(_clean(typed.bank)) <= TEXT_LENGTH:
        yield Refusal(N_("请填写开户银行，例如招商银行"), field="bank")
    if typed.kind == AccountKind.COMPANY and not 2 <= len(_clean(typed.branch)) <= TEXT_LENGTH:
        yield Refusal(N_("请填写开户支行，公司账户转账要用到"), field="branch")


def is_luhn(digits: str) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (2 if place % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def mask_holder(name: str) -> str:
    """Enough to recognise one's own: 王** for a person, 上海***公司 for a company."""
    if len(name) <= 4:
        return name[0] + "*" * (len(name) - 1)
    return f"{name[:2]}***{name[-2:]}"


def mask_account(kind: AccountKind, account: str) -> str:
    """The last four digits, or a masked phone number or e-mail address."""
    if kind != AccountKind.ALIPAY:
        return f"****{account[-4:]}"
    if "@" in account:
        name, _, domain = account.partition("@")
        return f"{name[0]}***@{domain}"
    return f"{account[:3]}****{account[-4:]}"


@dataclass(frozen=True)
class Standing:
    """What a review looks at. `check_above` is the merchant's line, in minor units."""

    gross: int
    check_above: int
    is_first: bool
    account_age: timedelta
    is_doubtful: bool = False


# Why a second member of staff has to look, in the words of the page.
CHECKS = {
    "amount": N_("金额超过复核线"),
    "first": N_("第一次提现"),
    "account": N_("收款账户是 72 小时内新加的"),
    "risk": N_("风控要求复核"),
}


def checks(standing: Standing) -> list[str]:
    """Why maker and checker must be two people; empty when one is enough. Names of CHECKS."""
    found = {
        "amount": standing.gross > standing.check_above,
        "first": standing.is_first,
        "account": standing.account_age < ACCOUNT_IS_NEW,
        "risk": standing.is_doubtful,
    }
    return [name for name, holds in found.items() if holds]


def next_query(queries: int) -> timedelta:
    """How long to wait before the (queries + 1)-th question."""
    return QUERY_AFTER[queries] if queries < len(QUERY_AFTER) else QUERY_EVERY


def may_send_again(sent_at: datetime | None, now: datetime) -> bool:
    """Whether no earlier call under this number can still be on its way to the channel."""
    return sent_at is None or now - sent_at > SEND_AGAIN_AFTER


def _clean(text: str) -> str:
    """As it was meant: full-width forms folded, what cannot be seen left out."""
    return "".join(
        symbol
        for symbol in unicodedata.normalize("NFKC", text)
        if unicodedata.category(symbol) not in ("Cc", "Cf")
    ).strip()


def _card(typed: str) -> str | None:
    digits = SPACES.sub("", typed)
    is_card = digits.isascii() and CARD.fullmatch(digits)
    return digits if is_card and is_luhn(digits) else None


def _alipay(typed: str) -> str | None:
    """An Alipay account is a phone number in China or an e-mail address."""
    try:
        contact = Contact.parse(typed)
    except Refusal:
        return None
    if contact.kind == ContactKind.EMAIL:
        return contact.value
    return contact.value.removeprefix("+86") if contact.value.startswith("+86") else None


def _company(typed: str) -> str | None:
    digits = SPACES.sub("", typed)
    return digits if digits.isascii() and COMPANY_ACCOUNT.fullmatch(digits) else None


READERS = {
    AccountKind.BANK_CARD: _card,
    AccountKind.ALIPAY: _alipay,
    AccountKind.COMPANY: _company,
}
FAULTS = {
    AccountKind.BANK_CARD: N_("银行卡号不对，请逐位核对"),
    AccountKind.ALIPAY: N_("支付宝账号是手机号或邮箱，请核对"),
    AccountKind.COMPANY: N_("公司账号是 8 到 32 位数字，请核对"),
}
