"""The lines of a file that were not taken: their numbers and why, never what they held."""

from collections.abc import Iterator

import sqlalchemy as sa
from flask import Response, stream_with_context
from flask_babel import gettext as _

from app.core.db import session
from app.domain.vault.models import Import, RefusedLine
from app.web.admin import export

SHOWN = 5
LINES_PER_QUERY = 1000


def first(import_: Import) -> list[tuple[int, str]]:
    """The first few, for the page."""
    return _after(import_.id, 0, SHOWN)


def send(import_: Import) -> Response:
    """All of them as a CSV in the order of the file, streamed: there may be a million."""
    response = Response(
        stream_with_context(_rows(import_.id)), content_type="text/csv; charset=utf-8"
    )
    name = f"import-{import_.id}-refused.csv"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _rows(import_id: int) -> Iterator[str]:
    # The mark at the beginning is what tells Excel that this is UTF-8.
    yield "\ufeff" + export.line([_("行号"), _("原因")])
    last = 0
    while found := _after(import_id, last, LINES_PER_QUERY):
        yield "".join(export.line([str(line), export.cell(reason)]) for line, reason in found)
        last = found[-1][0]
        session.rollback()


def _after(import_id: int, line: int, limit: int) -> list[tuple[int, str]]:
    rows = session.execute(
        sa.select(RefusedLine.line, RefusedLine.message, RefusedLine.params)
        .where(RefusedLine.import_id == import_id, RefusedLine.line > line)
        .order_by(RefusedLine.line)
        .limit(limit)
    )
    return [(number, _(message, **params)) for number, message, params in rows]
