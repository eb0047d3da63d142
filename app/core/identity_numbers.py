"""Numbers that name a person or a company in China, checked by their own check digits."""

import re
from datetime import date

_RESIDENT = re.compile(r"[1-9]\d{16}[\dX]")
# GB 11643-1999, ISO 7064 MOD 11-2: the weight of a place is 2^(17 − place) mod 11.
_RESIDENT_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_RESIDENT_CHECK = "10X98765432"
# GB 32100-2015: no I, O, S, V, Z; the weight of a place is 3^(place − 1) mod 31.
_CREDIT_ALPHABET = "0123456789ABCDEFGHJKLMNPQRTUWXY"
_CREDIT = re.compile(f"[{_CREDIT_ALPHABET}]{{2}}\\d{{6}}[{_CREDIT_ALPHABET}]{{10}}")
_CREDIT_WEIGHTS = tuple(pow(3, place, 31) for place in range(17))


def is_resident_id(text: str) -> bool:
    """Whether it is a resident identity number (公民身份号码, GB 11643), to its check digit."""
    if not text.isascii() or not _RESIDENT.fullmatch(text):
        return False
    try:
        date(int(text[6:10]), int(text[10:12]), int(text[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(text, _RESIDENT_WEIGHTS, strict=False))
    return _RESIDENT_CHECK[total % 11] == text[17]


def is_credit_code(text: str) -> bool:
    """Whether it is a unified social credit code (统一社会信用代码, GB 32100-2015)."""
    if not text.isascii() or not _CREDIT.fullmatch(text):
        return False
    total = sum(
        _CREDIT_ALPHABET.index(symbol) * weight
        for symbol, weight in zip(text, _CREDIT_WEIGHTS, strict=False)
    )
    return _CREDIT_ALPHABET[-total % 31] == text[17]


def mask_number(text: str) -> str:
    """Enough to recognise one's own: the first three and the last two of a long number."""
    if len(text) < 8:
        return text[:1] + "*" * (len(text) - 1)
    return text[:3] + "*" * (len(text) - 5) + text[-2:]
