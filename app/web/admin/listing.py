"""One mechanism for every list of the console: its state is its URL.

A `Listing` says what can be searched, filtered, sorted and exported; `answer` reads the URL, asks
the database for the real total and one page, and renders it, or with `format=csv` sends all of
the current filter as a file. Unknown or broken values in a URL count as not given.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import sqlalchemy as sa
from flask import Response, request, url_for
from flask_babel import gettext as _
from flask_login import current_user
from werkzeug.datastructures import MultiDict

from app.core.db import session
from app.core.errors import N_
from app.web.admin import export
from app.web.admin.days import midnight, read_day
from app.web.admin.export import Found
from app.web.render import render

SIZES = (20, 50, 100)
TEXT_LENGTH = 100

Condition = sa.ColumnElement[bool]
# (value, words in the reader's language)
Options = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Search:
    """The search box: `where` turns what was typed into a condition. `hint` is a marked text."""

    where: Callable[[str], Condition]
    hint: str = ""


@dataclass(frozen=True)
class Choice:
    """A select: `options()` without the empty one, `where` for the chosen value."""

    name: str
    label: str
    options: Callable[[], Options]
    where: Callable[[str], Condition]


@dataclass(frozen=True)
class Days:
    """Two dates `from` and `to`, both included, in the shop's zone."""

    column: Any


@dataclass(frozen=True)
class Sort:
    """One order of the rows; the first of a listing is what it shows unasked."""

    name: str
    label: str
    by: tuple[Any, ...]


@dataclass(frozen=True)
class Listing:
    """What a list can do. `model` is the table whose rows are counted; it has an `id`.

    `columns` are those of the file, and `export_permission` is what it takes to have it (besides
    a step-up); without the two there is no file.
    """

    name: str
    model: type[Any]
    sorts: tuple[Sort, ...]
    search: Search | None = None
    choices: tuple[Choice, ...] = ()
    days: Days | None = None
    columns: tuple[export.Column, ...] = ()
    export_permission: str = ""

    def answer(
        self,
        found: Found,
        page: str,
        fragment: str | None = None,
        *,
        beside: Callable[[Sequence[Any]], Mapping[str, Any]] | None = None,
        **context: Any,
    ) -> Response:
        """The page with `list` (a Shown) in its context, or the file.

        `beside` is asked once with the rows of the page for what else it needs of them.
        """
        asked = self.ask(request.args)
        if asked.wants_file and self.export_permission:
            return export.send(
                self.name,
                self._in_order(found, asked),
                self.model,
                self.columns,
                permission=self.export_permission,
                back=self._url(asked, page=asked.page),
                note=asked.filters(),
            )
        shown = self.show(found, asked)
        return render(
            page, fragment, list=shown, **(beside(shown.rows) if beside else {}), **context
        )

    def ask(self, args: "MultiDict[str, str]") -> "Asked":
        """Read a URL's query; whatever this listing does not know is not there."""
        sort = args.get("sort", "")
        size = args.get("size", type=int)
        return Asked(
            text=_clean(args.get("q", "")) if self.search else "",
            chosen={
                choice.name: value
                for choice in self.choices
                if (value := args.get(choice.name, "")) in {key for key, _words in choice.options()}
            },
            first_day=read_day(args.get("from", "")) if self.days else None,
            last_day=read_day(args.get("to", "")) if self.days else None,
            sort=sort if sort in {known.name for known in self.sorts} else self.sorts[0].name,
            size=size if size in SIZES else SIZES[0],
            page=max(args.get("page", 1, type=int), 1),
            wants_file=args.get("format") == "csv",
        )

    def show(self, found: Found, asked: "Asked") -> "Shown":
        """One page of what was found, with the true total; past the end is the last page."""
        matching = self.matching(found, asked)
        counted = matching.order_by(None).with_only_columns(self.model.id).subquery()
        total = int(session.scalar(sa.select(sa.func.count()).select_from(counted)) or 0)
        number = min(asked.page, _pages(total, asked.size))
        offset = (number - 1) * asked.size
        statement = self._in_order(found, asked).limit(asked.size).offset(offset)
        return Shown(self, asked, read(statement), total, number)

    def _in_order(self, found: Found, asked: "Asked") -> Found:
        sort = next(sort for sort in self.sorts if sort.name == asked.sort)
        # The id makes the order total: no row stands on two pages or on none.
        return self.matching(found, asked).order_by(None).order_by(*sort.by, self.model.id.desc())

    def matching(self, found: Found, asked: "Asked") -> Found:
        """What of it the filters of a URL let through, on whatever page."""
        if asked.text and self.search:
            found = found.where(self.search.where(asked.text))
        for choice in self.choices:
            if choice.name in asked.chosen:
                found = found.where(choice.where(asked.chosen[choice.name]))
        if self.days and asked.first_day:
            found = found.where(self.days.column >= midnight(asked.first_day))
        if self.days and asked.last_day:
            found = found.where(self.days.column < midnight(asked.last_day + timedelta(days=1)))
        return found

    def _url(self, asked: "Asked", **changes: object) -> str:
        values: dict[str, object] = asked.filters() | {"q": asked.text or None}
        values["sort"] = asked.sort if asked.sort != self.sorts[0].name else None
        values["size"] = asked.size if asked.size != SIZES[0] else None
        values |= changes
        if values.get("page") == 1:
            values["page"] = None
        here: dict[str, object] = dict(request.view_args or {})
        return url_for(request.endpoint or "", **(here | values))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Asked:
    """What a URL asks of a listing."""

    text: str = ""
    chosen: dict[str, str] = field(default_factory=dict)
    first_day: date | None = None
    last_day: date | None = None
    sort: str = ""
    size: int = SIZES[0]
    page: int = 1
    wants_file: bool = False

    @property
    def is_filtered(self) -> bool:
        return bool(self.text or self.filters())

    def filters(self) -> dict[str, Any]:
        """The filters in force, but for the search text, which may be somebody's phone number."""
        days = {"from": self.first_day, "to": self.last_day}
        return self.chosen | {name: day.isoformat() for name, day in days.items() if day}


@dataclass(frozen=True)
class Shown:
    """One page of a list, in the words of the components `pager` and `filters`."""

    listing: Listing
    asked: Asked
    rows: Sequence[Any]
    total: int
    number: int

    @property
    def count(self) -> int:
        """How many pages there are."""
        return _pages(self.total, self.asked.size)

    @property
    def first(self) -> int:
        return (self.number - 1) * self.asked.size + 1

    @property
    def last(self) -> int:
        return self.first + len(self.rows) - 1

    def url_for(self, number: int) -> str:
        return self.listing._url(self.asked, page=number)

    @property
    def bare_url(self) -> str:
        """The list without any filter."""
        return url_for(request.endpoint or "", **(request.view_args or {}))

    @property
    def csv_url(self) -> str:
        """Where the file is; empty for whoever may not have it."""
        permission = self.listing.export_permission
        if not permission or not current_user.may(permission):
            return ""
        return self.listing._url(self.asked, format="csv")

    @property
    def hint(self) -> str:
        return str(_(self.listing.search.hint)) if self.listing.search else ""

    def selects(self) -> list[tuple[str, str, Options, str]]:
        """(name, label, options, chosen) of every select of the filter form."""
        filters = [
            (
                choice.name,
                _(choice.label),
                [("", _("全部")), *choice.options()],
                self.asked.chosen.get(choice.name, ""),
            )
            for choice in self.listing.choices
        ]
        sorts = [(sort.name, _(sort.label)) for sort in self.listing.sorts]
        sizes = [(str(size), _("每页 %(n)s 条", n=size)) for size in SIZES]
        if len(sorts) > 1:
            filters.append(("sort", _(N_("排序")), sorts, self.asked.sort))
        return [*filters, ("size", _(N_("每页")), sizes, str(self.asked.size))]


def read(statement: Found) -> Sequence[Any]:
    """The rows: objects when the statement asks for one thing, tuples when for several."""
    rows = session.execute(statement)
    if len(statement.column_descriptions) == 1:
        return rows.scalars().unique().all()
    return rows.unique().all()


def _clean(text: str) -> str:
    # PostgreSQL takes no NUL in a text.
    return text.replace("\0", "").strip()[:TEXT_LENGTH]


def _pages(total: int, size: int) -> int:
    return max(-(-total // size), 1)
