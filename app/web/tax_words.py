"""How a computation of tax reads on a page, step by step."""

from collections.abc import Iterable

from flask_babel import gettext as _

from app.core.errors import N_
from app.domain.payouts.papers.document import percent
from app.domain.payouts.tax_rules import STEPS, Step
from app.web.filters import money

COUNT = N_("%(n)s 个月")


def steps_of(trace: Iterable[Step]) -> list[tuple[str, str]]:
    """Each step's name and value, in the reader's language."""
    return [(_(STEPS[str(name)][0]), _text(STEPS[str(name)][1], value)) for name, value in trace]


def _text(kind: str, value: str | int) -> str:
    if kind == "money":
        return money(int(value))
    if kind == "percent":
        return f"{percent(int(value))}%"
    return str(_(COUNT, n=value)) if kind == "count" else str(value)
