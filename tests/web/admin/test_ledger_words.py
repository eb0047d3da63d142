"""Whatever is booked has its words and its page."""

import ast
from pathlib import Path

import app.domain
from app.domain.ledger.rules import CHART
from app.web.admin import ledger_subjects, ledger_words


def test_nothing_that_is_booked_is_without_its_words() -> None:
    """Places of the chart, kinds, and subjects, those that are written out in the code."""
    assert set(ledger_words.PLACES) == set(CHART)
    booked = [
        call.args
        for path in Path(app.domain.__file__).parent.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text()))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "post"
        and getattr(call.func.value, "id", "") == "ledger"
    ]
    assert len(booked) >= 6
    kinds, subjects = (
        {args[place].value for args in booked if isinstance(args[place], ast.Constant)}
        for place in (1, 2)
    )
    assert kinds - set(ledger_words.KINDS) == set()
    assert subjects - set(ledger_subjects.PAGES) == set()
