"""The account that a benefit goes to: a typing slip here is money gone, so it is read strictly."""

import re
import unicodedata
from dataclasses import dataclass, field

from app.core.crypto import Secret
from app.core.errors import N_, Refusal
from app.domain.accounts.contacts import CN_MOBILE, Contact, ContactKind
from app.domain.catalog.models import AccountFormat

QQ = re.compile(r"[1-9]\d{4,10}")
# Letters, digits and the few marks that platforms allow in a name.
PLATFORM = re.compile(r"[\w.@+-]{2,64}")
SEPARATORS = re.compile(r"[\s\-]+")

LABELS = {
    AccountFormat.PHONE: N_("充值手机号"),
    AccountFormat.QQ: N_("充值 QQ 号"),
    AccountFormat.EMAIL: N_("充值邮箱"),
    AccountFormat.PLATFORM: N_("充值账号"),
}
FAULTS = {
    AccountFormat.PHONE: N_("手机号应有 11 位，以 1 开头，请逐位核对"),
    AccountFormat.QQ: N_("QQ 号是 5 到 11 位数字，请核对"),
    AccountFormat.EMAIL: N_("这个邮箱不完整，请核对"),
    AccountFormat.PLATFORM: N_("账号是 2 到 64 位字母、数字或 . _ - @ +，请核对"),
}


@dataclass(frozen=True)
class RechargeAccount:
    """One account in the one form it is stored, compared and sent in."""

    format: AccountFormat
    value: str = field(repr=False)

    @classmethod
    def parse(cls, format_: AccountFormat, text: str) -> "RechargeAccount":
        """Read what somebody typed; raises Refusal for the field `account`."""
        typed = "".join(
            symbol
            for symbol in unicodedata.normalize("NFKC", text)
            if unicodedata.category(symbol) not in ("Cc", "Cf")
        ).strip()
        if not typed:
            raise Refusal(N_("请填写要充值的账号"), field="account")
        value = READERS[format_](typed)
        if value is None:
            raise Refusal(FAULTS[format_], field="account")
        return cls(format_, value)

    @property
    def secret(self) -> Secret:
        return Secret(self.value)

    @property
    def masked(self) -> str:
        """Enough to recognise one's own: 138****1234, z***@qq.com, 12***89."""
        return mask(self.value)

    @property
    def grouped(self) -> str:
        """As it is read back before paying: a phone number in its three groups."""
        if self.format == AccountFormat.PHONE:
            return f"{self.value[:3]} {self.value[3:7]} {self.value[7:]}"
        return self.value


def mask(value: str) -> str:
    """Hide the middle of an account; at least half of it."""
    if "@" in value:
        name, _, domain = value.partition("@")
        return f"{name[:1]}***@{domain}"
    if len(value) == 11 and value.isdigit():
        return f"{value[:3]}****{value[-4:]}"
    shown = min(2, len(value) // 4)
    return f"{value[:shown]}***{value[len(value) - shown :]}"


def _phone(typed: str) -> str | None:
    digits = SEPARATORS.sub("", typed)
    digits = re.sub(r"^(\+|00)?86(?=1\d{10}$)", "", digits)
    return digits if CN_MOBILE.fullmatch(digits) else None


def _qq(typed: str) -> str | None:
    digits = SEPARATORS.sub("", typed)
    return digits if QQ.fullmatch(digits) else None


def _email(typed: str) -> str | None:
    try:
        contact = Contact.parse(typed)
    except Refusal:
        return None
    return contact.value if contact.kind == ContactKind.EMAIL else None


def _platform(typed: str) -> str | None:
    return typed if PLATFORM.fullmatch(typed) else None


READERS = {
    AccountFormat.PHONE: _phone,
    AccountFormat.QQ: _qq,
    AccountFormat.EMAIL: _email,
    AccountFormat.PLATFORM: _platform,
}
