"""Money is a whole number of minor units (fen). This is where it is split and written out."""

from collections.abc import Sequence

SYMBOLS = {"CNY": "¥"}
# More is a slip; thousands of such amounts still add up within a bigint.
LARGEST = 10**15


def yuan(amount: int) -> str:
    """1234567 fen → "12,345.67"; a negative amount keeps its sign in front."""
    sign = "-" if amount < 0 else ""
    whole, part = divmod(abs(amount), 100)
    return f"{sign}{whole:,}.{part:02d}"


def fen(text: str) -> int:
    """ "12,345.6" → 1234560. Raises ValueError for anything that is not an exact amount,
    and for more than LARGEST."""
    cleaned = text.strip().replace(",", "").removeprefix("¥").strip()
    whole, _, part = cleaned.partition(".")
    if not (whole + part).isascii() or not (whole + part).isdigit() or len(part) > 2:
        raise ValueError("not an amount")
    amount = int(whole or "0") * 100 + int(part.ljust(2, "0") or "0")
    if amount > LARGEST:
        raise ValueError("not an amount")
    return amount


def split(amount: int, weights: Sequence[int]) -> list[int]:
    """Share `amount` by weight, whole units, none lost: the largest-remainder method.

    Ties go to the earlier share. All-zero weights count as equal ones.
    """
    if not weights:
        raise ValueError("nothing to share among")
    parts = list(weights) if any(weights) else [1] * len(weights)
    total = sum(parts)
    shares = [amount * part // total for part in parts]
    by_remainder = sorted(range(len(parts)), key=lambda i: (-(amount * parts[i] % total), i))
    for i in by_remainder[: amount - sum(shares)]:
        shares[i] += 1
    return shares
