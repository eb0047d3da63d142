"""Texts in files that people open in a spreadsheet."""

# What makes a spreadsheet compute a cell (OWASP ASVS 5.0, 1.2.10), full-width forms included.
FORMULA_SIGNS = tuple("=+-@\t\r\n\0＝＋－＠")


def harmless(text: str) -> str:
    """The text as a cell of a CSV that no spreadsheet computes."""
    return f"'{text}" if text.lstrip(" \u3000\ufeff").startswith(FORMULA_SIGNS) else text
