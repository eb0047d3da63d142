"""The balance sheet and the income statement of a day or a month, every figure a link."""

from dataclasses import dataclass
from datetime import date, timedelta

from flask import Blueprint, Response, request, url_for
from flask_babel import gettext as _

from app.core import clock, db
from app.domain.catalog import preferences
from app.domain.ledger import queries, reports
from app.domain.ledger.models import AccountKind
from app.web.access import staff
from app.web.admin import days, ledger_words
from app.web.admin.ledger import url_of_place
from app.web.render import render

routes = Blueprint("reports", __name__)


@dataclass(frozen=True)
class Span:
    """A day or a month: its first day, the first day after it, and how an address names it."""

    first: date
    after: date
    asked: dict[str, str]

    @classmethod
    def read(cls) -> "Span":
        """The day that is asked for, else the month, else the month that it is."""
        day = days.read_day(request.args.get("day", ""))
        if day is not None:
            return cls.of_day(day)
        month = days.read_month(request.args.get("month", ""))
        return cls.of_month(month or clock.today(preferences.get().zone).replace(day=1))

    @classmethod
    def of_day(cls, day: date) -> "Span":
        return cls(day, day + timedelta(days=1), {"day": day.isoformat()})

    @classmethod
    def of_month(cls, first: date) -> "Span":
        return cls(first, days.next_month(first), {"month": first.isoformat()[:7]})

    @property
    def last(self) -> date:
        return self.after - timedelta(days=1)

    @property
    def words(self) -> str:
        return next(iter(self.asked.values()))

    def url_of(self, span: "Span") -> str:
        return url_for("admin.reports.show", **span.asked)  # type: ignore[arg-type]

    @property
    def url_before(self) -> str:
        before = self.first - timedelta(days=1)
        if "day" in self.asked:
            return self.url_of(Span.of_day(before))
        return self.url_of(Span.of_month(before.replace(day=1)))

    @property
    def url_after(self) -> str:
        if "day" in self.asked:
            return self.url_of(Span.of_day(self.after))
        return self.url_of(Span.of_month(self.after))


@routes.get("/admin/reports")
@staff("books.view")
def show() -> Response:
    span = Span.read()
    until = days.midnight(span.after)
    db.see_one_moment()
    report = reports.report(days.midnight(span.first), until)
    # What is over cannot be compared with the balances of now.
    is_current = until > clock.now()
    return render(
        "admin/reports/show.html",
        span=span,
        report=report,
        kinds=AccountKind,
        kind_words={kind: _(words) for kind, words in ledger_words.ACCOUNT_KINDS.items()},
        place_words=ledger_words.place_words,
        is_balanced=report.balances and (not is_current or _agrees(report)),
        is_current=is_current,
        url_of=url_of_place,
    )


def _agrees(report: reports.Report) -> bool:
    """Whether the balances that are kept are the sums of the entries."""
    kept = {group.prefix: group.balance for group in queries.groups()}
    added = {figure.prefix: figure.balance for figure in report.figures}
    return {name: value for name, value in kept.items() if value or name in added} == added
