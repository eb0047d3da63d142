"""Texts in files that people open in a spreadsheet."""

# What makes a spreadsheet compute a cell (OWASP ASVS 5.0, 1.2.10), full-width forms included.
FORMULA_SIGNS = tuple("=+-@\t\r\n\0＝＋－＠")


# A spreadsheet's own sign for "this is text". A text that has it before a formula gets another, so
# that what is read back is what was written.
MARK = "'"


def harmless(text: str) -> str:
    """The text as a cell of a CSV that no spreadsheet computes."""
    bare = text.lstrip(f" \u3000\ufeff{MARK}")
    return f"{MARK}{text}" if bare.startswith(FORMULA_SIGNS) else text


def plain(cell: str) -> str:
    """The text that `harmless` made this cell of."""
    text = cell.removeprefix(MARK)
    return text if harmless(text) == cell else cell
