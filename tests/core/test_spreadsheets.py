"""A text goes into a file that people open in a spreadsheet, and comes back as it was."""

import pytest

from app.core.spreadsheets import FORMULA_SIGNS, harmless, plain


@pytest.mark.parametrize(
    "text",
    [
        "",
        "'",
        "''",
        "abc",
        "'abc",
        "''abc",
        "=1+1",
        "'=1+1",
        "''=1+1",
        " '=1",
        "+86 138",
        "＝1",
        "a=b",
    ],
)
def test_it_computes_nothing_and_is_what_it_was(text: str) -> None:
    cell = harmless(text)
    assert not cell.lstrip(" \u3000").startswith(FORMULA_SIGNS)
    assert plain(cell) == text
    # Whoever wrote the file by hand wrote no mark.
    assert plain(text) in {text, text[1:]}
