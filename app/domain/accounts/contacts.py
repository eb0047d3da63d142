"""A phone number or an e-mail address: how a buyer is reached, and how she signs in."""

import re
import unicodedata
from dataclasses import dataclass, field
from enum import StrEnum

import phonenumbers

from app.core import keys
from app.core.errors import N_, Refusal

HOME_REGION = "CN"
HOME_CODE = 86
# Every mobile prefix that China has given out or may: metadata lags behind new ones.
CN_MOBILE = re.compile(r"1[3-9]\d{9}")
PHONE_SYMBOLS = re.compile(r"[\s().·-]+")
# RFC 5321 §4.5.3.1 sets the lengths; what is inside is the mail server's to judge.
EMAIL = re.compile(r"[^\s@<>\"(),:;\[\]\\]{1,64}@(?:[^\s@.<>\"(),:;\[\]\\]{1,63}\.)+[^\W\d_]{2,63}")
EMAIL_LENGTH = 254


class ContactKind(StrEnum):
    PHONE = "phone"
    EMAIL = "email"


@dataclass(frozen=True)
class Contact:
    """One contact in the one form it is stored and compared in: E.164, or a lower-case address."""

    kind: ContactKind
    # Not printed: a contact in a traceback would be a contact in a log.
    value: str = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "Contact":
        """Read what somebody typed; raises Refusal for the field `contact`."""
        cleaned = "".join(
            symbol
            for symbol in unicodedata.normalize("NFKC", text)
            if unicodedata.category(symbol) not in ("Cc", "Cf")
        ).strip()
        if not cleaned:
            raise Refusal(N_("请填写手机号或邮箱"), field="contact")
        if "@" in cleaned:
            return cls(ContactKind.EMAIL, _email(cleaned))
        return cls(ContactKind.PHONE, _phone(cleaned))

    @property
    def index(self) -> bytes:
        """What finds the same contact again without opening anything."""
        return keys.index("contact", self.value)

    @property
    def domain(self) -> str:
        """Of an e-mail address what stands behind the @; of a phone number nothing."""
        return self.value.rpartition("@")[2] if self.kind == ContactKind.EMAIL else ""

    @property
    def masked(self) -> str:
        """Enough to recognise one's own, too little to use another's: 138****1234, z***@qq.com."""
        if self.kind == ContactKind.EMAIL:
            name, _, domain = self.value.partition("@")
            return f"{name[0]}***@{domain}"
        number = phonenumbers.parse(self.value)
        digits = str(number.national_number)
        if number.country_code == HOME_CODE:
            return f"{digits[:3]}****{digits[-4:]}"
        return f"+{number.country_code} ****{digits[-4:]}"


def kind_of(masked: str) -> ContactKind:
    """Of which kind a masked contact is: an e-mail address still shows its @."""
    return ContactKind.EMAIL if "@" in masked else ContactKind.PHONE


def _email(text: str) -> str:
    lowered = text.lower()
    if len(lowered) > EMAIL_LENGTH or not EMAIL.fullmatch(lowered):
        raise Refusal(N_("这个邮箱不完整，请检查一下，例如 name@qq.com"), field="contact")
    return lowered


def _phone(text: str) -> str:
    compact = re.sub(r"^00", "+", PHONE_SYMBOLS.sub("", text))
    try:
        number = phonenumbers.parse(compact, HOME_REGION)
    except phonenumbers.NumberParseException:
        raise _bad_phone() from None
    national = str(number.national_number)
    is_home = number.country_code == HOME_CODE
    fits = CN_MOBILE.fullmatch(national) if is_home else phonenumbers.is_valid_number(number)
    # A letter is a typing slip here, not a vanity number.
    if not fits or not compact.lstrip("+").isdigit():
        raise _bad_phone()
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _bad_phone() -> Refusal:
    return Refusal(
        N_("这个手机号不对，请检查一下；中国大陆以外的号码请加上区号，例如 +852"), field="contact"
    )
