"""A list as a CSV file: streamed, and harmless in a spreadsheet."""

import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from flask import Response, stream_with_context
from flask_babel import gettext as _

from app.core import audit, clock
from app.core.db import session, transaction
from app.core.spreadsheets import harmless
from app.domain.catalog import preferences
from app.web import access

Found = sa.Select[*tuple[Any, ...]]

CHUNK = 500


@dataclass(frozen=True)
class Column:
    """A column of the file: its marked title, and what of a row stands in it.

    A number (int, Decimal) stays a number, everything else becomes text.
    """

    title: str
    value: Callable[[Any], object]


def send(
    name: str,
    found: Found,
    model: type[Any],
    columns: Sequence[Column],
    *,
    permission: str,
    back: str,
    note: Mapping[str, object],
) -> Response:
    """Everything found, as a file. Leaves an audit row before the first byte.

    `back` is the page to return to when a step-up is needed first.
    """
    access.require(permission)
    access.require_step_up(back)
    # The ids first: the file is what the filter found at one moment, and no transaction stays
    # open while a slow reader takes its time.
    ids = list(session.scalars(found.with_only_columns(model.id)))
    transaction(
        lambda: audit.record(f"{name}.export", name, None, rows=len(ids), filters=dict(note))
    )
    lines = _lines(found, model, columns, ids)
    response = Response(stream_with_context(lines), content_type="text/csv; charset=utf-8")
    day = clock.today(preferences.get().zone)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}-{day:%Y%m%d}.csv"'
    return response


def cell(value: object) -> str:
    """A value as a cell that no spreadsheet will compute. Our own numbers are left as they are."""
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    if value is None:
        return ""
    return harmless(str(value))


def local(value: Any) -> str:
    """A moment in the shop's zone, to the second; empty when there is none."""
    if value is None:
        return ""
    return f"{value.astimezone(ZoneInfo(preferences.get().zone)):%Y-%m-%d %H:%M:%S}"


def yuan(amount: int) -> Decimal:
    """Minor units as a number that a spreadsheet can add up."""
    return Decimal(amount).scaleb(-2)


def _lines(
    found: Found,
    model: type[Any],
    columns: Sequence[Column],
    ids: Sequence[int],
) -> Iterator[str]:
    # The mark at the beginning is what tells Excel that this is UTF-8.
    yield "\ufeff" + line([_(column.title) for column in columns])
    for start in range(0, len(ids), CHUNK):
        chunk = found.where(model.id.in_(ids[start : start + CHUNK]))
        rows = session.execute(chunk).unique()
        is_single = len(chunk.column_descriptions) == 1
        yield "".join(
            line([cell(column.value(row[0] if is_single else row)) for column in columns])
            for row in rows
        )
        session.rollback()


def line(cells: Sequence[str]) -> str:
    """One record by RFC 4180, with CRLF."""
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
